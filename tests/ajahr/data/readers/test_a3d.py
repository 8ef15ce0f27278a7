"""A3D's released folders, made by hand in the published format."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from ajahr.data.readers.a3d import PARTS, find_a3d, parse_picture_name, picture_name, read_a3d
from ajahr.errors import UserError
from ajahr.geometry.rotations_np import rotvec_to_rotmat

RNG = np.random.default_rng(0)
POSE = RNG.normal(0, 0.3, (3, 24, 3))


def pictures(folder: Path, names: list[str]) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(folder / name), np.full((48, 64, 3), 90, np.uint8))


def coco_style(root: Path, part: str, names: list[str], **changes: np.ndarray) -> Path:
    n = len(names)
    arrays = {
        "center": np.full((n, 1, 2), 30.0),
        "scale": np.full((n, 1), 40.0),
        "imgname": np.array(names, object),
        "global_orient": rotvec_to_rotmat(POSE[:n, :1]).astype(np.float32),
        "body_pose": POSE[:n].reshape(n, 72).astype(np.float32),
        "has_body_pose": np.ones(n, np.float32),
        "betas": np.full((n, 10), 0.2, np.float32),
        "has_betas": np.ones(n, np.float32),
        "body_keypoints_2d": np.full((n, 25, 3), 1.0),
        "extra_keypoints_2d": np.full((n, 19, 3), 1.0),
        "body_keypoints_3d": np.full((n, 25, 4), 1.0),
        "extra_keypoints_3d": np.full((n, 19, 4), 1.0),
        "body_opt_3d_joints": np.ones((n, 25, 1)),
        "extra_opt_3d_joints": np.ones((n, 19, 1)),
        **changes,
    }
    path = root / part / "annotation" / "whatever.npz"
    path.parent.mkdir(parents=True)
    np.savez(path, **arrays)
    pictures(root / part / "Images", names)
    return path


def h36m_style(root: Path, name: str, names: list[str], indices: list[list[int]], folder: str = "") -> Path:
    n = len(names)
    conf = np.zeros((n, 12), np.int64)
    for row, found in enumerate(indices):
        conf[row, found] = 1
    rotmat = rotvec_to_rotmat(POSE[:n])
    rotmat[0, 20] = 0  # an amputated joint may be the zero matrix
    arrays = {
        "imgname": np.array(names, "<U44"),
        "scale": np.full((n, 1), 300.0),
        "center": np.full((n, 1, 2), 500.0),
        "ajahr_conf": conf,
        "global_orient": rotmat[:, None, :1],
        "gt_2d_kpts": np.full((n, 1, 44, 3), 1.0),
        "gt_3d_kpts": np.full((n, 1, 44, 5), 1.0),
        "smpl_pose": rotmat[:, None, 1:],
        "smpl_shape": np.full((n, 1, 10), 0.3),
        "cam_t": np.full((n, 1, 3), 7.0),
    }
    path = root / "H36M" / "annotation" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)
    pictures(root / "H36M" / "Images" / folder, names)
    return path


@pytest.fixture
def released(tmp_path) -> Path:
    coco_style(tmp_path, "COCO_train", ["amp_3_000000000009.png", "amp_10_000000000025.png"])
    coco_style(tmp_path, "COCO_val", ["amp_0_000000000139.png"])
    h36m_style(tmp_path, "train_s1.npz", ["amp_1_S1_Eating_000001.png"], [[1]], "S1")
    h36m_style(tmp_path, "S11.npz", ["amp_7_a.png", "amp_7_b.png"], [[7], [7, 2]], "S11")
    return tmp_path


def test_every_part_is_found_and_evaluation_parts_are_told(released):
    found = find_a3d(released)
    assert [file.part for file in found] == ["COCO_train", "COCO_val", "H36M/S1", "H36M/S11"]
    assert [file.evaluation for file in found] == [False, True, False, True]
    assert found[2].images == released / "H36M/Images/S1"  # its names do not say the subject's folder


def test_both_styles_are_read(released):
    tables = read_a3d(released)
    assert {name: len(table) for name, table in tables.items()} == {
        "COCO_train": 2, "COCO_val": 1, "H36M/S1": 1, "H36M/S11": 2,
    }  # fmt: skip
    coco, s11 = tables["COCO_train"], tables["H36M/S11"]
    # left hand, right knee: the labels of this style are in the names
    assert coco.rows["levels"].tolist() == [[1, 0, 0, 0], [0, 0, 0, 2]]
    assert s11.rows["levels"].tolist() == [[0, 0, 2, 0], [0, 3, 2, 0]]
    one = s11.sample(0)
    assert one.picture.startswith(b"\x89PNG")
    assert not one.has_pose[20] and one.has_pose.sum() == 23
    assert rotvec_to_rotmat(one.pose_rotvec[[0, 4]]) == pytest.approx(
        rotvec_to_rotmat(POSE[0, [0, 4]]), abs=1e-5
    )
    assert one.betas == pytest.approx([0.3] * 10)
    assert coco.sample(1).pose_rotvec == pytest.approx(POSE[1], abs=1e-6)


def test_some_parts(released):
    assert set(read_a3d(released, ["COCO_val", "H36M/S11"])) == {"COCO_val", "H36M/S11"}
    with pytest.raises(UserError, match=r"no MPII in it; there are COCO_train"):
        read_a3d(released, ["MPII"])


def test_two_files_of_one_part_keep_apart(released):
    h36m_style(released, "more_S1.npz", ["amp_12_S1_x.png"], [[]], "S1")
    assert {"H36M/S1/train_s1", "H36M/S1/more_S1"} <= set(read_a3d(released))


def test_what_is_not_there_is_named(tmp_path, released):
    with pytest.raises(UserError, match="no such folder"):
        find_a3d(tmp_path / "gone")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"COCO_train/annotation"):
        find_a3d(tmp_path / "empty")
    (released / "COCO_val/Images/amp_0_000000000139.png").unlink()
    with pytest.raises(UserError, match=r"amp_0_000000000139\.png is not in"):
        find_a3d(released)


def test_a_truncated_annotation_is_named(released):
    path = released / "COCO_train/annotation/whatever.npz"
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(UserError, match=r"whatever\.npz"):
        read_a3d(released)


@pytest.mark.parametrize(
    ("index", "rest"), [(0, "000000000139"), (12, "S1_Eating.54138969_000001"), (11, "amp_3")]
)
def test_names_survive(index, rest):
    assert parse_picture_name(f"S1/{picture_name(index, rest)}") == (index, rest)


def test_a_name_without_an_index_is_of_an_intact_person():
    assert parse_picture_name("Images/000000000139.png") == (12, "000000000139")


def test_parts_are_those_of_the_release():
    assert len(PARTS) == 10 and PARTS[3] == "H36M/S1"
