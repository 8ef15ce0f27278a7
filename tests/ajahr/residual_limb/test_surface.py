"""Laws of a cut limb, over limbs, lengths and poses, on both kinds of rig."""

from __future__ import annotations

import numpy as np
import pytest

from ajahr.errors import UserError
from ajahr.geometry.rotations_np import rotvec_to_rotmat
from ajahr.residual_limb.segments import SEGMENT, SEGMENTS, Segment
from ajahr.residual_limb.skin import SkinnedMesh, topology
from ajahr.residual_limb.surface import cut_limb, cut_limbs

FRACTIONS = (0.0, 0.45, 0.6, 0.8, 1.0)


@pytest.mark.parametrize("segment", SEGMENTS, ids=lambda s: s.name)
def test_laws_over_lengths_and_poses(mesh: SkinnedMesh, segment: Segment) -> None:
    rng = np.random.default_rng(segment.point)
    poses = rotvec_to_rotmat(rng.normal(0, 0.35, (2, 24, 3)))
    intact = [mesh.pose(rotmats) for rotmats in poses]
    trunk = mesh.weights[:, [0, 3, 6, 9, 12]].sum(1) > 0.999
    volume = mesh.topology.volume
    for fraction in FRACTIONS:
        cut = cut_limb(mesh, segment, fraction)
        end, found = cut.ends[0], cut.mesh.topology
        assert found.closed and found.euler_number == mesh.topology.euler_number
        assert 0 < found.volume < volume or (end.clamped and found.volume <= volume * (1 + 1e-4))
        volume = found.volume
        asked = mesh.joints[segment.anchor] * (1 - fraction) + mesh.joints[segment.upstream] * fraction
        if not end.clamped:
            assert np.linalg.norm(cut.mesh.vertices[end.tip] - asked) < 1e-4
        if fraction <= 0.6:
            assert end.flags == ()
            assert np.abs((cut.mesh.vertices[end.rim] - end.plane_point) @ end.normal).max() < 1e-4
        kept = cut.vertex_map >= 0
        assert np.array_equal(cut.mesh.vertices[cut.vertex_map[kept]], mesh.vertices[kept])
        assert not cut.mesh.residual[cut.vertex_map[kept]].any() and cut.mesh.residual[end.tip]
        assert np.allclose(cut.mesh.weights.sum(1), 1, atol=1e-5)
        assert len(np.unique(cut.mesh.faces)) == len(cut.mesh.vertices)
        if fraction in (0.45, 0.8):
            for rotmats, whole in zip(poses, intact, strict=True):
                posed = cut.mesh.pose(rotmats)
                assert topology(posed, cut.mesh.faces).volume > 0
                # what is far from the cut stands where the intact body stands
                far = kept & trunk
                assert np.allclose(posed[cut.vertex_map[far]], whole[far], atol=1e-5)


@pytest.mark.parametrize("name", ["right_above_elbow_res", "left_below_elbow_res", "right_above_knee_res"])
def test_smplx_rig(smplx_mesh: SkinnedMesh, name: str) -> None:
    for fraction in (0.0, 0.5, 0.85):
        cut = cut_limb(smplx_mesh, SEGMENT[name], fraction)
        assert cut.mesh.topology.closed and cut.mesh.topology.euler_number == 8
        posed = cut.mesh.pose(rotvec_to_rotmat(np.random.default_rng(1).normal(0, 0.2, (55, 3))))
        assert topology(posed, cut.mesh.faces).volume > 0
        lost = smplx_mesh.weights[:, smplx_mesh.descendants(SEGMENT[name].anchor)].sum(1) > 0.999
        assert (cut.vertex_map[lost] < 0).mean() > (0.99 if fraction else 0.9)


def test_high_cuts_are_flagged_and_the_trunk_stays(mesh: SkinnedMesh) -> None:
    other = mesh.weights[:, mesh.descendants(SEGMENT["left_above_knee_res"].upstream)].sum(1)
    for fraction, more in ((0.75, ()), (0.95, ("clamped",)), (1.0, ("disarticulation",))):
        cut = cut_limb(mesh, SEGMENT["right_above_knee_res"], fraction)
        assert cut.ends[0].flags == ("oblique_cut", *more) and cut.ends[0].rim_height > 0.002
        assert (cut.vertex_map[other > 0.5] >= 0).all()


def test_texture_goes_on(mesh: SkinnedMesh) -> None:
    cut = cut_limb(mesh, SEGMENT["left_below_knee_res"], 0.4).mesh
    assert (
        cut.uv is not None and cut.uv_faces is not None and mesh.uv is not None and mesh.uv_faces is not None
    )
    assert len(cut.uv_faces) == len(cut.faces) and cut.uv_faces.max() < len(cut.uv)
    assert cut.uv.min() >= 0 and cut.uv.max() <= 1

    # as many texels to the metre on the end as on the limb around it
    def density(faces: np.ndarray, uv_faces: np.ndarray) -> np.ndarray:
        a, b, c = (cut.vertices[faces[:, k]].astype(np.float64) for k in range(3))
        p, q, r = (cut.uv[uv_faces[:, k]].astype(np.float64) for k in range(3))
        size = np.linalg.norm(np.cross(b - a, c - a), axis=1)
        u, v = q - p, r - p
        return np.abs(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]).sum() / size.sum()

    end = cut.residual[cut.faces].all(1)
    shank = ~end & (cut.weights[cut.faces][..., 4].min(1) > 0.9)
    assert (
        0.1 < density(cut.faces[end], cut.uv_faces[end]) / density(cut.faces[shank], cut.uv_faces[shank]) < 4
    )


