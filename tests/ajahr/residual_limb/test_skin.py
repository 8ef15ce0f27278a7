"""A rig that can be cut: posing against FastBody, SMPL-X's holes, and what is no body."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ajahr.body.data import BodyData
from ajahr.body.fast import FastBody
from ajahr.errors import UserError
from ajahr.geometry.rotations_np import rotvec_to_rotmat
from ajahr.residual_limb.skin import SkinnedMesh, topology, volume_of


def test_poses_as_the_body_does(body: BodyData) -> None:
    rng = np.random.default_rng(0)
    posedirs = rng.normal(0, 1e-3, (207, 3 * len(body.v_template))).astype(np.float32)
    soft = replace(body, posedirs=posedirs)
    betas = rng.normal(size=10).astype(np.float32)
    rotmats = rotvec_to_rotmat(rng.normal(0, 0.4, (24, 3)))
    shift = np.array([0.1, -0.2, 3.0])
    ours = SkinnedMesh.of_body(soft, betas).pose(rotmats, shift)
    theirs = FastBody(soft)(betas, rotmats, translation=shift).vertices
    assert np.abs(ours - theirs).max() < 1e-4  # FastBody keeps posedirs as integers


def test_holes_of_smplx_are_closed(smplx_mesh: SkinnedMesh, smplx_model: dict[str, np.ndarray]) -> None:
    opened = topology(smplx_mesh.vertices, smplx_model["f"].astype(np.int64))
    assert opened.open_edges > 6
    assert smplx_mesh.topology.closed and smplx_mesh.topology.euler_number == 8
    assert len(smplx_mesh.joints) == 55 and smplx_mesh.uv_faces is not None
    assert len(smplx_mesh.uv_faces) == len(smplx_mesh.faces)
    posed = smplx_mesh.pose(np.tile(np.eye(3), (55, 1, 1)))
    assert np.allclose(posed, smplx_mesh.vertices, atol=1e-6)


def test_a_tetrahedron_and_its_faults() -> None:
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float64)
    faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    found = topology(vertices, faces)
    assert (found.open_edges, found.euler_number) == (0, 2)
    assert found.volume == pytest.approx(1 / 6)
    assert topology(vertices, faces[:, ::-1]).volume == pytest.approx(-1 / 6)
    assert topology(vertices, faces[:3]).open_edges == 3
    turned = faces.copy()
    turned[3] = turned[3, ::-1]
    assert not topology(vertices, turned).closed


def test_no_body_is_refused(body: BodyData, smplx_model: dict[str, np.ndarray]) -> None:
    with pytest.raises(UserError, match="not a body of SMPL's kind"):
        SkinnedMesh.of_model({"v_template": body.v_template})
    joints = body.J_regressor @ body.v_template
    with pytest.raises(UserError, match="are not one body"):
        SkinnedMesh.build(body.v_template[:-1], body.faces, body.weights, joints, body.parents)
    with pytest.raises(UserError, match="no closed surface"):
        SkinnedMesh.build(body.v_template, body.faces[:, ::-1], body.weights, joints, body.parents)
    lost = np.where(np.arange(len(body.v_template)) == 5, np.nan, body.v_template.T).T.astype(np.float32)
    with pytest.raises(UserError, match="not finite"):
        SkinnedMesh.build(lost, body.faces, body.weights, joints, body.parents)
    with pytest.raises(UserError, match="faces name vertices"):
        SkinnedMesh.build(body.v_template, body.faces + 9, body.weights, joints, body.parents)


def test_volume_is_that_of_the_topology(mesh: SkinnedMesh) -> None:
    assert volume_of(mesh.vertices, mesh.faces) == pytest.approx(mesh.topology.volume, rel=1e-9)
    assert volume_of(mesh.vertices, mesh.faces[:, ::-1]) == pytest.approx(-mesh.topology.volume, rel=1e-9)
