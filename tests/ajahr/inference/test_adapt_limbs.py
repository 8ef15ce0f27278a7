"""A limb turned onto its bone."""

from __future__ import annotations

import numpy as np

from ajahr.anatomy import PARENTS
from ajahr.body.data import load_body
from ajahr.geometry.rotations_np import rotvec_to_rotmat
from ajahr.inference.adapt_limbs import swing
from ajahr.residual_limb.skin import SkinnedMesh


def test_swing_is_the_least_turn_that_points_the_bone():
    rng = np.random.default_rng(0)
    rotmats = rotvec_to_rotmat(rng.normal(0, 0.5, (24, 3)))
    mesh = SkinnedMesh.of_body(load_body())
    joint, child = 4, 7
    _, places = mesh.pose_joints(rotmats)
    now, then = places[child] - places[joint], rng.normal(size=3)
    turned = swing(rotmats, PARENTS, joint, now, then)
    changed = np.abs(turned - rotmats).max((1, 2)) > 1e-12
    assert np.flatnonzero(changed).tolist() == [joint]
    rotations, after = mesh.pose_joints(turned)
    bone = after[child] - after[joint]
    np.testing.assert_allclose(bone / np.linalg.norm(bone), then / np.linalg.norm(then), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(bone), np.linalg.norm(now), rtol=1e-6)
    before, _ = mesh.pose_joints(rotmats)
    turn = rotations[joint] @ before[joint].T
    axis = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]])
    assert abs(axis @ now) < 1e-6 * np.linalg.norm(axis) + 1e-9, "no twist about the bone"
    assert swing(rotmats, PARENTS, joint, now, 3 * now) is rotmats
