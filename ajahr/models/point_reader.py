"""The 25 points a small backbone has learned, as numbers for the regressor: where each is, how sure, whether it exists.

Ours. A published regressor has a large ViT and millions of pictures to find places in tokens by attention. A small
one starts from a model that was taught the 25 points (`first.keypoints`), and throwing its answer away would mean to
learn it again from the far weaker signal of 3D poses. So its two heads stay, and what they say is read.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ajahr.anatomy import LDPOSE25
from ajahr.models.point_heads import PresenceHead, ShuffleHead

NUM_POINTS = len(LDPOSE25)
NUMBERS = 4 * NUM_POINTS
"""What is read: x, y, peak and presence of each point."""
_SURE = 4.0
"""Logits of presence beyond it say nothing more."""


class PointReader(nn.Module):
    """Heat maps and presence heads of `ajahr.keypoints`' 25-point models, and what they say.

    Args:
        width: Channels of the backbone's finer map.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.head: nn.Module = ShuffleHead(width, NUM_POINTS)
        self.presence_head = PresenceHead(width, NUM_POINTS, "body")

    def forward(self, detail: Float[Tensor, "batch width 16 12"]) -> Float[Tensor, "batch numbers=100"]:
        """Place (crop units of what the backbone sees, -0.5..0.5; 0 for a flat map), peak and presence (-1..1)."""
        heatmaps = self.head(detail)
        presence = self.presence_head(detail, heatmaps).float()
        maps = (
            heatmaps.contiguous().float().clamp(min=0)
        )  # each map by itself: sums take a quarter of the time
        peaks = maps.flatten(2).amax(2)
        # to the fourth: a floor of a twentieth of the peak then weighs nothing
        weights = (maps / peaks.clamp(min=1e-3)[..., None, None]).square().square()
        across, down = weights.sum(2), weights.sum(3)
        total = across.sum(2).clamp(min=1e-6)
        rows, columns = maps.shape[2:]
        y, x = (
            (torch.arange(n, device=maps.device, dtype=maps.dtype) + 0.5) / n - 0.5 for n in (rows, columns)
        )
        places = torch.stack(((across * x).sum(2), (down * y).sum(2)), -1) / total[..., None]
        certainty = peaks.clamp(max=1)
        exists = (presence[..., 1] - presence[..., 0]).clamp(-_SURE, _SURE) / _SURE
        read = torch.cat((places * certainty[..., None], certainty[..., None], exists[..., None]), -1)
        return read.flatten(1)


class PointMixer(nn.Module):
    """From what is read to features: two layers.

    Args:
        width: Of the result.
        hidden: Of the layer between.
    """

    def __init__(self, width: int, hidden: int = 256) -> None:
        super().__init__()
        self.hidden, self.out = nn.Linear(NUMBERS, hidden), nn.Linear(hidden, width)

    def forward(self, read: Float[Tensor, "batch numbers=100"]) -> Float[Tensor, "batch width"]:
        return self.out(F.gelu(self.hidden(read)))
