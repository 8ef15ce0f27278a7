"""From an encoded picture to the uint8 crop: decode as little as the crop needs, average, resample once.

Upstream (HMR2.0) decodes the whole picture, blurs all of it in floating point, then resamples bilinearly.
Here the JPEG is reduced while it is decoded by the largest power of two that leaves the crop its resolution,
rows below the crop are not decoded at all, what is left of a reduction is averaged over the window the crop
sees, and the pixels stay uint8. Mirroring is
part of the affine map. Where the crop shrinks a photograph by less than two, it differs from upstream's by 0.3
grey levels in root mean square; where by more, by about `TOLERANCE` (10.6 on the worst photograph tried), and
lies closer to exact area averaging than upstream's own (``scripts/bench_loader.py`` measures all three).
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from ajahr.geometry.crops import CROP_SIZE

TOLERANCE = 6.0
"""Root mean square difference to upstream's recipe, mean over photographs, grey levels of 255."""


def reduction_for(shrink: float) -> int:
    """By how much to reduce while decoding for a crop that shrinks the picture by ``shrink``."""
    return next(power for power in (8, 4, 2, 1) if shrink >= power or power == 1)


def rows_seen(
    affine: Float[np.ndarray, "2 3"], height: int, crop_size: int = CROP_SIZE, *, reduction: int = 1
) -> int:
    """Rows of the picture, from the top, that `cut` looks at: those below need not be decoded."""
    (a, b, x), (c, d, y) = affine.tolist()
    determinant = a * d - b * c
    margin = 4 * reduction  # half a pixel of the crop by `pixel_centres`, and what `_seen` adds
    _, bottom = _seen(-c / determinant, a / determinant, x, y, crop_size, height)
    return min(bottom + margin + round(1 / math.sqrt(abs(determinant))), height)


def cut(
    image: UInt8[np.ndarray, "height width 3"],
    affine: Float[np.ndarray, "2 3"],
    crop_size: int = CROP_SIZE,
    *,
    reduction: int = 1,
    pixel_centres: bool = True,
    out: UInt8[np.ndarray, "crop crop 3"] | None = None,
) -> UInt8[np.ndarray, "crop crop 3"]:
    """The crop, black outside the picture.

    Args:
        image: decoded at 1/``reduction`` of the picture's size; rows beyond `rows_seen` may be missing.
        affine: whole picture to crop, px, continuous coordinates; a mirror is allowed.
        crop_size: side of the crop, px.
        reduction: the one the image was decoded at.
        pixel_centres: False treats pixel indices as coordinates, as the HMR2.0 lineage does: half a crop
            pixel off at strong reductions, which published weights have seen.
        out: where the crop goes, contiguous; a new array when None.
    """
    (a, b, x), (c, d, y) = affine.tolist()  # floats: a dozen numpy calls cost as much as the resampling
    if not pixel_centres:  # the same map of indices, said in continuous coordinates
        x, y = x + 0.5 - (a + b) / 2, y + 0.5 - (c + d) / 2
    a, b, c, d = a * reduction, b * reduction, c * reduction, d * reduction
    determinant = a * d - b * c
    height, width = image.shape[:2]
    block = int(1 / math.sqrt(abs(determinant)))
    left, right = _seen(d / determinant, -b / determinant, x, y, crop_size, width)
    top, bottom = _seen(-c / determinant, a / determinant, x, y, crop_size, height)
    image = image[top:bottom, left:right]
    x, y = x + a * left + b * top, y + c * left + d * top
    height, width = bottom - top, right - left
    if block >= 2:  # formats without reduced decoding, and what is left beyond 1/8
        smaller = max(1, round(width / block)), max(1, round(height / block))
        image = cv2.resize(image, smaller, interpolation=cv2.INTER_AREA)
        across, down = width / smaller[0], height / smaller[1]
        a, b, c, d = a * across, b * down, c * across, d * down
    # OpenCV wants indices: coordinate - 0.5 on both sides
    grid = np.array([[a, b, x + (a + b - 1) / 2], [c, d, y + (c + d - 1) / 2]])
    # four channels there and back: OpenCV resamples them at 2.5 times the speed of three
    four = cv2.cvtColor(image, cv2.COLOR_RGB2RGBA)
    four = cv2.warpAffine(four, grid, (crop_size, crop_size), flags=cv2.INTER_LINEAR)
    return np.asarray(cv2.cvtColor(four, cv2.COLOR_RGBA2RGB, out), np.uint8)


def _seen(per_u: float, per_v: float, x: float, y: float, crop_size: int, size: int) -> tuple[int, int]:
    """Range of columns (or rows) of the image that the crop sees, at least one, with a margin for bilinear.

    The column of crop place (u, v) is ``per_u (u - x) + per_v (v - y)``.
    """
    origin = -per_u * x - per_v * y
    low = origin + min(per_u, 0.0) * crop_size + min(per_v, 0.0) * crop_size
    high = origin + max(per_u, 0.0) * crop_size + max(per_v, 0.0) * crop_size
    first = min(max(int(low) - 2, 0), size - 1)
    return first, max(min(int(high) + 3, size), first + 1)
