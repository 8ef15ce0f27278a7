"""What a keypoint model found, as COCO's results files have it. No torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64, Num

from ajahr.data.ldpose import NUM_INTACT_POINTS, NUM_POINTS
from ajahr.data.readers.ldpose import KeypointAnnotations
from ajahr.data.readers.people import load_json
from ajahr.errors import UserError


@dataclass(frozen=True, eq=False)
class KeypointDetections:
    """A model's people, in the order of the file."""

    source: str
    points: int
    image: Int64[np.ndarray, " people"]
    """Row of the image among the annotations'."""
    keypoints: Float64[np.ndarray, "people 25 xys=3"]
    """x, y and the model's own score of each point."""
    score: Float64[np.ndarray, " people"]
    area: Float64[np.ndarray, " people"]
    annotation: Int64[np.ndarray, " people"] | None = None
    """Row of the annotated person in whose box each was found, where the boxes were the annotated ones."""

    def __len__(self) -> int:
        return len(self.score)


def read_detections(path: str | Path, annotations: KeypointAnnotations) -> KeypointDetections:
    """A results file in COCO's form: a list of ``image_id``, ``keypoints`` (x, y, score of each), ``score``.

    Where every entry also names an ``annotation_id``, the boxes were the annotated ones and people are paired
    with them by it.

    Raises:
        UserError: missing, empty, of another number of points, or of pictures the annotations do not have.
    """
    path = Path(path)
    what = "a list of detections as COCO wants it: image_id, category_id, keypoints, score"
    document = load_json(path, what)
    if not isinstance(document, list) or not all(isinstance(entry, dict) for entry in document):
        raise UserError(f"{path}: no list of objects; give {what}")
    if not document:
        raise UserError(f"{path}: nobody was detected: the list is empty; check the model that wrote it")
    try:
        flat = np.array([entry["keypoints"] for entry in document], np.float64)
        score = np.array([entry["score"] for entry in document], np.float64)
        image_id = np.array([entry["image_id"] for entry in document], np.int64)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        reason = (
            f"no {error}" if isinstance(error, KeyError) else "keypoints of different lengths or no numbers"
        )
        raise UserError(f"{path}: {reason} in an entry; give {what}") from None
    points = flat.shape[1] // 3 if flat.ndim == 2 else 0
    if points not in (NUM_INTACT_POINTS, NUM_POINTS) or flat.shape[1] % 3 or not np.isfinite(flat).all():
        raise UserError(
            f"{path}: people of {points} keypoints; expected finite ones, LDPose's 25 or COCO's 17"
        )
    if points < annotations.points:
        raise UserError(
            f"{path}: people of {points} keypoints where {annotations.source} has {annotations.points}; "
            "compare with annotations of as many"
        )
    row = np.searchsorted(annotations.image_ids, image_id)
    row = np.minimum(row, len(annotations.image_ids) - 1) if len(annotations.image_ids) else row * 0 - 1
    unknown = np.flatnonzero(annotations.image_ids[row] != image_id) if len(annotations.image_ids) else row
    if len(unknown):
        raise UserError(f"{path}: image {image_id[unknown[0]]} is not one of {annotations.source}'s")
    keypoints = np.zeros((len(document), NUM_POINTS, 3))
    keypoints[:, :points] = flat.reshape(len(document), points, 3)
    return KeypointDetections(
        str(path), points, row, keypoints, score, _detected_area(path, document, keypoints[:, :points]),
        _paired(path, document, annotations),
    )  # fmt: skip


def _detected_area(path: Path, document: Sequence[dict[str, Any]], keypoints: np.ndarray) -> np.ndarray:
    """Of the box when the first entry has one, else of the points' extent; as pycocotools decides."""
    if document[0].get("bbox"):
        try:
            return np.prod(np.array([entry["bbox"] for entry in document], np.float64)[:, 2:], axis=1)
        except (KeyError, ValueError, TypeError, IndexError):
            raise UserError(
                f"{path}: some entries have a bbox and some have not; write all or none"
            ) from None
    return np.prod(np.ptp(keypoints[..., :2], axis=1), axis=1)


def _paired(
    path: Path, document: Sequence[dict[str, Any]], annotations: KeypointAnnotations
) -> np.ndarray | None:
    if not all("annotation_id" in entry for entry in document):
        return None
    index = {id_: row for row, id_ in enumerate(annotations.ids.tolist())}
    rows = [index.get(entry["annotation_id"], -1) for entry in document]
    if -1 in rows:
        raise UserError(
            f"{path}: annotation {document[rows.index(-1)]['annotation_id']} is not one of {annotations.source}'s"
        )
    return np.array(rows, np.int64)


def write_detections(
    path: str | Path,
    annotations: KeypointAnnotations,
    rows: Int64[np.ndarray, " people"],
    keypoints: Num[np.ndarray, "people 25 xys=3"],
    score: Num[np.ndarray, " people"],
) -> None:
    """A results file of people found in the boxes of the annotated people ``rows``."""
    entries = [
        {
            "image_id": int(annotations.image_ids[annotations.image[row]]),
            "category_id": 1,
            "annotation_id": int(annotations.ids[row]),
            "keypoints": np.round(points.astype(np.float64), 3).ravel().tolist(),
            "score": round(float(value), 6),
        }
        for row, points, value in zip(rows, keypoints, score, strict=True)
    ]
    Path(path).write_text(json.dumps(entries, separators=(",", ":")) + "\n")
