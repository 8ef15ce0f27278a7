"""3DPW: its own sequence files, or the test set's .npz of the 4D-Humans and TokenHMR packages (facts 3.11)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from ajahr.body.unpickle import read_pickle
from ajahr.data.hmr.pictures import PictureStore
from ajahr.data.hmr.samples import GENDER_CODES, PeopleTable, empty_rows, set_box
from ajahr.data.readers.hmr2_npz import genders, read_hmr2_npz
from ajahr.data.readers.npz_file import column_names, plain
from ajahr.data.readers.posed import gendered_body, pose_keypoints, to_camera, translation_to_camera
from ajahr.errors import UserError
from ajahr.geometry.crops import box_from_points

_BODY25_FROM_COCO18 = (0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18)
_FIELDS = (
    "sequence", "poses", "betas", "trans", "poses2d", "cam_poses", "cam_intrinsics", "campose_valid", "genders",
)  # fmt: skip


def read_3dpw(
    path: str | Path, images: str | Path, *, bodies: str | Path | None = None, name: str = "3DPW"
) -> PeopleTable:
    """Everybody in frames whose camera pose is valid.

    Args:
        path: ``sequenceFiles/test`` (a folder of .pkl), one .pkl, or ``3dpw_test.npz``.
        images: what picture names are relative to: the folder that holds ``imageFiles``.
        bodies: SMPL's folder, for 3D keypoints of sequence files: they come from the gendered bodies. None:
            the parameters only.
        name: of the dataset in keys.

    Raises:
        UserError: a file is damaged, names classes it should not, or is SPIN's .npz of the same name.
    """
    path = Path(path)
    if path.suffix == ".npz":
        if {"pose", "shape"} <= column_names(path):
            raise UserError(
                f"{path}: SPIN's file of that name, whose sizes and poses differ; "
                "get the one of 4D-Humans or TokenHMR, or give the folder of sequence files"
            )
        return read_hmr2_npz(path, images, name=name, body_3d=True, trusted_3d=True, limbs="intact")
    files = sorted(path.glob("*.pkl")) if path.is_dir() else [path]
    if not files or not all(file.is_file() for file in files):
        raise UserError(f"{path}: no .pkl of 3DPW there; give sequenceFiles/test")
    dropped: Counter[str] = Counter()
    parts = [part for file in files for part in _sequence_rows(file, bodies, dropped)]
    if not parts:
        raise UserError(f"{path}: not one frame with a valid camera; are these 3DPW's sequence files?")
    size = max(part.dtype["key"].itemsize for part in parts)
    rows = empty_rows(sum(map(len, parts)), ["x" * size])
    rows[:] = np.concatenate([part.astype(rows.dtype) for part in parts])
    pose_keypoints(rows, bodies)
    return PeopleTable(name, rows, PictureStore(images), dict(dropped))


def _sequence_rows(path: Path, bodies: str | Path | None, dropped: Counter[str]) -> list[np.ndarray]:
    """Rows of each person of one file."""
    fields = read_pickle(path)
    if not isinstance(fields, dict):
        raise UserError(f"{path}: no dict of a 3DPW sequence in it")
    missing = next((field for field in _FIELDS if field not in fields), None)
    if missing is not None:
        raise UserError(f"{path}: no key '{missing}' in it; is this a sequence file of 3DPW?")
    try:
        sequence = {field: plain(fields[field]) for field in _FIELDS}
        extrinsics = np.asarray(sequence["cam_poses"], np.float64).reshape(-1, 4, 4)
        return [
            _person_rows(path, sequence, number, extrinsics, bodies, dropped)
            for number in range(len(sequence["poses"]))
        ]
    except (ValueError, TypeError, IndexError) as error:
        raise UserError(f"{path}: {error}; get the file again") from None


def _person_rows(
    path: Path,
    sequence: dict[str, Any],
    number: int,
    extrinsics: np.ndarray,
    bodies: str | Path | None,
    dropped: Counter[str],
) -> np.ndarray:
    pose = np.asarray(sequence["poses"][number], np.float64).reshape(-1, 24, 3)
    valid = np.asarray(sequence["campose_valid"][number]).reshape(-1) > 0
    points = np.asarray(sequence["poses2d"][number], np.float64).reshape(-1, 3, 18).swapaxes(1, 2)
    frames = np.flatnonzero(valid & ((points[..., 2] > 0).sum(1) >= 2))
    dropped["no_camera"] += int((~valid).sum())
    dropped["no_keypoints"] += int(valid.sum()) - len(frames)
    folder = str(sequence["sequence"])
    keys = [f"{folder}/{frame:05d}/{number}" for frame in frames]
    images = [f"imageFiles/{folder}/image_{frame:05d}.jpg" for frame in frames]
    rows = empty_rows(len(frames), [*keys, *images])
    rows["key"] = [key.encode() for key in keys]
    rows["image"] = [image.encode() for image in images]
    centers, sizes = [], []
    for frame in frames:
        center, size = box_from_points(points[frame][points[frame][:, 2] > 0, :2])
        centers.append(center)
        sizes.append([size.max()] * 2)
    set_box(rows, np.array(centers).reshape(-1, 2), np.array(sizes).reshape(-1, 2))
    rows["keypoints_2d"][:, list(_BODY25_FROM_COCO18)] = points[frames]
    rows["pose"] = pose[frames]
    rows["pose"][:, 0] = to_camera(pose[frames, 0], extrinsics[frames])
    rows["has_pose"] = True
    rows["betas"] = np.asarray(sequence["betas"][number], np.float64).reshape(-1)[:10]
    rows["has_betas"] = True
    rows["trusted_3d"] = True
    rows["levels"] = 0  # actors with all their limbs
    rows["gender"] = genders([str(sequence["genders"][number])], path)[0]
    rows["focal_length"] = np.asarray(sequence["cam_intrinsics"], np.float64).reshape(3, 3)[0, 0]
    if bodies is not None and len(rows):
        body = gendered_body(str(bodies), GENDER_CODES[rows["gender"][0]])
        pelvis = body.shape(rows["betas"][0])[1][0].astype(np.float64)
        translation = np.asarray(sequence["trans"][number], np.float64).reshape(-1, 3)[frames]
        rows["transl"] = translation_to_camera(translation, extrinsics[frames], pelvis)
    return rows
