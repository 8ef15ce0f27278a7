"""Where an object has to lie in the picture to hide points of a person and not the person."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

_EYE_M = 1.2
"""Cameras are held about so high: what is nearer stands lower in the picture, by its share of this."""
_ASTRAY_M = 0.3
"""Feet of objects may be so far from where they would touch the ground."""
_OPAQUE = 200
_MARGIN_M = 0.025
"""Joints are hidden this far inside an object, as keypoints lie a little beside them."""
_CANDIDATES = 64


@dataclass(frozen=True, eq=False)
class Target:
    """Who is to be occluded, in pixels.

    Attributes:
        hide: Points that have to be covered.
        spare: Points none of which may be covered.
        core: Points of which at least ``min_core`` stay uncovered.
        px_per_m: Scale at the person.
        ground_y: Where they stand.
        size: Width and height of the picture.
    """

    hide: Float[np.ndarray, "points 2"]
    spare: Float[np.ndarray, "spared 2"]
    core: Float[np.ndarray, "core 2"]
    min_core: int
    px_per_m: float
    ground_y: float
    size: tuple[int, int]


def covering_corners(
    mask: Bool[np.ndarray, "height width"],
    points: Float[np.ndarray, "points 2"],
    rows: tuple[float, float] = (-np.inf, np.inf),
) -> Int[np.ndarray, "places 2"]:
    """Every place (x, y of the mask's corner) at which the mask covers the pixels of all points.

    Args:
        mask: pixels of the object.
        points: px.
        rows: only places whose y lies between these.
    """
    height, width = mask.shape
    pixels = np.floor(points).astype(np.int64)
    step = pixels - pixels[0]
    left, right = max(0, -int(step[:, 0].min())), min(width, width - int(step[:, 0].max()))
    top, bottom = max(0, -int(step[:, 1].min())), min(height, height - int(step[:, 1].max()))
    # a corner at row y has the first point on the mask's row pixels[0] - y
    top = max(top, int(np.ceil(np.clip(pixels[0, 1] - rows[1], 0, height))))
    bottom = min(bottom, int(np.floor(np.clip(pixels[0, 1] - rows[0], -1, height))) + 1)
    if left >= right or top >= bottom:
        return np.zeros((0, 2), np.int64)
    covers = np.ones((bottom - top, right - left), bool)
    for dx, dy in step.tolist():
        covers &= mask[top + dy : bottom + dy, left + dx : right + dx]
    row, column = np.nonzero(covers)
    return np.stack([pixels[0, 0] - left - column, pixels[0, 1] - top - row], axis=1)


def covered(
    mask: Bool[np.ndarray, "height width"],
    corners: Int[np.ndarray, "places 2"],
    points: Float[np.ndarray, "points 2"],
) -> Bool[np.ndarray, "places points"]:
    """Which points the mask covers from each place."""
    inside = np.floor(points).astype(np.int64)[None] - corners[:, None]
    height, width = mask.shape
    column, row = inside[..., 0], inside[..., 1]
    hit = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    return hit & mask[np.where(hit, row, 0), np.where(hit, column, 0)]


def place_object(
    rng: np.random.Generator,
    alpha: UInt8[np.ndarray, "height width"],
    scale: float,
    nearness: float,
    target: Target,
) -> tuple[int, int] | None:
    """The corner (px) of an object that hides what is to be hidden and stands on the ground; None if there is none.

    Args:
        rng: chooses among the places.
        alpha: coverage of the object, as the bank has it.
        scale: by which it will be resized.
        nearness: how many times nearer to the camera than the person.
        target: the person.
    """
    # points too far apart for the object: most objects end here
    extent = np.ptp(target.hide, axis=0) / scale
    if extent[0] >= alpha.shape[1] or extent[1] >= alpha.shape[0]:
        return None
    size = max(round(alpha.shape[1] * scale), 1), max(round(alpha.shape[0] * scale), 1)
    # its foot is where something so near touches the ground, which may be below the picture
    ground = target.ground_y + (nearness - 1) * _EYE_M * target.px_per_m
    astray = _ASTRAY_M * target.px_per_m
    rows = ground - size[1] - astray, ground - size[1] + astray
    if rows[0] > target.hide[:, 1].min() or rows[1] + size[1] < target.hide[:, 1].max():
        return None
    small = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    solid = (small >= _OPAQUE).astype(np.uint8)
    reach = max(1, round(_MARGIN_M * target.px_per_m))
    sure = cv2.erode(solid, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8), borderValue=0) > 0
    corners = covering_corners(sure, target.hide, rows)
    if not len(corners):
        return None
    corners = corners[rng.integers(len(corners), size=_CANDIDATES)]
    visible = small >= 64
    open_core = (~covered(visible, corners, target.core)).sum(axis=1)
    good = ~covered(visible, corners, target.spare).any(axis=1) & (open_core >= target.min_core)
    if not good.any():
        return None
    corners = corners[good]
    best = int(np.abs(corners[:, 1] + size[1] - ground).argmin())
    return int(corners[best, 0]), int(corners[best, 1])
