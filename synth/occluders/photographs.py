"""Objects cut from photographs by their annotated masks: COCO's things that are nobody."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from ajahr.data.images import ImageError, read_image
from ajahr.data.readers.people import load_json, numbers
from ajahr.data.readers.rle import Rle
from ajahr.errors import UserError
from synth.photos.segment import draw_polygons

_WHAT = "COCO's instances_*.json, which has masks of things"
_MIN_SIDE_PX, _MIN_COVERED = 64, 0.3
_BORDER_PX = 3
_SIZES_M: dict[str, float] = {
    "bicycle": 1.7, "motorcycle": 2.0, "car": 4.2, "fire hydrant": 0.8, "parking meter": 1.3, "bench": 1.5,
    "dog": 0.8, "cat": 0.5, "sheep": 1.2, "backpack": 0.5, "umbrella": 1.0, "handbag": 0.35, "suitcase": 0.7,
    "surfboard": 2.0, "skateboard": 0.8, "snowboard": 1.5, "sports ball": 0.24, "kite": 1.2, "chair": 0.95,
    "couch": 1.9, "potted plant": 0.8, "dining table": 1.4, "toilet": 0.75, "tv": 0.9, "laptop": 0.36,
    "microwave": 0.5, "oven": 0.8, "refrigerator": 1.7, "book": 0.25, "vase": 0.4, "teddy bear": 0.5,
    "stop sign": 0.75, "cow": 2.0, "horse": 2.2, "bed": 2.0, "tennis racket": 0.68, "baseball bat": 0.9,
    "pizza": 0.35, "cake": 0.3, "sink": 0.6, "keyboard": 0.45, "clock": 0.4,
}  # fmt: skip
"""Longer side of things that stand or are carried before people; others are left out."""


@dataclass(frozen=True, eq=False)
class Cut:
    """An object with straight alpha, its scale and where it is from."""

    name: str
    source: str
    licence: str
    px_per_m: float
    rgba: UInt8[np.ndarray, "height width 4"]


def cut_out(
    image: UInt8[np.ndarray, "height width 3"], mask: Bool[np.ndarray, "height width"]
) -> UInt8[np.ndarray, "height2 width2 4"]:
    """The masked part of a picture, straight alpha, with a soft edge just inside the mask.

    Masks reach a pixel or two into what is behind; the colours of that rim are taken from further inside.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    y0, y1 = max(rows[0] - 2, 0), min(rows[-1] + 3, len(mask))
    x0, x1 = max(columns[0] - 2, 0), min(columns[-1] + 3, mask.shape[1])
    inside = mask[y0:y1, x0:x1].astype(np.uint8)
    core = cv2.erode(inside, np.ones((3, 3), np.uint8), borderValue=0)
    if not core.any():
        core = inside
    colours = image[y0:y1, x0:x1].astype(np.float32)
    weight = cv2.GaussianBlur(core.astype(np.float32), (7, 7), 1.5)
    spread = cv2.GaussianBlur(colours * core[..., None], (7, 7), 1.5) / np.maximum(weight, 1e-3)[..., None]
    colours = np.where(core[..., None] > 0, colours, np.where(weight[..., None] > 1e-3, spread, 0))
    alpha = np.clip(cv2.GaussianBlur(inside.astype(np.float32), (5, 5), 0.9) * 2 - 1, 0, 1) * 255
    return np.rint(np.dstack([np.clip(colours, 0, 255), alpha])).astype(np.uint8)


def coco_objects(
    annotations: Path, images: Path, limit: int, keep: Callable[[str], bool] = lambda photo: True
) -> tuple[list[Cut], Counter[str]]:
    """Whole things of a COCO-format file, in its order, at most ``limit``; and counts of what was left out.

    Left out: people, crowds, kinds whose size is not known or that nobody stands behind, small things, things cut
    off by the border of the photograph, and masks of which little is left of the box.

    Args:
        annotations: the JSON file.
        images: folder of its photographs.
        limit: of objects.
        keep: whether the photograph of this name (a file's stem) may be used.

    Raises:
        UserError: the file is missing or not of this format.
    """
    tree = load_json(annotations, _WHAT)
    if not isinstance(tree, dict) or not all(
        isinstance(tree.get(k), list) for k in ("images", "annotations", "categories")
    ):
        raise UserError(
            f"{annotations}: no lists 'images', 'annotations' and 'categories' in it; give {_WHAT}"
        )
    names = {c["id"]: str(c.get("name")) for c in tree["categories"] if isinstance(c, dict) and "id" in c}
    licences = {
        entry.get("id"): str(entry.get("name") or "not stated")
        for entry in tree.get("licenses") or ()
        if isinstance(entry, dict)
    }
    by_image: defaultdict[Any, list[dict]] = defaultdict(list)
    for annotation in tree["annotations"]:
        if isinstance(annotation, dict) and not annotation.get("iscrowd"):
            by_image[annotation.get("image_id")].append(annotation)
    dropped: Counter[str] = Counter()
    cuts: list[Cut] = []
    for entry in tree["images"]:
        if len(cuts) >= limit:
            break
        if not isinstance(entry, dict) or not isinstance(entry.get("file_name"), str):
            dropped["object_bad_entry"] += 1
            continue
        found = [a for a in by_image[entry.get("id")] if names.get(a.get("category_id")) in _SIZES_M]
        if not found or not keep(Path(entry["file_name"]).stem):
            continue
        try:
            image = read_image(images / entry["file_name"])
        except ImageError:
            dropped["object_photo_unreadable"] += 1
            continue
        for annotation in found[: limit - len(cuts)]:
            name = names[annotation["category_id"]]
            mask = _mask(annotation.get("segmentation"), image.shape[:2])
            reason = "object_bad_mask" if mask is None else _unusable(mask)
            if mask is None or reason:
                dropped[reason] += 1
                continue
            rgba = cut_out(image, mask)
            licence = licences.get(entry.get("license"), "not stated")
            source = f"{annotations.stem}/{Path(entry['file_name']).stem}"
            cuts.append(Cut(name, source, licence, max(rgba.shape[:2]) / _SIZES_M[name], rgba))
    return cuts, dropped


def _mask(segmentation: Any, shape: tuple[int, int]) -> np.ndarray | None:
    if isinstance(segmentation, dict):
        rle = Rle.parse(segmentation)
        mask = None if rle is None else rle.decode()
        return mask if mask is not None and mask.shape == shape else None
    if not isinstance(segmentation, list) or not segmentation:
        return None
    polygons = [numbers(polygon) for polygon in segmentation]
    if any(p is None or len(p) < 6 or len(p) % 2 for p in polygons):
        return None
    return draw_polygons(tuple(p.reshape(-1, 2) for p in polygons if p is not None), shape)


def _unusable(mask: np.ndarray) -> str:
    """Why an object makes no occluder; empty if it makes one."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows) or min(np.ptp(rows), np.ptp(columns)) < _MIN_SIDE_PX:
        return "object_small"
    height, width = mask.shape
    if (
        min(rows[0], columns[0]) < _BORDER_PX
        or rows[-1] >= height - _BORDER_PX
        or columns[-1] >= width - _BORDER_PX
    ):
        return "object_cut_off"
    covered = mask.sum() / (np.ptp(rows) + 1) / (np.ptp(columns) + 1)
    return "object_thin" if covered < _MIN_COVERED else ""
