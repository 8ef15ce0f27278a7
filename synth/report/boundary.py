"""Rings: is the line along a silhouette brighter or darker than what lies on both sides of it?

A person pasted badly carries a rim: a wrongly premultiplied edge, a smear of the background they were cut from. A
real occlusion edge goes from one side's brightness to the other's and never beyond either.

Sides are continued up to the line along their own slope. A body turns away from the light towards its outline, and a
wall grows brighter towards a window: what goes on evenly up to the edge lies beyond the average of its side, but is
no ring. A rim blurred by more than a pixel goes on evenly too, and is not told from shading.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

OFFSETS = (-12, -10, -8, -6, -4, -2, 0, 2, 4, 6, 8, 10, 12)
"""Contours measured, px inside the silhouette; 0 is the silhouette, the others show what pictures have anyway."""
THRESHOLD = 6.0
"""Grey levels (of 255) beyond both sides from which a line counts as a ring."""
_NEAR, _FAR = 2.0, 6.0
"""Each side is the band this far from the contour, px: past the blended pixels and JPEG's overshoot next to them.
Farther out, less of a body's shading is straight; nearer, a rim blurred by a pixel would be taken for shading."""
_WINDOW = 11
"""Averages are over a square of this side, px."""
_MIN_SUPPORT = 5
"""Pixels of each band needed in the window; each half of it needs three fifths of them to show a slope."""
_CONTINUED = (3 * _NEAR + _FAR) / (2 * (_FAR - _NEAR))
"""From the middle of a band's near half (3 px) to the line, in distances to the middle of its far half (5 px)."""


@dataclass
class RingCounts:
    """Per contour of `OFFSETS`: pixels on it, and those on a bright and on a dark ring."""

    pixels: Float[np.ndarray, " offsets"]
    bright: Float[np.ndarray, " offsets"]
    dark: Float[np.ndarray, " offsets"]

    @classmethod
    def none(cls) -> RingCounts:
        return cls(*np.zeros((3, len(OFFSETS))))

    def __iadd__(self, other: RingCounts) -> RingCounts:
        self.pixels, self.bright, self.dark = (
            self.pixels + other.pixels,
            self.bright + other.bright,
            self.dark + other.dark,
        )
        return self

    def shares(self) -> tuple[Float[np.ndarray, " offsets"], Float[np.ndarray, " offsets"]]:
        """Shares of bright and dark rings per contour; NaN where no pixel was measured."""
        with np.errstate(invalid="ignore"):
            return self.bright / self.pixels, self.dark / self.pixels

    def excess(self) -> tuple[float, float]:
        """Bright and dark share on the silhouette above the mean of the contours 6 px and more away from it."""
        away = np.abs(OFFSETS) >= 6
        found = []
        for share in self.shares():
            others = share[away & np.isfinite(share)]
            at = share[OFFSETS.index(0)]
            found.append(float(at - others.mean()) if len(others) else float("nan"))
        return found[0], found[1]


def ring_counts(
    image: UInt8[np.ndarray, "height width 3"], silhouette: Bool[np.ndarray, "height width"]
) -> RingCounts:
    """Count rings along the silhouette and along contours beside it.

    On each contour, two pixels wide, brightness is averaged along the line. It is a ring where it lies beyond what
    both sides have in the same window: their average, and their brightness continued to the line.

    Args:
        image: RGB.
        silhouette: everybody in the picture together.
    """
    counts = RingCounts.none()
    if not silhouette.any() or silhouette.all():
        return counts
    rows, columns = np.flatnonzero(silhouette.any(1)), np.flatnonzero(silhouette.any(0))
    margin = int(max(OFFSETS) + _FAR + _WINDOW)
    window = (
        slice(max(int(rows[0]) - margin, 0), int(rows[-1]) + margin + 1),
        slice(max(int(columns[0]) - margin, 0), int(columns[-1]) + margin + 1),
    )
    grey = cv2.cvtColor(np.ascontiguousarray(image[window]), cv2.COLOR_RGB2GRAY).astype(np.float32)
    inside = silhouette[window].astype(np.uint8)
    # from the edge between pixels: +0.5 on the first pixel inside, -0.5 on the first outside
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    height = cv2.distanceTransform(1 - inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    signed = np.where(inside > 0, depth - 0.5, 0.5 - height)
    for n, offset in enumerate(OFFSETS):
        away = signed - offset
        on_line = np.abs(away) < 1.0
        line, line_weight = _average(grey, on_line)
        (inner_low, inner_high, inner_weight), (outer_low, outer_high, outer_weight) = (
            _side(grey, away),
            _side(grey, -away),
        )
        usable = on_line & (np.minimum(np.minimum(inner_weight, outer_weight), line_weight) >= _MIN_SUPPORT)
        counts.pixels[n] = np.count_nonzero(usable)
        counts.bright[n] = np.count_nonzero(usable & (line > np.maximum(inner_high, outer_high) + THRESHOLD))
        counts.dark[n] = np.count_nonzero(usable & (line < np.minimum(inner_low, outer_low) - THRESHOLD))
    return counts


def _side(
    grey: Float[np.ndarray, "height width"], away: Float[np.ndarray, "height width"]
) -> tuple[
    Float[np.ndarray, "height width"], Float[np.ndarray, "height width"], Float[np.ndarray, "height width"]
]:
    """Least and greatest brightness that the side where ``away`` is positive has up to the line, and its pixels."""
    middle = (_NEAR + _FAR) / 2
    near, near_weight = _average(grey, (away > _NEAR) & (away < middle))
    far, far_weight = _average(grey, (away >= middle) & (away < _FAR))
    weight = near_weight + far_weight
    whole = (near * near_weight + far * far_weight) / np.maximum(weight, 1.0)
    sloped = np.minimum(near_weight, far_weight) >= 0.6 * _MIN_SUPPORT
    continued = np.where(sloped, near + _CONTINUED * (near - far), whole)
    return np.minimum(whole, continued), np.maximum(whole, continued), weight


def _average(
    grey: Float[np.ndarray, "height width"], where: Bool[np.ndarray, "height width"]
) -> tuple[Float[np.ndarray, "height width"], Float[np.ndarray, "height width"]]:
    """Mean over the pixels ``where`` of the window around each pixel, and how many there are."""
    weight = where.astype(np.float32)
    size = (_WINDOW, _WINDOW)
    total = cv2.boxFilter(grey * weight, -1, size, normalize=False, borderType=cv2.BORDER_CONSTANT)
    count = cv2.boxFilter(weight, -1, size, normalize=False, borderType=cv2.BORDER_CONSTANT)
    return total / np.maximum(count, 1.0), count
