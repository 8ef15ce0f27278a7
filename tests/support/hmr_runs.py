"""The smallest regressor there is, its tokenizers and its YAML, for the tests of training."""

from __future__ import annotations

from pathlib import Path

import torch
import yaml
from fake_dataset import write_dataset

from ajahr.models.config import (
    BackboneConfig,
    BpacConfig,
    DecoderConfig,
    RegressorConfig,
    TokenHeadConfig,
)
from ajahr.training.hmr_model import ModelSpec
from tokenizer.config import TokenizerConfig
from tokenizer.vqvae import PoseTokenizer

TOKENIZER = TokenizerConfig(num_tokens=20, num_codes=16, code_dim=8, width=8)


def smallest(pose_head: str = "ajahr", bpac: bool = True, **changes: object) -> RegressorConfig:
    names = {"ajahr": ("amputee", "intact"), "tokenhmr": ("single",), "hmr2": ()}[pose_head]
    return RegressorConfig(
        **{
            "name": "smallest",
            "pose_head": pose_head,
            "backbone": BackboneConfig(32, 1, 2, drop_path=0.0),
            "bpac": BpacConfig(widths=(16, 16, 16, 16), blocks=(1, 1, 1, 1), resolution=32) if bpac else None,
            "decoder": DecoderConfig(width=32, depth=2, heads=2, head_width=16, mlp_width=32),
            "token_head": TokenHeadConfig(width=16, mixers=1, token_mlp_width=8, channel_mlp_width=16),
            "tokenizers": dict.fromkeys(names, TOKENIZER),
            "token_residual": False,
            **changes,
        }
    )


def write_tokenizers(folder: Path, *names: str) -> dict[str, Path]:
    """Untrained ones, as checkpoints of `ajahr fit`."""
    paths = {}
    for number, name in enumerate(names or ("amputee", "intact")):
        torch.manual_seed(number)
        tokenizer = PoseTokenizer(TOKENIZER)
        state = {f"tokenizer.{key}": value for key, value in tokenizer.state_dict().items()}
        paths[name] = folder / f"{name}.ckpt"
        torch.save({"state_dict": state, "tokenizer_config": TOKENIZER.to_dict()}, paths[name])
    return paths


def spec(**changes: object) -> ModelSpec:
    return ModelSpec(whole=smallest(**changes))


def write_run(folder: Path, **trainer: object) -> Path:
    """A YAML for `ajahr fit`, with its dataset and tokenizers."""
    write_dataset(folder / "people", shards=1)
    tokenizers = write_tokenizers(folder)
    people = [{"reader": "shards", "arguments": {"folder": str(folder / "people")}}]
    config = {
        "seed_everything": 0,
        "threads": 1,
        "model": {
            "class_path": "ajahr.training.hmr_module.HmrModule",
            "init_args": {
                "model": {"whole": smallest(backbone=BackboneConfig(32, 2, 2, drop_path=0.5)).to_dict()},
                "tokenizers": {name: str(path) for name, path in tokenizers.items()},
                "learning_rate": 1e-3,
            },
        },
        "data": {
            "class_path": "ajahr.training.hmr_data.HmrDataModule",
            "init_args": {"train": people, "validation": people, "batch_size": 2, "workers": 0},
        },
        "trainer": {
            "max_steps": 6,
            "val_check_interval": 4,
            "check_val_every_n_epoch": None,
            "num_sanity_val_steps": 0,
            "log_every_n_steps": 1,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "accelerator": "cpu",
            "callbacks": [
                {
                    "class_path": "pytorch_lightning.callbacks.ModelCheckpoint",
                    "init_args": {"monitor": "val/score", "save_last": True, "filename": "best"},
                },
            ],
            **trainer,
        },
    }
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(config))
    return path
