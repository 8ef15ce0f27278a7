"""People in COCO's annotation format, which OCHuman (with masks) and CrowdPose (14 keypoints) share.

Boxes and outlines are continuous coordinates already; keypoints name a pixel, whose centre lies half a pixel
further. Keypoints are found by the names the category gives them, so any order and any subset will do.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ajahr.anatomy import COCO17
from ajahr.data.readers.people import (
    AnnotatedPhotos,
    PersonAnnotation,
    Photo,
    check_box,
    keep_inside,
    load_json,
    numbers,
)
from ajahr.data.readers.rle import Rle
from ajahr.errors import UserError

_WHAT = "a COCO annotation file (person_keypoints_*.json or instances_*.json)"
_HEAD_NECK = {"head": 0, "head_top": 0, "top_head": 0, "neck": 1}


def read_coco(
    path: str | Path, images: str | Path | Sequence[Path], *, source: str = "coco", licence: str = ""
) -> AnnotatedPhotos:
    """People of a COCO-format file.

    Args:
        path: The JSON file.
        images: Folder its ``file_name`` entries are relative to; of several, the first that has the file.
        source: Name of the dataset, kept with every photograph.
        licence: Of photographs for which the file names none.

    Raises:
        UserError: the file is missing or not of this format, or it has no category "person".
    """
    path = Path(path)
    folders = [Path(images)] if isinstance(images, str | Path) else list(images)
    document = load_json(path, _WHAT)
    if not isinstance(document, dict) or not all(
        isinstance(document.get(k), list) for k in ("images", "annotations")
    ):
        raise UserError(f"{path}: no lists 'images' and 'annotations' in it; give {_WHAT}")
    person_id, slots = _person_category(path, document.get("categories"))
    licences = _licences(document.get("licenses"))
    dropped_people: Counter[str] = Counter()
    dropped_photos: Counter[str] = Counter()
    entries: dict[Any, _Entry] = {}
    for image in document["images"]:
        entry = _Entry.parse(image)
        if entry is None:
            dropped_photos["bad_entry"] += 1
        else:
            entries.setdefault(entry.id, entry)

    people: defaultdict[Any, list[PersonAnnotation]] = defaultdict(list)
    for annotation in document["annotations"]:
        if not isinstance(annotation, dict):
            dropped_people["bad_annotation"] += 1
        elif annotation.get("category_id", person_id) == person_id:
            image_id = annotation.get("image_id")
            entry = entries.get(image_id) if isinstance(image_id, int | str) else None
            if entry is None:
                dropped_people["unknown_image"] += 1
                continue
            person = _person(annotation, entry.size, slots, dropped_people)
            if person is not None:
                people[entry.id].append(person)

    photos = []
    for entry in entries.values():
        found = tuple(people[entry.id])
        if all(person.crowd for person in found):
            dropped_photos["no_usable_person"] += 1
            continue
        file = next((f / entry.file_name for f in folders if (f / entry.file_name).is_file()), None)
        if file is None:
            dropped_photos["missing_file"] += 1
        else:
            terms = licences.get(entry.licence, licence)
            photos.append(Photo(file, str(entry.id), found, terms, entry.size, source))
    return AnnotatedPhotos(tuple(photos), dropped_people, dropped_photos)


@dataclass(frozen=True)
class _Entry:
    """One of ``images``."""

    id: int | str
    file_name: str
    size: tuple[int, int] | None
    licence: Any

    @classmethod
    def parse(cls, image: Any) -> _Entry | None:
        if not isinstance(image, dict) or not isinstance(image.get("id"), int | str):
            return None
        if (
            not isinstance(image.get("file_name"), str)
            or not image["file_name"]
            or "\0" in image["file_name"]
        ):
            return None
        sides = numbers([image.get("width"), image.get("height")], 2)
        size = None if sides is None or sides.min() < 1 else (int(sides[0]), int(sides[1]))
        licence = image.get("license")
        return cls(image["id"], image["file_name"], size, licence if isinstance(licence, int | str) else None)


def _person_category(path: Path, categories: Any) -> tuple[Any, list[tuple[str, int]]]:
    """The id of the category "person" and, per keypoint, which array and row it goes to."""
    if not categories:
        return 1, _slots(COCO17.names)
    named = [c for c in categories if isinstance(c, dict)] if isinstance(categories, list) else []
    for category in named:
        if category.get("name") == "person":
            return category.get("id", 1), _slots(category.get("keypoints") or COCO17.names)
    names = ", ".join(sorted(str(c.get("name")) for c in named)[:5])
    raise UserError(f"{path}: no category 'person' in it (only: {names}); give {_WHAT}")


def _slots(names: Sequence[str]) -> list[tuple[str, int]]:
    slots = []
    for name in names:
        key = str(name).lower().replace(" ", "_")
        if key in COCO17.index:
            slots.append(("coco17", COCO17.index[key]))
        else:
            slots.append(("head_neck", _HEAD_NECK[key]) if key in _HEAD_NECK else ("", 0))
    return slots


def _licences(entries: Any) -> dict[Any, str]:
    found = {}
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("id"), int | str):
            parts = (entry.get("name"), entry.get("url"))
            found[entry["id"]] = ", ".join(part for part in parts if isinstance(part, str) and part)
    return found


def _person(
    annotation: dict, size: tuple[int, int] | None, slots: list[tuple[str, int]], dropped: Counter[str]
) -> PersonAnnotation | None:
    xywh = numbers(annotation.get("bbox"), 4)
    if xywh is None:
        dropped["bad_box"] += 1
        return None
    bbox, reason = check_box(np.concatenate([xywh[:2], xywh[:2] + xywh[2:]]), size)
    if bbox is None:
        dropped[reason] += 1
        return None
    polygons, rle = _segmentation(annotation.get("segmentation"), size, dropped)
    keypoints, head_neck = _keypoints(annotation.get("keypoints"), slots, size, dropped)
    crowd, source_id = bool(annotation.get("iscrowd")), str(annotation.get("id", ""))
    return PersonAnnotation(bbox, polygons, rle, keypoints, head_neck, crowd, source_id)


def _segmentation(
    value: Any, size: tuple[int, int] | None, dropped: Counter[str]
) -> tuple[tuple[np.ndarray, ...], Rle | None]:
    if isinstance(value, dict):
        rle = Rle.parse(value)
        if rle is not None and rle.area and size in (None, (rle.width, rle.height)):
            return (), rle
        dropped["bad_mask"] += 1
    elif isinstance(value, list) and value:
        polygons = [numbers(polygon) for polygon in value]
        good = [p.reshape(-1, 2) for p in polygons if p is not None and len(p) >= 6 and len(p) % 2 == 0]
        if len(good) == len(value):
            return tuple(good), None
        # an outline with a part missing would leave that part of the person in the picture
        dropped["bad_mask"] += 1
    return (), None


def _keypoints(
    value: Any, slots: list[tuple[str, int]], size: tuple[int, int] | None, dropped: Counter[str]
) -> tuple[np.ndarray | None, np.ndarray | None]:
    if not value:
        return None, None
    flat = numbers(value, 3 * len(slots))
    if flat is None:
        dropped["bad_keypoints"] += 1
        return None, None
    arrays = {"coco17": np.zeros((len(COCO17), 3), np.float32), "head_neck": np.zeros((2, 3), np.float32)}
    for (array, row), point in zip(slots, flat.reshape(-1, 3), strict=True):
        if array:
            arrays[array][row] = point + np.array([0.5, 0.5, 0.0], np.float32)
    found = [keep_inside(arrays[name], size) for name in ("coco17", "head_neck")]
    keypoints, head_neck = (array if array[:, 2].any() else None for array in found)
    return keypoints, head_neck
