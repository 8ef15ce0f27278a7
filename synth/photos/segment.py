"""Where in the picture a person is: from the annotation's mask, else by GrabCut within the box.

A mask here serves removal: too much costs a little background, too little leaves a ghost. So GrabCut's answer
is joined with a stick figure of the annotated keypoints, and every mask is widened before inpainting.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from ajahr.anatomy import COCO17
from ajahr.data.readers.people import PersonAnnotation

_WORK_SIDE = 256
"""GrabCut runs on the box scaled to this side: its colour models need no more, and time grows with area."""
_ITERATIONS = 4
_CONTEXT = 0.2
"""Background around the box that GrabCut learns from, in box sides."""
_SPECK = 0.05
"""Parts smaller than this, relative to the largest, are specks; a head may be cut off by a collar."""
_MIN_SHARE, _MAX_SHARE = 0.12, 0.95
"""A person covering less or more of their box is taken for a failure of GrabCut."""

_AWAY = 0.1
"""A box touches its person on all four sides. Where GrabCut stays further away than this it has lost a part,
often the head, and the figure or the box without its corners is added."""

# half widths of body parts, in lengths of the torso (shoulders to hips, about 0.5 m)
_LIMB, _TRUNK, _HEAD = 0.16, 0.14, 0.32
_BONES = tuple(
    tuple(COCO17.index[f"{side}_{joint}"] for joint in pair)
    for side in ("left", "right")
    for pair in (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))
)
_TRUNK_CORNERS = tuple(
    COCO17.index[name] for name in ("left_shoulder", "right_shoulder", "right_hip", "left_hip")
)
_ENDS = tuple(COCO17.index[f"{side}_{joint}"] for side in ("left", "right") for joint in ("wrist", "ankle"))
_FACE = slice(0, 5)
_SHIFT = 4
"""Fractional bits of the coordinates cv2 draws with."""


@runtime_checkable
class Segmenter(Protocol):
    """Finds the pixels of one person."""

    def __call__(
        self, image: UInt8[np.ndarray, "height width 3"], person: PersonAnnotation
    ) -> Bool[np.ndarray, "height width"]: ...


class AnnotationSegmenter:
    """The annotated outline or mask; people without one are given to ``fallback``."""

    def __init__(self, fallback: Segmenter | None = None) -> None:
        self.fallback = fallback or GrabCutSegmenter()

    def __call__(
        self, image: UInt8[np.ndarray, "height width 3"], person: PersonAnnotation
    ) -> Bool[np.ndarray, "height width"]:
        """The person's mask, laid over ``image``: a run-length mask of another size is scaled to it."""
        shape = image.shape[:2]
        if person.rle is not None:
            mask = person.rle.decode()
            if mask.shape != shape:
                # any pixel the mask touches: a mask for removal may be too large, not too small
                area = cv2.resize(mask.astype(np.float32), shape[::-1], interpolation=cv2.INTER_AREA)
                mask = area > 0
        else:
            mask = draw_polygons(person.polygons, shape)
        return mask if mask.any() else self.fallback(image, person)


