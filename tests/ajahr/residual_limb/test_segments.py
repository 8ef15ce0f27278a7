"""Residual-limb segments against LDPose's names and the kinematic tree."""

from __future__ import annotations

import numpy as np
import pytest

from ajahr.anatomy import JOINT, LIMB_FLIP, LIMBS, Limb
from ajahr.errors import UserError
from ajahr.residual_limb.segments import (
    SEGMENT,
    SEGMENT_FLIP,
    SEGMENTS,
    fractions_of_levels,
    of_level,
    segment_of,
)


def test_each_bone_by_its_joints() -> None:
    joints = {"above_elbow": ("elbow", "shoulder"), "below_elbow": ("wrist", "elbow")}
    joints |= {"above_knee": ("knee", "hip"), "below_knee": ("ankle", "knee")}
    assert [s.point for s in SEGMENTS] == list(range(17, 25))
    for side in ("left", "right"):
        for where, (anchor, upstream) in joints.items():
            found = SEGMENT[f"{side}_{where}_res"]
            assert (found.anchor, found.upstream) == (JOINT[f"{side}_{anchor}"], JOINT[f"{side}_{upstream}"])
            assert found.limb.side == side
            assert found.mirrored.name == found.name.replace(side, "right" if side == "left" else "left")


def test_levels_are_the_ends_of_the_range() -> None:
    for limb in LIMBS:
        assert of_level(limb, 0) is None
        below, above, top = (of_level(limb, level) for level in (1, 2, 3))
        assert below is not None and above is not None and top is not None
        assert (below[1], above[1], top[1]) == (0, 0, 1)
        assert below[0].upstream == above[0].anchor and top[0] == above[0]
        assert below[0].limb == limb
    assert of_level(Limb.LEFT_LEG, 1) == (SEGMENT["left_below_knee_res"], 0.0)


def test_names_people_write() -> None:
    assert segment_of("Left below-knee") == SEGMENT["left_below_knee_res"]
    with pytest.raises(UserError, match="choose among left above elbow"):
        segment_of("left below hip")


def test_table_of_levels_is_of_level_limb_by_limb() -> None:
    levels = np.stack(np.meshgrid(*[np.arange(-1, 4)] * 4), -1).reshape(-1, 4)
    found = fractions_of_levels(levels)
    for person, row in zip(found[::7], levels[::7], strict=True):
        expected = np.full(8, np.nan)
        for limb in LIMBS:
            end = None if row[limb] < 0 else of_level(limb, int(row[limb]))
            if end is not None:
                expected[SEGMENTS.index(end[0])] = end[1]
        np.testing.assert_array_equal(person, expected)
    mirrored = fractions_of_levels(levels[:, list(LIMB_FLIP)])
    np.testing.assert_array_equal(found[:, list(SEGMENT_FLIP)], mirrored)
    assert [SEGMENT_FLIP[i] for i in SEGMENT_FLIP] == list(range(8))
