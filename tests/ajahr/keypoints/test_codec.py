"""Targets and decoding: there and back, against naive loops, under mirroring."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from ajahr.keypoints.codec import (
    HEATMAP_SIZE,
    decode_heatmaps,
    decode_simcc,
    heatmap_targets,
    position_sd,
    simcc_targets,
    to_cells,
    to_pixels,
)

GENERATOR = torch.Generator().manual_seed(0)


def points_inside(count: int, margin: float = 30.0) -> torch.Tensor:
    size = torch.tensor([192.0, 256.0])
    return margin + torch.rand(count, 1, 2, generator=GENERATOR) * (size - 2 * margin)


def test_corners_meet() -> None:
    corners = torch.tensor([[0.5, 0.5], [191.5, 255.5]])
    assert torch.allclose(to_cells(corners), torch.tensor([[0.0, 0.0], [47.0, 63.0]]), atol=1e-5)
    points = torch.rand(20, 2, generator=GENERATOR) * 200
    assert torch.allclose(to_pixels(to_cells(points)), points, atol=1e-4)


def test_targets_are_the_naive_gaussian() -> None:
    point = torch.tensor([[[70.3, 101.9]]])
    maps = heatmap_targets(point, torch.ones(1, 1, dtype=torch.bool)).heatmaps[0, 0]
    cx, cy = (70.3 - 0.5) * 47 / 191, (101.9 - 0.5) * 63 / 255
    for row in range(64):
        for column in range(48):
            inside = abs(column - round(cx)) <= 6 and abs(row - round(cy)) <= 6
            expected = math.exp(-((column - cx) ** 2 + (row - cy) ** 2) / 8) if inside else 0
            assert float(maps[row, column]) == pytest.approx(expected, abs=1e-5)


def test_points_without_label_or_outside_have_empty_maps() -> None:
    points = torch.tensor([[[50.0, 50.0], [50.0, 50.0], [-60.0, 50.0], [-10.0, 50.0]]])
    labelled = torch.tensor([[True, False, True, True]])
    found = heatmap_targets(points, labelled)
    assert found.seen.tolist() == [[True, False, False, True]]  # the last one's Gaussian reaches in
    assert not found.heatmaps[0, 1:3].any() and found.heatmaps[0, 3].any()


def test_decoding_finds_what_was_encoded_to_a_hundredth_of_a_pixel() -> None:
    points = points_inside(200)
    maps = heatmap_targets(points, torch.ones(200, 1, dtype=torch.bool)).heatmaps
    found = decode_heatmaps(maps)
    assert float((found.points - points).norm(dim=-1).max()) < 0.02
    coarse = decode_heatmaps(maps, dark=False)
    assert 1 < float((coarse.points - points).norm(dim=-1).mean()) < 3
    assert (found.scores > 0.93).all()


def test_decoding_does_not_mind_the_height_of_the_peak() -> None:
    points = points_inside(50)
    maps = heatmap_targets(points, torch.ones(50, 1, dtype=torch.bool)).heatmaps
    found = decode_heatmaps(0.4 * maps)
    assert float((found.points - points).norm(dim=-1).max()) < 0.1
    assert torch.allclose(found.scores, 0.4 * decode_heatmaps(maps).scores)


def test_mirrored_maps_decode_to_mirrored_points() -> None:
    noise = torch.rand(4, 5, *HEATMAP_SIZE, generator=GENERATOR)
    maps = (
        heatmap_targets(points_inside(20).view(4, 5, 2), torch.ones(4, 5, dtype=torch.bool)).heatmaps
        + 0.05 * noise
    )
    found, mirrored = decode_heatmaps(maps).points, decode_heatmaps(maps.flip(-1)).points
    assert torch.allclose(mirrored[..., 0], 192 - found[..., 0], atol=1e-3)
    assert torch.allclose(mirrored[..., 1], found[..., 1], atol=1e-3)


def test_flat_and_broken_maps_stay_finite() -> None:
    maps = torch.zeros(1, 3, *HEATMAP_SIZE)
    maps[0, 1] = 0.7
    maps[0, 2, 0, 0] = 1
    found = decode_heatmaps(maps)
    assert torch.isfinite(found.points).all()
    assert (found.points >= 0).all() and (found.points <= torch.tensor([192.0, 256.0])).all()
    assert found.scores[0, 0] == 0


@pytest.mark.parametrize("spread", [0.0, 2.0, 3.0, 6.0, 10.0])
def test_spread_of_an_uncertain_map_is_the_uncertainty(spread: float) -> None:
    """The map that mean squared error wants is the mean target over where the point may be."""
    rng = np.random.default_rng(1)
    places = torch.from_numpy(np.array([96.0, 128.0]) + rng.normal(size=(4000, 1, 2)) * spread).float()
    maps = heatmap_targets(places, torch.ones(4000, 1, dtype=torch.bool)).heatmaps.mean(0, keepdim=True)
    assert float(position_sd(maps)) == pytest.approx(spread, abs=0.45 if spread else 0.9)


def test_an_empty_map_knows_nothing() -> None:
    assert torch.isinf(position_sd(torch.zeros(1, 1, *HEATMAP_SIZE))).all()


def test_simcc_there_and_back() -> None:
    points = points_inside(100)
    targets, seen = simcc_targets(points, torch.ones(100, 1, dtype=torch.bool))
    found = decode_simcc(targets)
    assert seen.all() and targets.x.shape == (100, 1, 384) and targets.y.shape == (100, 1, 512)
    assert float((found.points - points).abs().max()) <= 0.25 + 1e-4
    assert (found.scores > 0.99).all()
    _, seen = simcc_targets(torch.tensor([[[-1.0, 5.0], [5.0, 256.0]]]), torch.ones(1, 2, dtype=torch.bool))
    assert not seen.any()
