"""Predictions of any HMR model, in one JSON file.

::

    {
      "format": "ajahr-predictions", "version": 1, "model": "HMR2.0b",
      "people": [
        {
          "image": "train2017/000000000785.jpg",      the photograph; told apart by its stem
          "bbox_xyxy": [280.8, 44.7, 499.5, 391.2],   tight box of the person, px
          "person": "442619",                         optional: the annotation's id of the person
          "global_orient": [3.1, 0.0, 0.1],           body to camera frame: rotation vector, or 3 x 3 matrix
          "body_pose": [[...], ...],                  joints 1..23: 23 x 3, or 23 x 3 x 3
          "betas": [...],                             10
          "camera": {"kind": "full", "translation": [x, y, z], "focal_length": 12500.0}
        }
      ]
    }

``camera`` is one of ``{"kind": "full", "translation", "focal_length"}`` (m and px, principal point in the middle
of the photograph), ``{"kind": "crop", "cam": [s, tx, ty], "center": [x, y], "size": b}`` (HMR's weak-perspective
numbers in the square crop of side ``b`` px), or null: it is then found from the box.

A folder is taken for one that ``ajahr predict`` wrote: a JSON a photograph, names as it gave them.

A key that is missing or unknown, or a shape that does not fit, is an error: the file is of another format. A
person with NaN or infinity (JSON's ``NaN``, or ``null`` in place of a number) is left out and counted.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from ajahr.body.data import load_body
from ajahr.data.fields import FieldReader
from ajahr.data.readers.people import load_json
from ajahr.errors import UserError
from ajahr.geometry.rotations_np import is_absent, rotmat_to_rotvec
from synth.pose_sources.fits import SMPL_PELVIS_M, FitRows, make_rows

FORMAT, VERSION = "ajahr-predictions", 1
_TOO_FAR = 1e-2
"""A matrix this far from its own inverse's transpose is no rotation."""


class _NotFinite(Exception):
    """A person with a number that is none."""


class _NoRotation(Exception):
    """A matrix that is no rotation."""


def read_predictions(path: Path) -> FitRows:
    """Everybody in the file, or in the results of ``ajahr predict`` in a folder.

    Raises:
        UserError: no such file, no JSON, or not of this format; the message names the key.
    """
    if path.is_dir():
        return _read_results(path)
    tree = load_json(path, "predictions in ajahr's JSON")
    if not isinstance(tree, dict) or tree.get("format") != FORMAT:
        raise UserError(f"{path}: not predictions in ajahr's JSON (its 'format' is not {FORMAT})")
    fields = FieldReader(tree, str(path))
    fields.take("format", str)
    version = fields.take("version", int)
    if version != VERSION:
        raise UserError(
            f"{path}: version {version} of the format, this ajahr reads {VERSION}; write it again"
        )
    fields.take("model", str)
    people = fields.take("people", list)
    fields.done()
    rows: list[dict[str, Any]] = []
    dropped: Counter[str] = Counter()
    for number, entry in enumerate(people):
        try:
            rows.append(_person(FieldReader(entry, f"{path}: people[{number}]"), entry))
        except _NotFinite:
            dropped["not_finite"] += 1
        except _NoRotation:
            dropped["no_rotation"] += 1
    return _rows(rows, dropped)


def _rows(rows: list[dict[str, Any]], dropped: Counter[str]) -> FitRows:
    def column(name: str, *shape: int) -> np.ndarray:
        return np.array([row[name] for row in rows], np.float64).reshape(len(rows), *shape)

    found = make_rows(
        column("pose", 24, 3),
        [row["image"] for row in rows],
        betas=column("betas", 10),
        box_xyxy=column("box", 4),
        translation=column("translation", 3),
        focal_length=column("focal_length"),
        crop_camera=column("crop", 3),
        people=[row["person"] for row in rows],
    )
    return found.kept(np.ones(len(rows), bool), dropped)


def _person(fields: FieldReader, entry: Any) -> dict[str, Any]:
    image = fields.take("image", str)
    person = fields.take("person", str) if "person" in entry else ""
    box = _numbers(fields, "bbox_xyxy", (4,))
    root = _rotation(fields, "global_orient", ())
    body = _rotation(fields, "body_pose", (23,))
    betas = _numbers(fields, "betas", (10,))
    camera = _camera(fields)
    fields.done()
    return {
        "image": image,
        "person": person,
        "box": box,
        "pose": np.concatenate([root[None], body]),
        "betas": betas,
        **camera,
    }


