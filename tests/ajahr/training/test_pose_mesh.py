from __future__ import annotations

import pytest
import torch

from ajahr.anatomy import JOINT, JOINT_LIMB, body_pose_index
from ajahr.body.body import Body
from ajahr.body.data import load_body
from ajahr.errors import UserError
from ajahr.geometry.rotations import rotvec_to_rotmat
from ajahr.training.pose_mesh import PoseMesh, spread_points


@pytest.fixture(scope="module")
def mesh() -> PoseMesh:
    return PoseMesh()


def test_it_is_the_body_with_root_and_hands_at_rest(mesh: PoseMesh) -> None:
    rotvecs = torch.randn(2, 24, 3, generator=torch.Generator().manual_seed(0)) * 0.4
    rotvecs[:, [JOINT["pelvis"], JOINT["left_hand"], JOINT["right_hand"]]] = 0
    rotmats = rotvec_to_rotmat(rotvecs)
    posed = Body(load_body())(torch.zeros(2, 10), rotmats)
    vertices, joints = mesh(rotmats[:, 1:22])
    torch.testing.assert_close(vertices, posed.vertices)
    torch.testing.assert_close(joints, posed.joints[:, 1:22])


def test_a_bent_elbow_moves_the_wrist_alone(mesh: PoseMesh) -> None:
    rest = torch.eye(3).expand(1, 21, 3, 3)
    bent = rest.clone()
    bent[0, body_pose_index(JOINT["left_elbow"])] = rotvec_to_rotmat(torch.tensor([0.0, 1.0, 0]))
    moved = (mesh(bent)[1] - mesh(rest)[1]).norm(dim=-1)[0] > 1e-4
    assert moved.nonzero()[:, 0].tolist() == [body_pose_index(JOINT["left_wrist"])]


def test_it_brings_no_array_into_a_checkpoint(mesh: PoseMesh) -> None:
    assert not mesh.state_dict()
    assert mesh.faces.shape[1] == 3


def test_fewer_vertices_are_rows_of_all_and_joints_stay_exact(mesh: PoseMesh) -> None:
    few = PoseMesh(num_vertices=50)
    rotmats = rotvec_to_rotmat(torch.randn(2, 21, 3, generator=torch.Generator().manual_seed(1)) * 0.4)
    rows = spread_points(mesh.body.data.v_template, 50)
    torch.testing.assert_close(few(rotmats)[0], mesh(rotmats)[0][:, rows])
    torch.testing.assert_close(few(rotmats)[1], mesh(rotmats)[1])
    assert len(few.faces) == 0 and not few.state_dict()


def test_spread_points_reach_every_limb(mesh: PoseMesh) -> None:
    data = mesh.body.data
    rows = spread_points(data.v_template, 50)
    assert len(set(rows.tolist())) == 50
    assert {JOINT_LIMB[part] for part in data.part_labels[rows]} == {-1, 0, 1, 2, 3}


@pytest.mark.parametrize("number", [0, 10**6])
def test_impossible_number_of_vertices(number: int) -> None:
    with pytest.raises(UserError, match=f"num_vertices is {number}"):
        PoseMesh(num_vertices=number)
