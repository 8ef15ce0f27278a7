"""BEDLAM's tars: posed keypoints, cameras, lying scenes."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from fake_people import jpeg, photo, write_tar

from ajahr.body.data import load_body
from ajahr.body.fast import FastBody
from ajahr.data.hmr.collate import to_batch
from ajahr.data.hmr.dataset import CropConfig, HmrDataset
from ajahr.data.readers.bedlam_tars import read_bedlam_tars
from ajahr.errors import UserError
from ajahr.geometry.rotations_np import rotvec_to_rotmat


def person(seed: int = 0, **changes) -> dict:
    rng = np.random.default_rng(seed)
    pose = rng.normal(0, 0.2, 165)  # SMPL-X's length: the first 72 are read
    pose[:3] = (np.pi, 0, 0)
    extrinsics = np.eye(4)
    extrinsics[:3, 3] = (0.1, 0.2, 1.0)
    found = {
        "pose_cam": pose, "shape": rng.normal(0, 0.5, 11), "trans_cam": np.array([0.0, 0.1, 3.0]),
        "cam_ext": extrinsics, "cam_int": np.array([[900.0, 0, 320], [0, 900, 240], [0, 0, 1]]),
        "center": np.array([320.0, 240.0]), "scale": np.float64(1.5), "gtkps": np.zeros((22, 2)), "gender": "male",
    }  # fmt: skip
    return {**found, **changes}


def sample(key: str, *people: dict, size: tuple[int, int] = (640, 480)) -> dict[str, bytes]:
    return {
        f"{key}.png.jpg": b"",
        f"{key}.jpg": jpeg(photo(*size)),
        f"{key}.data.pyd": pickle.dumps(list(people)),
    }


@pytest.fixture
def folder(tmp_path):
    write_tar(tmp_path / "scene_a" / "0.tar", sample("a/f0", person(0), person(1)))
    write_tar(tmp_path / "closeup_b" / "0.tar", sample("closeup_b/f1", person(2), size=(480, 640)))
    write_tar(tmp_path / "agora_c" / "0.tar", sample("agora/f2", person(3)))
    return tmp_path


def test_keypoints_are_posed_and_projected(folder):
    table = read_bedlam_tars(folder, body=None)
    assert [table.key(n) for n in range(3)] == ["BEDLAM/closeup_b/f1/0", "BEDLAM/a/f0/0", "BEDLAM/a/f0/1"]
    truth = person(1)
    body = FastBody(load_body())
    posed = body(
        truth["shape"][:10].astype(np.float32), rotvec_to_rotmat(truth["pose_cam"][:72].reshape(24, 3)),
        translation=np.array([0.1, 0.3, 4.0]),
    ).keypoints_44  # fmt: skip
    row = table.rows[2]
    np.testing.assert_allclose(row["keypoints_3d"][:, :3], posed, atol=1e-5)
    pixels = posed[:, :2] / posed[:, 2:] * 900 + (320, 240)
    np.testing.assert_allclose(row["keypoints_2d"][:, :2], pixels, atol=0.01)
    assert (row["keypoints_2d"][:, 2] == 1).all() and row["focal_length"] == 900
    assert row["has_pose"].all() and row["has_betas"] and row["trusted_3d"] and not row["levels"].any()


def test_boxes_grow_like_all_others_unless_asked_not_to(folder):
    assert read_bedlam_tars(folder, body=None).rows["side"][0] == pytest.approx(400)
    assert read_bedlam_tars(folder, body=None, expand=False).rows["side"][0] == pytest.approx(300)


def test_lying_scenes_are_stood_up(folder):
    table = read_bedlam_tars(folder, body=None)
    batch = to_batch(HmrDataset([table], CropConfig(None)).__getitems__([0, 1]))
    assert batch.image_size.tolist() == [[640, 480], [640, 480]]
    stored = photo(480, 640)
    upright = np.rot90(stored, -1)
    row = table.rows[0]
    from ajahr.data.hmr.crops import cut
    from ajahr.geometry.crops import crop_affine

    expected = cut(np.ascontiguousarray(upright), crop_affine(row["center"], float(row["side"])))
    found = HmrDataset([table], CropConfig(None))[0].pixels[0]
    assert np.abs(found.astype(int) - expected).mean() < 3


def test_people_behind_the_camera_and_bad_annotations(tmp_path):
    behind = person(1, trans_cam=np.array([0.0, 0.0, -9.0]))
    write_tar(
        tmp_path / "s" / "0.tar",
        sample("k", behind, person(2, scale=np.float64(0)), person(3, cam_int=np.eye(2))),
    )
    table = read_bedlam_tars(tmp_path, body=None)
    assert len(table) == 1 and table.dropped == {"bad_annotation": 2}
    assert not table.rows[0]["keypoints_2d"].any(), "nothing to see of somebody behind the camera"


def test_no_scenes(tmp_path):
    with pytest.raises(UserError, match=r"no SCENE/\*\.tar"):
        read_bedlam_tars(tmp_path, body=None)
