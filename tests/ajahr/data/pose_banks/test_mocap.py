from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from ajahr.data.pose_banks import mocap
from ajahr.errors import UserError

PIN = Path(__file__).with_name("moyo_joblib_1.6.pkl")


def _amass(path: Path, frames: int, columns: int = 156) -> np.ndarray:
    """A sequence with AMASS's members; every number says its frame and column."""
    path.parent.mkdir(parents=True, exist_ok=True)
    poses = np.arange(frames)[:, None] + np.arange(columns) / 1000
    np.savez(
        path, poses=poses, betas=np.zeros(16), trans=np.zeros((frames, 3)), dmpls=np.zeros((frames, 8)),
        gender=np.array("neutral"), mocap_framerate=np.array(120.0),
    )  # fmt: skip
    return poses


def test_amass_cut_and_columns(tmp_path: Path) -> None:
    poses = _amass(tmp_path / "a_poses.npz", 100)
    kept = mocap.read_amass(tmp_path / "a_poses.npz")
    assert kept.astype(int)[:, 0].tolist() == [20, 30, 40, 50, 60, 70]
    np.testing.assert_allclose(kept, poses[20:80:10, 3:66], rtol=1e-6)


def test_amass_folders(tmp_path: Path) -> None:
    for file in (
        "CMU/01/01_01_poses.npz", "CMU/02/02_01_poses.npz", "MPI_HDM05/bd/x_poses.npz", "SSM_synced/s/x_poses.npz",
        "BioMotionLab_NTroje/r/x_poses.npz", "DFaust_67/d/x_poses.npz", "Eyes_Japan_Dataset/e/x_stageii.npz",
    ):  # fmt: skip
        _amass(tmp_path / file, 30)
    (tmp_path / "CMU/01/shape.npz").write_bytes(b"")
    found = mocap.amass_sequences(tmp_path)
    assert {key: len(files) for key, files in found.items()} == {
        ("train", "CMU"): 2, ("val", "HDM05"): 1, ("test", "SSM"): 1, ("train", "BMLrub"): 1,
        ("train", "EyesJapan"): 1,
    }  # fmt: skip
    assert len(mocap.gather(found["train", "CMU"], "amass")) == 4


def test_moyo(tmp_path: Path) -> None:
    for split in ("train", "val"):
        (tmp_path / split).mkdir()
        shutil.copy(PIN, tmp_path / split / "pose.pkl")
    np.savez(tmp_path / "val" / "other.npz", body_pose=np.ones((30, 69)))
    found = mocap.moyo_sequences(tmp_path)
    assert len(found["val", "MOYO"]) == 2
    kept = mocap.read_moyo(found["train", "MOYO"][0])
    assert kept[:, 0].tolist() == [2, 7, 12, 17] and kept.shape == (4, 63)
    np.testing.assert_allclose(kept[0], 2 + np.arange(63) / 100, rtol=1e-6)
    assert len(mocap.gather(found["val", "MOYO"], "moyo")) == 5 + 4


def test_bad_files(tmp_path: Path) -> None:
    good = tmp_path / "good_poses.npz"
    _amass(good, 60)
    (tmp_path / "cut.npz").write_bytes(good.read_bytes()[:5000])
    (tmp_path / "empty.npz").write_bytes(b"")
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    np.savez(tmp_path / "narrow.npz", poses=np.zeros((60, 60)))
    nan = np.zeros((60, 156))
    nan[32, 10] = np.nan
    np.savez(tmp_path / "nan.npz", poses=nan)
    np.savez(tmp_path / "short.npz", poses=np.zeros((1, 156)))
    for name, text in (
        ("cut", "no whole AMASS sequence"), ("empty", "no whole AMASS sequence"), ("other", "poses"),
        ("narrow", r"poses are float64 \(60, 60\)"), ("nan", "NaN or infinity"), ("missing", "no whole AMASS"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=text):
            mocap.read_amass(tmp_path / f"{name}.npz")
    with pytest.raises(UserError, match="too short"):
        mocap.gather([tmp_path / "short.npz"], "amass")
    with pytest.raises(UserError, match="body_pose"):
        mocap.read_moyo(tmp_path / "other.npz")
    for find in (mocap.amass_sequences, mocap.moyo_sequences):
        with pytest.raises(UserError, match="no such folder"):
            find(tmp_path / "nowhere")
        with pytest.raises(UserError, match="in it"):
            find(tmp_path)
