"""The generator's cut is `cut_limbs`'s, to the bit, and poses as it does."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ajahr.anatomy import absent_joint_mask
from ajahr.body.fast import FastBody
from ajahr.errors import UserError
from ajahr.geometry.rotations_np import rotvec_to_rotmat
from ajahr.residual_limb.cutter import LimbCutter
from ajahr.residual_limb.measure import measure
from ajahr.residual_limb.segments import SEGMENT, SEGMENTS
from ajahr.residual_limb.skin import SkinnedMesh, topology
from ajahr.residual_limb.surface import cut_limbs

SHANK, THIGH = SEGMENT["left_below_knee_res"], SEGMENT["right_above_knee_res"]
FOREARM, ARM = SEGMENT["left_below_elbow_res"], SEGMENT["right_above_elbow_res"]


@pytest.fixture(scope="module")
def cutter(body) -> LimbCutter:
    return LimbCutter(body)


# twin


@pytest.mark.parametrize("seed", range(6))
def test_vertices_faces_and_texture_are_those_of_the_slow_cut(body, cutter, seed):
    rng = np.random.default_rng(seed)
    betas = np.round(body.draw_betas(rng, "female" if seed % 2 else "male").astype(float), 6)
    ends = {SEGMENTS[k]: float(rng.uniform(0.05, 0.7)) for k in (seed, 7 - seed)}  # on two limbs
    whole = SkinnedMesh.of_body(body, betas)
    slow, fast = cut_limbs(whole, ends), cutter(betas, ends)
    vertices = np.concatenate([whole.vertices[fast.kept], fast.added])
    np.testing.assert_array_equal(vertices, slow.mesh.vertices)
    np.testing.assert_array_equal(fast.faces, slow.mesh.faces)
    np.testing.assert_array_equal(fast.uv_faces, slow.mesh.uv_faces)
    np.testing.assert_array_equal(fast.uv, slow.mesh.uv)
    np.testing.assert_array_equal(fast.added_weights, slow.mesh.weights[fast.num_kept :])
    assert fast.at_rest == slow.mesh.absent
    assert topology(vertices, fast.faces).closed
    for one, other, quick in zip(fast.ends, slow.ends, fast.measures, strict=True):
        assert one.tip == other.tip and one.flags == other.flags
        np.testing.assert_array_equal(one.rim, other.rim)
        exact = measure(slow.mesh, other)
        assert quick.length == pytest.approx(exact.length, abs=1e-6)
        assert quick.volume == pytest.approx(exact.volume, rel=1e-3)
        assert quick.circumferences == pytest.approx([s.circumference for s in exact.sections], rel=1e-3)


def test_the_whole_cut_body_is_the_slow_one(body, cutter):
    betas = np.round(np.random.default_rng(8).normal(0, 0.7, 10), 6)
    ends = {SHANK: 0.3, ARM: 0.5}
    slow, fast = cut_limbs(SkinnedMesh.of_body(body, betas), ends), cutter.cut_body(betas, ends)
    for name in ("vertices", "faces", "weights", "joints", "residual", "uv", "uv_faces"):
        np.testing.assert_array_equal(getattr(fast.mesh, name), getattr(slow.mesh, name), name)
    assert fast.mesh.carry.shape == slow.mesh.carry.shape and (fast.mesh.carry != slow.mesh.carry).nnz == 0
    assert fast.mesh.absent == slow.mesh.absent and fast.mesh.stature == slow.mesh.stature
    np.testing.assert_array_equal(fast.vertex_map, slow.vertex_map)
    for one, other in zip(fast.ends, slow.ends, strict=True):
        assert (one.segment, one.tip, one.flags) == (other.segment, other.tip, other.flags)


def test_cuts_that_meet_and_what_is_refused(body, cutter):
    """What the prepared way cannot do goes the long way, which manages it or says why not."""
    high = {SEGMENT["left_above_knee_res"]: 1.0, THIGH: 1.0}
    slow, fast = cut_limbs(SkinnedMesh.of_body(body), high), cutter.cut_body(np.zeros(10), high)
    np.testing.assert_array_equal(fast.mesh.vertices, slow.mesh.vertices)
    with pytest.raises(UserError, match="lambda is 0"):
        cutter.cut_body(np.zeros(10), {SHANK: 1.5})


def test_a_pose_with_another_limb_lost_at_a_joint_is_the_slow_one(body, cutter):
    rng = np.random.default_rng(3)
    # a body of SMPL's kind has offsets that follow the pose, and what is new takes them from its neighbours
    soft = dataclasses.replace(
        body, posedirs=rng.normal(0, 1e-3, (207, 3 * len(body.v_template))).astype("f4")
    )
    betas = np.round(rng.normal(0, 0.5, 10), 6)
    rotmats = rotvec_to_rotmat(rng.normal(0, 0.3, (24, 3)))
    shift = np.array([0.2, -0.1, 3.0])
    lost = absent_joint_mask((0, 2, 0, 0))
    for data, cut in ((body, cutter), (soft, LimbCutter(soft))):
        ends = {SHANK: 0.35, FOREARM: 0.6}
        slow = cut_limbs(SkinnedMesh.of_body(data, betas), ends).mesh.pose(
            rotmats, shift, np.flatnonzero(lost).tolist()
        )
        fast = FastBody(data)
        posed = cut.pose(fast, cut(betas, ends), betas, rotmats, lost, shift)
        # offsets are kept as 16-bit integers
        assert np.abs(posed.vertices - slow).max() < (2e-4 if data is soft else 1e-5)
        np.testing.assert_array_equal(posed.tips, posed.vertices[[end.tip for end in posed.shape.ends]])


# law


def test_what_is_cut_is_of_the_part_it_ends(body, cutter):
    shape = cutter(np.zeros(10), {SHANK: 0.5, FOREARM: 0.4})
    labels = shape.labels(body.part_labels)
    assert len(labels) == shape.num_kept + len(shape.added)
    new = labels[shape.num_kept :]
    assert set(new[shape.added_to == 0]) == {SHANK.upstream} and set(new[shape.added_to == 1]) == {
        FOREARM.upstream
    }
    assert shape.faces.max() == len(labels) - 1 and len(np.unique(shape.faces)) == len(labels)


# edge


def test_what_cannot_be_cut_is_refused(cutter):
    with pytest.raises(UserError, match="ends once"):
        cutter(np.zeros(10), {SHANK: 0.5, SEGMENT["left_above_knee_res"]: 0.5})
    with pytest.raises(UserError, match="lambda is 0"):
        cutter(np.zeros(10), {ARM: 1.5})
    with pytest.raises(ValueError, match="no limb"):
        cutter(np.zeros(10), {})
