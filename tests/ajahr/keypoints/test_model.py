"""The keypoint model: heads, growing from 17 to 25 points, folders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from ajahr.errors import UserError
from ajahr.keypoints.config import KeypointConfig
from ajahr.keypoints.counts import count
from ajahr.keypoints.model import KeypointModel, load_keypoints, save_keypoints, with_residual_ends

CONFIGS = [
    KeypointConfig("vit_tiny", "classic", presence="pool"),
    KeypointConfig("vit_tiny", "simple", presence="keypoint"),
    KeypointConfig("vit_tiny", "simcc", presence="pool"),
    KeypointConfig("vit_tiny_stem", presence="pool"),
    KeypointConfig("vit_tiny_stem", presence="body"),
    KeypointConfig("shufflenet_v2_x0_5", "paper", presence="keypoint"),
    KeypointConfig("shufflenet_v2_x0_5", "simcc"),
]


def image(batch: int = 2) -> torch.Tensor:
    return torch.randn(batch, 3, 256, 192, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"{c.backbone}-{c.head}-{c.presence}")
def test_outputs_and_gradients(config: KeypointConfig) -> None:
    torch.manual_seed(0)
    model = KeypointModel(config)
    output = model(image())
    if config.head == "simcc":
        assert output.simcc is not None and output.heatmaps is None
        assert output.simcc.x.shape == (2, 25, 384) and output.simcc.y.shape == (2, 25, 512)
    else:
        assert output.heatmaps is not None and output.heatmaps.shape == (2, 25, 64, 48)
        assert torch.equal(output.peaks, output.heatmaps.amax((2, 3)))
    total = output.peaks.sum()
    if output.presence_logits is not None:
        total = total + output.presence_logits.sum()
        assert output.presence is not None
        assert torch.allclose(output.scores, output.peaks * output.presence)
    else:
        assert torch.equal(output.scores, output.peaks)
    total.backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.head.parameters())


def test_a_keypoint_s_presence_looks_where_its_map_does() -> None:
    torch.manual_seed(0)
    head = KeypointModel(KeypointConfig("vit_tiny", presence="keypoint")).presence_head
    assert head is not None
    features = torch.randn(1, 192, 16, 12)
    maps = torch.zeros(1, 25, 64, 48)
    maps[0, 3, 20, 30] = 1
    before = head(features, maps)
    features[0, :, 5, 7] += 1.0  # under the peak
    after = head(features, maps)
    moved = (after - before).abs().amax(-1)[0]
    assert moved[3] > 20 * moved[4]


@pytest.mark.parametrize(
    "config",
    [
        KeypointConfig("vit_tiny", "classic", 17, "pool"),
        KeypointConfig("vit_tiny", "simple", 17, "keypoint"),
        KeypointConfig("shufflenet_v2_x0_5", "paper", 17),
        KeypointConfig("shufflenet_v2_x0_5", "wide", 17),
    ],
    ids=lambda c: f"{c.backbone}-{c.head}",
)
@pytest.mark.parametrize("batch", [1, 3])
def test_the_first_17_stay_bit_for_bit(config: KeypointConfig, batch: int) -> None:
    torch.manual_seed(1)
    model = KeypointModel(config).eval()
    grown = with_residual_ends(model)
    with torch.no_grad():
        before, after = model(image(batch)), grown(image(batch))
    assert not grown.training and grown.config.points == 25
    assert before.heatmaps is not None and after.heatmaps is not None
    assert torch.equal(after.heatmaps[:, :17], before.heatmaps)
    # a left end above the elbow starts between shoulder and elbow, one below the knee between knee and ankle
    for end, pair in ((17, (5, 7)), (20, (8, 10)), (22, (12, 14)), (23, (13, 15))):
        mean = before.heatmaps[:, list(pair)].mean(1)
        assert torch.allclose(after.heatmaps[:, end], mean, atol=1e-4)
    if config.presence == "pool":
        assert before.presence_logits is not None and after.presence_logits is not None
        assert torch.allclose(after.presence_logits[:, :17], before.presence_logits, atol=1e-6)


def test_simcc_grows_too() -> None:
    grown = with_residual_ends(KeypointModel(KeypointConfig("vit_tiny", "simcc", 17)))
    output = grown(image())
    assert output.simcc is not None and output.simcc.x.shape[1] == 25
    with pytest.raises(UserError, match="25 points"):
        with_residual_ends(grown)


def test_folders_are_whole(tmp_path: Path) -> None:
    torch.manual_seed(2)
    model = KeypointModel(CONFIGS[0]).eval()
    loaded = load_keypoints(save_keypoints(model, tmp_path / "weights"))
    assert loaded.config == model.config and not loaded.training
    with torch.no_grad():
        first, second = model(image()), loaded(image())
    assert first.heatmaps is not None and second.heatmaps is not None
    assert torch.equal(first.heatmaps, second.heatmaps)


def test_broken_folders(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no keypoint model"):
        load_keypoints(tmp_path)
    folder = save_keypoints(KeypointModel(CONFIGS[3]), tmp_path / "weights")
    stamp = json.loads((folder / "config.json").read_text())
    for change, message in (
        ({"points": 17}, "does not fit"),
        ({"colour": 1}, "'colour' is no key"),
        ({"head": "round"}, "head is 'round'"),
    ):
        (folder / "config.json").write_text(json.dumps({**stamp, "config": {**stamp["config"], **change}}))
        with pytest.raises(UserError, match=message):
            load_keypoints(folder)
    (folder / "config.json").write_text(json.dumps({"format": "other"}))
    with pytest.raises(UserError, match="another kind"):
        load_keypoints(folder)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"backbone": "vit_giant"}, "no backbone"),
        ({"points": 24}, "points is 24"),
        ({"backbone": "resnet50", "head": "classic"}, "does not go with resnet50"),
        ({"head": "simcc", "presence": "keypoint"}, "needs heat maps"),
        ({"split_ratio": 0}, "split_ratio"),
    ],
)
def test_configs_that_make_no_sense(arguments: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        KeypointConfig(**arguments)


def test_vitpose_s_published_sizes() -> None:
    """Plain classic models: 24.3, 90.0, 308.5, 637.2 M; GFLOPs without the products inside attention."""
    for name, millions, gflops in (
        ("vit_small", 24.3, 10.5), ("vit_base", 90.0, 35.7), ("vit_large", 308.5, 119.5), ("vit_huge", 637.2, 245.6)
    ):  # fmt: skip
        with torch.device("meta"):
            counts = count(KeypointModel(KeypointConfig(name, points=17)))
        assert counts.parameters_m == pytest.approx(millions, abs=0.1)
        assert counts.gflops == pytest.approx(gflops, abs=0.1)
        assert 0 < counts.attention_gflops < 0.1 * gflops
