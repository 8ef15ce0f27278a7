"""Training of keypoint models: it learns, goes on where it stopped, and refuses what makes no sense."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from fake_dataset import write_dataset

from ajahr.errors import UserError
from ajahr.keypoints.config import KeypointConfig
from ajahr.keypoints.model import KeypointModel, save_keypoints
from ajahr.keypoints.predictor import normalise
from ajahr.keypoints.samples import KeypointAugmentation, table_of_shards
from ajahr.training.keypoints_data import (
    Crops,
    Draw,
    KeypointDataModule,
    KeypointDataset,
    Stream,
    collate,
    partners_of,
)
from ajahr.training.keypoints_module import (
    KeypointLossConfig,
    KeypointModule,
    load_trained,
    parameter_groups,
    validation_figures,
)

SMALL = KeypointConfig("shufflenet_v2_x0_5", "wide", presence="pool")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keypoints") / "data"
    write_dataset(folder)
    return folder


@pytest.fixture(scope="module")
def batch(folder: Path):
    table = KeypointDataset(folder).open()
    return collate([Crops([table], None)[Draw(0, row, (0,))] for row in (0, 1, 4, 5)])


@pytest.mark.parametrize("kind", ["mse", "distill"])
def test_it_overfits_one_batch(kind, batch, tmp_path: Path) -> None:
    torch.manual_seed(0)
    teacher = None
    if kind == "distill":
        teacher = save_keypoints(
            KeypointModel(replace(SMALL, points=17, presence="none")), tmp_path / "teacher"
        )
    loss = KeypointLossConfig(kind, "pairwise", presence_weight=0.01, ld_weight=0.01, teacher_share=0.1)
    module = KeypointModule(SMALL, loss=loss, teacher=teacher)
    optimizer = torch.optim.AdamW(module.parameters(), 3e-3)
    image = normalise(batch.pixels)
    history = []
    for _ in range(25):
        terms = module.losses(module.model(image), image, batch)
        optimizer.zero_grad()
        terms["total"].backward()
        optimizer.step()
        history.append({name: value.item() for name, value in terms.items()})
    assert set(history[0]) == {"total", "keypoints", "ld", "presence"}
    assert history[-1]["total"] == pytest.approx(
        sum(v for k, v in history[-1].items() if k != "total"), rel=1e-4
    )
    assert history[-1]["keypoints"] < 0.5 * history[0]["keypoints"]
    assert (
        history[-1]["ld"] < 0.5 * history[0]["ld"] and history[-1]["presence"] < 0.5 * history[0]["presence"]
    )


def fit(
    folder: Path, root: Path, steps: int, checkpoint: Path | None = None
) -> tuple[pl.Trainer, KeypointModule]:
    torch.manual_seed(0)
    module = KeypointModule(SMALL, learning_rate=1e-3, warmup_steps=2, schedule="constant", flip_test=False)
    spec = KeypointDataset(folder)
    data = KeypointDataModule([spec], [spec], batch_size=2, workers=0, max_validation_people=4)
    trainer = pl.Trainer(
        max_steps=steps, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
        num_sanity_val_steps=0, default_root_dir=root, enable_checkpointing=False, val_check_interval=2,
        check_val_every_n_epoch=None,
    )  # fmt: skip
    trainer.fit(module, data, ckpt_path=checkpoint, weights_only=True)
    return trainer, module


@pytest.mark.filterwarnings("ignore:.*does not have many workers.*", "ignore:.*LeafSpec.*")
def test_a_resumed_run_is_the_uninterrupted_one(folder: Path, tmp_path: Path) -> None:
    whole, module = fit(folder, tmp_path, 4)
    assert 0 <= float(whole.callback_metrics["val/score"]) <= 1
    half, _ = fit(folder, tmp_path, 2)
    half.save_checkpoint(tmp_path / "half.ckpt")
    _, resumed = fit(folder, tmp_path, 4, tmp_path / "half.ckpt")
    for (name, a), b in zip(
        module.model.state_dict().items(), resumed.model.state_dict().values(), strict=True
    ):
        assert torch.allclose(a.float(), b.float(), atol=1e-6), name
    loaded = load_trained(tmp_path / "half.ckpt")
    assert loaded.config == SMALL and not loaded.training


def test_the_stream_is_a_function_of_the_step() -> None:
    first = Stream([10, 20], [1.0, 3.0], 8, 0, 0, 1)
    draws = [batch for batch, _ in zip(first, range(200), strict=False)]
    later = Stream([10, 20], [1.0, 3.0], 8, 0, 0, 1)
    later.first_step = 3
    assert next(iter(later)) == draws[3]
    share = np.mean([draw.table for batch in draws for draw in batch])
    assert share == pytest.approx(0.75, abs=0.05)
    assert next(iter(Stream([10, 20], [1.0, 3.0], 8, 0, 1, 2))) != draws[0]


def test_twins_stand_together_in_one_crop(folder: Path) -> None:
    table = table_of_shards(folder)
    assert (table.twins >= 0).any() and table.presence.min() >= 0
    stream = Stream([len(table)], [1.0], 7, 0, 0, 1, [table.twins])
    batches = [batch for batch, _ in zip(stream, range(20), strict=False)]
    partners = partners_of(table.twins)
    assert all(len(batch) == 7 for batch in batches)
    seeds = [[draw.seed for draw in batch] for batch in batches]
    pairs = [(a, b) for batch in batches for a, b in pairwise(batch) if a.seed == b.seed]
    assert pairs and all(partners[a.row] == b.row and a.placed_by == b.placed_by for a, b in pairs)
    assert {a.placed_by == a.row for a, _ in pairs} == {True, False}, "either of them says where to look"
    assert len({seed for batch in seeds for seed in batch}) < 20 * 7
    crops = Crops([table], KeypointAugmentation())
    a, b = (crops[draw] for draw in pairs[0])
    both = (a.visibility > 0) & (b.visibility > 0)
    np.testing.assert_allclose(a.points[both], b.points[both], atol=0.01)
    assert (a.presence != b.presence).any(), "they differ in a limb"
    later = Stream([len(table)], [1.0], 7, 0, 0, 1, [table.twins])
    later.first_step = 5
    assert next(iter(later)) == batches[5]


def test_another_presence_head_starts_anew(folder: Path, tmp_path: Path) -> None:
    first = KeypointModel(replace(SMALL, presence="keypoint"))
    save_keypoints(first, tmp_path / "first")
    module = KeypointModule(replace(SMALL, presence="body"), first=tmp_path / "first")
    started, given = module.model.state_dict(), first.state_dict()
    assert all(
        torch.equal(value, started[k]) for k, value in given.items() if not k.startswith("presence_head.")
    )
    assert module.model.presence_head is not None and module.model.presence_head.kind == "body"


def test_figures_by_hand() -> None:
    distance = torch.full((2, 25), 100.0)
    seen = torch.zeros(2, 25, dtype=torch.bool)
    seen[0, :4], seen[1, 21] = True, True
    distance[0, :4] = torch.tensor([1.0, 2.0, 3.0, 30.0])
    distance[1, 21] = 5.0
    scores = torch.zeros(2, 25)
    scores[0, [13, 21]] = 0.5  # a knee and an end above it
    found = validation_figures(distance, seen, scores)
    assert found["error_px"] == 3 and found["residual_px"] == 5 and found["pck"] == pytest.approx(0.8)
    assert found["contradictions"] == pytest.approx(1 / 8)
    assert found["score"] == pytest.approx(
        np.mean([math.exp(-((d / 10) ** 2) / 2) for d in (1, 2, 3, 30, 5)]), rel=1e-5
    )
    assert math.isnan(validation_figures(distance, seen & False, scores)["error_px"])


def test_early_blocks_learn_slowly_and_norms_do_not_decay() -> None:
    with torch.device("meta"):
        model = KeypointModel(KeypointConfig("vit_base"))
    groups = parameter_groups(model, 1.0, 0.1)
    rate = {id(p): (g["lr"], g["weight_decay"]) for g in groups for p in g["params"]}
    named = dict(model.named_parameters())
    assert len(rate) == len(named)
    for name, lr, decay in (
        ("backbone.patch_embed.proj.weight", 0.75**13, 0.1),
        ("backbone.pos_embed", 0.75**13, 0.0),
        ("backbone.blocks.0.attn.qkv.weight", 0.75**12, 0.1),
        ("backbone.blocks.11.norm1.weight", 0.75, 0.0),
        ("head.6.weight", 1.0, 0.1),
        ("head.6.bias", 1.0, 0.0),
    ):
        assert rate[id(named[name])] == pytest.approx((lr, decay)), name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": replace(SMALL, points=17)}, "training data have 25"),
        ({"loss": KeypointLossConfig("distill")}, "a teacher goes with"),
        (
            {"model": replace(SMALL, presence="none"), "loss": KeypointLossConfig(ld_form="algorithm1")},
            "needs a presence head",
        ),
        ({"model": SMALL, "first": Path("nowhere")}, "no keypoint model"),
    ],
)
def test_what_is_refused(arguments: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        KeypointModule(**{"model": SMALL, **arguments})


def test_starting_from_17_points(tmp_path: Path) -> None:
    torch.manual_seed(3)
    first = KeypointModel(replace(SMALL, points=17, presence="none"))
    save_keypoints(first, tmp_path / "first")
    module = KeypointModule(SMALL, first=tmp_path / "first")
    assert torch.equal(module.model.state_dict()["head.0.0.weight"], first.state_dict()["head.0.0.weight"])
    with pytest.raises(UserError, match="change one of them"):
        KeypointModule(replace(SMALL, head="paper"), first=tmp_path / "first")
