"""3DOH50K."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ajahr.anatomy import J44
from ajahr.data.readers.threedoh50k import read_3doh50k
from ajahr.errors import UserError

TURN = Rotation.from_rotvec([0.2, 1.0, 0.1]).as_matrix()


def entry(seed: int = 0, **changes) -> dict:
    rng = np.random.default_rng(seed)
    extrinsics = np.eye(4)
    extrinsics[:3, :3] = TURN
    found = {
        "img_path": "images\\00000.jpg", "mask_path": "masks\\00000.png", "bbox": [[100.0, 50.0], [220.0, 450.0]],
        "pose": rng.normal(0, 0.3, (1, 72)).tolist(), "betas": rng.normal(0, 1, (1, 10)).tolist(),
        "trans": [[0.0, 0.0, 3.0]], "scale": [7.0], "smpl_joints_2d": rng.uniform(50, 400, (24, 2)).tolist(),
        "smpl_joints_3d": rng.normal(0, 7, (24, 3)).tolist(), "lsp_joints_2d": rng.uniform(50, 400, (14, 2)).tolist(),
        "lsp_joints_3d": rng.normal(0, 7, (14, 3)).tolist(),
        "intri": [[1500.0, 0, 1024], [0, 1500, 768], [0, 0, 1]], "extri": extrinsics.tolist(),
    }  # fmt: skip
    return {**found, **changes}


def write(folder, content):
    path = folder / "annots.json"
    path.write_text(json.dumps(content))
    return path


def test_every_field(tmp_path):
    truth = entry(1)
    table = read_3doh50k(write(tmp_path, {"00000": truth}))
    row = table.rows[0]
    assert table.key(0) == "3DOH50K/00000" and table.pictures.where(row) == str(tmp_path / "images/00000.jpg")
    assert row["center"].tolist() == [160, 250] and row["side"] == pytest.approx(400 * 1.2 * 4 / 3, rel=1e-5)
    expected = TURN @ Rotation.from_rotvec(truth["pose"][0][:3]).as_matrix()
    np.testing.assert_allclose(Rotation.from_rotvec(row["pose"][0]).as_matrix(), expected, atol=1e-6)
    np.testing.assert_allclose(row["pose"][1:].reshape(-1), truth["pose"][0][3:], rtol=1e-5)
    np.testing.assert_allclose(
        row["keypoints_2d"][J44.index["left_elbow"], :2], truth["smpl_joints_2d"][18], rtol=1e-5
    )
    for name, number in (
        ("right_ankle_extra", 0),
        ("left_hip_extra", 3),
        ("left_wrist_extra", 11),
        ("head_top_lsp_extra", 13),
    ):
        np.testing.assert_allclose(
            row["keypoints_2d"][J44.index[name], :2], truth["lsp_joints_2d"][number], rtol=1e-5
        )
    assert not row["levels"].any() and row["trusted_3d"] and row["focal_length"] == 1500
    assert not row["keypoints_3d"][:, 3].any(), "its 3D is in another unit"


def test_bad_entries_are_dropped_by_name(tmp_path):
    content = {
        "a": entry(), "b": entry(bbox=[[9, 9], [3, 3]]), "c": entry(pose=[[1.0] * 71]), "d": {},
        "e": entry(betas=[["x"] * 10]),
    }  # fmt: skip
    table = read_3doh50k(write(tmp_path, content))
    assert len(table) == 1 and table.dropped == {"bad_annotation": 4}
    assert table.examples["bad_annotation"].endswith("b: bbox is [9.0, 9.0, 3.0, 3.0]")


@pytest.mark.parametrize(
    ("content", "said"), [([], "no dict"), ({"a": {}}, "nobody in it"), ({}, "nobody in it")]
)
def test_other_files(tmp_path, content, said):
    with pytest.raises(UserError, match=said):
        read_3doh50k(write(tmp_path, content))
