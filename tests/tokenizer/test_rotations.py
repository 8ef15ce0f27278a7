from __future__ import annotations

import pytest
import torch

from tokenizer.errors import InputError
from tokenizer.rotations import (
    geodesic_angle,
    is_rotation,
    require_rotations,
    rot6d_to_rotmat,
    rotmat_to_rot6d,
    rotvec_to_rotmat,
    zero_absent_joints,
)


def test_published_values() -> None:
    rot6d = torch.tensor([1, 0.2, -0.3, 0.1, 0.9, 0.4])
    rows = [[0.940721, 0.188144, -0.282216], [-0.042509, 0.890889, 0.452228], [0.336507, -0.413423, 0.846076]]
    torch.testing.assert_close(rot6d_to_rotmat(rot6d), torch.tensor(rows), atol=1e-6, rtol=0)
    rows = [[0.859534, -0.497992, -0.114917], [0.439868, 0.835316, -0.329794], [0.260227, 0.232921, 0.937032]]
    rotvec = torch.tensor([0.3, -0.2, 0.5])
    torch.testing.assert_close(rotvec_to_rotmat(rotvec), torch.tensor(rows), atol=1e-6, rtol=0)


@pytest.mark.parametrize("batch", [(), (3,), (2, 3)])  # 3 once picked the wrong axis of a cross product
def test_six_numbers_keep_the_rotation(batch: tuple[int, ...]) -> None:
    rotmats = rotvec_to_rotmat(torch.randn(*batch, 3, generator=torch.Generator().manual_seed(1)))
    torch.testing.assert_close(rot6d_to_rotmat(rotmat_to_rot6d(rotmats)), rotmats)
    assert is_rotation(rotmats).all()


def test_geodesic_angle_is_exact_where_the_trace_is_not() -> None:
    angles = torch.tensor([1e-4, 0.5, 3.0])
    axis = torch.tensor([0.6, 0.0, 0.8])
    turned = rotvec_to_rotmat(angles[:, None] * axis)
    torch.testing.assert_close(
        geodesic_angle(torch.eye(3).expand(3, 3, 3), turned), angles, rtol=1e-3, atol=0
    )


def test_reflection_and_scale_are_no_rotations() -> None:
    assert not is_rotation(torch.diag(torch.tensor([1.0, 1.0, -1.0])))
    assert not is_rotation(1.01 * torch.eye(3))


def test_zeroing_touches_absent_joints_alone(rotmats: torch.Tensor) -> None:
    absent = torch.zeros(6, 21, dtype=torch.bool)
    absent[2, 17] = True
    zeroed = zero_absent_joints(rotmats, absent)
    assert not zeroed[2, 17].any()
    assert torch.equal(zeroed[~absent], rotmats[~absent])
    assert zero_absent_joints(rotmats, None) is rotmats


def _spoil(rotmats: torch.Tensor, what: str) -> torch.Tensor:
    spoilt = rotmats.clone()
    if what == "nan":
        spoilt[4, 7, 1, 2] = torch.nan
    elif what == "scaled":
        spoilt[4, 7] *= 1.1
    elif what == "zero":
        spoilt[4, 7] = 0
    elif what == "joints":
        spoilt = torch.cat((spoilt, spoilt[:, :2]), 1)
    elif what == "flat":
        spoilt = spoilt.flatten(2)
    elif what == "integer":
        spoilt = spoilt.long()
    return spoilt


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("nan", "NaN or infinity in pose 4, joint 7"),
        ("scaled", "no rotation matrix in pose 4, joint 7; drop"),
        ("zero", "pose 4, joint 7; keep the original rotation and mark the joint in absent_joints"),
        ("joints", "23 joints; give the 21"),
        ("flat", r"shape \(6, 21, 9\)"),
        ("integer", "int64"),
    ],
)
def test_bad_poses_are_named_in_one_line(rotmats: torch.Tensor, what: str, message: str) -> None:
    require_rotations(rotmats, 21, "poses")
    with pytest.raises(InputError, match=message) as caught:
        require_rotations(_spoil(rotmats, what), 21, "poses")
    assert "\n" not in str(caught.value)