def _camera(fields: FieldReader) -> dict[str, Any]:
    nothing = {"translation": [np.nan] * 3, "focal_length": np.nan, "crop": [np.nan] * 3}
    tree = fields.take("camera", dict, type(None))
    if tree is None:
        return nothing
    camera = FieldReader(tree, f"{fields.where}: camera")
    if camera.take_choice("kind", ("full", "crop")) == "full":
        found = {
            "translation": _numbers(camera, "translation", (3,)),
            "focal_length": float(_numbers(camera, "focal_length", ())),
        }
        if found["translation"][2] <= 0 or found["focal_length"] <= 0:
            raise camera.fail("translation", "lies behind the camera, or focal_length is not positive")
    else:
        scale, tx, ty = _numbers(camera, "cam", (3,))
        x, y = _numbers(camera, "center", (2,))
        pixels_per_m = float(_numbers(camera, "size", ())) * scale / 2
        if pixels_per_m <= 0:
            raise camera.fail("cam", "gives a scale that is not positive")
        found = {"crop": [pixels_per_m, x + tx * pixels_per_m, y + ty * pixels_per_m]}
    camera.done()
    return nothing | found


def _numbers(fields: FieldReader, key: str, *shapes: tuple[int, ...]) -> np.ndarray:
    """Numbers of one of the shapes; `_NotFinite` where one is none."""
    value = fields.take(key, list, float)
    try:
        array = np.array(value, np.float64)
    except (TypeError, ValueError):
        raise fields.fail(key, "is not an array of numbers") from None
    if array.shape not in shapes:
        raise fields.fail(key, f"has shape {array.shape}, expected {' or '.join(map(str, shapes))}")
    if not np.isfinite(array).all():
        raise _NotFinite
    return array


def _rotation(fields: FieldReader, key: str, joints: tuple[int, ...]) -> np.ndarray:
    """Rotation vectors of rotation vectors or matrices."""
    array = _numbers(fields, key, (*joints, 3), (*joints, 3, 3))
    if array.shape == (*joints, 3):
        return array
    off = np.abs(array @ np.swapaxes(array, -1, -2) - np.eye(3)).max()
    if off > _TOO_FAR or is_absent(array).any() or (np.linalg.det(array) < 0).any():
        raise _NoRotation
    return rotmat_to_rotvec(array)


# ------------------------------------------------------------------------------------- results of ajahr predict


def _read_results(folder: Path) -> FitRows:
    """The people of every photograph in a folder of results.

    Somebody predicted without a limb is left out (``amputee``): nobody knows how they would hold it. Shapes on the
    embedded body are none on SMPL's, whose origin cameras are about: they are left out, and translations moved.
    """
    embedded = load_body().name
    rows: list[dict[str, Any]] = []
    dropped: Counter[str] = Counter()
    for path in sorted(folder.rglob("*.json")):
        tree = load_json(path, "a result of ajahr predict")
        if not isinstance(tree, dict) or not {"source", "people", "body"} <= tree.keys():
            continue  # the folder's own notes
        try:
            focal = float(tree["camera"]["focal_length"])
            for entry in tree["people"]:
                smpl = entry["smpl"]
                if smpl["absent_joints"]:
                    dropped["amputee"] += 1
                    continue
                translation = np.array(entry["camera"]["translation"], np.float64)
                own = tree["body"] != embedded
                row = {
                    "image": str(tree["source"]),
                    "person": "",
                    "box": np.array(entry["bbox_xyxy"], np.float64).reshape(4),
                    "pose": np.array([smpl["global_orient"], *smpl["body_pose"]], np.float64).reshape(24, 3),
                    "betas": np.array(smpl["betas"], np.float64).reshape(10) if own else np.full(10, np.nan),
                    "translation": translation.reshape(3) - (0 if own else SMPL_PELVIS_M),
                    "focal_length": focal,
                    "crop": [np.nan] * 3,
                }
                rows.append(row)
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"{path}: not a result of this ajahr predict ({type(error).__name__}: {error}); predict again"
            ) from None
    if not rows and not dropped:
        raise UserError(
            f"{folder}: no result of ajahr predict in it; give its output folder, or a file of predictions"
        )
    return _rows(rows, dropped)
