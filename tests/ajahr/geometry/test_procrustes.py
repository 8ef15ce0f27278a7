"""Procrustes: recovers what was applied, beats every neighbour, survives degenerate sets."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ajahr.geometry.procrustes import procrustes_align, similarity
from ajahr.geometry.rotations import rotvec_to_rotmat

GENERATOR = torch.Generator().manual_seed(0)


def randn(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=GENERATOR, dtype=torch.float64)


@pytest.mark.parametrize("batch", [(), (1,), (3, 2), (0,)])
def test_recovers_an_applied_similarity(batch):
    points = randn(*batch, 12, 3)
    rotation, scale, shift = rotvec_to_rotmat(randn(*batch, 3)), randn(*batch).abs() + 0.1, randn(*batch, 3)
    target = scale[..., None, None] * points @ rotation.mT + shift[..., None, :]
    found = similarity(points, target)
    torch.testing.assert_close(found.rotation, rotation)
    torch.testing.assert_close(found.scale, scale)
    torch.testing.assert_close(found.translation, shift)
    torch.testing.assert_close(found.apply(points), target)


def test_never_a_reflection():
    points = randn(10, 3)
    found = similarity(points, points * torch.tensor([-1.0, 1, 1]))
    assert float(torch.linalg.det(found.rotation)) == pytest.approx(1)


def test_least_squares_beats_neighbours():
    source, target = randn(9, 3), randn(9, 3)
    found = similarity(source, target)
    best = (found.apply(source) - target).square().sum()
    for _ in range(50):
        nudge = rotvec_to_rotmat(0.05 * randn(3))
        other = found._replace(
            rotation=nudge @ found.rotation,
            scale=found.scale * (1 + 0.05 * randn()),
            translation=found.translation + 0.02 * randn(3),
        )
        assert (other.apply(source) - target).square().sum() > best


def test_zero_weight_points_do_not_count():
    source, target = randn(8, 3), randn(8, 3)
    weights = torch.tensor([1.0, 2, 1, 1, 0.5, 0, 0, 0], dtype=torch.float64)
    spoilt = target.clone()
    spoilt[5:] += 100
    for a, b in zip(similarity(source, target, weights), similarity(source, spoilt, weights), strict=True):
        torch.testing.assert_close(a, b)


def test_weights_count_as_repeats():
    source, target = randn(5, 3), randn(5, 3)
    repeats = torch.tensor([1, 3, 2, 1, 1])
    twin = similarity(source.repeat_interleave(repeats, 0), target.repeat_interleave(repeats, 0))
    for a, b in zip(similarity(source, target, repeats.double()), twin, strict=True):
        torch.testing.assert_close(a, b)


def test_without_scale_lengths_stay():
    source = randn(7, 3)
    aligned = similarity(source, 3 * source, with_scale=False).apply(source)
    torch.testing.assert_close(torch.cdist(aligned, aligned), torch.cdist(source, source))


@pytest.mark.parametrize(
    "source", [torch.zeros(4, 3), torch.ones(4, 3), torch.tensor([[0.0, 0, 0], [1, 0, 0]]), torch.zeros(1, 3)]
)
def test_degenerate_sets_give_numbers(source):
    target = torch.tensor(np.random.default_rng(0).normal(size=source.shape), dtype=torch.float32)
    found = similarity(source, target)
    assert all(x.isfinite().all() for x in found)
    torch.testing.assert_close(found.apply(source).mean(0), target.mean(0), atol=1e-5, rtol=0)
    assert float(torch.linalg.det(found.rotation)) == pytest.approx(1, abs=1e-5)


def test_no_weight_at_all_gives_numbers():
    found = similarity(randn(4, 3), randn(4, 3), torch.zeros(4, dtype=torch.float64))
    assert all(x.isfinite().all() for x in found)


def test_align_keeps_the_dtype():
    assert procrustes_align(randn(4, 3).float(), randn(4, 3).float()).dtype == torch.float32
