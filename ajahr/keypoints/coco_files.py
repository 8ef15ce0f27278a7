"""Tables of people and what a model found of them as COCO-format files with 25 points (LDPose's layout). No torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Num

from ajahr.data.files import write_atomic
from ajahr.data.readers.ldpose import BOX_TO_AREA, category_25


def annotations_document(
    keypoints: Num[np.ndarray, "people 25 xyv=3"],
    boxes_xyxy: Num[np.ndarray, "people xyxy=4"],
    images: Int[np.ndarray, " people"],
    names: Sequence[str],
    sizes: Int[np.ndarray, "images wh=2"],
    presence: Int[np.ndarray, "people 25"] | None = None,
) -> dict[str, Any]:
    """Annotations as LDPose has them; annotation ids are rows from 1, image ids rows from 1.

    Args:
        keypoints: continuous px; COCO's files name a pixel by its index, half a pixel less.
        images: row of each person's picture among ``names``.
        presence: 1, 0 or -1 of each point; left out where None.
    """
    people = []
    for row in range(len(keypoints)):
        points = keypoints[row].astype(np.float64)
        points[:, :2] -= 0.5
        points[points[:, 2] <= 0] = 0
        x0, y0, x1, y1 = boxes_xyxy[row].astype(np.float64).tolist()
        width, height = x1 - x0, y1 - y0
        person = {
            "id": row + 1,
            "image_id": int(images[row]) + 1,
            "category_id": 1,
            "bbox": [round(v, 2) for v in (x0, y0, width, height)],
            "area": round(BOX_TO_AREA * width * height, 2),
            "iscrowd": 0,
            "num_keypoints": int((points[:, 2] > 0).sum()),
            "keypoints": [round(v, 2) for v in points.ravel().tolist()],
        }
        if presence is not None:
            person["presence"] = presence[row].astype(int).tolist()
        people.append(person)
    pictures = [
        {"id": k + 1, "file_name": name, "width": int(size[0]), "height": int(size[1])}
        for k, (name, size) in enumerate(zip(names, sizes, strict=True))
    ]
    return {"info": {}, "images": pictures, "annotations": people, "categories": [category_25()]}


def detections_document(
    points: Float[np.ndarray, "people 25 xy=2"],
    scores: Float[np.ndarray, "people 25"],
    images: Int[np.ndarray, " people"],
    least: float = 0.2,
) -> list[dict[str, Any]]:
    """A results file's list of people found in the annotated boxes, in the annotations' order.

    Args:
        points: continuous px.
        least: the instance's score is the mean of keypoint scores above it (mmpose's habit).
    """
    found = []
    for row in range(len(points)):
        triple = np.concatenate([points[row] - 0.5, scores[row, :, None]], 1).astype(np.float64)
        sure = scores[row][scores[row] > least]
        found.append(
            {
                "image_id": int(images[row]) + 1,
                "annotation_id": row + 1,
                "category_id": 1,
                "keypoints": [round(v, 4) for v in triple.ravel().tolist()],
                "score": round(float(sure.mean()) if len(sure) else 0.0, 6),
            }
        )
    return found


def write_document(document: Any, path: str | Path) -> Path:
    """As JSON, whole or not at all. UserError where it cannot be written."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, json.dumps(document).encode())
    return path
