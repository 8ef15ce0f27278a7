"""Ranges of motion: the ends of the clinical tables in SMPL's axes, and the mirror law."""

from __future__ import annotations

import numpy as np
import pytest

from ajahr.anatomy import BODY_POSE_FLIP, JOINT, JOINT_NAMES, body_pose_index
from ajahr.geometry.rotations_np import mirror_rotvec, rotation_about, rotmat_to_rotvec, rotvec_to_rotmat
from ajahr.poses.limits import arm_direction, leg_direction, violation
from ajahr.poses.ranges import RANGES_DEG, SPINE_SHARE

X, Y, Z = 0, 1, 2


def pose(**rotmats) -> np.ndarray:
    """Body pose with these joints' matrices."""
    out = np.zeros((23, 3))
    for joint, rotmat in rotmats.items():
        out[body_pose_index(JOINT[joint])] = rotmat_to_rotvec(rotmat)
    return out


def turn(axis: int, degrees: float) -> np.ndarray:
    return rotation_about(axis, np.deg2rad(degrees))


def outside_deg(body_pose: np.ndarray) -> float:
    """Total violation, in degrees."""
    return float(np.rad2deg(violation(body_pose).sum()))


def test_the_t_pose_and_absent_joints_are_inside():
    assert not violation(np.zeros((23, 3))).any()


def test_batch_shapes():
    poses = np.random.default_rng(0).normal(0, 1, (2, 3, 23, 3))
    values = violation(poses)
    assert values.shape == (2, 3, 23)
    np.testing.assert_array_equal(values[1, 2], violation(poses[1, 2]))
    assert violation(np.zeros((0, 23, 3))).shape == (0, 23)


def test_both_sides_have_the_same_limits():
    poses = np.random.default_rng(1).normal(0, 1, (200, 23, 3))
    mirrored = mirror_rotvec(poses[:, list(BODY_POSE_FLIP)])
    values = violation(poses)
    assert (values > 0).mean() > 0.5
    np.testing.assert_allclose(violation(mirrored)[:, list(BODY_POSE_FLIP)], values, atol=1e-12)


# axis and sign that move the left joint that way; the limit comes from the table
SINGLE_AXIS = [
    ("left_elbow", Y, -1, "elbow", "flexion"),
    ("left_elbow", Y, +1, "elbow", "hyperextension"),
    ("left_knee", X, +1, "knee", "flexion"),
    ("left_knee", X, -1, "knee", "hyperextension"),
    ("left_knee", Y, +1, "knee", "lateral rotation"),
    ("left_knee", Y, -1, "knee", "medial rotation"),
    ("left_wrist", Z, -1, "wrist", "flexion"),
    ("left_wrist", Z, +1, "wrist", "extension"),
    ("left_wrist", Y, -1, "wrist", "radial deviation"),
    ("left_wrist", Y, +1, "wrist", "ulnar deviation"),
    ("left_ankle", X, -1, "ankle", "dorsiflexion"),
    ("left_ankle", X, +1, "ankle", "plantarflexion"),
    ("left_ankle", Z, -1, "ankle", "inversion"),
    ("left_ankle", Z, +1, "ankle", "eversion"),
    ("left_foot", X, -1, "toes", "extension"),
    ("left_foot", X, +1, "toes", "flexion"),
    ("left_collar", Z, +1, "collar", "elevation"),
    ("left_collar", Z, -1, "collar", "depression"),
    ("left_collar", Y, -1, "collar", "protraction"),
    ("left_hip", X, -1, "hip", "flexion"),
    ("left_hip", Z, +1, "hip", "abduction"),
    ("left_hip", Z, -1, "hip", "adduction"),
    ("left_hip", Y, +1, "hip", "lateral rotation"),
    ("left_hip", Y, -1, "hip", "medial rotation"),
]


@pytest.mark.parametrize(("joint", "axis", "sign", "table", "motion"), SINGLE_AXIS)
def test_a_joint_turns_as_far_as_its_table_says(joint, axis, sign, table, motion):
    end = RANGES_DEG[table][motion][0]
    assert outside_deg(pose(**{joint: turn(axis, sign * (end - 0.1))})) == 0
    beyond = outside_deg(pose(**{joint: turn(axis, sign * (end + 8))}))
    # a reach cone's rim is slanted: the excess is measured along the meridian, and may be less or more
    assert beyond == pytest.approx(8, abs=0.01 if "hip" not in joint else 5)


