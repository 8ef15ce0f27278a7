from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ajahr.anatomy import (
    ABSENT_TABLE,
    COCO17,
    J44,
    J44_FROM_SMPL45,
    JOINT,
    JOINT_FLIP,
    LDPOSE25,
    LIMBS,
    PARENTS,
    absent_joint_mask,
    amputation_joint,
    residual_end,
)
from ajahr.body.data import load_body
from ajahr.body.fast import FastBody
from ajahr.body.regressors import VERTEX_KEYS

MIRROR = np.array([-1.0, 1.0, 1.0])
CLASSES = [(limb, level) for limb in LIMBS for level in (1, 2, 3)]


def random_pose(seed: int, size: float = 0.5) -> np.ndarray:
    return Rotation.from_rotvec(np.random.default_rng(seed).normal(size=(24, 3)) * size).as_matrix()


def naive(body, betas, rotmats, absent, posedirs_from="zero"):
    """Linear blend skinning as the formula reads, in float64: a loop over joints and vertices."""
    local = np.where(absent[:, None, None], 0.0, rotmats)
    shaped = body.v_template + body.shapedirs.astype(np.float64) @ betas
    rest = body.J_regressor.astype(np.float64) @ shaped
    if body.posedirs is not None:
        seen = np.where(absent[:, None, None], np.eye(3), rotmats) if posedirs_from == "identity" else local
        shaped = shaped + ((seen[1:] - np.eye(3)).reshape(-1) @ body.posedirs).reshape(-1, 3)
    transforms = np.zeros((24, 4, 4))
    for j, parent in enumerate(PARENTS):
        step = np.eye(4)
        step[:3, :3] = local[j]
        step[:3, 3] = rest[j] - (rest[parent] if parent >= 0 else 0)
        transforms[j] = step if parent < 0 else transforms[parent] @ step
    vertices = np.zeros_like(shaped)
    for j in range(24):
        centred = shaped - rest[j]
        moved = centred @ transforms[j, :3, :3].T + transforms[j, :3, 3]
        vertices += body.weights[:, j, None].astype(np.float64) * moved
    return vertices, transforms[:, :3, 3]


@pytest.fixture(scope="module")
def fast(embedded):
    return FastBody(embedded)


@pytest.fixture(scope="module")
def full(smpl_sized):
    """A body of SMPL's size with posedirs."""
    return load_body(smpl_sized)


# --- twin


@pytest.mark.parametrize("levels", [(0, 0, 0, 0), (1, 0, 2, 0), (3, 2, 1, 3), (3, 3, 3, 3)])
@pytest.mark.parametrize("posedirs_from", ["zero", "identity"])
@pytest.mark.parametrize("which", ["embedded", "full"])
def test_equals_the_naive_loop(which, levels, posedirs_from, request):
    body = request.getfixturevalue(which)
    absent = absent_joint_mask(levels)
    betas = np.random.default_rng(1).normal(size=10)
    vertices, joints = naive(body, betas, random_pose(2), absent, posedirs_from)
    found = FastBody(body, posedirs_from)(betas, random_pose(2), absent)
    precision = 3e-6 if body.posedirs is None else 2e-5  # 16-bit posedirs
    np.testing.assert_allclose(found.vertices, vertices, atol=precision)
    np.testing.assert_allclose(found.joints, joints, atol=1e-6)


def test_posedirs_feature_of_absent_joints_matters_on_a_body_that_has_them(full):
    absent = absent_joint_mask((0, 2, 0, 0))
    a, b = (FastBody(full, x)(np.zeros(10), random_pose(3), absent) for x in ("zero", "identity"))
    assert np.abs(a.vertices - b.vertices).max() > 1e-3
    np.testing.assert_array_equal(a.joints, b.joints)


def test_keypoints_are_picked_by_name(fast, embedded):
    posed = fast(np.ones(10) * 0.5, random_pose(4))
    at = dict(zip(J44.names, posed.keypoints_44, strict=True))
    for name in ("left_knee", "right_wrist", "neck"):
        np.testing.assert_array_equal(at[name], posed.joints[JOINT[name]])
    for name, key in (("nose", "nose"), ("left_eye", "leye"), ("right_small_toe", "RSmallToe")):
        np.testing.assert_array_equal(at[name], posed.vertices[embedded.vertex_ids[key]])
    extra = embedded.J19_regressor.astype(np.float64) @ posed.vertices
    np.testing.assert_allclose(posed.keypoints_44[25:], extra, atol=1e-6)
    all_45 = [*posed.joints, *(posed.vertices[embedded.vertex_ids[k]] for k in VERTEX_KEYS)]
    np.testing.assert_array_equal(posed.keypoints_44[:25], np.array(all_45)[list(J44_FROM_SMPL45)])