class GrabCutSegmenter:
    """GrabCut started from the box and, where there are keypoints, a figure drawn along them."""

    def __call__(
        self, image: UInt8[np.ndarray, "height width 3"], person: PersonAnnotation
    ) -> Bool[np.ndarray, "height width"]:
        """The person's mask; the figure, or the box without its corners, where GrabCut fails."""
        height, width = image.shape[:2]
        full = np.zeros((height, width), bool)
        outer = _integer_box(_widened(person.bbox_xyxy, _CONTEXT), width, height)
        inner = _integer_box(person.bbox_xyxy, width, height)
        if outer is None or inner is None:
            return full
        x0, y0, x1, y1 = outer
        factor = min(1.0, _WORK_SIDE / max(x1 - x0, y1 - y0))
        crop = cv2.resize(image[y0:y1, x0:x1], None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        scale = np.array([crop.shape[1] / (x1 - x0), crop.shape[0] / (y1 - y0)])
        box = np.concatenate(
            [(np.array(inner[:2]) - (x0, y0)) * scale, (np.array(inner[2:]) - (x0, y0)) * scale]
        )
        place = np.array([x0, y0])
        figure = draw_figure(person, crop.shape[:2], place, scale, 1.0)
        core = draw_figure(person, crop.shape[:2], place, scale, 0.45)
        found = _grab_cut(crop, box, figure, core)
        mask = cv2.resize(found.astype(np.float32), (x1 - x0, y1 - y0), interpolation=cv2.INTER_LINEAR) > 0.4
        full[y0:y1, x0:x1] = mask
        return full


def _grab_cut(
    crop: UInt8[np.ndarray, "h w 3"],
    box: Float[np.ndarray, "xyxy=4"],
    figure: Bool[np.ndarray, "h w"],
    core: Bool[np.ndarray, "h w"],
) -> Bool[np.ndarray, "h w"]:
    inside = np.zeros(crop.shape[:2], bool)
    x0, y0 = np.floor(box[:2]).astype(int)
    x1, y1 = np.ceil(box[2:]).astype(int)
    inside[y0:y1, x0:x1] = True
    core, figure = core & inside, figure & inside
    guess = figure if figure.any() else _rounded_box(crop.shape[:2], box, 0.85)
    last_resort = figure if figure.any() else _rounded_box(crop.shape[:2], box, 1.0) & inside
    labels = np.full(inside.shape, cv2.GC_BGD, np.uint8)
    labels[inside] = cv2.GC_PR_BGD
    labels[guess] = cv2.GC_PR_FGD
    labels[core] = cv2.GC_FGD
    if not (labels == cv2.GC_BGD).any():
        # the person fills the picture: what is far from the guess has to teach the background
        far = ~cv2.dilate(guess.astype(np.uint8), _disc(max(inside.shape) // 16)).astype(bool)
        labels[far] = cv2.GC_BGD
    backgrounds = np.isin(labels, (cv2.GC_BGD, cv2.GC_PR_BGD))
    if backgrounds.sum() < 16 or (~backgrounds).sum() < 16:
        return last_resort
    cv2.setRNGSeed(0)  # the colour models start from random clusters
    models = np.zeros((1, 65)), np.zeros((1, 65))
    try:
        cv2.grabCut(crop, labels, (0, 0, 1, 1), *models, _ITERATIONS, cv2.GC_INIT_WITH_MASK)
    except cv2.error:  # a crop of one colour has no clusters
        return last_resort
    found = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)) & inside
    share = found.sum() / inside.sum()
    if not _MIN_SHARE <= share <= _MAX_SHARE or (
        figure.any() and (found & figure).sum() < 0.5 * figure.sum()
    ):
        found = last_resort
    elif _reach(found, box) > _AWAY:
        found |= last_resort
    return _tidy(found | figure, figure | core)


def _reach(mask: Bool[np.ndarray, "h w"], box: Float[np.ndarray, "xyxy=4"]) -> float:
    """How far the mask stays away from a side of its box, at most over the four sides, in box sides."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    gaps = np.array([columns[0] - box[0], rows[0] - box[1], box[2] - columns[-1] - 1, box[3] - rows[-1] - 1])
    return float((gaps / np.tile(box[2:] - box[:2], 2)).max())


def _tidy(mask: Bool[np.ndarray, "h w"], seeds: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Without specks: large parts and parts that hold a seed; small holes closed."""
    count, parts, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if count < 2:
        return mask
    areas = stats[:, cv2.CC_STAT_AREA]
    keep = areas >= _SPECK * areas[1:].max()
    keep[np.unique(np.asarray(parts)[seeds & mask]).astype(int)] = True
    keep[0] = False
    radius = max(2, max(mask.shape) // 50)
    return cv2.morphologyEx(keep[np.asarray(parts, int)].astype(np.uint8), cv2.MORPH_CLOSE, _disc(radius)) > 0


def draw_polygons(
    polygons: tuple[Float[np.ndarray, "_ xy=2"], ...], shape: tuple[int, int]
) -> Bool[np.ndarray, "height width"]:
    """The union of outlines (px, continuous coordinates) on a picture of this (height, width)."""
    mask = np.zeros(shape, np.uint8)
    for polygon in polygons:  # one by one: cv2 would cut out where outlines overlap
        cv2.fillPoly(mask, [_fixed(polygon)], 1, shift=_SHIFT)
    return mask > 0


def draw_figure(
    person: PersonAnnotation,
    shape: tuple[int, int],
    origin: np.ndarray,
    scale: Float[np.ndarray, "xy=2"],
    thickness: float,
) -> Bool[np.ndarray, "height width"]:
    """A body of capsules along the labelled keypoints; empty without keypoints.

    Args:
        person: With keypoints in whole-image px.
        shape: (height, width) of the mask; its pixel (0, 0) lies at ``origin`` and it is scaled by ``scale``.
        origin: px.
        scale: Mask pixels per image pixel, along x and y.
        thickness: 1 for a clothed body, less for its core.
    """
    mask = np.zeros(shape, np.uint8)
    keypoints = person.keypoints_coco17
    if keypoints is None:
        return mask > 0
    points = (keypoints[:, :2] - origin) * scale
    seen = keypoints[:, 2] > 0
    torso = _torso_length(person) * float(scale.mean()) * thickness

    def line(a: np.ndarray, b: np.ndarray, half_width: float) -> None:
        ends = _fixed(np.stack([a, b]))
        width = max(1, round(2 * half_width * torso))
        cv2.line(mask, ends[0].tolist(), ends[1].tolist(), 1, width, cv2.LINE_8, _SHIFT)

    def dot(a: np.ndarray, radius: float) -> None:
        centre = _fixed(a[None])[0].tolist()
        cv2.circle(mask, centre, max(1, round(radius * torso * 2**_SHIFT)), 1, -1, cv2.LINE_8, _SHIFT)

    for a, b in _BONES:
        if seen[a] and seen[b]:
            line(points[a], points[b], _LIMB)
    for a in _ENDS:
        if seen[a]:  # hands and feet reach beyond wrist and ankle
            dot(points[a], 1.4 * _LIMB)
    corners = [points[i] for i in _TRUNK_CORNERS if seen[i]]
    if len(corners) >= 3:
        cv2.fillConvexPoly(mask, cv2.convexHull(_fixed(np.stack(corners))), 1, shift=_SHIFT)
    for i, a in enumerate(corners):
        line(a, corners[(i + 1) % len(corners)], _TRUNK)
    head = _head_centre(points, seen, person, origin, scale)
    if head is not None:
        dot(head, _HEAD)
        for i in _TRUNK_CORNERS[:2]:
            if seen[i]:
                line(head, points[i], _TRUNK)
    return mask > 0


def _torso_length(person: PersonAnnotation) -> float:
    """Shoulders to hips, px; from the width of the shoulders or the box where they are not seen."""
    keypoints = person.keypoints_coco17
    assert keypoints is not None
    width, height = person.bbox_xyxy[2:] - person.bbox_xyxy[:2]
    lengths = [0.2 * float(max(width, height))]
    left_shoulder, right_shoulder, right_hip, left_hip = (keypoints[i] for i in _TRUNK_CORNERS)
    for a, b, factor in (
        (left_shoulder, left_hip, 1.0),
        (right_shoulder, right_hip, 1.0),
        (left_shoulder, right_shoulder, 1.3),
    ):
        if a[2] and b[2]:
            lengths.append(factor * float(np.hypot(*(a[:2] - b[:2]))))
    return min(max(lengths), 0.6 * float(max(width, height)))


def _head_centre(points, seen, person: PersonAnnotation, origin, scale) -> np.ndarray | None:
    if seen[_FACE].any():
        return points[_FACE][seen[_FACE]].mean(axis=0)
    if person.head_neck is not None and (person.head_neck[:, 2] > 0).all():
        return ((person.head_neck[:, :2] - origin) * scale).mean(axis=0)
    return None


def widen(mask: Bool[np.ndarray, "height width"], share: float = 0.025) -> Bool[np.ndarray, "height width"]:
    """The mask grown by ``share`` of the person's size (root of the mask's box area), at least 3 px.

    Hair, shadows at the feet and the blur of the outline lie just outside annotated outlines.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return mask
    size = np.sqrt(float((rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1)))
    return cv2.dilate(mask.astype(np.uint8), _disc(max(3, round(share * size)))) > 0


def _disc(radius: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))


def _rounded_box(shape: tuple[int, int], box: np.ndarray, share: float) -> Bool[np.ndarray, "h w"]:
    """The box without its corners (a superellipse), scaled by ``share``."""
    centre, half = (box[:2] + box[2:]) / 2, np.maximum((box[2:] - box[:2]) / 2 * share, 1)
    x = np.abs((np.arange(shape[1]) + 0.5 - centre[0]) / half[0])
    y = np.abs((np.arange(shape[0]) + 0.5 - centre[1]) / half[1])
    return x[None, :] ** 2.5 + y[:, None] ** 2.5 < 1


def _fixed(points: np.ndarray) -> np.ndarray:
    """cv2's fixed-point coordinates, in which the centre of pixel (0, 0) is the origin."""
    limit = 2.0**15  # far outside any picture, inside cv2's integers
    return np.rint((np.clip(points, -limit, limit) - 0.5) * 2**_SHIFT).astype(np.int32)


def _widened(box: np.ndarray, share: float) -> np.ndarray:
    margin = (box[2:] - box[:2]) * share
    return np.concatenate([box[:2] - margin, box[2:] + margin])


def _integer_box(box: np.ndarray, width: int, height: int) -> tuple[int, int, int, int] | None:
    x0, y0 = (max(int(np.floor(v)), 0) for v in box[:2])
    x1, y1 = min(int(np.ceil(box[2])), width), min(int(np.ceil(box[3])), height)
    return (x0, y0, x1, y1) if x1 - x0 >= 2 and y1 - y0 >= 2 else None
