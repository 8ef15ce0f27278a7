from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ajahr.anatomy import JOINT_FLIP
from ajahr.errors import UserError
from ajahr.geometry.rotations import hmr2_rot6d_to_rotmat, mirror_rotmat, rot6d_to_rotmat, rotvec_to_rotmat
from ajahr.models.mean_parameters import MeanParameters


def write(path: Path, pose: torch.Tensor, /, **changes: object) -> Path:
    arrays = {
        "pose": pose.flatten().numpy(),
        "shape": np.zeros(10, np.float32),
        "cam": np.float32([0.9, 0, 0]),
    }
    np.savez(path, **{**arrays, **changes})
    return path


def rotations() -> torch.Tensor:
    torch.manual_seed(0)
    rotvecs = torch.randn(24, 3) * 0.4
    rotvecs[0] = torch.tensor([torch.pi, 0, 0])
    return rotvec_to_rotmat(rotvecs)


def test_default_is_an_upright_symmetric_person() -> None:
    rotmats = rot6d_to_rotmat(MeanParameters.default().pose)
    torch.testing.assert_close(rotmats[0], torch.diag(torch.tensor([1.0, -1, -1])), atol=1e-6, rtol=0)
    torch.testing.assert_close(mirror_rotmat(rotmats)[list(JOINT_FLIP)], rotmats, atol=1e-6, rtol=0)


def test_default_is_the_same_person_in_either_layout() -> None:
    row, column = MeanParameters.default("row"), MeanParameters.default("column")
    torch.testing.assert_close(rot6d_to_rotmat(row.pose), hmr2_rot6d_to_rotmat(column.pose))


@pytest.mark.parametrize("interleaved", [True, False])
@pytest.mark.parametrize("layout", ["row", "column"])
def test_both_layouts_of_the_file(tmp_path: Path, interleaved: bool, layout: str) -> None:
    columns = rotations()[..., :2]
    pose = columns.flatten(-2) if interleaved else columns.mT.flatten(-2)
    mean = MeanParameters.load(write(tmp_path / "m.npz", pose), layout)
    read = rot6d_to_rotmat if layout == "row" else hmr2_rot6d_to_rotmat
    torch.testing.assert_close(read(mean.pose), rotations())
    assert mean.camera.tolist() == pytest.approx([0.9, 0, 0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pose": np.zeros(144, np.float32)}, "neither interleaved"),
        ({"pose": np.zeros(72, np.float32)}, "pose has 72 numbers"),
        ({"cam": np.array([None])}, "no readable .npz"),
    ],
)
def test_other_files(tmp_path: Path, changes: dict, message: str) -> None:
    path = write(tmp_path / "m.npz", rotations()[..., :2], **changes)
    with pytest.raises(UserError, match=message):
        MeanParameters.load(path)


def test_missing_file_and_array(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        MeanParameters.load(tmp_path / "m.npz")
    np.savez(tmp_path / "m.npz", pose=np.zeros(144))
    with pytest.raises(UserError, match="lacks"):
        MeanParameters.load(tmp_path / "m.npz")
