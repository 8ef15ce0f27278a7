"""Every config of configs/hmr is parsed and built as `ajahr fit` does it; nothing is read but the configs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from ajahr.cli.fit import _JobCli
from ajahr.data.readers.a3d import EVALUATION
from ajahr.training.hmr_losses import LossConfig

FOLDER = Path(__file__).parents[3] / "configs" / "hmr"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
SIZES = ("", "tiny_")


@pytest.fixture(scope="module")
def built() -> Iterator[dict[str, _JobCli]]:
    threads = torch.get_num_threads()
    options = ["--trainer.accelerator", "cpu", "--trainer.precision", "32-true"]
    yield {name: _JobCli("fit", ["--config", str(FOLDER / f"{name}.yaml"), *options]) for name in NAMES}
    torch.set_num_threads(threads)


def test_each_has_its_own_output_and_an_end(built: dict[str, _JobCli]) -> None:
    outputs = [cli.config.output for cli in built.values()]
    assert [path.name for path in outputs] == NAMES and len(set(outputs)) == len(NAMES)
    for cli in built.values():
        assert 0 < cli.trainer.val_check_interval <= cli.trainer.max_steps
        assert cli.datamodule.train and cli.datamodule.validation


def test_paper_values(built: dict[str, _JobCli]) -> None:
    model, data, trainer = built["paper"].model, built["paper"].datamodule, built["paper"].trainer
    assert model.spec.config().token_head and model.spec.preset == "paper"
    assert (model.learning_rate, model.weight_decay, model.schedule) == (5e-6, 1e-4, "constant")
    assert (model.fine_tune, data.batch_size, data.amputee_share) == ("partial", 64, 0.5)
    assert trainer.max_steps == 150_000
    config: LossConfig = model.loss.config
    weights = (
        config.body_pose,
        config.betas,
        config.keypoints_3d,
        config.keypoints_2d,
        config.classification,
    )
    assert weights == (1e-3, 5e-4, 5e-2, 1e-2, 1e-2)
    assert config.loose is not None and config.loose.weight == 0.05
    others = [spec.weight for spec in data.train if spec.reader != "a3d"]
    assert sum(others) == pytest.approx(1)


def test_nothing_trains_on_evaluation_data(built: dict[str, _JobCli]) -> None:
    for cli in built.values():
        for spec in cli.datamodule.train:
            if spec.reader == "a3d":
                assert spec.arguments["parts"] and not set(spec.arguments["parts"]) & set(EVALUATION)
            assert spec.reader not in ("itw_amputee", "3dpw", "emdb", "3doh50k")


@pytest.mark.parametrize("size", SIZES)
def test_baselines_differ_in_their_model_alone(built: dict[str, _JobCli], size: str) -> None:
    ours = built["tiny" if size else "paper"]
    for name, head, bpac in (
        ("hmr2", "hmr2", False), ("hmr2_bpac", "hmr2", True), ("tokenhmr", "tokenhmr", False),
        ("tokenhmr_bpac", "tokenhmr", True),
    ):  # fmt: skip
        baseline = built[size + name]
        config = baseline.model.spec.config()
        assert config.pose_head == head and (config.bpac is not None) == bpac
        assert set(config.tokenizer_names) <= set(baseline.model.tokenizers or {})
        assert (baseline.model.first.bpac_imagenet is not None) == (bpac and not size)
        assert baseline.config.data == ours.config.data
        assert baseline.trainer.max_steps == ours.trainer.max_steps
        assert baseline.model.learning_rate == ours.model.learning_rate
        assert baseline.model.spec.preset == ours.model.spec.preset
    assert set(ours.model.spec.config().tokenizer_names) <= set(ours.model.tokenizers)
