"""Extreme crops: which part, and the box around it."""

from __future__ import annotations

import numpy as np
import pytest

from ajahr.anatomy import J44, Limb
from ajahr.data.hmr.extreme_crop import REMOVED, box_of, choose_mode

NOBODY = np.zeros(44, bool)
EVERYTHING = np.ones(44, bool)
LEGS = [
    J44.index[f"{side}_{part}{block}"]
    for side in ("left", "right")
    for part in ("knee", "ankle")
    for block in ("", "_extra")
]


def standing() -> np.ndarray:
    """44 keypoints of somebody upright: head above, feet below, arms to the sides."""
    keypoints = np.zeros((44, 3))
    heights = {
        "wrist": 300,
        "elbow": 250,
        "shoulder": 200,
        "hip": 320,
        "knee": 430,
        "ankle": 540,
        "heel": 550,
        "toe": 550,
    }
    for i, name in enumerate(J44.names):
        side = 1 if "left" in name else -1 if "right" in name else 0
        part = next((height for key, height in heights.items() if key in name), 150)
        keypoints[i] = (300 + side * (90 if part in (300, 250) else 40), part, 1)
    return keypoints


@pytest.mark.parametrize(
    ("level", "present", "expected"),
    [
        (
            1,
            EVERYTHING,
            ["hips", "hips", "shoulders", "head", "torso", "right_arm", "left_arm", "legs", "right_leg", "left_leg"],
        ),
        (0, EVERYTHING, ["hips"] * 7 + ["shoulders"] * 2 + ["head"]),
    ],
)  # fmt: skip
def test_modes_of_a_whole_body(level, present, expected):
    assert [choose_mode(present, NOBODY, u, level) for u in np.arange(0.05, 1, 0.1)] == expected


def test_modes_of_an_upper_body():
    present = EVERYTHING.copy()
    present[LEGS] = False
    modes = [choose_mode(present, NOBODY, u, 1) for u in (0.1, 0.3, 0.5, 0.7, 0.9)]
    assert modes == ["shoulders", "head", "torso", "right_arm", "left_arm"]
    assert [choose_mode(present, NOBODY, u, 0) for u in (0.5, 0.95)] == ["shoulders", "head"]


def test_either_block_shows_a_limb():
    present = EVERYTHING.copy()
    present[J44.index["left_wrist"]] = False
    assert choose_mode(present, NOBODY, 0.95, 1) == "left_leg"
    present[J44.index["left_wrist_extra"]] = False
    assert choose_mode(present, NOBODY, 0.95, 1) is None


def test_a_lost_limb_is_not_out_of_sight():
    levels = np.zeros(4, np.int64)
    levels[Limb.LEFT_ARM] = 2
    absent = J44.absent(levels)
    assert choose_mode(~absent, absent, 0.05, 1) == "hips"
    assert choose_mode(~absent, NOBODY, 0.05, 1) is None, "the same keypoints of somebody who has the arm"
    levels[:] = (0, 0, 2, 2)
    absent = J44.absent(levels)
    assert choose_mode(~absent, absent, 0.95, 1) == "left_leg", "no legs is not an upper body cut off"


@pytest.mark.parametrize(
    ("mode", "grown"),
    [("hips", 1.1), ("shoulders", 1.2), ("head", 1.3), ("right_arm", 1.1), ("left_leg", 1.1)],
)
def test_box_is_around_what_is_kept(mode, grown):
    keypoints = standing()
    keypoints += np.random.default_rng(0).normal(0, 8, keypoints.shape) * (1, 1, 0)
    centre, side = box_of(keypoints, mode)
    kept = np.delete(keypoints, list(REMOVED[mode]), 0)[:, :2]
    low, high = kept.min(0), kept.max(0)
    np.testing.assert_allclose(centre, (low + high) / 2)
    assert side == pytest.approx(1.2 * grown * (high - low).max())


def test_boxes_stay_on_their_part():
    keypoints = standing()
    assert box_of(keypoints, "head")[0][1] < 200 < box_of(keypoints, "legs")[0][1]
    assert box_of(keypoints, "right_arm")[0][0] < 300 < box_of(keypoints, "left_arm")[0][0]


def test_too_little_left():
    keypoints = standing()
    keypoints[:, 2] = 0
    assert box_of(keypoints, "hips") is None
    keypoints[[0, 15], 2] = 0.5
    assert box_of(keypoints, "head") is None, "confidences sum to 1 and no more"
    keypoints[[0, 15], 2] = 1
    keypoints[[0, 15], :2] = (100, 100)
    assert box_of(keypoints, "head") is None, "no size"
