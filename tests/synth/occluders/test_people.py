"""Somebody stands before a limb of somebody else."""

import numpy as np
import pytest

from ajahr.anatomy import PARENTS, absent_joint_mask
from synth.occluders.limbs import CORE, MIN_CORE, joints_to_hide, limb_ends
from synth.occluders.people import _RADII, hidden_by, stand_before

SIZE = (320, 260)


# twin


def test_hidden_points_are_those_within_a_bone(standing):
    rng = np.random.default_rng(0)
    points = rng.uniform((100, 40), (220, 230), (200, 2))
    absent = absent_joint_mask((0, 3, 0, 2))
    radii = 100 * _RADII
    found = hidden_by(points, standing, radii, absent)
    for point, hidden in zip(points, found, strict=True):
        near = False
        for joint in range(1, 24):
            a, b = standing[PARENTS[joint]], standing[joint]
            share = min(max(float((point - a) @ (b - a) / ((b - a) @ (b - a))), 0.0), 1.0)
            gap = np.linalg.norm(point - a - share * (b - a))
            near |= bool(gap < radii[joint]) and not absent[joint]
        assert near == hidden


# law


@pytest.mark.parametrize(
    "levels, fractions",
    [
        ((0, 0, 0, 0), (0,) * 4),
        ((2, 0, 0, 0), (0,) * 4),
        ((0, 0, 3, 1), (0,) * 4),
        ((0, 0, 3, 1), (0, 0, 0, 0.8)),
    ],
)
@pytest.mark.parametrize("seed", range(4))
def test_a_limb_is_hidden_and_the_person_is_not(standing, levels, fractions, seed):
    before = (standing - standing[0]) / 100
    front = (0, 1, 0, 0)
    found = stand_before(
        np.random.default_rng(seed), standing, levels, 100.0, 230.0, before, front, 0.04, SIZE, fractions
    )
    assert found is not None
    limb, scale, place = found
    assert 104 <= scale <= 140
    placed = before * scale + place
    ends = standing[list(joints_to_hide(limb, levels[limb]))]
    assert hidden_by(ends, placed, scale * _RADII, absent_joint_mask(front)).all()
    whole = absent_joint_mask((0, 0, 0, 0))
    assert not hidden_by(limb_ends(standing, levels, fractions), placed, scale * _RADII, whole).any()
    assert (~hidden_by(standing[list(CORE)], placed, scale * _RADII, whole)).sum() >= MIN_CORE
    # nearer the camera, lower in the picture
    assert placed[:, 1].max() + 0.04 * scale > 230


def test_a_lost_limb_hides_nothing(standing):
    before = (standing - standing[0]) / 100
    nothing = (3, 3, 3, 3)
    for seed in range(4):
        found = stand_before(
            np.random.default_rng(seed), standing, (0,) * 4, 100.0, 230.0, before, nothing, 0.04, SIZE
        )
        if found is not None:
            limb, scale, place = found
            ends = standing[list(joints_to_hide(limb, 0))]
            assert hidden_by(ends, before * scale + place, scale * _RADII, absent_joint_mask(nothing)).all()


# edge


def test_a_limb_outside_the_picture_cannot_be_hidden(standing):
    before = (standing - standing[0]) / 100
    away = standing + np.array([400.0, 0.0])
    rng = np.random.default_rng(0)
    assert stand_before(rng, away, (0,) * 4, 100.0, 230.0, before, (0,) * 4, 0.04, SIZE) is None
