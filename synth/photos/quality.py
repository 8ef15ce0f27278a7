"""How much of a photograph survives inpainting."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def ssim(a: UInt8[np.ndarray, "height width 3"], b: UInt8[np.ndarray, "height width 3"]) -> float:
    """Structural similarity of two RGB pictures, 1 for equal ones (Wang et al. 2004).

    Gaussian windows of sigma 1.5, population covariance, the mean over channels and over every pixel whose
    11 x 11 window lies in the picture: scikit-image's ``structural_similarity(..., gaussian_weights=True,
    use_sample_covariance=False)``. A3D drops photographs below 0.5 against their inpainted twin.

    Raises:
        ValueError: the pictures differ in size or a side is below 11 px.
    """
    if a.shape != b.shape or min(a.shape[:2]) < _WINDOW:
        raise ValueError(
            f"two pictures of one size, at least {_WINDOW} px a side: got {a.shape} and {b.shape}"
        )
    # about zero, where float32 keeps the small variances of flat regions
    x, y = a.astype(np.float32) - 128, b.astype(np.float32) - 128
    mean_x, mean_y = _blur(x), _blur(y)
    var_x, var_y, cov = _blur(x * x), _blur(y * y), _blur(x * y)
    var_x -= mean_x * mean_x
    var_y -= mean_y * mean_y
    cov -= mean_x * mean_y
    mean_x += 128
    mean_y += 128
    similarity = (2 * mean_x * mean_y + _C1) * (2 * cov + _C2)
    similarity /= (mean_x * mean_x + mean_y * mean_y + _C1) * (var_x + var_y + _C2)
    edge = _WINDOW // 2
    return float(similarity[edge:-edge, edge:-edge].mean(dtype=np.float64))


def _blur(image: Float32[np.ndarray, "height width 3"]) -> Float32[np.ndarray, "height width 3"]:
    return cv2.GaussianBlur(image, (_WINDOW, _WINDOW), _SIGMA)
