"""Rendered people onto an image, and whether a point is in sight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import no_type_check

import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8
from numba import njit

from ajahr.render.rasterizer import RenderResult


def composite_over(
    image: UInt8[np.ndarray, "height width 3"], results: RenderResult | Sequence[RenderResult]
) -> UInt8[np.ndarray, "height width 3"]:
    """Lay rendered meshes over ``image``, in place, and return it; of several the last is on top.

    Per result and channel: colour * coverage + below * (1 - coverage), rounded once to the nearest.

    Raises:
        ValueError: a result of another size than the image, or an image that cannot be written to.
    """
    if not image.flags.writeable:
        raise ValueError("the image is written in place: pass a copy of a read-only one")
    for result in [results] if isinstance(results, RenderResult) else results:
        if result.rgba_premultiplied.shape[:2] != image.shape[:2]:
            size, other = image.shape[:2], result.rgba_premultiplied.shape[:2]
            raise ValueError(f"a rendering of {other} does not fit on an image of {size}")
        _over(image, result.rgba_premultiplied, *result.window)
    return image


@njit(cache=True, nogil=True)
@no_type_check
def _over(out, rgba, x0, y0, x1, y1):
    for y in range(y0, y1):
        for x in range(x0, x1):
            alpha = np.int64(rgba[y, x, 3])
            if alpha == 0:
                continue
            for k in range(3):
                # 255 is odd, so x / 255 never falls on a half and + 127 rounds to the nearest
                below = (np.int64(out[y, x, k]) * (255 - alpha) + 127) // 255
                out[y, x, k] = np.int64(rgba[y, x, k]) + below


def visible_points(
    points_px: Float[np.ndarray, "points 2"],
    depth_m: Float[np.ndarray, " points"],
    depth_map: Float32[np.ndarray, "height width"],
    tolerance: float,
) -> Bool[np.ndarray, " points"]:
    """Which points lie inside the image with nothing drawn more than ``tolerance`` (m) in front of them.

    Args:
        points_px: x, y.
        depth_m: z of the points, camera frame.
        depth_map: z of what is drawn, inf where nothing is.
        tolerance: how deep a point may lie behind its own surface; joints are inside the body, so about the
            radius of a limb.

    Points that are not finite, or not in front of the camera, are not visible.
    """
    height, width = depth_map.shape
    x, y, depth = points_px[:, 0], points_px[:, 1], np.asarray(depth_m)
    with np.errstate(invalid="ignore"):
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (depth > 0) & np.isfinite(depth)
    visible = inside.copy()
    rows, columns = y[inside].astype(np.intp), x[inside].astype(np.intp)
    visible[inside] = depth[inside] <= depth_map[rows, columns] + tolerance
    return visible
