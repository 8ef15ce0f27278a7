from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from ajahr.data.pose_banks.annotations import read_annotations
from ajahr.data.pose_banks.limb_levels import levels_of
from ajahr.errors import UserError
from ajahr.geometry.rotations_np import rotvec_to_rotmat

RNG = np.random.default_rng(0)
POSE = RNG.normal(0, 0.3, (3, 72)).astype(np.float32)
LEVELS = [[1, 0, 0, 0], [0, 0, 0, 3], [0, 0, 0, 0]]  # AJAHR-Indices 3, 11 and 12


def _levels(absent: np.ndarray) -> list[list[int]]:
    return levels_of(absent).tolist()


def test_a3d_coco_style_reads_names_stored_as_objects(tmp_path: Path) -> None:
    names = np.array(["amp_3_a.png", "S1/amp_11_b.png", "plain.png"], dtype=object)
    np.savez(tmp_path / "a.npz", imgname=names, body_pose=POSE, has_body_pose=np.ones(3, np.float32))
    found = read_annotations(tmp_path / "a.npz")
    assert np.array_equal(found.pose_body, POSE[:, 3:66]) and found.dropped == 0
    assert _levels(found.absent_joints) == LEVELS


def test_a3d_h36m_style(tmp_path: Path) -> None:
    matrices = rotvec_to_rotmat(POSE[:, 3:].reshape(3, 23, 3).astype(np.float64))[:, None]
    matrices[2, 0, 5] = 0  # a lost joint whose rotation is gone
    conf = np.zeros((3, 12), np.int64)
    conf[0, 3] = conf[1, 11] = conf[2, 0] = 1
    np.savez(tmp_path / "h.npz", smpl_pose=matrices, ajahr_conf=conf)
    found = read_annotations(tmp_path / "h.npz")
    np.testing.assert_allclose(found.pose_body, POSE[:2, 3:66], atol=1e-5)
    assert found.dropped == 1 and _levels(found.absent_joints) == LEVELS[:2]


def test_own_datasets_and_several_limbs(tmp_path: Path) -> None:
    np.savez(tmp_path / "l.npz", body_pose=POSE, labels=[[3, 11, 12, 12], [12] * 4, [0, 12, 12, 12]])
    assert _levels(read_annotations(tmp_path / "l.npz").absent_joints)[0] == [1, 0, 0, 3]
    np.savez(tmp_path / "o.npz", body_pose=POSE, limb_levels=LEVELS, labels=np.full((3, 4), 12))
    assert _levels(read_annotations(tmp_path / "o.npz").absent_joints) == LEVELS


def test_hmr2_leaves_out_people_without_a_pose(tmp_path: Path) -> None:
    np.savez(tmp_path / "h.npz", body_pose=POSE, has_body_pose=np.array([1.0, 0.0, 1.0]))
    found = read_annotations(tmp_path / "h.npz")
    assert np.array_equal(found.pose_body, POSE[[0, 2], 3:66]) and found.dropped == 1
    np.savez(tmp_path / "r.npz", body_pose=POSE[:, 3:])  # 69 columns: without the root
    assert np.array_equal(read_annotations(tmp_path / "r.npz").pose_body, POSE[:, 3:66])


class _Evil:
    def __reduce__(self):
        return (os.getcwd, ())


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ({"x": np.zeros(3)}, "neither body_pose nor smpl_pose"),
        ({"body_pose": np.full((2, 72), np.nan)}, "NaN or infinity in pose 0"),
        ({"body_pose": np.zeros((2, 63))}, "69 columns"),
        ({"smpl_pose": np.zeros((2, 1, 24, 3, 3))}, r"\(N, 1, 23, 3, 3\)"),
        ({"body_pose": POSE, "has_body_pose": np.zeros(3)}, "no pose in it"),
        ({"body_pose": POSE, "labels": np.full((3, 4), 77)}, "AJAHR-Indices 0..12"),
        ({"body_pose": POSE, "imgname": np.array([_Evil()] * 3, object)}, "getcwd"),
        ({"body_pose": np.array([_Evil()] * 3, object)}, "body_pose holds Python objects"),
    ],
)
def test_bad_files(tmp_path: Path, arrays: dict[str, np.ndarray], text: str) -> None:
    np.savez(tmp_path / "bad.npz", **arrays)  # pyright: ignore[reportArgumentType]
    with pytest.raises(UserError, match=text):
        read_annotations(tmp_path / "bad.npz")


def test_truncated_and_missing(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", body_pose=POSE)
    (tmp_path / "cut.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:400])
    with pytest.raises(UserError, match=r"no whole \.npz file"):
        read_annotations(tmp_path / "cut.npz")
    with pytest.raises(UserError, match="no such file"):
        read_annotations(tmp_path / "no.npz")
