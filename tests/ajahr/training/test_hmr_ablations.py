"""Each overlay of configs/hmr/ablations builds over either size of AJAHR and changes what it says, nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch

from ajahr.cli.fit import _JobCli
from ajahr.training.hmr_model import flatten
from tokenizer.config import TokenizerConfig

FOLDER = Path(__file__).parents[3] / "configs" / "hmr"
NAMES = sorted(path.stem for path in (FOLDER / "ablations").glob("*.yaml"))
MODEL, DATA = "model.init_args.model.", "data.init_args."
CHANGES: dict[str, dict[str, Any]] = {
    **{f"noise_{ratio}": {MODEL + "keypoint_noise": float(ratio)} for ratio in (25, 50, 75, 100)},
    "image_only": {MODEL + "bpac_inputs": "image"},
    "keypoints_only": {MODEL + "bpac_inputs": "keypoints"},
    "single_amputee": {MODEL + "single": "amputee"},
    "single_intact": {MODEL + "single": "intact"},
    **{
        f"tokens_{count}": {
            f"model.init_args.tokenizers.{name}":
                Path(f"out/tokenizer/tokens_{count}/{name}/version_0/checkpoints/best.ckpt")
            for name in ("intact", "amputee")
        }
        for count in (160, 640)
    },
    "full": {"model.init_args.fine_tune": "all", MODEL + "checkpointing": True},
    "no_cross_attention": {MODEL + "bpac_cross_attention": False},
    "full_no_cross_attention": {
        "model.init_args.fine_tune": "all", MODEL + "checkpointing": True, MODEL + "bpac_cross_attention": False,
    },
    **{f"share_{share}": {DATA + "amputee_share": share / 100} for share in (25, 75, 100)},
}  # fmt: skip


def built(size: str, *overlays: str) -> _JobCli:
    configs = [f"--config={FOLDER / f'{name}.yaml'}" for name in (size, *overlays)]
    return _JobCli("fit", [*configs, "--trainer.accelerator=cpu", "--trainer.precision=32-true"])


def settings(cli: _JobCli) -> dict[str, Any]:
    flat = flatten(cli.config.as_dict() if hasattr(cli.config, "as_dict") else vars(cli.config))
    return {key: str(value) for key, value in flat.items() if key.partition(".")[0] not in ("config", "base")}


@pytest.fixture(scope="module", autouse=True)
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Folders of runs are made where it does not matter."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("runs"))
        yield


@pytest.fixture(scope="module")
def plain(elsewhere: None) -> Iterator[dict[str, _JobCli]]:
    threads = torch.get_num_threads()
    yield {size: built(size) for size in ("tiny", "paper")}
    torch.set_num_threads(threads)


def test_there_is_one_for_every_row_of_the_papers_tables() -> None:
    assert set(CHANGES) == set(NAMES)


@pytest.mark.parametrize("size", ["tiny", "paper"])
@pytest.mark.parametrize("name", NAMES)
def test_changes_what_it_says_and_nothing_else(plain: dict[str, _JobCli], size: str, name: str) -> None:
    cli = built(size, f"ablations/{name}")
    before, after = settings(plain[size]), settings(cli)
    changed = {
        key: after.get(key) for key in before.keys() | after.keys() if before.get(key) != after.get(key)
    }
    assert changed.pop("output") == f"out/hmr/ablations/{name}"
    wanted = {key: str(value) for key, value in CHANGES[name].items()}
    assert {k: v for k, v in changed.items() if k not in wanted} == {}
    assert {key: after[key] for key in wanted} == wanted
    config = cli.model.spec.config()  # what the regressor is made of follows
    assert config.bpac is not None
    if name.startswith("noise"):
        assert config.bpac.noise_ratio == cli.model.spec.keypoint_noise > 0
    if name.startswith("single"):
        assert config.tokenizer_names == ("single",)
    if name.endswith("only"):
        assert config.bpac.inputs == name.removesuffix("_only")
    if name.startswith("no_cross"):
        assert not config.bpac_cross_attention


@pytest.mark.parametrize("count", [160, 640])
def test_tokenizers_of_other_sizes(count: int) -> None:
    threads = torch.get_num_threads()
    folder = FOLDER.parent / "tokenizer"
    overlay = f"--config={folder / 'ablations' / f'tokens_{count}.yaml'}"
    for name in ("amputee_small", "intact_small", "amputee", "intact"):
        base = _JobCli("fit", [f"--config={folder / f'{name}.yaml'}", "--trainer.accelerator=cpu"])
        cli = _JobCli("fit", [f"--config={folder / f'{name}.yaml'}", overlay, "--trainer.accelerator=cpu"])
        paper = {
            f"model.init_args.config.{key}": str(value) for key, value in asdict(TokenizerConfig()).items()
        }
        before, after = {**paper, **settings(base)}, settings(cli)
        changed = {key: after[key] for key in after if before.get(key) != after[key]}
        assert changed == {"model.init_args.config.num_tokens": str(count)}
    torch.set_num_threads(threads)