# --- law


def test_rest_pose_is_the_template(fast, embedded):
    posed = fast(np.zeros(10), np.tile(np.eye(3), (24, 1, 1)))
    np.testing.assert_allclose(posed.vertices, embedded.v_template, atol=1e-6)


@pytest.mark.parametrize(("limb", "level"), CLASSES)
def test_what_is_lost_collapses_onto_the_amputation_joint(fast, embedded, limb, level):
    levels = [0, 0, 0, 0]
    levels[limb] = level
    absent = absent_joint_mask(levels)
    pose = random_pose(5)
    intact, found = fast(np.ones(10), pose), fast(np.ones(10), pose, absent)
    joint = found.joints[amputation_joint(limb, level)]
    np.testing.assert_allclose(found.joints[absent], np.broadcast_to(joint, (absent.sum(), 3)), atol=1e-6)
    share = embedded.weights[:, absent].sum(1)
    gone, kept = share > 1 - 1e-6, share == 0
    assert 500 < gone.sum() < 2500
    np.testing.assert_allclose(found.vertices[gone], np.broadcast_to(joint, (gone.sum(), 3)), atol=2e-6)
    np.testing.assert_array_equal(found.vertices[kept], intact.vertices[kept])
    np.testing.assert_array_equal(found.joints[~absent], intact.joints[~absent])


@pytest.mark.parametrize(("limb", "level"), CLASSES)
def test_the_top_joint_alone_is_enough(fast, limb, level):
    """Descendants are lost with their parent, whether the mask names them or the matrix is already zero."""
    pose = random_pose(6)
    whole = fast(np.zeros(10), pose, ABSENT_TABLE[limb, level])
    only = np.zeros(24, bool)
    only[amputation_joint(limb, level)] = True
    zeroed = pose.copy()
    zeroed[ABSENT_TABLE[limb, level]] = 0
    for found in (fast(np.zeros(10), pose, only), fast(np.zeros(10), zeroed)):
        np.testing.assert_array_equal(found.vertices, whole.vertices)


def test_descendants_reach_the_posedirs_feature_too(full):
    pose, only = random_pose(6), np.zeros(24, bool)
    only[JOINT["left_hip"]] = True
    fast = FastBody(full)
    np.testing.assert_array_equal(
        fast(np.zeros(10), pose, only).vertices,
        fast(np.zeros(10), pose, absent_joint_mask((0, 0, 3, 0))).vertices,
    )


def test_mirrored_pose_gives_the_mirrored_person(fast, embedded):
    rotvecs = np.random.default_rng(7).normal(size=(24, 3)) * 0.5
    mirrored = rotvecs[list(JOINT_FLIP)] * (1, -1, -1)
    levels, flipped = (1, 0, 2, 3), (0, 1, 3, 2)
    betas = np.random.default_rng(8).normal(size=10)
    a = fast(betas, Rotation.from_rotvec(rotvecs).as_matrix(), absent_joint_mask(levels))
    b = fast(betas, Rotation.from_rotvec(mirrored).as_matrix(), absent_joint_mask(flipped))
    np.testing.assert_allclose(b.vertices[embedded.mirror_vertices] * MIRROR, a.vertices, atol=1e-4)
    np.testing.assert_allclose(b.joints[list(JOINT_FLIP)] * MIRROR, a.joints, atol=1e-4)
    # the extra head top is one vertex a little off the middle
    np.testing.assert_allclose(b.keypoints_44[list(J44.flip)] * MIRROR, a.keypoints_44, atol=3e-3)


def test_the_regressor_finds_the_joints_of_a_posed_mesh(fast, embedded):
    """EMDB's protocol and the extra keypoints take joints from posed vertices."""
    rng, off = np.random.default_rng(0), []
    for i in range(20):
        posed = fast(rng.normal(size=10), random_pose(i, 0.3))
        off.append(np.linalg.norm(embedded.J_regressor @ posed.vertices - posed.joints, axis=1))
    assert np.mean(off, axis=0).max() < 0.01
    for name, axis in (("elbow", (0, -1, 0)), ("knee", (1, 0, 0))):
        pose, joint = np.tile(np.eye(3), (24, 1, 1)), JOINT[f"left_{name}"]
        pose[joint] = Rotation.from_rotvec(np.deg2rad(90) * np.array(axis)).as_matrix()
        posed = fast(np.zeros(10), pose)
        found = embedded.J_regressor[joint] @ posed.vertices
        assert np.linalg.norm(found - posed.joints[joint]) < 0.006