def test_several_limbs(mesh: SkinnedMesh) -> None:
    ends = {SEGMENT["left_above_knee_res"]: 0.3, SEGMENT["right_below_knee_res"]: 0.5, SEGMENTS[3]: 0.2}
    cut = cut_limbs(mesh, ends)
    assert cut.mesh.topology.closed and [e.segment for e in cut.ends] == list(ends)
    for end in cut.ends:
        anchor, upstream = mesh.joints[end.segment.anchor], mesh.joints[end.segment.upstream]
        asked = anchor + end.fraction * (upstream - anchor)
        assert np.linalg.norm(cut.mesh.vertices[end.tip] - asked) < 1e-4
        assert cut.mesh.residual[end.rim].all()
    assert {4, 7, 10, 8, 11, 21, 23} <= cut.mesh.absent
    # absent joints keep still: turning one moves nothing
    rotmats = np.tile(np.eye(3), (24, 1, 1))
    rotmats[4] = rotvec_to_rotmat(np.array([1.0, 0, 0]))
    assert np.allclose(cut.mesh.pose(rotmats), cut.mesh.vertices, atol=1e-6)


def test_what_cannot_be_cut(mesh: SkinnedMesh) -> None:
    knee, hip = SEGMENT["left_below_knee_res"], SEGMENT["left_above_knee_res"]
    with pytest.raises(UserError, match="a limb ends once"):
        cut_limbs(mesh, {knee: 0.3, hip: 0.2})
    with pytest.raises(UserError, match="ends higher already"):
        cut_limb(cut_limb(mesh, hip, 0.5).mesh, knee, 0.3)
    for wrong in (-0.1, 1.2, float("nan")):
        with pytest.raises(UserError, match="lambda is 0"):
            cut_limb(mesh, knee, wrong)
    joints = mesh.joints.copy()
    joints[knee.anchor] = joints[knee.upstream]
    short = SkinnedMesh.build(mesh.vertices, mesh.faces, mesh.weights, joints, mesh.parents)
    with pytest.raises(UserError, match="0 mm long"):
        cut_limb(short, knee, 0.5)


@pytest.mark.parametrize("name", ["left_above_knee_res", "right_below_elbow_res", "left_above_elbow_res"])
def test_the_end_is_as_coarse_as_the_mesh(mesh: SkinnedMesh, name: str) -> None:
    """A plane meets about two edges per vertex of a row; the loop is thinned to the mesh's own spacing."""
    for fraction in (0.2, 0.7):
        cut = cut_limb(mesh, SEGMENT[name], fraction)
        rim = cut.ends[0].rim
        stays = cut.vertex_map[mesh.faces] >= 0
        crossed = int((stays.any(1) & ~stays.all(1)).sum())  # a clip's loop has an edge in each
        assert 8 <= len(rim) < 0.8 * crossed
        a, b, c = (cut.mesh.vertices[cut.mesh.faces[:, k]].astype(float) for k in range(3))
        assert np.linalg.norm(np.cross(b - a, c - a), axis=1).min() > 0


def test_the_end_is_stiff_and_a_lost_joint_turns_nothing(mesh: SkinnedMesh) -> None:
    """A bent joint must not fold the dome: it keeps its shape in every pose."""
    rotmats = rotvec_to_rotmat(np.random.default_rng(2).normal(0, 0.8, (24, 3)))
    cut = cut_limb(mesh, SEGMENT["right_below_elbow_res"], 0.7)
    end, posed = cut.ends[0], cut.mesh.pose(rotmats)
    cap = np.flatnonzero(cut.mesh.residual)[len(end.rim) :]
    assert len(cap) == 2 * len(end.rim) + 1
    assert np.ptp(cut.mesh.weights[cap], axis=0).max() < 1e-6
    high = cut_limb(mesh, SEGMENT["right_above_elbow_res"], 1.0)
    turned = rotmats.copy()
    turned[17] = np.eye(3)
    assert np.allclose(high.mesh.pose(rotmats), high.mesh.pose(turned), atol=1e-6)
    assert not np.allclose(posed, cut.mesh.pose(turned), atol=1e-2)
    # an elbow with no forearm left is no joint
    gone, bent = cut_limb(mesh, SEGMENT["right_below_elbow_res"], 1.0), rotmats.copy()
    bent[19] = np.eye(3)
    assert np.allclose(gone.mesh.pose(rotmats), gone.mesh.pose(bent), atol=1e-6)


def test_a_cut_does_not_depend_on_the_cuts_before_it(mesh):
    """The reach of a limb goes by the stature of the whole body, not by what is left of it."""
    legs = {SEGMENT["left_below_knee_res"]: 0.4, SEGMENT["right_above_knee_res"]: 0.6}
    arm = SEGMENT["left_above_elbow_res"]
    alone, last = cut_limbs(mesh, {arm: 0.74}), cut_limbs(mesh, {**legs, arm: 0.74})
    one, other = alone.ends[0], last.ends[2]
    np.testing.assert_array_equal(alone.mesh.vertices[one.rim], last.mesh.vertices[other.rim])
    np.testing.assert_array_equal(alone.mesh.vertices[one.tip], last.mesh.vertices[other.tip])
    assert last.mesh.stature == mesh.stature > np.ptp(last.mesh.vertices[:, 1]) + 0.1
