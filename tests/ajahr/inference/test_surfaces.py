"""Surfaces with residual limbs: cut once, posed often, bones swung after what a fit has moved."""

from __future__ import annotations

import numpy as np
import pytest

from ajahr.anatomy import PARENTS
from ajahr.body.data import load_body
from ajahr.errors import UserError
from ajahr.geometry.rotations_np import rotvec_to_rotmat
from ajahr.inference.surfaces import RESIDUAL_RED, cut_surface, rest_surface, swing
from ajahr.residual_limb.cutter import LimbCutter
from ajahr.residual_limb.segments import SEGMENT
from ajahr.residual_limb.skin import SkinnedMesh, topology


@pytest.fixture(scope="module")
def cutter(body) -> LimbCutter:
    return LimbCutter(body)


def test_a_moved_bone_takes_the_surface_along(cutter) -> None:
    rotmats = np.tile(np.eye(3), (24, 1, 1))
    levels = np.array([0, 0, 1, 0])
    shank = SEGMENT["left_below_knee_res"]
    straight = cut_surface(cutter, np.zeros(10), rotmats, levels, {shank: 0.5})
    joints = straight.cut.pose_joints(rotmats)[1]
    knee, bone = joints[shank.upstream], joints[shank.anchor] - joints[shank.upstream]
    forward = np.array([0.0, 0, np.linalg.norm(bone)])
    moved = cut_surface(cutter, np.zeros(10), rotmats, levels, {shank: 0.5}, {shank: knee + forward})
    tip = straight.ends[0].tip
    assert straight.vertices.shape == moved.vertices.shape
    np.testing.assert_allclose(straight.vertices[tip], knee + bone / 2, atol=2e-3)
    np.testing.assert_allclose(moved.vertices[tip], knee + forward / 2, atol=2e-3)


def test_a_limb_lost_at_the_hip_beside_one_that_is_cut(cutter) -> None:
    levels = np.array([0, 1, 3, 0])
    surface = cut_surface(
        cutter, np.zeros(10), np.tile(np.eye(3), (24, 1, 1)), levels, {SEGMENT["right_below_elbow_res"]: 0.3}
    )
    assert topology(surface.vertices, surface.faces).closed
    assert len(surface.colours) == len(surface.vertices)


def test_a_body_cut_once_takes_every_pose(cutter) -> None:
    rng = np.random.default_rng(5)
    levels, ends = np.array([0, 1, 2, 0]), {SEGMENT["left_above_knee_res"]: 0.4}
    rest = rest_surface(cutter, np.full(10, 0.3), levels, ends)
    assert rest.at_joints.tolist() == [0, 1, 0, 0]
    for _ in range(2):
        rotmats = rotvec_to_rotmat(rng.normal(0, 0.4, (24, 3)))
        posed = rest.pose(rotmats)
        alone = cut_surface(cutter, np.full(10, 0.3), rotmats, levels, ends)
        np.testing.assert_array_equal(posed.vertices, alone.vertices)
        np.testing.assert_array_equal(posed.faces, alone.faces)
        np.testing.assert_array_equal(posed.colours, alone.colours)
    red = (posed.colours == RESIDUAL_RED).all(1)
    assert 0.01 < red.mean() < 0.2 and topology(posed.vertices, posed.faces).closed


def test_what_cannot_be_cut(cutter) -> None:
    both = {SEGMENT["left_above_knee_res"]: 0.4, SEGMENT["left_below_knee_res"]: 0.4}
    with pytest.raises(UserError, match="a limb ends once"):
        rest_surface(cutter, np.zeros(10), np.zeros(4, int), both)


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
