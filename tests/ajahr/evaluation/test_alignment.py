from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ajahr.evaluation._alignment import aligned_distances, pelvis_distances
from ajahr.geometry.procrustes import procrustes_align

SHAPES = {
    "person": (0.15, 0.5, 0.08),
    "flat": (0.3, 0.3, 0.0),
    "stick": (0.5, 1e-3, 1e-4),
    "ball": (0.3, 0.3, 0.3),
    "tiny": (1e-5, 2e-5, 3e-5),
}


def align(p: np.ndarray, q: np.ndarray, present: np.ndarray | None = None) -> np.ndarray:
    here = np.ones(p.shape[:2], bool) if present is None else present
    out = np.empty(p.shape[:2])
    aligned_distances(p, q, here, out)
    return out


def by_svd(p: np.ndarray, q: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    to = [torch.from_numpy(np.asarray(x, float)) for x in (p, q)]
    w = None if weights is None else torch.from_numpy(weights.astype(float))
    return np.linalg.norm(procrustes_align(*to, w).numpy() - q, axis=-1)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_twin_svd(name: str, dtype: type) -> None:
    """Turned, shifted, mirrored, scaled, with noise."""
    rng = np.random.default_rng(3)
    size = np.array(SHAPES[name])
    q = rng.normal(size=(400, 14, 3)) * size
    noise = rng.normal(size=q.shape) * size.max() * rng.choice([0.01, 0.2, 1.0], (400, 1, 1))
    turn = np.linalg.qr(rng.normal(size=(400, 3, 3)))[0]  # half of them mirror
    p = (rng.uniform(0.5, 2, (400, 1, 1)) * (q + noise) @ turn + rng.normal(size=(400, 1, 3))).astype(dtype)
    q = q.astype(dtype)
    assert np.abs(align(p, q) - by_svd(p, q)).max() < 1e-9  # m: 1e-6 mm


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    axes=st.tuples(*[st.sampled_from([0.0, 1e-8, 1e-3, 0.1, 1.0])] * 3),
    count=st.integers(1, 20),
)
def test_law_never_worse_than_svd(seed: int, axes: tuple[float, float, float], count: int) -> None:
    """However degenerate: the sum of squares is the least there is."""
    rng = np.random.default_rng(seed)
    q, p = (rng.normal(size=(3, count, 3)) * np.array(axes) for _ in range(2))
    ours, theirs = align(p, q), by_svd(p, q)
    assert np.isfinite(ours).all()
    assert (np.square(ours).sum(1) <= np.square(theirs).sum(1) + 1e-12).all()


def test_similar_shapes_fit_and_mirrored_ones_do_not() -> None:
    rng = np.random.default_rng(0)
    q = rng.normal(size=(5, 10, 3))
    turn = np.linalg.qr(rng.normal(size=(5, 3, 3)))[0]
    turn *= np.linalg.det(turn)[:, None, None]
    assert align(3 * q @ turn + 7, q).max() < 1e-12
    assert (align(q * [1, 1, -1], q).mean(1) > 0.1).all()


def test_exact_ties_of_the_eigenvalues() -> None:
    """A regular octahedron against itself turned by half, and against its mirror image: ties in every axis."""
    q = np.concatenate([np.eye(3), -np.eye(3)])[None]
    p = q * [-1.0, -1.0, 1.0]
    assert align(p, q).max() < 1e-12
    mirrored = align(-q + 0.1 * q[:, ::-1], q)
    assert np.isfinite(mirrored).all()


def test_absent_points_do_not_count_and_nan_stays_with_its_person() -> None:
    rng = np.random.default_rng(1)
    p, q = rng.normal(size=(2, 4, 14, 3))
    present = np.ones((4, 14), bool)
    present[0, 3:7] = False
    present[3] = False
    p[0, 3:7] = np.nan
    p[1, 2, 0] = np.nan
    p[2, 5, 1] = np.inf
    ours = align(p, q, present)
    kept = present[0]
    np.testing.assert_allclose(ours[0, kept], by_svd(p[:1, kept], q[:1, kept])[0], atol=1e-12)
    assert np.isnan(ours[0, ~kept]).all() and np.isnan(ours[3]).all()
    assert np.isnan(ours[1]).all() and np.isnan(ours[2]).all()

    out = np.empty((4, 14))
    pelvis = rng.normal(size=(2, 4, 3))
    pelvis_distances(p, q, *pelvis, present, out)
    expected = np.linalg.norm(p - pelvis[0][:, None] - q + pelvis[1][:, None], axis=-1)
    np.testing.assert_allclose(out[0, kept], expected[0, kept])
    assert np.isnan(out[1]).sum() == 1 and np.isnan(out[3]).all()


def test_people_in_one_place() -> None:
    q = np.random.default_rng(0).normal(size=(2, 6, 3))
    p = np.zeros((2, 6, 3))
    centred = np.linalg.norm(q - q.mean(1, keepdims=True), axis=-1)
    np.testing.assert_allclose(align(p, q), centred)
    assert np.isfinite(align(q, p)).all() and align(p, p).max() == 0
