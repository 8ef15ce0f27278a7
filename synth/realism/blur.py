"""How unsharp a photograph is, and making a rendered layer as unsharp.

Defocus, motion, the lens and enlargement together are taken for one Gaussian. Its width is read off edges: across a
step blurred by s, smoothing by a leaves a slope in proportion to 1 / sqrt(s^2 + a^2), so the slopes after two
smoothings give s (the re-blur ratio of Zhuo and Sim, Pattern Recognition 2011).
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

RENDERED_BLUR_PX = 0.5
"""What `estimate_blur` finds on the rasteriser's own edges: a pixel's box and four samples in it."""
MAX_BLUR_PX = 3.5
_FINE, _COARSE = 0.8, 1.6
"""The two smoothings, px; the finer one keeps grain from looking like edges."""
_DIFFERENCE_VARIANCE = 1 / 3
"""A central difference is the slope's mean over two pixels: a box of this variance, px^2."""
_MIN_SLOPE = 5.0
"""Grey levels a pixel; weaker edges say more about grain than about the lens."""
_MIN_EDGES = 60
_QUANTILE = 0.65
"""Of the widths found. Lines thinner than the blur look sharper than they are, and soft shadows less sharp; on
photographs blurred on purpose this quantile found what was added to within a tenth."""


def estimate_blur(
    image: UInt8[np.ndarray, "height width 3"], where: Bool[np.ndarray, "height width"] | None = None
) -> float | None:
    """Standard deviation of the picture's blur, px; None where there are too few edges to tell.

    Args:
        image: RGB.
        where: Pixels whose edges count; all when None.
    """
    luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    fine_x, fine_y = _slopes(luma, _FINE)
    coarse_x, coarse_y = _slopes(luma, _COARSE)
    # 32 steps a level, so that weak slopes keep their direction in 16 bits
    steps = [np.clip(np.rint(32 * slope), -32000, 32000).astype(np.int16) for slope in (fine_x, fine_y)]
    edges = cv2.Canny(steps[0], steps[1], 16 * _MIN_SLOPE, 32 * _MIN_SLOPE, L2gradient=True) > 0
    edges[:4] = edges[-4:] = edges[:, :4] = edges[:, -4:] = False
    if where is not None:
        edges &= where
    if np.count_nonzero(edges) < _MIN_EDGES:
        return None
    squared = [x[edges] ** 2 + y[edges] ** 2 for x, y in ((fine_x, fine_y), (coarse_x, coarse_y))]
    ratio = squared[0] / np.maximum(squared[1], 1e-6)
    fine, coarse = (s**2 + _DIFFERENCE_VARIANCE for s in (_FINE, _COARSE))
    variance = (coarse - ratio * fine) / np.maximum(ratio - 1, 1e-6)
    width = np.sqrt(np.clip(np.where(ratio <= 1, MAX_BLUR_PX**2, variance), 0, MAX_BLUR_PX**2))
    return float(np.quantile(width, _QUANTILE))


def _slopes(luma: np.ndarray, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """x and y derivative of the smoothed picture, grey levels a pixel."""
    smooth = cv2.GaussianBlur(luma, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    kernel, one = np.array([-0.5, 0, 0.5]), np.ones(1)
    return cv2.sepFilter2D(smooth, -1, kernel, one), cv2.sepFilter2D(smooth, -1, one, kernel)


def blur_to_add(photo_px: float | None) -> float:
    """Gaussian that brings a rendered layer to the photograph's blur, px; 0 below a tenth of a pixel's worth."""
    if photo_px is None:
        return 0.0
    added = min(photo_px, MAX_BLUR_PX) ** 2 - RENDERED_BLUR_PX**2
    return float(np.sqrt(added)) if added > 0.04 else 0.0


def blur_reach(sigma: float) -> int:
    """Pixels that `blur_layer` may draw beyond what was drawn."""
    return int(np.ceil(3 * sigma)) if sigma > 0 else 0


def blur_layer(
    layer: UInt8[np.ndarray, "height width 4"], sigma: float
) -> UInt8[np.ndarray, "height width 4"]:
    """Premultiplied colour and coverage blurred together, so that no colour of the empty part comes in."""
    if sigma <= 0:
        return layer
    side = 2 * blur_reach(sigma) + 1
    return cv2.GaussianBlur(layer, (side, side), sigma, borderType=cv2.BORDER_REPLICATE)
