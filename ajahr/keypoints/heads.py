"""Heads of 25-keypoint models: heat maps from ViT features, SimCC's two vectors.

Sources: ViTPose (classic and simple decoder), RTMPose (SimCC with a gated attention unit). Those that the regressor
has too are in `ajahr.models.point_heads`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class ClassicHead(nn.Sequential):
    """ViTPose's: two transposed convolutions to 256 channels, then 1 x 1 to one map per point, four times the size."""

    def __init__(self, width: int, points: int, channels: int = 256) -> None:
        def up(from_: int) -> list[nn.Module]:
            deconvolution = nn.ConvTranspose2d(from_, channels, 4, 2, 1, bias=False)
            return [deconvolution, nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]

        super().__init__(*up(width), *up(channels), nn.Conv2d(channels, points, 1))


class SimpleHead(nn.Sequential):
    """ViTPose's: ReLU, bilinear four times, 3 x 3."""

    def __init__(self, width: int, points: int) -> None:
        upsample = nn.Upsample(scale_factor=4, mode="bilinear", align_corners=False)
        super().__init__(nn.ReLU(), upsample, nn.Conv2d(width, points, 3, padding=1))


class GatedAttention(nn.Module):
    """RTMPose's gated attention unit over the points of a person."""

    def __init__(self, width: int, inner: int = 128, expansion: int = 2) -> None:
        super().__init__()
        self.hidden = expansion * width
        self.inner = inner
        self.norm = nn.RMSNorm(width, eps=1e-5)
        self.into = nn.Linear(width, 2 * self.hidden + inner, bias=False)
        self.scale = nn.Parameter(torch.rand(2, inner))
        self.shift = nn.Parameter(torch.zeros(2, inner))
        self.out = nn.Linear(self.hidden, width, bias=False)
        self.residual_scale = nn.Parameter(torch.ones(width))

    def forward(self, x: Float[Tensor, "batch points width"]) -> Float[Tensor, "batch points width"]:
        gate, value, base = F.silu(self.into(self.norm(x))).split((self.hidden, self.hidden, self.inner), -1)
        query, key = (base[..., None, :] * self.scale + self.shift).unbind(-2)
        kernel = F.relu(query @ key.transpose(-1, -2) / self.inner**0.5).square()
        return self.residual_scale * x + self.out(gate * (kernel @ value))


class SimCC(NamedTuple):
    """Scores of every place along x and along y, raw."""

    x: Float[Tensor, "batch points bins_x"]
    y: Float[Tensor, "batch points bins_y"]


class SimCCHead(nn.Module):
    """RTMPose's: 7 x 7 to one map per point, flattened, attention between the points, two linear layers.

    Args:
        width: channels of the features.
        points: keypoints.
        grid: rows and columns of the features.
        bins: along x and y, split ratio times the input's width and height.
    """

    def __init__(
        self, width: int, points: int, grid: tuple[int, int], bins: tuple[int, int], hidden: int = 256
    ) -> None:
        super().__init__()
        self.to_points = nn.Conv2d(width, points, 7, padding=3)
        cells = grid[0] * grid[1]
        self.embed = nn.Sequential(nn.RMSNorm(cells, eps=1e-5), nn.Linear(cells, hidden, bias=False))
        self.attention = GatedAttention(hidden)
        self.to_x = nn.Linear(hidden, bins[0], bias=False)
        self.to_y = nn.Linear(hidden, bins[1], bias=False)

    def forward(self, features: Float[Tensor, "batch width rows columns"]) -> SimCC:
        points = self.attention(self.embed(self.to_points(features).flatten(2)))
        return SimCC(self.to_x(points), self.to_y(points))
