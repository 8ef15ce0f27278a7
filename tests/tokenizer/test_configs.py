"""Every config is parsed and built as `ajahr fit` does it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from ajahr.anatomy import JOINT, NUM_TOKENIZER_JOINTS, Level, Limb, absent_joints, body_pose_index
from ajahr.cli.fit import _JobCli
from tokenizer.losses import LossWeights

FOLDER = Path(__file__).parents[2] / "configs" / "tokenizer"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


@pytest.fixture(scope="module")
def built() -> Iterator[dict[str, _JobCli]]:
    threads = torch.get_num_threads()
    yield {
        name: _JobCli("fit", ["--config", str(FOLDER / f"{name}.yaml"), "--trainer.accelerator", "cpu"])
        for name in NAMES
    }
    torch.set_num_threads(threads)


def test_all_are_there_and_have_a_body(built: dict[str, _JobCli]) -> None:
    assert {"amputee", "intact", "amputee_small", "intact_small"} <= set(built)
    for cli in built.values():
        assert cli.model.mesh_fn is not None
        assert cli.trainer.val_check_interval <= cli.trainer.max_steps


@pytest.mark.parametrize("name", ["amputee", "intact"])
def test_paper_values(built: dict[str, _JobCli], name: str) -> None:
    model, data, trainer = built[name].model, built[name].datamodule, built[name].trainer
    config = model.tokenizer.config
    assert (config.num_tokens, config.num_codes, config.code_dim) == (320, 2048, 256)
    assert model.loss == LossWeights(100.0, 100.0, 100.0, 1.0, 1.0)
    assert (model.learning_rate, model.weight_decay, model.gamma) == (2e-4, 1e-5, 0.05)
    assert (trainer.max_steps, data.batch_size) == (200_000, 256)
    assert sum(spec.weight for spec in data.train_intact) == pytest.approx(1)
    assert [data.noise.scale(step) for step in (4999, 5000, 10_000, 15_000, 20_000)] == [
        0.01, 0.05, 0.1, 0.1, 0.5,
    ]  # fmt: skip


@pytest.mark.parametrize("size", ["", "_small"])
def test_the_two_tokenizers_differ_in_their_poses_alone(built: dict[str, _JobCli], size: str) -> None:
    amputee, intact = built[f"amputee{size}"], built[f"intact{size}"]
    assert amputee.datamodule.amputee_probability == 0.5 and amputee.datamodule.train_amputee
    assert intact.datamodule.amputee_probability == 0
    assert amputee.datamodule.train_intact == intact.datamodule.train_intact
    assert amputee.config.model == intact.config.model


def test_noise_parts_are_the_limbs(built: dict[str, _JobCli]) -> None:
    """Each limb as anatomy has it, hands left out; TokenHMR counts the collars in and calls neck and head a part."""
    head, *limbs = (set(part) for part in built["intact"].datamodule.noise.parts)
    assert head == {body_pose_index(JOINT["neck"]), body_pose_index(JOINT["head"])}
    for limb, part in zip(Limb, limbs, strict=True):
        joints = [
            *absent_joints(limb, Level.SHOULDER),
            *([JOINT[f"{limb.side}_collar"]] if limb.is_arm else []),
        ]
        rows = {body_pose_index(joint) for joint in joints}
        assert part == {row for row in rows if row < NUM_TOKENIZER_JOINTS}
