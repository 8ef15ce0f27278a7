"""Grain: how strong it is at each brightness in a photograph, and the same grain for rendered pixels.

The photograph's flattest blocks are taken to hold nothing but grain. What a Laplacian leaves of them, on the
picture and on the picture halved, gives the strength and the size of a grain (Immerkaer 1996 has the first half).
A picture whose flat blocks are flat, as a strongly compressed one is, has no grain to add.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

LEVELS = (20.0, 70.0, 120.0, 170.0, 225.0)
"""Brightnesses (of 255) at which the strength is measured."""
GRAINS = (0.0, 0.3, 0.45, 0.6, 0.75, 0.9, 1.1, 1.3)
"""Sizes of grain that are told apart: standard deviation of the Gaussian that white noise went through, px."""
TILE = 256
"""Side of the repeated piece of noise, px."""
MIN_SIGMA, MAX_SIGMA = 0.35, 14.0
"""Grain below is what rounding leaves; grain above is texture taken for grain. Grey levels of 255."""
_LAPLACIAN = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float64)
_BLOCK = 8
_FLAT_SHARE, _FLATTEST, _MIN_FLAT = 0.15, 0.06, 12
"""Share of the blocks of one brightness, and of all, that are taken for flat; and the least number of them."""
_BIAS = 1.15
"""The flattest blocks of a picture of mere grain have a little less of it than the others."""
_MAX_RATIO = 2.5
_MAX_CHROMA = 0.6
_ROUNDING = 0.6
"""What whole numbers leave of the colour differences after the Laplacian of the halved picture, squared."""
_CHROMA_GRAIN = 1.3
"""JPEG halves chroma, so that its grain is at least so large, px."""


@dataclass(frozen=True)
class Grain:
    """The grain of a photograph.

    Attributes:
        sigma: Standard deviation of luma at each of `LEVELS`, grey levels of 255.
        size: One of `GRAINS`, px.
        chroma: Standard deviation of the red and blue differences relative to luma's.
    """

    sigma: tuple[float, ...]
    size: float
    chroma: float

    def table(self) -> Float32[np.ndarray, " 256"]:
        """Standard deviation at each of the 256 grey levels."""
        return np.interp(np.arange(256), LEVELS, self.sigma).astype(np.float32)

    @property
    def none(self) -> bool:
        return max(self.sigma) <= 0


NO_GRAIN = Grain((0.0,) * len(LEVELS), 0.0, 0.0)

# ------------------------------------------------------------------------------------------- estimation


def estimate_grain(
    image: UInt8[np.ndarray, "height width 3"], where: Bool[np.ndarray, "height width"] | None = None
) -> Grain:
    """The grain of a picture.

    Args:
        image: RGB.
        where: Pixels that are the photograph's own; all when None.
    """
    ycc = cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb).astype(np.float32)
    own = np.ones(image.shape[:2], bool) if where is None else where
    height, width = (n // (2 * _BLOCK) * 2 * _BLOCK for n in own.shape)
    if min(height, width) == 0:
        return NO_GRAIN
    ycc, own = np.ascontiguousarray(ycc[:height, :width]), own[:height, :width]
    usable = _per_block(cv2.erode(own.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(np.float32)) > 0.999
    levels, energy = _per_block(ycc[..., 0])[usable], _energy(ycc[..., 0])[usable]
    if len(energy) < 2 * _MIN_FLAT:
        return NO_GRAIN
    # texture is taken for grain where a brightness has nothing flat: grain varies less than that over brightness
    exposed = energy[(levels > 12) & (levels < 243)]  # cut-off white and black have no grain left
    limit = _MAX_RATIO**2 * _low(exposed, _FLATTEST) + 0.1 if len(exposed) >= _MIN_FLAT else np.inf
    found, squares = [], []
    edges = (3.0, *[(a + b) / 2 for a, b in pairwise(LEVELS)], 252.0)
    for level, (low, high) in zip(LEVELS, pairwise(edges), strict=True):
        inside = energy[(levels >= low) & (levels < high)]
        if len(inside) >= 2 * _MIN_FLAT:
            found.append(level)
            squares.append(min(_low(inside, _FLAT_SHARE), limit))
    if not found:
        return NO_GRAIN
    left = np.interp(LEVELS, found, np.sqrt(squares))
    size, chroma = _size_and_chroma(ycc, own, float(np.mean(squares)))
    sigma = _BIAS * left / _response(size, 1)
    sigma = np.where(sigma < MIN_SIGMA, 0.0, np.minimum(sigma, MAX_SIGMA)).round(3)
    return Grain(tuple(sigma.tolist()), size, chroma) if sigma.any() else NO_GRAIN


def _energy(plane: np.ndarray) -> np.ndarray:
    """Mean square of the Laplacian in each block."""
    return _per_block(cv2.filter2D(np.ascontiguousarray(plane), cv2.CV_32F, _LAPLACIAN) ** 2)


def _per_block(plane: np.ndarray) -> np.ndarray:
    height, width = plane.shape
    return plane.reshape(height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK).mean(axis=(1, 3))


def _low(energy: np.ndarray, share: float) -> float:
    """Median of the flattest blocks."""
    count = min(max(int(share * len(energy)), _MIN_FLAT), len(energy))
    return float(np.median(np.partition(energy, count - 1)[:count]))


def _size_and_chroma(ycc: np.ndarray, own: np.ndarray, energy: float) -> tuple[float, float]:
    """The size whose share of energy left after halving is the picture's, and the strength of coloured grain.

    Both are read on blocks of 16 x 16 px that are flat.
    """
    height, width = own.shape
    whole = cv2.erode(own.astype(np.uint8), np.ones((5, 5), np.uint8))
    half = cv2.resize(ycc, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    rows, columns = height // (2 * _BLOCK), width // (2 * _BLOCK)
    whole = whole.reshape(rows, 2 * _BLOCK, columns, 2 * _BLOCK).min(axis=(1, 3)) > 0
    # the same places: a block of the halved picture is four of the full one
    full = _energy(ycc[..., 0]).reshape(rows, 2, columns, 2).mean(axis=(1, 3))
    flat = whole & (full <= 2.0 * energy)
    if energy <= 0 or np.count_nonzero(flat) < _MIN_FLAT:
        return 0.0, 0.0
    luma, red, blue = (float(np.median(_energy(half[..., channel])[flat])) for channel in range(3))
    ratio = np.sqrt(luma / max(float(np.median(full[flat])), 1e-6))
    size = min(
        GRAINS, key=lambda size: abs(np.log(_response(size, 2) / _response(size, 1) / max(ratio, 1e-6)))
    )
    coloured = np.sqrt(max((red + blue) / 2 - _ROUNDING, 0.0)) / _response(_CHROMA_GRAIN, 2)
    chroma = coloured / max(np.sqrt(luma) / _response(size, 2), 1e-6)
    return size, round(float(min(chroma, _MAX_CHROMA)), 3)


@cache
def _response(size: float, scale: int) -> float:
    """Standard deviation that the Laplacian leaves of grain of unit strength, on the picture scaled down."""
    grain = _kernel(size)
    kernel = grain / np.sqrt((grain**2).sum())
    laplacian = _LAPLACIAN
    if scale == 2:
        kernel = _convolve(kernel, np.full((2, 2), 0.25))
        laplacian = np.zeros((5, 5))
        laplacian[::2, ::2] = _LAPLACIAN
    return float(np.sqrt((_convolve(kernel, laplacian) ** 2).sum()))


@cache
def _kernel(size: float) -> np.ndarray:
    """The Gaussian of a grain, odd and of sum 1."""
    if size <= 0:
        return np.ones((1, 1))
    line = cv2.getGaussianKernel(9, size, cv2.CV_64F)
    return line @ line.T


def _convolve(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    out = np.zeros((a.shape[0] + b.shape[0] - 1, a.shape[1] + b.shape[1] - 1))
    for (i, j), value in np.ndenumerate(b):
        out[i : i + a.shape[0], j : j + a.shape[1]] += value * a
    return out


# ------------------------------------------------------------------------------------------------ grain


@cache
def grain_tile(size: float) -> Float32[np.ndarray, "side=256 side=256 3"]:
    """Luma, red and blue difference of unit strength that repeat without a seam."""
    rng = np.random.default_rng([TILE, round(1000 * size)])
    tile = rng.standard_normal((TILE, TILE, 3)).astype(np.float32)
    for channel, grain in enumerate((size, max(size, _CHROMA_GRAIN), max(size, _CHROMA_GRAIN))):
        plane = np.pad(tile[..., channel], 4, mode="wrap")
        tile[..., channel] = cv2.filter2D(plane, -1, _kernel(grain))[4:-4, 4:-4]
        tile[..., channel] -= tile[..., channel].mean()
        tile[..., channel] /= tile[..., channel].std()
    tile.setflags(write=False)
    return tile


def grain_offset(rng: np.random.Generator) -> tuple[int, int]:
    """Row and column of the tile at the picture's corner: one draw a picture, so that twins have the same grain."""
    row, column = rng.integers(0, TILE, 2).tolist()
    return row, column
