"""Capsules: distances against brute force, obvious collisions, absent limbs, other bodies."""

from __future__ import annotations

import numpy as np
import pytest

from ajahr.anatomy import BODY_POSE_FLIP, JOINT, absent_joint_mask, body_pose_index
from ajahr.body.data import load_body
from ajahr.geometry.rotations_np import mirror_rotvec
from ajahr.poses import penetration as P
from ajahr.poses.penetration import REST_JOINTS, TOUCH, LimbGeometry, penetrates, penetration


def pose(**degrees) -> np.ndarray:
    out = np.zeros((23, 3))
    for joint, rotvec in degrees.items():
        out[body_pose_index(JOINT[joint])] = np.deg2rad(rotvec)
    return out


def test_rest_joints_are_the_embedded_bodys():
    body = load_body()
    joints = body.J_regressor.astype(np.float64) @ body.v_template
    np.testing.assert_allclose(REST_JOINTS, joints - joints[0], atol=1.0e-3)


def test_limb_capsules_lie_inside_the_body():
    """The axis of each limb's capsule runs inside the skin, and its radius is near the skin's distance."""
    body = load_body()
    joints = body.J_regressor.astype(np.float64) @ body.v_template
    vertices = body.v_template - joints[0]
    geometry = LimbGeometry.default()
    for c, name in enumerate(P.CAPSULE_NAMES):
        if not name.endswith(("upper_arm", "forearm", "thigh", "shin")):
            continue
        j = P._CAPSULE_JOINT[c]
        a, b = geometry.ends[c] + REST_JOINTS[j]
        part = vertices[body.part_labels == j]
        along = (part - a) @ (b - a) / ((b - a) @ (b - a))
        inside = (along > 0.1) & (along < 0.9)
        distance = np.linalg.norm(part[inside] - a - along[inside, None] * (b - a), axis=1)
        assert 0.7 < geometry.radius[c] / np.median(distance) < 1.1, name


@pytest.mark.parametrize("seed", range(6))
def test_segment_distance_against_brute_force(seed):
    rng = np.random.default_rng(seed)
    p, q = rng.normal(size=(2, 2, 3))
    if seed == 4:
        q = p + np.array([0, 0.3, 0])  # parallel
    if seed == 5:
        q[1] = q[0]  # a point
    t = np.linspace(0, 1, 401)[:, None]
    grid = np.linalg.norm((p[0] + t * (p[1] - p[0]))[:, None] - (q[0] + t * (q[1] - q[0]))[None], axis=-1)
    assert P._segment_distance(p, q) == pytest.approx(grid.min(), abs=2e-3)


def test_harmless_poses():
    assert not penetrates(np.zeros((23, 3)))
    assert not penetrates(pose(left_shoulder=(0, 0, -78), right_shoulder=(0, 0, 78)))
    assert not penetrates(pose(left_hip=(-90, 0, 0), right_hip=(-90, 0, 0), left_knee=(90, 0, 0)))


@pytest.mark.parametrize(
    ("body_pose", "parts"),
    [
        # the forearm folded through the belly
        (pose(left_shoulder=(0, 0, -85), left_elbow=(0, 0, -60)), {"left_forearm", "left_hand"}),
        (
            pose(left_hip=(0, 0, -25), right_hip=(0, 0, 25)),
            {"left_shin", "right_shin", "left_thigh", "right_thigh"},
        ),
        (
            pose(left_shoulder=(0, -90, 0), left_elbow=(0, -150, 0)),
            {"left_hand", "left_forearm", "left_upper_arm"},
        ),
    ],
)
def test_limbs_through_the_body_are_found(body_pose, parts):
    depth, pair = penetration(body_pose)
    assert depth > TOUCH
    assert set(pair) & parts


def test_absent_limbs_penetrate_nothing():
    crossing = pose(left_hip=(0, 0, -25), right_hip=(0, 0, 25))
    assert penetrates(crossing)
    assert not penetrates(crossing, absent_joints=absent_joint_mask((0, 0, 3, 0)))
    through_belly = pose(right_shoulder=(0, 0, 85), right_elbow=(0, 0, 60))
    assert penetrates(through_belly)
    assert not penetrates(through_belly, absent_joints=absent_joint_mask((0, 2, 0, 0)))


def test_touch_is_a_tolerance():
    depth, _ = penetration(pose(left_hip=(0, 0, -7), right_hip=(0, 0, 7)))
    assert 0 < depth < 0.1
    body_pose = pose(left_hip=(0, 0, -7), right_hip=(0, 0, 7))
    assert penetrates(body_pose, touch=depth - 1e-4)
    assert not penetrates(body_pose, touch=depth + 1e-4)


def test_mirror_law():
    rng = np.random.default_rng(0)
    for body_pose in rng.normal(0, 0.5, (50, 23, 3)):
        mirrored = mirror_rotvec(body_pose[list(BODY_POSE_FLIP)])
        assert penetration(mirrored)[0] == pytest.approx(penetration(body_pose)[0], abs=1e-9)


def test_a_body_of_another_size_has_its_capsules_scaled():
    larger = LimbGeometry.from_joints(REST_JOINTS * 1.2 + [1.0, 2.0, 3.0])
    default = LimbGeometry.default()
    np.testing.assert_allclose(larger.radius, 1.2 * default.radius)
    np.testing.assert_allclose(larger.ends, 1.2 * default.ends, atol=1e-12)
    np.testing.assert_allclose(larger.offsets[1:], 1.2 * default.offsets[1:], atol=1e-12)


def test_capsules_follow_a_bone_that_points_elsewhere():
    joints = REST_JOINTS.copy()
    elbow, wrist = JOINT["left_elbow"], JOINT["left_wrist"]
    length = np.linalg.norm(joints[wrist] - joints[elbow])
    joints[wrist] = joints[elbow] + [0, -2 * length, 0]
    geometry = LimbGeometry.from_joints(joints)
    c = P.CAPSULE_NAMES.index("left_forearm")
    np.testing.assert_allclose(geometry.ends[c, 1] - geometry.ends[c, 0], [0, -2 * length, 0], atol=1e-3)
    assert geometry.radius[c] == pytest.approx(2 * LimbGeometry.default().radius[c])
