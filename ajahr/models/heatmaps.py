"""Keypoints drawn as Gaussians, all people and keypoints at once."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def keypoint_heatmaps(
    points_px: Float[Tensor, "batch keypoints xy=2"],
    drawn: Bool[Tensor, "batch keypoints"],
    size: int,
    sigma: float = 2.0,
    *,
    pixel_centres: bool = True,
) -> Float[Tensor, "batch keypoints size size"]:
    """One map per keypoint: exp(-d^2 / (2 sigma^2)), d the distance of a pixel from the keypoint.

    A Gaussian is the product of its rows and columns, so only 2 ``size`` exponentials are taken per keypoint.

    Args:
        points_px: x, y on the canvas. Of keypoints that are not drawn, anything (NaN too).
        drawn: the others' maps are empty.
        size: side of the canvas, px.
        sigma: px.
        pixel_centres: pixel j covers [j, j + 1), so its centre is at j + 0.5. False: pixel j is at j, as in
            the released code.
    """
    points = torch.where(drawn[..., None], points_px, 0.0)
    pixels = torch.arange(size, device=points.device, dtype=points.dtype) + (0.5 if pixel_centres else 0.0)
    x, y = (points[..., None] - pixels).square().mul(-0.5 / sigma**2).exp().unbind(-2)
    return (y * drawn[..., None])[..., :, None] * x[..., None, :]
