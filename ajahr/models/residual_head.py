"""Where residual limbs end, in one pass: lambda of each segment with its standard deviation.

ResiHMR finds lambda by optimisation, from an image point of the end; here it is regressed, because generated data
know it. Lambda says where a limb ends *if* it ends in that segment; whether it does is BPAC-Net's to say.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ajahr.models.point_reader import PointMixer
from ajahr.residual_limb.segments import SEGMENTS

STD_RANGE = (0.01, 0.5)
"""Standard deviations of lambda that can be said: 3 mm of a shank, and more than that of any lambda (0.29)."""


class Residual(NamedTuple):
    """Of `SEGMENTS`."""

    fraction: Float[Tensor, "batch segments=8"]
    """Lambda, 0..1."""
    log_std: Float[Tensor, "batch segments=8"]
    """As learned."""
    std: Float[Tensor, "batch segments=8"]
    """Calibrated."""


class ResidualHead(nn.Module):
    """Two layers over the decoder's token and BPAC-Net's, and over the 25 points where a backbone tells them.

    Args:
        width: Of the decoder's token.
        bpac_width: Of BPAC-Net's; 0 without it.
        hears_points: Whether it is told what the backbone says of the 25 points: an end among its joints is most of
            what a length is read from, and tokens that serve a pose keep little of it.
    """

    std_scale: Float[Tensor, "segments=8"]
    """Multiplies each standard deviation so that it is the errors'; fitted by `models.calibration`."""

    def __init__(self, width: int, bpac_width: int, *, hears_points: bool = False) -> None:
        super().__init__()
        self.token_norm = nn.LayerNorm(width)
        self.bpac_norm = nn.LayerNorm(bpac_width) if bpac_width else None
        self.hidden = nn.Linear(width + bpac_width, width)
        self.points = PointMixer(width) if hears_points else None
        self.out = nn.Linear(width, 2 * len(SEGMENTS))
        nn.init.xavier_uniform_(
            self.out.weight, gain=0.01
        )  # so that learning starts at the middle of every bone
        nn.init.zeros_(self.out.bias)
        self.register_buffer("std_scale", torch.ones(len(SEGMENTS)))

    def forward(
        self,
        token: Float[Tensor, "batch width"],
        bpac_token: Float[Tensor, "batch bpac_width"] | None = None,
        points: Float[Tensor, "batch numbers=100"] | None = None,
    ) -> Residual:
        """
        Args:
            bpac_token: BPAC-Net's, where there is one.
            points: What `PointReader` reads, where it hears it.
        """
        seen = self.token_norm(token)
        if self.bpac_norm is not None:
            assert bpac_token is not None
            seen = torch.cat((seen, self.bpac_norm(bpac_token).to(seen.dtype)), -1)
        hidden = self.hidden(seen)
        if self.points is not None:
            assert points is not None
            hidden = hidden + self.points(points).to(hidden.dtype)
        raw = self.out(nn.functional.gelu(hidden)).float()
        fraction, spread = raw.unflatten(-1, (2, len(SEGMENTS))).unbind(1)
        low, high = (math.log(end) for end in STD_RANGE)
        # a sigmoid between the two ends: unlike a clamp it has a gradient everywhere
        log_std = low + (high - low) * (spread + 1.5).sigmoid()  # 0.25 at first
        return Residual(fraction.sigmoid(), log_std, log_std.exp() * self.std_scale)
