"""Pose banks: many poses in one memory-mapped file.

A bank is an .npz or .safetensors file with

    pose_body      (poses, 63) floating point, rotation vectors (rad) of the 21 body joints; or instead
    rotmats        (poses, 21, 3, 3) floating point, rotation matrices
    absent_joints  (poses, 21) bool, optional: the joints an amputation took. Their rotations stay as they
    were.

TokenHMR's AMASS and MOYO files are banks as they are (``pose_body``; other members are left alone).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from safetensors.numpy import save_file
from torch import Tensor

from tokenizer.errors import InputError
from tokenizer.mapping import map_arrays
from tokenizer.rotations import require_rotations, rotvec_to_rotmat

NUM_JOINTS = 21
_CHECK_ROWS = 65536
_FORMAT = {"format": "ajahr-pose-bank", "version": "1"}


@dataclass(frozen=True, eq=False)
class PoseBank:
    """An opened bank. Rows are read from the file when they are asked for."""

    name: str
    poses: np.ndarray
    """(poses, 63) rotation vectors or (poses, 21, 3, 3) matrices, as stored."""
    absent_joints: np.ndarray | None
    """(poses, 21) bool, or None where every pose is intact."""

    def __len__(self) -> int:
        return len(self.poses)

    def rotmats(self, rows: Int[np.ndarray, " rows"]) -> Float[Tensor, "rows joints 3 3"]:
        """Rotation matrices of some rows, float32."""
        poses = torch.from_numpy(np.asarray(self.poses[rows], np.float32))
        return poses if poses.ndim == 4 else rotvec_to_rotmat(poses.view(len(rows), NUM_JOINTS, 3))

    def absent(self, rows: Int[np.ndarray, " rows"]) -> Bool[Tensor, "rows joints"]:
        """Absent joints of some rows."""
        if self.absent_joints is None:
            return torch.zeros(len(rows), NUM_JOINTS, dtype=torch.bool)
        return torch.from_numpy(np.asarray(self.absent_joints[rows], bool))

    def is_amputee(self) -> Bool[np.ndarray, " poses"]:
        """Which poses lack a joint."""
        if self.absent_joints is None:
            return np.zeros(len(self), bool)
        return np.logical_or.reduce(self.absent_joints, axis=1)


def open_bank(path: str | Path, *, check: bool = True) -> PoseBank:
    """Open a bank.

    Args:
        check: Read every pose once and refuse NaN and matrices that are no rotations.

    Raises:
        InputError: not a bank, truncated, empty, another joint count, NaN, no rotations.
    """
    arrays = map_arrays(path, ("pose_body", "rotmats", "absent_joints"))
    poses = arrays.get("pose_body", arrays.get("rotmats"))
    if poses is None:
        raise InputError(f"{path}: neither pose_body nor rotmats in it; is this a pose bank?")
    if not np.issubdtype(poses.dtype, np.floating):
        raise InputError(f"{path}: poses are {poses.dtype}; store floating point")
    numbers = f"{3 * NUM_JOINTS}" if "pose_body" in arrays else f"{NUM_JOINTS}, 3, 3"
    if poses.shape[1:] != tuple(map(int, numbers.split(", "))):
        raise InputError(
            f"{path}: poses have shape {poses.shape}; {NUM_JOINTS} joints make (poses, {numbers})"
        )
    if len(poses) == 0:
        raise InputError(f"{path}: no poses in it; fill it or leave it out")
    absent = arrays.get("absent_joints")
    if absent is not None and absent.shape != (len(poses), NUM_JOINTS):
        raise InputError(
            f"{path}: absent_joints {absent.shape} for {len(poses)} poses; give ({len(poses)}, {NUM_JOINTS})"
        )
    bank = PoseBank(Path(path).stem, poses, absent)
    if check:
        _check_poses(bank, str(path))
    return bank


def _check_poses(bank: PoseBank, path: str) -> None:
    for rows in _row_blocks(len(bank)):
        if bank.poses.ndim == 4:
            require_rotations(
                torch.from_numpy(np.array(bank.poses[rows])), NUM_JOINTS, f"{path} from row {rows.start}"
            )
        elif not np.isfinite(bank.poses[rows]).all():
            row = rows.start + int(np.flatnonzero(~np.isfinite(bank.poses[rows]).all(1))[0])
            raise InputError(f"{path}: NaN or infinity in pose {row}; drop that pose")


def _row_blocks(poses: int) -> Iterator[slice]:
    return (slice(start, min(start + _CHECK_ROWS, poses)) for start in range(0, poses, _CHECK_ROWS))


def write_bank(
    path: str | Path,
    pose_body: Float[np.ndarray, "poses coordinates"],
    absent_joints: Bool[np.ndarray, "poses joints"] | None = None,
) -> None:
    """Write rotation vectors (rad) as a bank that can be mapped; the suffix says which format.

    A file that exists is replaced in one step, so a reader never sees half of one.

    Raises:
        InputError: an unknown suffix, or poses `open_bank` would refuse.
    """
    path = Path(path)
    arrays = {"pose_body": np.ascontiguousarray(pose_body, np.float32)}
    if absent_joints is not None:
        arrays["absent_joints"] = np.ascontiguousarray(absent_joints)
    temporary = path.with_name(f".{path.stem}.partial{path.suffix}")
    if path.suffix == ".npz":
        np.savez(temporary, **arrays)  # pyright: ignore[reportArgumentType]
    elif path.suffix == ".safetensors":
        save_file(arrays, temporary, metadata=_FORMAT)
    else:
        raise InputError(f"{path}: neither .npz nor .safetensors; choose one of the two")
    try:
        open_bank(temporary)
    except InputError as error:
        temporary.unlink()
        raise InputError(str(error).replace(str(temporary), str(path))) from error
    temporary.replace(path)
