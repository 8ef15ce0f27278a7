"""Procrustes alignment: the similarity that brings one set of points closest to another, batched."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Similarity(NamedTuple):
    """``aligned = scale * rotation @ point + translation``."""

    scale: Float[Tensor, "*batch"]
    rotation: Float[Tensor, "*batch 3 3"]
    translation: Float[Tensor, "*batch 3"]

    def apply(self, points: Float[Tensor, "*batch points 3"]) -> Float[Tensor, "*batch points 3"]:
        """Map ``points`` of the source's frame into the target's."""
        rotated = points @ self.rotation.transpose(-1, -2)
        return self.scale[..., None, None] * rotated + self.translation[..., None, :]


def similarity(
    source: Float[Tensor, "*batch points 3"],
    target: Float[Tensor, "*batch points 3"],
    weights: Float[Tensor, "*batch points"] | None = None,
    with_scale: bool = True,
) -> Similarity:
    """Least-squares similarity from ``source`` to ``target`` (Umeyama 1991), never a reflection.

    Worked out in float64 and returned in the source's dtype. Points of zero weight do not count. Where the
    points do not determine it (all in one place, no weight at all) the scale is 1 and the rotation is
    whichever the decomposition gives: no NaN.
    """
    dtype = source.dtype
    x, y = source.double(), target.double()
    w = x.new_ones(x.shape[:-1]) if weights is None else weights.double()
    w = w / w.sum(-1, keepdim=True).clamp(min=1e-30)
    w = w[..., None]
    mean_x, mean_y = (w * x).sum(-2), (w * y).sum(-2)
    x, y = x - mean_x[..., None, :], y - mean_y[..., None, :]
    covariance = (w * y).transpose(-1, -2) @ x
    u, singular, vh = torch.linalg.svd(covariance)
    sign = torch.ones_like(singular)
    sign[..., 2] = torch.where(torch.linalg.det(u @ vh) < 0, -1.0, 1.0)
    rotation = (u * sign[..., None, :]) @ vh
    scale = x.new_ones(x.shape[:-2])
    if with_scale:
        variance = (w * x.square()).sum((-1, -2))
        enough = variance > 1e-20
        scale = torch.where(enough, (singular * sign).sum(-1) / variance.clamp(min=1e-20), scale)
    translation = mean_y - scale[..., None] * (rotation @ mean_x[..., None])[..., 0]
    return Similarity(scale.to(dtype), rotation.to(dtype), translation.to(dtype))


def procrustes_align(
    source: Float[Tensor, "*batch points 3"],
    target: Float[Tensor, "*batch points 3"],
    weights: Float[Tensor, "*batch points"] | None = None,
) -> Float[Tensor, "*batch points 3"]:
    """``source`` after the best similarity onto ``target``: what PA-MPJPE measures."""
    return similarity(source, target, weights).apply(source)
