"""LDLoss (LDPose, ICCV 2025): three losses carry this name, and all three are here.

``algorithm1``  as the paper prints it: two-class cross-entropy of every limb point, absent or present. Nothing in it
                couples a joint with the residual end that replaces it; with logits (0, u) it is BCE on u.
``released``    what the authors' development code runs: one softmax over the sixteen limb points of a person,
                against the multi-hot, un-normalised set of labelled ones.
``pairwise``    ours: a contrast inside each pair (joint, residual end), for pairs whose labels are known and
                differ. What is not known has no gradient.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from ajahr.data.ldpose import PAIRS
from ajahr.errors import UserError

LDLossForm = Literal["algorithm1", "released", "pairwise"]
START_WEIGHTS: dict[str, float] = {"algorithm1": 1e-3, "released": 1e-4, "pairwise": 1e-3}
"""Weights to start from beside a mean-squared heat-map loss (of order 1e-3). The paper names none."""
PEAK_TEMPERATURE = 0.1
"""Of ``pairwise`` on heat-map peaks in [0, 1]: at temperature 1 it could not fall below 0.313."""


def algorithm1_loss(
    logits: Float[Tensor, "batch points classes=2"],
    present: Bool[Tensor, "batch points"],
    pairs: tuple[tuple[int, int], ...] = PAIRS,
    known: Bool[Tensor, "batch points"] | None = None,
) -> Float[Tensor, ""]:
    """Algorithm 1: mean cross-entropy of absent (class 0) against present (class 1) over the pairs' points.

    Args:
        present: labelled points. As printed the loss knows no "unknown": what has no label is absent.
        known: leave the others out. Not in the paper.
    """
    limb = torch.tensor(pairs, device=logits.device).flatten()
    losses = F.cross_entropy(
        logits[:, limb].flatten(0, 1), present[:, limb].flatten().long(), reduction="none"
    )
    if known is None:
        return losses.mean()
    weights = known[:, limb].flatten().to(losses.dtype)
    return (losses * weights).sum() / weights.sum().clamp_min(1)


def released_loss(
    scores: Float[Tensor, "batch points"],
    present: Bool[Tensor, "batch points"],
    pairs: tuple[tuple[int, int], ...] = PAIRS,
) -> Float[Tensor, ""]:
    """The development code's: sum over labelled limb points of -log softmax over all of them, mean over people.

    An intact person with eight labelled joints starts near 8 ln 16 = 22.2, hence the small weight.
    """
    limb = torch.tensor(pairs, device=scores.device).flatten()
    log_softmax = F.log_softmax(scores[:, limb], 1)
    return -(present[:, limb].to(scores.dtype) * log_softmax).sum(1).mean()


def pairwise_loss(
    scores: Float[Tensor, "batch points"],
    presence: Int[Tensor, "batch points"],
    temperature: float = 1.0,
    pairs: tuple[tuple[int, int], ...] = PAIRS,
) -> Float[Tensor, ""]:
    """Contrast inside each pair of which exactly one point exists.

    Args:
        scores: presence logits (temperature 1), or heat-map peaks (`PEAK_TEMPERATURE`).
        presence: 1, 0, or -1 where it is not known (`ajahr.data.ldpose.presence_targets`).

    Returns:
        One mean over all valid pairs of the batch; 0, with a graph, where there is none.
    """
    index = torch.tensor(pairs, device=scores.device)
    target = presence[:, index]  # (batch, pair, 2)
    valid = (target >= 0).all(-1) & (target[..., 0] != target[..., 1])
    # -log softmax of the right one of two is softplus(wrong - right)
    difference = (scores[:, index[:, 0]] - scores[:, index[:, 1]]) / temperature
    wrong_minus_right = torch.where(target[..., 0] > target[..., 1], -difference, difference)
    losses = F.softplus(torch.where(valid, wrong_minus_right, 0))
    return torch.where(valid, losses, 0).sum() / valid.sum().clamp_min(1)


class LDLoss(nn.Module):
    """One of the three forms, weighted.

    Args:
        form: which one.
        weight: factor; None is `START_WEIGHTS`.
        temperature: of ``pairwise``; None takes 1 for presence logits and `PEAK_TEMPERATURE` for peaks.
    """

    def __init__(
        self, form: LDLossForm = "pairwise", weight: float | None = None, temperature: float | None = None
    ) -> None:
        super().__init__()
        if temperature is not None and temperature <= 0:
            raise UserError(f"the temperature of LDLoss is {temperature}; give a number above 0")
        self.form: LDLossForm = form
        self.weight = START_WEIGHTS[form] if weight is None else weight
        self.temperature = temperature

    def forward(
        self,
        peaks: Float[Tensor, "batch points"],
        presence_logits: Float[Tensor, "batch points classes=2"] | None,
        labelled: Bool[Tensor, "batch points"],
        presence: Int[Tensor, "batch points"],
    ) -> Float[Tensor, ""]:
        """The weighted loss in float32.

        Args:
            peaks: highest value of each heat map, or the smaller of a SimCC head's two.
            presence_logits: of a presence head, absent and present; ``algorithm1`` needs one, ``pairwise``
                takes it where there is one.
            labelled: visibility above 0.
            presence: 1, 0, or -1 where it is not known.
        """
        with torch.autocast(peaks.device.type, enabled=False):
            if self.form == "released":
                return self.weight * released_loss(peaks.float(), labelled)
            if self.form == "algorithm1":
                if presence_logits is None:
                    raise UserError(
                        "LDLoss algorithm1 needs a presence head; set model.presence to pool, keypoint or body"
                    )
                return self.weight * algorithm1_loss(presence_logits.float(), labelled)
            if presence_logits is None:
                scores, temperature = peaks.float(), self.temperature or PEAK_TEMPERATURE
            else:
                logits = presence_logits.float()
                scores, temperature = logits[..., 1] - logits[..., 0], self.temperature or 1.0
            return self.weight * pairwise_loss(scores, presence, temperature)


def presence_loss(
    logits: Float[Tensor, "batch points classes=2"], presence: Int[Tensor, "batch points"]
) -> Float[Tensor, ""]:
    """Mean cross-entropy of the presence head over the points whose presence is known; 0 if none is."""
    known = (presence >= 0).flatten()
    losses = F.cross_entropy(
        logits.float().flatten(0, 1), presence.clamp_min(0).flatten().long(), reduction="none"
    )
    return (losses * known).sum() / known.sum().clamp_min(1)
