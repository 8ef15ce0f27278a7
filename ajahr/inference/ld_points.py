"""LDPose's 25 keypoints of the people of one picture, from any file that holds them.

Three forms: COCO results (a list of ``image_id``, ``keypoints`` of 75 numbers with scores, ``score``), LDPose's or
COCO's annotations, and plain ``{"a.jpg": [[[x, y, score] x 25], ...]}``, whose people may also be objects with
``keypoints`` and ``bbox_xyxy``. COCO's forms name pixels, whose centres lie half a pixel further; the plain one is
px in continuous coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from jaxtyping import Float64

from ajahr.data.ldpose import NUM_INTACT_POINTS, NUM_POINTS
from ajahr.data.readers.ldpose import read_ldpose, to_continuous
from ajahr.data.readers.people import OCCLUDED_CONFIDENCE, load_json
from ajahr.errors import UserError

_WHAT = "25 keypoints as COCO results, LDPose annotations, or {picture: [[[x, y, score] x 25], ...]}"


@dataclass(frozen=True, eq=False)
class LdPoints:
    """People of one picture, px of the whole picture, continuous coordinates."""

    source: str
    keypoints: Float64[np.ndarray, "people 25 xys=3"]
    """Score 0 is no keypoint; residual ends of people with COCO's 17 have none."""
    boxes_xyxy: Float64[np.ndarray, "people 4"]
    """Given, or around the points with a score."""
    image_size: tuple[int, int] | None = None

    def __len__(self) -> int:
        return len(self.keypoints)

    @classmethod
    def of(
        cls,
        keypoints: Float64[np.ndarray, "people 25 xys=3"],
        boxes_xyxy: Float64[np.ndarray, "people 4"] | None = None,
        source: str = "given",
        image_size: tuple[int, int] | None = None,
    ) -> LdPoints:
        """Boxes that are missing are put around the points."""
        keypoints = np.asarray(keypoints, np.float64).reshape(-1, NUM_POINTS, 3)
        around = np.array([_box(points) for points in keypoints]).reshape(-1, 4)
        if boxes_xyxy is None:
            boxes_xyxy = around
        given = np.isfinite(boxes_xyxy).all(1, keepdims=True)
        return cls(source, keypoints, np.where(given, boxes_xyxy, around), image_size)


def read_points(path: str | Path, *, image_name: str | None = None, image_id: int | None = None) -> LdPoints:
    """People of one picture of a file.

    Args:
        image_name: of several pictures, the one meant; its number counts as COCO's image_id.
        image_id: the same by number.

    Raises:
        UserError: missing, of none of the forms, or several pictures and none named.
    """
    path = Path(path)
    document = load_json(path, _WHAT)
    if isinstance(document, list):
        return _results(path, document, image_name, image_id)
    if isinstance(document, dict) and "annotations" in document:
        return _annotations(path, image_name, image_id)
    if isinstance(document, dict):
        return _plain(path, document, image_name)
    raise UserError(f"{path}: none of the forms that are read; give {_WHAT}")


def _results(path: Path, document: list[Any], name: str | None, image_id: int | None) -> LdPoints:
    if not all(isinstance(entry, dict) and "keypoints" in entry for entry in document):
        raise UserError(f"{path}: a list of something else than keypoints; give {_WHAT}")
    ids = [str(entry.get("image_id", "")) for entry in document]
    wanted = str(image_id) if image_id is not None else name
    chosen = _chosen(path, ids, wanted)
    keypoints = np.array([_points(path, document[k]["keypoints"]) for k in chosen]).reshape(-1, NUM_POINTS, 3)
    keypoints[..., :2] += 0.5 * (keypoints[..., 2:] > 0)
    boxes = np.full((len(chosen), 4), np.nan)
    for row, k in enumerate(chosen):
        box = document[k].get("bbox")
        if isinstance(box, list) and len(box) == 4:
            x, y, w, h = map(float, box)
            boxes[row] = x, y, x + w, y + h
    return LdPoints.of(keypoints, boxes, str(path))


def _annotations(path: Path, name: str | None, image_id: int | None) -> LdPoints:
    found = read_ldpose(path, all_intact=False)
    names = list(found.file_names)
    if image_id is not None:
        rows = np.flatnonzero(found.image_ids == image_id)
        if not len(rows):
            raise UserError(f"{path} has no image {image_id}")
        image = int(rows[0])
    else:
        chosen = _chosen(path, names, name)
        image = chosen[0] if chosen else 0
    people = np.flatnonzero((found.image == image) & ~found.crowd)
    keypoints = to_continuous(found.keypoints[people])
    keypoints[..., 2] = np.array([0, OCCLUDED_CONFIDENCE, 1.0])[keypoints[..., 2].astype(int)]
    x, y, w, h = found.bbox_xywh[people].T
    boxes = np.stack([x, y, x + w, y + h], 1)
    boxes[(w <= 0) | (h <= 0)] = np.nan
    width, height = (int(n) for n in found.image_sizes[image])
    return LdPoints.of(keypoints, boxes, str(path), (width, height) if width > 0 and height > 0 else None)


def _plain(path: Path, document: dict[str, Any], name: str | None) -> LdPoints:
    names = list(document)
    chosen = _chosen(path, names, name)
    if len(chosen) > 1:
        raise UserError(f"{path} has {len(names)} pictures; name one with --image or --image_name")
    people = document[names[chosen[0]]] if chosen else []
    if not isinstance(people, list):
        raise UserError(f"{path}: {names[chosen[0]]} is no list of people; give {_WHAT}")
    keypoints, boxes = [], np.full((len(people), 4), np.nan)
    for row, person in enumerate(people):
        box = None
        if isinstance(person, dict):
            box, person = person.get("bbox_xyxy"), person.get("keypoints")
        keypoints.append(_points(path, person))
        if isinstance(box, list) and len(box) == 4:
            boxes[row] = box
    return LdPoints.of(np.array(keypoints).reshape(-1, NUM_POINTS, 3), boxes, str(path))


def _chosen(path: Path, names: list[str], wanted: str | None) -> list[int]:
    """Rows of the picture that is meant."""
    if wanted is not None:
        plain = PurePath(wanted)
        alike = {wanted, plain.name, plain.stem, plain.stem.lstrip("0") or "0"}
        rows = [k for k, name in enumerate(names) if PurePath(name).name in alike or name in alike]
        if rows:
            return rows
    if len(set(names)) > 1:
        told = f"has nobody of {wanted}" if wanted else "has several pictures"
        raise UserError(f"{path} {told}; name one of it with --image_name, such as {names[0]}")
    return list(range(len(names)))


def _points(path: Path, value: Any) -> np.ndarray:
    try:
        points = np.array(value, np.float64).reshape(-1, 3)
    except (TypeError, ValueError):
        points = np.zeros((0, 3))
    if len(points) not in (NUM_INTACT_POINTS, NUM_POINTS):
        raise UserError(
            f"{path}: a person of {len(points)} keypoints; expected LDPose's 25 or COCO's 17, x y score"
        )
    found = np.zeros((NUM_POINTS, 3))
    found[: len(points)] = points
    with np.errstate(invalid="ignore"):
        known = found[:, 2] > 0
    found[~known] = 0
    found[:, 2] = np.minimum(found[:, 2], 1)  # COCO's visibility 2 is sure
    return found


def _box(points: np.ndarray) -> np.ndarray:
    seen = (points[:, 2] > 0) & np.isfinite(points).all(1)
    if not seen.any():
        return np.zeros(4)
    return np.concatenate([points[seen, :2].min(0), points[seen, :2].max(0)])
