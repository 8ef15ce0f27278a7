"""Motion capture: every so manieth frame of AMASS's and MOYO's sequences, with its root."""

from __future__ import annotations

import zipfile
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, Float32, Float64

from ajahr.data.pose_banks.joblib_file import read_joblib
from ajahr.data.pose_banks.mocap import AMASS_CUT, MOYO_CUT, Cut
from ajahr.errors import UserError
from ajahr.geometry.rotations_np import rotation_about, rotmat_to_rotvec, rotvec_to_rotmat

_BODY = 63
"""Numbers of joints 1..21; SMPL's two hand joints are not captured and stay straight."""
_Y_FROM_Z_UP = rotation_about(0, -np.pi / 2)


@dataclass(frozen=True, eq=False)
class CapturedPoses:
    """Poses in the world of the capture.

    Attributes:
        pose_rotvec: Root first, body to that world.
        up_sum: Sum over all poses of the direction in which the pelvis points, world axes.
        dropped: Frames and sequences left out, by reason.
    """

    pose_rotvec: Float32[np.ndarray, "poses 24 3"]
    up_sum: Float64[np.ndarray, "xyz=3"]
    dropped: Counter[str]


def sequences(path: Path, kind: Literal["amass", "moyo"]) -> list[Path]:
    """The sequence files below a folder, or the one file.

    Raises:
        UserError: there are none.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UserError(f"{path}: no such folder; poses.sources of kind {kind} name one of sequences")
    if kind == "amass":
        endings = ("_poses.npz", "_stageii.npz")
        found = sorted(p for p in path.rglob("*.npz") if p.name.endswith(endings))
        what = "*_poses.npz or *_stageii.npz of AMASS"
    else:
        found = sorted(p for p in path.rglob("*") if p.suffix in (".pkl", ".npz"))
        what = "*.pkl of MOYO"
    if not found:
        raise UserError(f"{path}: no {what} in it; give the folder that the archives were unpacked in")
    return found


def read_sequences(files: Sequence[Path], kind: Literal["amass", "moyo"], stride: int = 0) -> CapturedPoses:
    """The kept frames of some sequences, ends cut as TokenHMR does.

    A file that is no sequence is counted as ``unreadable_sequence``, a frame with NaN as ``not_finite``.

    Args:
        files: As `sequences` lists them.
        kind: Whose format.
        stride: Every so manieth frame; 0 takes TokenHMR's.
    """
    usual = AMASS_CUT if kind == "amass" else MOYO_CUT
    cut = Cut(usual.ends, stride or usual.stride)
    dropped: Counter[str] = Counter()
    parts = [np.zeros((0, 24, 3), np.float32)]
    for path in files:
        try:
            frames = cut(_amass(path) if kind == "amass" else _moyo(path))
        except (UserError, OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
            dropped["unreadable_sequence"] += 1
            continue
        finite = np.isfinite(frames).all(1)
        dropped["not_finite"] += int((~finite).sum())
        pose = np.zeros((int(finite.sum()), 24, 3), np.float32)
        pose[:, :22] = frames[finite].reshape(-1, 22, 3)
        parts.append(pose)
    poses = np.concatenate(parts)
    up = rotvec_to_rotmat(poses[:, 0].astype(np.float64))[:, :, 1].sum(0)
    return CapturedPoses(poses, up, +dropped)


def _amass(path: Path) -> Float[np.ndarray, "frames 66"]:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        return _floats(archive["poses"], 3 + _BODY)


def _moyo(path: Path) -> Float[np.ndarray, "frames 66"]:
    if path.suffix == ".npz":
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in ("global_orient", "body_pose")}
    else:
        arrays = read_joblib(path)
    root, body = _floats(arrays["global_orient"], 3), _floats(arrays["body_pose"], _BODY)
    return np.concatenate([root, body], axis=1)


def _floats(values: np.ndarray, columns: int) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim != 2 or array.shape[1] < columns or not np.issubdtype(array.dtype, np.floating):
        raise ValueError(f"{array.dtype} {array.shape}")
    return array[:, :columns].astype(np.float64)


def choose_up(up_sum: Float64[np.ndarray, "xyz=3"], wanted: Literal["auto", "y", "z"]) -> Literal["y", "z"]:
    """The vertical axis of a capture's world: the one along which its pelvises point, taken together."""
    if wanted != "auto":
        return wanted
    return "z" if up_sum[2] > up_sum[1] else "y"


def upright(
    root_rotvec: Float32[np.ndarray, "poses 3"], up: Literal["y", "z"]
) -> Float32[np.ndarray, "poses 3"]:
    """Roots in the upright frame of `ajahr.poses`: y up. The heading stays as captured."""
    if up == "y":
        return root_rotvec
    rotmat = _Y_FROM_Z_UP @ rotvec_to_rotmat(root_rotvec.astype(np.float64))
    return rotmat_to_rotvec(rotmat).astype(np.float32)