@pytest.mark.parametrize("limb", LIMBS)
@pytest.mark.parametrize("level", [1, 2])
def test_residual_end_is_the_end_of_what_is_left(fast, limb, level):
    levels = [0, 0, 0, 0]
    levels[limb] = level
    posed = fast(np.zeros(10), random_pose(9), absent_joint_mask(levels))
    end = LDPOSE25.index[residual_end(limb, level)]
    np.testing.assert_array_equal(posed.ldpose25[end], posed.joints[amputation_joint(limb, level)])
    np.testing.assert_array_equal(posed.ldpose25[:17], posed.coco17)
    assert posed.coco17.shape == (len(COCO17), 3)


def test_root_rotation_and_translation_move_everything_alike(fast):
    pose, shift = random_pose(10), np.array([0.3, -1.0, 4.0])
    a = fast(np.zeros(10), pose)
    turned = pose.copy()
    turn = Rotation.from_rotvec([0.4, -1.0, 0.7]).as_matrix()
    turned[0] = turn @ pose[0]
    b = fast(np.zeros(10), turned, translation=shift)
    pelvis = a.joints[0].astype(np.float64)
    for name in ("vertices", "joints", "keypoints_44"):
        expected = (getattr(a, name) - pelvis) @ turn.T + pelvis + shift
        np.testing.assert_allclose(getattr(b, name), expected, atol=2e-6)


# --- edge


def test_all_four_limbs_lost_is_finite(fast):
    posed = fast(np.full(10, 3.0), random_pose(11), absent_joint_mask((3, 3, 3, 3)))
    for name in ("vertices", "joints", "keypoints_44", "ldpose25"):
        assert np.isfinite(getattr(posed, name)).all()


def test_the_kept_shape_follows_the_betas_and_callers_cannot_spoil_it(fast):
    pose = np.tile(np.eye(3), (24, 1, 1))
    betas = np.zeros(10)
    first = fast(betas, pose)
    before = first.vertices.copy()
    first.vertices[:] = 7
    np.testing.assert_array_equal(fast(betas, pose).vertices, before)
    betas[0] = 2  # the same array, other numbers
    assert np.abs(fast(betas, pose).vertices - before).max() > 0.05
    np.testing.assert_array_equal(fast(np.zeros(10), pose).vertices, before)


def test_missing_betas_are_zero_and_too_many_an_error(fast):
    pose = random_pose(12)
    three = np.array([1.0, -1.0, 0.5])
    np.testing.assert_allclose(
        fast(three, pose).vertices, fast(np.pad(three, (0, 7)), pose).vertices, atol=1e-6
    )
    with pytest.raises(ValueError, match="11 betas"):
        fast(np.zeros(11), pose)


def test_float32_and_float64_betas_of_the_same_bytes_are_not_confused(fast):
    pose = random_pose(13)
    narrow = np.array([1.0, 0.5, 0.25, 0.125], np.float32)
    alias = narrow.view(np.float64)  # two other numbers, the same bytes
    assert alias.tobytes() == narrow.tobytes()
    assert np.abs(fast(narrow, pose).vertices - fast(alias, pose).vertices).max() > 1e-3


def test_threads_sharing_a_body_do_not_mix_people_up(embedded):
    shared = FastBody(embedded)
    rng = np.random.default_rng(0)
    people = [(rng.normal(size=10), random_pose(i)) for i in range(24)]
    alone = [FastBody(embedded)(*p).vertices for p in people]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda p: shared(*p).vertices, people * 4))
    for i, vertices in enumerate(together):
        np.testing.assert_array_equal(vertices, alone[i % len(people)])


def test_a_body_without_posedirs_equals_one_with_zero_posedirs(embedded):
    zeros = np.zeros((207, embedded.v_template.size), np.float32)
    with_zeros = FastBody(replace(embedded, posedirs=zeros))
    pose = random_pose(14)
    np.testing.assert_array_equal(
        with_zeros(np.ones(10), pose).vertices, FastBody(embedded)(np.ones(10), pose).vertices
    )


def test_joints_alone_are_those_of_the_whole_body():
    rng = np.random.default_rng(4)
    body = FastBody(load_body())
    rotmats = Rotation.random(24, rng=rng).as_matrix()
    betas = rng.normal(0, 1, 10)
    assert np.array_equal(body.pose_joints(betas, rotmats), body(betas, rotmats).joints)


def test_workers_that_pose_bodies_do_not_load_torch():
    code = (
        "import sys, numpy as np; from ajahr.body.data import load_body; from ajahr.body.fast import FastBody; "
        "FastBody(load_body())(np.zeros(10), np.tile(np.eye(3), (24, 1, 1))).ldpose25; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
