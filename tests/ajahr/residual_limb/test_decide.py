"""Every way to say where a limb ends, on limbs whose ends are known."""

from __future__ import annotations

import numpy as np
import pytest

from ajahr.errors import UserError
from ajahr.geometry.cameras import Camera
from ajahr.residual_limb.decide import METHODS, Known, decide
from ajahr.residual_limb.rafo import Status
from ajahr.residual_limb.segments import SEGMENTS

CAMERA = Camera.centred(800, 800, 1000.0)


def people(count: int = 40, seed: int = 0, noise: float = 2.0, tilt: float = 0.3):
    """Joints with bones of 0.35 m, one end in a below-knee segment of each, its image point with noise."""
    rng = np.random.default_rng(seed)
    joints = rng.normal(0, 0.2, (count, 24, 3)) + np.array([0, 0, 3])
    for segment in SEGMENTS:  # proximal bones come first
        way = rng.normal(0, 1, (count, 3)) * (1, 1, tilt)
        joints[:, segment.anchor] = (
            joints[:, segment.upstream] + 0.35 * way / np.linalg.norm(way, axis=1)[:, None]
        )
    where = SEGMENTS.index(next(s for s in SEGMENTS if s.name == "left_below_knee_res"))
    anchor, upstream = joints[:, SEGMENTS[where].anchor], joints[:, SEGMENTS[where].upstream]
    true = rng.uniform(0.1, 0.9, count)
    ends = anchor + true[:, None] * (upstream - anchor)
    points = np.zeros((count, 8, 3))
    points[:, where, :2] = CAMERA.project(ends) + rng.normal(0, noise, (count, 2))
    points[:, where, 2] = 1
    return joints, where, true, ends, points


def test_proxies_are_the_same_for_everybody() -> None:
    joints, _, _, _, _ = people(3)
    known = Known(joints, CAMERA)
    for method, fraction in (("joint", 0.0), ("midpoint", 0.5)):
        ends = decide(method, known)
        assert (
            (ends.fraction == fraction).all()
            and (ends.status == Status.ABSENT).all()
            and not ends.fitted.any()
        )
        middle = joints[:, SEGMENTS[3].anchor] * (1 - fraction) + joints[:, SEGMENTS[3].upstream] * fraction
        np.testing.assert_allclose(ends.end[:, 3], middle)


def test_head_and_point_together_beat_each_alone() -> None:
    """Bones seen almost end on, so that pixels say little of lambda: a head that is off by its own sd helps."""
    joints, k, true, ends, points = people(300, tilt=6.0, noise=4.0)
    rng = np.random.default_rng(1)
    sd = np.full((300, 8), 0.08)
    head = np.clip(true[:, None] + rng.normal(0, 0.08, (300, 8)), 0.02, 0.98)
    known = Known(joints, CAMERA, head, sd, points, 4.0)
    error = {m: np.abs(decide(m, known).fraction[:, k] - true).mean() for m in METHODS}
    assert error["head+rafo"] < 0.9 * error["head"] and error["head+rafo"] < 0.9 * error["rafo"]
    assert error["rafo"] < error["midpoint"] < error["joint"]
    place = {m: np.linalg.norm(decide(m, known).end[:, k] - ends, axis=1).mean() for m in METHODS}
    assert place["head+rafo"] < place["rafo"] and place["head+rafo"] < place["midpoint"] / 2


def test_a_sure_head_holds_and_an_unsure_one_lets_go() -> None:
    joints, k, true, _, points = people(30)
    wrong = np.full((30, 8), 0.5)
    held = decide("head+rafo", Known(joints, CAMERA, wrong, np.full((30, 8), 1e-4), points))
    free = decide("head+rafo", Known(joints, CAMERA, wrong, np.full((30, 8), 1e3), points))
    alone = decide("rafo", Known(joints, CAMERA, points=points))
    np.testing.assert_allclose(held.fraction[held.fitted], 0.5, atol=0.01)
    np.testing.assert_allclose(free.fraction[:, k], alone.fraction[:, k], atol=1e-3)
    assert (held.sd[held.fitted] < 1e-3).all()
    assert np.abs(free.fraction[:, k] - true).mean() < 0.05


def test_a_point_off_the_limb_is_refused_and_the_head_stays() -> None:
    joints, k, _, _, points = people(30)
    points[:, k, :2] += 160
    head, sd = np.full((30, 8), 0.3), np.full((30, 8), 0.1)
    both = decide("head+rafo", Known(joints, CAMERA, head, sd, points))
    alone = decide("rafo", Known(joints, CAMERA, points=points))
    refused = np.asarray(both.status[:, k] == Status.REJECTED)
    assert refused.sum() >= 25 and all(both.reason[refused, k])
    np.testing.assert_allclose(both.fraction[refused, k], 0.3)
    np.testing.assert_allclose(both.sd[refused, k], 0.1)
    assert (alone.fraction[np.asarray(alone.status[:, k] == Status.REJECTED), k] == 0).all(), "as AJAHR"
    elsewhere = [n for n in range(8) if n != k]
    assert (both.fraction[:, elsewhere] == 0.3).all() and (both.status[:, elsewhere] == Status.ABSENT).all()


def test_what_a_method_needs() -> None:
    joints, *_ = people(2)
    with pytest.raises(UserError, match="needs a regressor with a residual head"):
        decide("head", Known(joints, CAMERA))
    with pytest.raises(UserError, match="needs the ends' image points"):
        decide("rafo", Known(joints, CAMERA))


def test_nobody() -> None:
    known = Known(np.zeros((0, 24, 3)), CAMERA, np.zeros((0, 8)), np.zeros((0, 8)), np.zeros((0, 8, 3)))
    for method in METHODS:
        assert decide(method, known).fraction.shape == (0, 8)