@pytest.mark.parametrize(
    ("axis", "sign", "motion"),
    [(X, 1, "flexion"), (X, -1, "extension"), (Y, 1, "rotation"), (Z, 1, "lateral flexion")],
)
def test_the_spine_shares_the_motion_of_the_whole(axis, sign, motion):
    total = RANGES_DEG["spine"][motion][0]
    assert 1 <= sum(SPINE_SHARE[motion]) < 1.2
    even = {f"spine{k + 1}": turn(axis, sign * total * 0.9 * SPINE_SHARE[motion][k]) for k in range(3)}
    assert outside_deg(pose(**even)) == 0
    assert outside_deg(pose(spine3=turn(axis, sign * total))) > 10


def swing(direction: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Smallest rotation from ``rest`` to ``direction``."""
    axis = np.cross(rest, direction)
    sine = np.linalg.norm(axis)
    return rotvec_to_rotmat(axis / max(sine, 1e-12) * np.arctan2(sine, rest @ direction))


@pytest.mark.parametrize(
    ("plane", "elevation", "inside"),
    [
        (0, 10, True), (0, 170, True), (90, 90, True), (90, 170, True), (-90, 50, True), (-90, 80, False),
        (130, 90, True), (165, 90, False), (-30, 90, True), (-80, 90, False), (180, 60, False),
    ],
)  # fmt: skip
def test_the_shoulder_reaches_what_shoulders_reach(plane, elevation, inside):
    # a comfortable twist for every direction: the middle of the range, by the table's own rule
    bone = np.array([1.0, 0, 0])
    direction = arm_direction(plane, elevation)
    middle = -17 + np.array([14, -32, -32]) @ direction
    rotmat = swing(direction, bone) @ turn(X, middle)
    assert (outside_deg(pose(left_shoulder=rotmat)) == 0) == inside


def test_the_shoulder_counts_with_its_collar():
    """Half of an elevation in the collar is the same elevation."""
    whole = violation(pose(left_shoulder=turn(Y, -160)))
    split = violation(pose(left_collar=turn(Y, -20), left_shoulder=turn(Y, -140)))
    k = body_pose_index(JOINT["left_shoulder"])
    assert whole[k] > 0.1
    assert split[k] == pytest.approx(whole[k])


@pytest.mark.parametrize(
    ("flexion", "abduction"), [(0, 0), (90, 0), (90, 40), (100, -15), (60, 45), (-15, 20)]
)
def test_hip_rotation_is_what_remains_after_flexion_and_abduction(flexion, abduction):
    lateral = RANGES_DEG["hip"]["lateral rotation"][0]
    before = turn(X, -flexion) @ turn(Z, abduction)
    np.testing.assert_allclose(before @ [0, -1, 0], leg_direction(flexion, abduction), atol=1e-12)
    assert outside_deg(pose(left_hip=before @ turn(Y, lateral - 1))) == 0
    assert outside_deg(pose(left_hip=before @ turn(Y, lateral + 5))) == pytest.approx(5, abs=0.01)


def test_pronation_is_shared_by_elbow_and_wrist():
    pronation = RANGES_DEG["forearm"]["pronation"][0]
    half = turn(X, pronation / 2)
    assert outside_deg(pose(left_elbow=half, left_wrist=half)) == 0
    assert outside_deg(pose(left_elbow=turn(X, pronation))) > 10


def test_every_joint_has_a_limit():
    half_turns = np.stack([pose(**{name: turn(axis, 178)}) for name in JOINT_NAMES[1:] for axis in (X, Y, Z)])
    own = violation(half_turns).reshape(23, 3, 23)
    # a half turn about any axis is outside, but for the upper arm's own axis' ends, which are outside as well
    assert (own[np.arange(23), :, np.arange(23)] > 0.2).all()


def test_excess_grows_with_the_angle():
    angles = np.linspace(155, 175, 9)
    values = [outside_deg(pose(right_knee=turn(X, a))) for a in angles]
    np.testing.assert_allclose(np.diff(values), np.diff(angles), atol=1e-6)
