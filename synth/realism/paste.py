"""One rendered layer onto a picture: colour map, grain and blend in one pass over its pixels."""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from jaxtyping import Float32, UInt8
from numba import njit

from synth.realism.colour import IDENTITY
from synth.realism.noise import TILE, Grain, grain_tile


def paste(
    image: UInt8[np.ndarray, "height width 3"],
    layer: UInt8[np.ndarray, "layer_height layer_width 4"],
    corner: tuple[int, int],
    *,
    colour: Float32[np.ndarray, "rgb=3 rgba=4"] = IDENTITY,
    grain: Grain | None = None,
    offset: tuple[int, int] = (0, 0),
) -> None:
    """Lay a premultiplied layer over the picture, in place.

    Args:
        image: RGB.
        layer: Premultiplied RGBA.
        corner: x and y of the layer in the picture; it lies inside.
        colour: Map of the layer's red, green, blue and coverage, by `Tone.transfer`.
        grain: Added to rendered pixels as strongly as their brightness asks for. A pixel covered in part keeps its
            share of the photograph's own grain, and gets as much as makes the variance whole again.
        offset: Row and column of the tile at the picture's corner.
    """
    x, y = corner
    if grain is None or grain.none:
        _paste(image, layer, x, y, colour, _NO_SIGMA, 0.0, _NO_TILE, 0, 0)
    else:
        tile = grain_tile(grain.size)
        _paste(image, layer, x, y, colour, grain.table(), grain.chroma, tile, *offset)


_NO_SIGMA = np.zeros(0, np.float32)
_NO_TILE = np.zeros((TILE, TILE, 3), np.float32)
_NO_TILE.setflags(write=False)


@njit(cache=True, nogil=True)
@no_type_check
def _paste(image, layer, x0, y0, colour, sigma, chroma, tile, row, column):
    mask = tile.shape[0] - 1  # a power of two
    noisy = sigma.shape[0] > 0
    unit = np.float32(1.0 / 255.0)
    one, full, half = np.float32(1.0), np.float32(255.0), np.float32(0.5)
    chroma = np.float32(chroma)
    for i in range(layer.shape[0]):
        y = y0 + i
        for j in range(layer.shape[1]):
            coverage = layer[i, j, 3]
            if coverage == 0:
                continue
            x = x0 + j
            r, g, b = np.float32(layer[i, j, 0]), np.float32(layer[i, j, 1]), np.float32(layer[i, j, 2])
            a = np.float32(coverage)
            through = one - a * unit
            red = colour[0, 0] * r + colour[0, 1] * g + colour[0, 2] * b + colour[0, 3] * a
            green = colour[1, 0] * r + colour[1, 1] * g + colour[1, 2] * b + colour[1, 3] * a
            blue = colour[2, 0] * r + colour[2, 1] * g + colour[2, 2] * b + colour[2, 3] * a
            red = min(red, a) + through * image[y, x, 0]
            green = min(green, a) + through * image[y, x, 1]
            blue = min(blue, a) + through * image[y, x, 2]
            if noisy:
                luma = np.float32(0.299) * red + np.float32(0.587) * green + np.float32(0.114) * blue
                level = np.int64(min(max(luma, np.float32(0.0)), full))
                strength = sigma[level] * np.sqrt(one - through * through)
                ty, tx = (y + row) & mask, (x + column) & mask
                grey = strength * tile[ty, tx, 0]
                cr = strength * chroma * tile[ty, tx, 1]
                cb = strength * chroma * tile[ty, tx, 2]
                red += grey + np.float32(1.402) * cr
                green += grey - np.float32(0.714) * cr - np.float32(0.344) * cb
                blue += grey + np.float32(1.772) * cb
            image[y, x, 0] = np.int64(min(max(red, np.float32(0.0)), full) + half)
            image[y, x, 1] = np.int64(min(max(green, np.float32(0.0)), full) + half)
            image[y, x, 2] = np.int64(min(max(blue, np.float32(0.0)), full) + half)
