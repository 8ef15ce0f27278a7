"""Heads of 25-keypoint models that the regressor has too: heat maps of a backbone with a stem, presence of points.

Sources: LDPose (presence); the rest is ours.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

PresenceKind = Literal["none", "pool", "keypoint", "body"]
"""``pool``: one linear layer on the mean feature. ``keypoint``: features averaged where the point's own heat map
looks, and a small net all points share. ``body``: few numbers of those features and the peaks of all points' maps
side by side, so that a hand is missed where the forearm ends."""


_SHUFFLE = 4
_KEPT, _HIDDEN = 24, 256
"""Of the ``body`` presence head: numbers kept of each point's features, and its hidden layer."""


class ShuffleHead(nn.Sequential):
    """Ours, for a backbone with a stem: every cell of its finer map says its own 4 x 4 cells of the heat maps.

    A twentieth of the classic head's products.
    """

    def __init__(self, width: int, points: int, channels: int = 96) -> None:
        super().__init__(
            nn.Conv2d(width, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, points * _SHUFFLE**2, 1),
            nn.PixelShuffle(_SHUFFLE),
        )


class PresenceHead(nn.Module):
    """Does each point exist on this person? Two logits per point, absent and present."""

    def __init__(self, width: int, points: int, kind: Literal["pool", "keypoint", "body"] = "pool") -> None:
        super().__init__()
        self.kind, self.points = kind, points
        if kind == "pool":
            self.net: nn.Module = nn.Linear(width, 2 * points)
        elif kind == "keypoint":
            self.net = nn.Sequential(nn.Linear(width, 64), nn.ReLU(inplace=True), nn.Linear(64, 2))
        else:
            self.narrow = nn.Linear(width, _KEPT)
            self.net = nn.Sequential(
                nn.Linear(points * (_KEPT + 1), _HIDDEN),
                nn.ReLU(inplace=True),
                nn.Linear(_HIDDEN, 2 * points),
            )

    def forward(
        self,
        features: Float[Tensor, "batch width rows columns"],
        heatmaps: Float[Tensor, "batch points height width_"] | None = None,
    ) -> Float[Tensor, "batch points classes=2"]:
        """Logits. ``keypoint`` and ``body`` need the heat maps, of any size."""
        if self.kind == "pool":
            return self.net(features.mean((2, 3))).unflatten(1, (self.points, 2))
        assert heatmaps is not None, f"a presence head of kind {self.kind} needs heat maps"
        # a peak of 1 against a floor of 0 must weigh: the maps are no logits
        small = F.adaptive_max_pool2d(heatmaps.detach(), features.shape[-2:]).flatten(2)
        attention = (small / 0.1).softmax(-1)
        looked_at = attention @ features.flatten(2).transpose(1, 2)
        if self.kind == "keypoint":
            return self.net(looked_at)
        peaks = small.amax(-1, keepdim=True).to(looked_at.dtype)
        seen = torch.cat((F.relu(self.narrow(looked_at)), peaks), -1)
        return self.net(seen.flatten(1)).unflatten(1, (self.points, 2))
