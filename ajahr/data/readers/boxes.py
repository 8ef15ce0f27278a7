"""Boxes without anything else: given by hand, or a detector's result file.

Two forms are read::

    {"street.jpg": [[x0, y0, x1, y1], ...], "square.jpg": [...]}                 given boxes, px
    [{"image_id": 785, "category_id": 1, "bbox": [x, y, w, h], "score": 0.98}]   detections (COCO results)
"""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from ajahr.data.readers.people import (
    AnnotatedPhotos,
    PersonAnnotation,
    Photo,
    check_box,
    load_json,
    numbers,
)
from ajahr.errors import UserError

_WHAT = 'a JSON file such as {"street.jpg": [[x0, y0, x1, y1]]}'
_PERSON_CATEGORY = 1


def read_boxes(
    path: str | Path, images: str | Path, *, source: str = "boxes", licence: str = "", min_score: float = 0.5
) -> AnnotatedPhotos:
    """People known by their boxes only.

    Args:
        path: The JSON file, in either form above.
        images: Folder of the photographs. A detection's is its number with twelve digits, as in COCO.
        source: Name of the dataset, kept with every photograph.
        licence: Kept with every photograph.
        min_score: Detections below it are left out (they are not counted: a detector lists hundreds).

    Raises:
        UserError: the file is missing or in neither form.
    """
    path, images = Path(path), Path(images)
    document = load_json(path, _WHAT)
    dropped_people: Counter[str] = Counter()
    dropped_photos: Counter[str] = Counter()
    if isinstance(document, dict) and all(isinstance(boxes, list) for boxes in document.values()):
        boxes = {name: [numbers(box, 4) for box in found] for name, found in document.items()}
    elif isinstance(document, list) and all(isinstance(d, dict) and "image_id" in d for d in document):
        boxes = _detections(document, min_score)
    else:
        raise UserError(f"{path}: neither boxes per file name nor a list of detections; give {_WHAT}")

    photos = []
    for name, found in boxes.items():
        people = []
        for number, box in enumerate(found):
            checked, reason = (None, "bad_box") if box is None else check_box(box, None)
            if checked is None:
                dropped_people[reason] += 1
            else:
                people.append(PersonAnnotation(checked, source_id=str(number)))
        if not people:
            dropped_photos["no_usable_person"] += 1
        elif not name or "\0" in name or not (images / name).is_file():
            dropped_photos["missing_file"] += 1
        else:
            photos.append(Photo(images / name, name, tuple(people), licence, None, source))
    return AnnotatedPhotos(tuple(photos), dropped_people, dropped_photos)


def _detections(document: list[dict], min_score: float) -> dict[str, list[np.ndarray | None]]:
    boxes: defaultdict[str, list[np.ndarray | None]] = defaultdict(list)
    for detection in document:
        score = numbers([detection.get("score", 1.0)], 1)
        if detection.get("category_id", _PERSON_CATEGORY) != _PERSON_CATEGORY:
            continue
        if score is not None and score[0] >= min_score:
            xywh = numbers(detection.get("bbox"), 4)
            box = None if xywh is None else np.concatenate([xywh[:2], xywh[:2] + xywh[2:]])
            boxes[_file_name(detection["image_id"])].append(box)
    return dict(boxes)


def _file_name(image_id: Any) -> str:
    return f"{image_id:012d}.jpg" if isinstance(image_id, int) else str(image_id)
