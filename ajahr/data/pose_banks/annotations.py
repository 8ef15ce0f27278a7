"""A3D's and HMR2's annotations to pose banks. Nothing in a file is executed."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float32

from ajahr.anatomy import (
    INTACT_INDEX,
    NUM_CLASSES,
    NUM_TOKENIZER_JOINTS,
    absent_joint_mask,
    indices_to_levels,
)
from ajahr.body import unpickle
from ajahr.errors import UserError
from ajahr.geometry.rotations_np import is_absent, rotmat_to_rotvec

_NUMBERS = 3 * NUM_TOKENIZER_JOINTS
_NAME_LABEL = re.compile(r"amp_(\d+)")


class AnnotatedPoses(NamedTuple):
    """Poses out of an annotation file."""

    pose_body: Float32[np.ndarray, "poses 63"]
    absent_joints: Bool[np.ndarray, "poses 21"]
    dropped: int
    """People without a pose, or whose absent joints have no rotation any more (zero matrices)."""


def read_annotations(path: str | Path) -> AnnotatedPoses:
    """Poses and absent joints of an .npz of A3D (both of its styles), of HMR2/4D-Humans, of `ajahr-synth`.

    Rotations are those of ``body_pose`` (N, 72) or (N, 69), rotation vectors, or of ``smpl_pose`` (N, 1, 23, 3, 3).
    What is lost is read from ``limb_levels``, else ``ajahr_conf``, else ``labels``, else the ``amp_<index>_`` of
    the image's name, as A3D's README has it.

    Raises:
        UserError: truncated or foreign file, NaN, a label that does not exist, no pose in it.
    """
    path = Path(path)
    arrays = _read(path)
    poses, usable = _poses(arrays, path)
    if "has_body_pose" in arrays:
        usable &= np.asarray(arrays["has_body_pose"]).reshape(len(poses), -1)[:, 0] > 0
    absent = absent_joint_mask(_levels(arrays, len(poses), path))[:, 1 : 1 + NUM_TOKENIZER_JOINTS]
    if not usable.any():
        raise UserError(f"{path}: no pose in it; give a file that has some")
    bad = usable & ~np.isfinite(poses).all(1)
    if bad.any():
        raise UserError(f"{path}: NaN or infinity in pose {int(bad.argmax())}; get the file again")
    return AnnotatedPoses(poses[usable], absent[usable], int((~usable).sum()))


def _poses(arrays: dict[str, Any], path: Path) -> tuple[np.ndarray, np.ndarray]:
    if "body_pose" in arrays:
        pose = np.asarray(arrays["body_pose"])
        pose = pose.reshape(len(pose), -1)
        if pose.shape[1] not in (69, 72):
            raise UserError(f"{path}: body_pose is {pose.shape}; 23 joints make 69 columns, with the root 72")
        pose = pose[:, pose.shape[1] - 69 :][:, :_NUMBERS]
        return pose.astype(np.float32), np.ones(len(pose), bool)
    if "smpl_pose" in arrays:
        matrices = np.asarray(arrays["smpl_pose"], np.float64)
        if matrices.shape[-3:] != (23, 3, 3):
            raise UserError(f"{path}: smpl_pose is {matrices.shape}; 23 joints make (N, 1, 23, 3, 3)")
        matrices = matrices.reshape(-1, 23, 3, 3)[:, :NUM_TOKENIZER_JOINTS]
        lost = is_absent(matrices)
        vectors = rotmat_to_rotvec(np.where(lost[..., None, None], np.eye(3), matrices))
        return vectors.reshape(len(matrices), -1).astype(np.float32), np.asarray(~lost.any(1))
    raise UserError(f"{path}: neither body_pose nor smpl_pose in it; is this an annotation of A3D or HMR2?")


def _levels(arrays: dict[str, Any], count: int, path: Path) -> np.ndarray:
    try:
        if "limb_levels" in arrays:
            return np.asarray(arrays["limb_levels"]).reshape(count, 4)
        if "ajahr_conf" in arrays:
            hot = np.asarray(arrays["ajahr_conf"]).reshape(count, NUM_CLASSES) > 0
            labels: Sequence[Sequence[int]] = [np.flatnonzero(row).tolist() for row in hot]
        elif "labels" in arrays:
            labels = np.asarray(arrays["labels"]).reshape(count, -1).tolist()
        elif "imgname" in arrays:
            found = [_NAME_LABEL.search(str(name)) for name in arrays["imgname"]]
            labels = [[int(match[1]) if match else INTACT_INDEX] for match in found]
        else:
            labels = [[INTACT_INDEX]] * count
        return np.array([indices_to_levels(row) for row in labels]).reshape(count, 4)
    except (ValueError, TypeError) as error:
        raise UserError(f"{path}: {error}; the labels should be AJAHR-Indices 0..12") from error


def _read(path: Path) -> dict[str, Any]:
    """The members that matter; an object array (A3D's ``imgname``) is read as strings, not executed."""
    wanted = ("body_pose", "has_body_pose", "smpl_pose", "limb_levels", "ajahr_conf", "labels", "imgname")
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            return {name: _member(archive, name, path) for name in wanted if f"{name}.npy" in names}
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; check the path") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path}: no whole .npz file ({reason}); get it again") from error


def _member(archive: zipfile.ZipFile, name: str, path: Path) -> Any:
    with archive.open(f"{name}.npy") as member:
        version = np.lib.format.read_magic(member)
        read_header = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        _, _, dtype = read_header(member)
        if dtype.hasobject:
            if name != "imgname":
                raise ValueError(f"{name} holds Python objects")
            return _strings(unpickle._Reader(member, path).load())
    with archive.open(f"{name}.npy") as member:
        return np.lib.format.read_array(member, allow_pickle=False)


def _strings(array: Any) -> list[str]:
    raw = array.state[-1] if isinstance(array, unpickle._Array) and array.state else None
    if not isinstance(raw, list) or not all(isinstance(item, str) for item in raw):
        raise ValueError("imgname holds something that is no string")
    return raw
