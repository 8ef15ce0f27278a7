"""EMDB: its own sequence files, or TokenHMR's .npz, whose sizes are divided by 200 already (facts 3.12)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from ajahr.body.unpickle import read_pickle
from ajahr.data.hmr.pictures import PictureStore
from ajahr.data.hmr.samples import GENDER_CODES, PeopleTable, empty_rows, set_box
from ajahr.data.readers.hmr2_npz import genders, read_hmr2_npz
from ajahr.data.readers.npz_file import plain
from ajahr.data.readers.posed import (
    gendered_body,
    keypoints_from_smpl24,
    pose_keypoints,
    to_camera,
    translation_to_camera,
)
from ajahr.errors import UserError

BOX_SCALE = 1.2
"""HMR's usual enlargement; nobody has published the factor of TokenHMR's file."""
_UNIT = 200.0
_FIELDS = ("gender", "name", "n_frames", "good_frames_mask", "camera", "smpl", "kp2d", "bboxes")


def read_emdb(
    path: str | Path,
    images: str | Path | None = None,
    *,
    bodies: str | Path | None = None,
    part: str = "emdb1",
    name: str = "EMDB",
) -> PeopleTable:
    """The good frames of EMDB.

    Args:
        path: EMDB's folder (``P0/09_outdoor_walk/P0_09_outdoor_walk_data.pkl``, ...), one such .pkl, or the .npz.
        images: what picture names are relative to: EMDB's folder; for sequence files taken from ``path``.
        bodies: SMPL's folder, for 3D keypoints of sequence files. None: the parameters only.
        part: ``emdb1`` (the one papers report), ``emdb2``, or empty for all sequences.
        name: of the dataset in keys.
    """
    path = Path(path)
    if path.suffix == ".npz":
        return read_hmr2_npz(
            path,
            images or path.parent,
            name=name,
            scale_unit=_UNIT,
            body_3d=True,
            trusted_3d=True,
            limbs="intact",
        )
    files = sorted(path.glob("*/*/*_data.pkl")) if path.is_dir() else [path]
    if not files or not all(file.is_file() for file in files):
        raise UserError(f"{path}: no P*/SEQUENCE/*_data.pkl in it; give EMDB's folder")
    root = path if path.is_dir() else path.parents[2]
    dropped: Counter[str] = Counter()
    parts = [
        rows for file in files for rows in [_sequence_rows(file, root, part, bodies, dropped)] if len(rows)
    ]
    if not parts:
        raise UserError(f"{path}: not one good frame of {part or 'EMDB'} in {len(files)} sequences")
    size = max(rows.dtype["key"].itemsize for rows in parts)
    rows = empty_rows(sum(map(len, parts)), ["x" * size])
    rows[:] = np.concatenate([one.astype(rows.dtype) for one in parts])
    pose_keypoints(rows, bodies)
    return PeopleTable(name, rows, PictureStore(images or root), dict(dropped))


def _sequence_rows(
    path: Path, root: Path, part: str, bodies: str | Path | None, dropped: Counter[str]
) -> np.ndarray:
    fields = read_pickle(path)
    missing = next((field for field in _FIELDS if not isinstance(fields, dict) or field not in fields), None)
    if missing is not None:
        raise UserError(f"{path}: no key '{missing}' in it; is this a sequence file of EMDB?")
    try:
        sequence = {field: plain(value) for field, value in fields.items()}
        if part and not bool(np.asarray(sequence.get(part, False)).any()):
            return empty_rows(0)
        return _frame_rows(path, root, sequence, bodies, dropped)
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise UserError(f"{path}: {error}; get the file again") from None


def _frame_rows(
    path: Path, root: Path, sequence: dict[str, Any], bodies: str | Path | None, dropped: Counter[str]
) -> np.ndarray:
    count = int(sequence["n_frames"])
    good = np.asarray(sequence["good_frames_mask"]).reshape(count) > 0
    boxes = np.asarray(sequence["bboxes"]["bboxes"], np.float64).reshape(count, 4)
    valid = np.ones(count, bool)
    valid[np.asarray(sequence["bboxes"]["invalid_idxs"], np.int64).reshape(-1)] = False
    valid &= (boxes[:, 2:] > boxes[:, :2]).all(1)
    frames = np.flatnonzero(good & valid)
    dropped["bad_frame"] += int((~good).sum())
    dropped["no_box"] += int((good & ~valid).sum())
    folder = path.parent.relative_to(root).as_posix()
    keys = [f"{folder}/{frame:05d}" for frame in frames]
    images = [f"{folder}/images/{frame:05d}.jpg" for frame in frames]
    rows = empty_rows(len(frames), [*keys, *images])
    rows["key"] = [key.encode() for key in keys]
    rows["image"] = [image.encode() for image in images]
    boxes = boxes[frames]
    side = (boxes[:, 2:] - boxes[:, :2]).max(1, keepdims=True, initial=0) * BOX_SCALE
    set_box(rows, (boxes[:, :2] + boxes[:, 2:]) / 2, np.repeat(side, 2, 1))
    joints = np.asarray(sequence["kp2d"], np.float64).reshape(count, 24, 2)[frames]
    rows["keypoints_2d"] = keypoints_from_smpl24(joints)
    smpl, camera = sequence["smpl"], sequence["camera"]
    extrinsics = np.asarray(camera["extrinsics"], np.float64).reshape(count, 4, 4)[frames]
    orient = np.asarray(smpl["poses_root"], np.float64).reshape(count, 3)[frames]
    rows["pose"][:, 0] = to_camera(orient, extrinsics)
    rows["pose"][:, 1:] = np.asarray(smpl["poses_body"], np.float64).reshape(count, 23, 3)[frames]
    rows["has_pose"] = True
    rows["betas"] = np.asarray(smpl["betas"], np.float64).reshape(-1)[:10]
    rows["has_betas"] = True
    rows["trusted_3d"] = True
    rows["levels"] = 0  # subjects with all their limbs
    rows["gender"] = genders([str(sequence["gender"])], path)[0]
    rows["focal_length"] = np.asarray(camera["intrinsics"], np.float64).reshape(3, 3)[0, 0]
    rows["image_size"] = float(camera["width"]), float(camera["height"])
    if bodies is not None and len(rows):
        body = gendered_body(str(bodies), GENDER_CODES[rows["gender"][0]])
        pelvis = body.shape(rows["betas"][0])[1][0].astype(np.float64)
        translation = np.asarray(smpl["trans"], np.float64).reshape(count, 3)[frames]
        rows["transl"] = translation_to_camera(translation, extrinsics, pelvis)
    return rows
