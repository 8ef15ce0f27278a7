"""What every keypoint model returns."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from ajahr.keypoints.heads import SimCC


class KeypointOutput(NamedTuple):
    """Of a batch of crops. Either heat maps or SimCC's vectors, and presence logits where there is a head."""

    heatmaps: Float[Tensor, "batch points rows columns"] | None = None
    simcc: SimCC | None = None
    presence_logits: Float[Tensor, "batch points classes=2"] | None = None

    @property
    def peaks(self) -> Float[Tensor, "batch points"]:
        """Highest value of each map, or the smaller of SimCC's two; about 1 where the model is sure."""
        if self.heatmaps is not None:
            return self.heatmaps.flatten(2).amax(-1)
        assert self.simcc is not None
        return self.simcc.x.amax(-1).minimum(self.simcc.y.amax(-1))

    @property
    def presence(self) -> Float[Tensor, "batch points"] | None:
        """Probability that each point exists; None without a presence head."""
        return None if self.presence_logits is None else self.presence_logits.float().softmax(-1)[..., 1]

    @property
    def scores(self) -> Float[Tensor, "batch points"]:
        """Confidence of each point: its peak, times its presence where that is known."""
        peaks, presence = self.peaks, self.presence
        return peaks if presence is None else peaks * presence
