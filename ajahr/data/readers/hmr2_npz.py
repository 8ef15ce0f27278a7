"""Annotation files in the layout of HMR2.0's ``ImageDataset`` (4D-Humans): one .npz, pictures in a folder.

COCO-val, 3DPW-test, H36M-val, LSP, PoseTrack of the 4D-Humans evaluation package are of this kind, and with
more columns A3D (COCO style) and ITW-amputee. Sizes in the file are px, unlike those in HMR2's tars.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ajahr.anatomy import BODY25, J44, absent_joint_mask
from ajahr.data.hmr.lost_limbs import place_from_3d
from ajahr.data.hmr.pictures import PictureStore
from ajahr.data.hmr.samples import (
    GENDER_CODES,
    LimbsOf,
    PeopleTable,
    assume_limbs,
    empty_rows,
    hide_absent,
    set_box,
)
from ajahr.data.readers.limb_labels import LABEL_COLUMNS, limb_labels
from ajahr.data.readers.npz_file import NpzColumns, numbers, read_columns, strings
from ajahr.errors import UserError

REQUIRED = ("imgname", "center", "scale")
OPTIONAL = (
    "body_pose", "has_body_pose", "betas", "has_betas", "body_keypoints_2d", "extra_keypoints_2d",
    "body_keypoints_3d", "extra_keypoints_3d", "keypoints_2d", "gender",
)  # fmt: skip
_SPLIT = len(BODY25)
_LIMBS_3D = slice(1, 15)
"""BODY_25's neck to left ankle: HMR2.0 does not trust their 3D in these files."""
_GENDERS = {
    "m": "male", "male": "male", "f": "female", "female": "female", "n": "neutral", "neutral": "neutral",
    "ntr": "neutral",
}  # fmt: skip


def read_hmr2_npz(
    path: str | Path,
    images: str | Path,
    *,
    name: str = "",
    scale_unit: float = 1.0,
    body_3d: bool = False,
    trusted_3d: bool = False,
    limbs: LimbsOf = "labels",
) -> PeopleTable:
    """The people of one file.

    Args:
        path: the .npz.
        images: folder its ``imgname`` are relative to.
        name: of the dataset in keys; the file's name when empty.
        scale_unit: px per unit of ``scale``: 1, or 200 where the file divides (EMDB's).
        body_3d: use 3D of BODY_25's neck, arms and legs; False does as HMR2.0.
        trusted_3d: labels are rendered or motion capture.
        limbs: ``intact`` where all people without a label are known to be.

    Raises:
        UserError: a needed key is missing, an array has another size, or labels are outside their range.
    """
    path = Path(path)
    columns = read_columns(path, REQUIRED, (*OPTIONAL, *LABEL_COLUMNS))
    rows = base_rows(columns, path, scale_unit)
    _fill_keypoints(rows, columns, path, body_3d)
    _fill_pose(rows, columns, path)
    rows["trusted_3d"] = trusted_3d
    if "gender" in columns:
        rows["gender"] = genders(strings(columns, "gender", len(rows), path), path)
    finish(rows, limbs)
    return PeopleTable(name or path.stem, rows, PictureStore(images))


def base_rows(columns: NpzColumns, path: Path, scale_unit: float) -> np.ndarray:
    """Names, boxes and limb levels; everything else still unknown."""
    count = columns["imgname"].size
    if not count:
        raise UserError(f"{path}: nobody in it; give a file with people")
    names = strings(columns, "imgname", count, path)
    keys = [f"{image}/{number}" for number, image in enumerate(names)]
    rows = empty_rows(count, keys)
    rows["key"] = [key.encode() for key in keys]
    rows["image"] = [image.encode() for image in names]
    size = columns["scale"].size // count
    if size not in (1, 2):
        raise UserError(f"{path}: 'scale' is {columns['scale'].shape}; expected one or two numbers a person")
    scale = np.broadcast_to(numbers(columns, "scale", (count, size), path), (count, 2)) * scale_unit
    if count and not (scale.max(1) > 0).all():
        bad = int((scale.max(1) <= 0).argmax())
        raise UserError(
            f"{path}: 'scale' of {names[bad]} is {scale[bad].max():g}; sizes of boxes are above 0"
        )
    set_box(rows, numbers(columns, "center", (count, 2), path), scale)
    rows["levels"] = limb_labels(columns, names, path)
    return rows


def _fill_keypoints(rows: np.ndarray, columns: NpzColumns, path: Path, body_3d: bool) -> None:
    count = len(rows)
    blocks = (("body", slice(0, _SPLIT)), ("extra", slice(_SPLIT, len(J44))))
    for block, slots in blocks:
        size = slots.stop - slots.start
        for dims, width in (("2d", 3), ("3d", 4)):
            column = f"{block}_keypoints_{dims}"
            if column in columns:
                rows[f"keypoints_{dims}"][:, slots] = numbers(columns, column, (count, size, width), path)
    if "keypoints_2d" in columns and columns["keypoints_2d"].size == count * len(J44) * 3:
        rows["keypoints_2d"] = numbers(columns, "keypoints_2d", (count, len(J44), 3), path)
    if not body_3d:
        rows["keypoints_3d"][:, _LIMBS_3D, 3] = 0
    hide_origin(rows)


def hide_origin(rows: np.ndarray) -> None:
    """A 2D keypoint at (0, 0) is hidden or was never labelled, whatever its confidence says (facts 3.2)."""
    points = rows["keypoints_2d"]
    rows["keypoints_2d"][(points[..., :2] == 0).all(-1)] = 0
    rows["keypoints_2d"][..., 2] = np.maximum(rows["keypoints_2d"][..., 2], 0)


def _fill_pose(rows: np.ndarray, columns: NpzColumns, path: Path) -> None:
    count = len(rows)

    def flag(name: str, of: str) -> np.ndarray:
        if of not in columns:
            return np.zeros(count, bool)
        return numbers(columns, name, (count,), path) > 0 if name in columns else np.ones(count, bool)

    has_pose, has_betas = flag("has_body_pose", "body_pose"), flag("has_betas", "betas")
    if "body_pose" in columns:
        rows["pose"] = numbers(columns, "body_pose", (count, 24, 3), path)
    rows["has_pose"] = has_pose[:, None]
    if "betas" in columns:
        width = columns["betas"].size // max(count, 1)
        if width < 10:
            raise UserError(f"{path}: 'betas' is {columns['betas'].shape}, expected 10 a person")
        rows["betas"] = numbers(columns, "betas", (count, width), path)[:, :10]
    rows["has_betas"] = has_betas


def finish(rows: np.ndarray, limbs: LimbsOf) -> None:
    """What follows from the labels: poses of lost joints that were zeroed, hidden keypoints, intact places."""
    absent = absent_joint_mask(np.maximum(rows["levels"], 0).astype(np.int64))
    rows["has_pose"] &= ~(absent & (rows["pose"] == 0).all(-1))
    place_from_3d(rows)
    hide_absent(rows)
    assume_limbs(rows, limbs)


def genders(names: list[str], path: Path) -> list[int]:
    """Codes of ``m``, ``male``, ``f``, ``female``, ``n``, ``neutral``, ``ntr``."""
    unknown = next((name for name in names if name.lower() not in _GENDERS), None)
    if unknown is not None:
        raise UserError(f"{path}: gender {unknown!r} is none of {', '.join(_GENDERS)}")
    return [GENDER_CODES.index(_GENDERS[name.lower()]) for name in names]
