from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from tokenizer.banks import open_bank, write_bank
from tokenizer.errors import InputError
from tokenizer.rotations import rotvec_to_rotmat


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_write_then_open(tmp_path: Path, make_rotvecs, suffix: str) -> None:
    poses = make_rotvecs(9)
    absent = np.zeros((9, 21), bool)
    absent[4, [18, 20]] = True
    path = tmp_path / f"a3d{suffix}"
    write_bank(path, poses, absent)
    bank = open_bank(path)
    assert bank.name == "a3d" and len(bank) == 9
    assert isinstance(bank.poses, np.memmap)
    rows = np.array([4, 0, 4])
    expected = rotvec_to_rotmat(torch.from_numpy(poses[rows]).view(3, 21, 3))
    assert torch.equal(bank.rotmats(rows), expected)
    assert bank.absent(rows)[:, 18].tolist() == [True, False, True]
    assert np.flatnonzero(bank.is_amputee()).tolist() == [4]
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_published_amass_file_is_a_bank(tmp_path: Path, make_rotvecs) -> None:
    """Its members and types: float64 poses, shapes, and unicode names that stay unread."""
    poses = make_rotvecs(5).astype(np.float64)
    np.savez(
        tmp_path / "train_CMU.npz",
        pose_body=poses,
        betas=np.zeros((5, 10)),
        gender=np.array(["neutral"] * 5),
        name=np.array(["walk"] * 5),
    )
    bank = open_bank(tmp_path / "train_CMU.npz")
    assert not bank.is_amputee().any() and not bank.absent(np.arange(5)).any()
    assert bank.rotmats(np.arange(5)).dtype == torch.float32


def test_matrices_are_a_bank_too(tmp_path: Path, rotmats: torch.Tensor) -> None:
    save_file({"rotmats": rotmats.numpy()}, tmp_path / "m.safetensors")
    rows = np.array([3, 1])
    assert torch.equal(open_bank(tmp_path / "m.safetensors").rotmats(rows), rotmats[rows])


def _bad(rotmats: np.ndarray, poses: np.ndarray) -> dict[str, tuple[dict[str, np.ndarray], str]]:
    nan, scaled, zero = poses.copy(), rotmats.copy(), rotmats.copy()
    nan[3, 10] = np.nan
    scaled[2, 5] *= 1.1
    zero[2, 5] = 0
    return {
        "nan": ({"pose_body": nan}, "NaN or infinity in pose 3"),
        "scaled": ({"rotmats": scaled}, "no rotation matrix in pose 2, joint 5"),
        "zero": ({"rotmats": zero}, "absent_joints"),
        "23 joints": ({"pose_body": np.zeros((4, 69), np.float32)}, r"21 joints make \(poses, 63\)"),
        "23 matrices": ({"rotmats": np.zeros((4, 23, 3, 3), np.float32)}, r"\(poses, 21, 3, 3\)"),
        "empty": ({"pose_body": np.zeros((0, 63), np.float32)}, "no poses"),
        "integers": ({"pose_body": np.zeros((4, 63), np.uint8)}, "uint8"),
        "mask": ({"pose_body": poses, "absent_joints": np.zeros((6, 24), bool)}, r"give \(6, 21\)"),
        "other": ({"betas": np.zeros((4, 10), np.float32)}, "neither pose_body nor rotmats"),
    }


@pytest.mark.parametrize(
    "what", ["nan", "scaled", "zero", "23 joints", "23 matrices", "empty", "integers", "mask", "other"]
)
def test_bad_banks_are_named_in_one_line(
    tmp_path: Path, rotmats: torch.Tensor, make_rotvecs, what: str
) -> None:
    arrays, message = _bad(rotmats.numpy(), make_rotvecs(6))[what]
    np.savez(tmp_path / "bad.npz", **arrays)  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match=message) as caught:
        open_bank(tmp_path / "bad.npz")
    assert "bad.npz" in str(caught.value) and "\n" not in str(caught.value)


def test_a_bank_that_could_not_be_opened_is_not_written(tmp_path: Path, make_rotvecs) -> None:
    path = tmp_path / "a.npz"
    write_bank(path, make_rotvecs(2))
    before = path.read_bytes()
    poses = make_rotvecs(3)
    poses[1, 1] = np.inf
    with pytest.raises(InputError, match=r"a\.npz: NaN or infinity in pose 1"):
        write_bank(path, poses)
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1
    with pytest.raises(InputError, match="neither"):
        write_bank(tmp_path / "a.npy", poses)
