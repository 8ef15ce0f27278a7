"""What the picture shows along each limb: the finer map, looked at where the keypoints say a limb is.

Ours. A convolution must first find the limb whose end it judges; a detector has found it already. Each limb is looked
at in six places, from the trunk outwards: its three keypoints, the middles of its two bones, and beyond its last
keypoint, where hand or foot would be.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ajahr.anatomy import NUM_LIMBS
from ajahr.data.hmr.detector_noise import CHAINS
from ajahr.geometry.crops import CROP_ASPECT, CROP_SIZE

LOOKS = 32
"""Numbers of each limb."""
_KEPT = 24
"""Channels kept of each place."""
_HIDDEN = 64
_PLACES = 6
_BEYOND = 0.3
"""How far hand or foot lies beyond wrist or ankle, in lengths of the bone before it."""
_HALF_WIDTH = CROP_ASPECT[0] / CROP_SIZE / 2
"""Of the columns the backbone sees, crop units."""


class LimbLooks(nn.Module):
    """Few channels of every place of a limb, side by side, through two layers that all limbs share.

    Args:
        detail_width: channels of the finer map.
    """

    def __init__(self, detail_width: int) -> None:
        super().__init__()
        self.narrow = nn.Linear(detail_width, _KEPT)
        self.hidden = nn.Linear(_PLACES * (_KEPT + 1), _HIDDEN)
        self.limb = nn.Parameter(torch.zeros(NUM_LIMBS, _HIDDEN))  # which one it is
        self.out = nn.Linear(_HIDDEN, LOOKS)

    def forward(
        self,
        detail: Float[Tensor, "batch detail_width rows columns"],
        points: Float[Tensor, "batch coco12=12 xy=2"],
        drawn: Bool[Tensor, "batch coco12=12"],
    ) -> Float[Tensor, "batch limbs=4 looks"]:
        """
        Args:
            detail: the backbone's finer map.
            points: keypoints in crop units; of those that are not drawn, anything (NaN too).
            drawn: which keypoints there are. A place without its keypoints, or outside the columns the backbone sees,
                is zeros, and a flag says so.
        """
        places, seen = limb_places(points, drawn)
        share = cell_shares(places, seen, (detail.shape[2], detail.shape[3])).flatten(1, 2)
        cells = detail.permute(0, 2, 3, 1).flatten(1, 2)
        flag = seen[..., None].to(detail.dtype)
        found = F.gelu(self.narrow(share.to(cells.dtype) @ cells)).unflatten(1, (NUM_LIMBS, _PLACES)) * flag
        hidden = self.hidden(torch.cat((found, flag.to(found.dtype)), -1).flatten(2))
        return F.gelu(self.out(F.gelu(hidden + self.limb)))


def limb_places(
    points: Float[Tensor, "batch coco12=12 xy=2"], drawn: Bool[Tensor, "batch coco12=12"]
) -> tuple[Float[Tensor, "batch limbs=4 places=6 xy=2"], Bool[Tensor, "batch limbs=4 places=6"]]:
    """Where limbs are looked at, crop units, and where there is something to look at.

    In the order: three keypoints, two middles, hand or foot; finite everywhere.
    """
    points = torch.where(drawn[..., None], points, 0.0)
    first, second, last = points[:, CHAINS].unbind(2)
    has = drawn[:, CHAINS]
    beyond = last + _BEYOND * (last - second)
    places = torch.stack((first, second, last, (first + second) / 2, (second + last) / 2, beyond), 2)
    upper, lower = has[..., 0] & has[..., 1], has[..., 1] & has[..., 2]
    known = torch.cat((has, torch.stack((upper, lower, lower), -1)), -1)
    inside = (places[..., 0].abs() <= _HALF_WIDTH) & (places[..., 1].abs() <= 0.5)
    return places, known & inside


def cell_shares(
    places: Float[Tensor, "*batch xy=2"], seen: Bool[Tensor, "*batch"], grid: tuple[int, int]
) -> Float[Tensor, "*batch cells"]:
    """Bilinear: the share of each cell, row by row, in what a place shows; none of those not seen."""
    rows, columns = grid
    across = _hat((places[..., 0] / (2 * _HALF_WIDTH) + 0.5) * columns, columns)
    down = _hat((places[..., 1] + 0.5) * rows, rows) * seen[..., None]
    return (down[..., :, None] * across[..., None, :]).flatten(-2)


def _hat(place: Float[Tensor, "*batch"], cells: int) -> Float[Tensor, "*batch cells"]:
    """Shares of cells whose centres are at 0.5, 1.5, ...; beyond the outer centres the outer cell has all."""
    place = (place - 0.5).clamp(0, cells - 1)
    centres = torch.arange(cells, device=place.device, dtype=place.dtype)
    return (1 - (place[..., None] - centres).abs()).clamp(min=0)
