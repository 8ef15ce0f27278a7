"""Rendered people onto an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import no_type_check

import numpy as np
from jaxtyping import UInt8
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
