"""Losses on heat maps and SimCC's vectors, and the students' distillation."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from ajahr.errors import UserError
from ajahr.keypoints.codec import SIMCC_BETA
from ajahr.keypoints.heads import SimCC


def heatmap_mse(
    predicted: Float[Tensor, "batch points rows columns"],
    target: Float[Tensor, "batch points rows columns"],
    weights: Float[Tensor, "batch points"],
    peak_weight: float = 0.0,
) -> Float[Tensor, ""]:
    """ViTPose's: squared error times the point's weight, mean over everything, points of weight 0 included.

    Args:
        peak_weight: each cell counts 1 + this x its target: a map is nearly all floor, and a net that learns from
            scratch stays long at the floor. ViTPose, which starts from learned weights, has 0.
    """
    error = (predicted.float() - target).square()
    if peak_weight:
        error = error * (1 + peak_weight * target)
    per_point = error.mean((2, 3))
    return (per_point * weights).mean()


def adaptive_wing(
    predicted: Float[Tensor, "*shape"],
    target: Float[Tensor, "*shape"],
    *,
    alpha: float = 2.1,
    omega: float = 14.0,
    epsilon: float = 1.0,
    theta: float = 0.5,
) -> Float[Tensor, "*shape"]:
    """Adaptive wing loss per cell (Wang et al., ICCV 2019), in float32.

    Near the target a logarithm whose exponent ``alpha - target`` makes errors at a peak cost more than on the
    background; beyond ``theta`` linear, joined without a step. Much-copied code divides by omega where epsilon
    belongs, and jumps there. Targets are at most 1: above it the gradient at 0 explodes.
    """
    predicted, target = predicted.float(), target.float()
    exponent = alpha - target
    ratio = theta / epsilon
    slope = omega * exponent * ratio ** (exponent - 1) / (epsilon * (1 + ratio**exponent))
    step = theta * slope - omega * torch.log1p(ratio**exponent)
    distance = (predicted - target).abs()
    near = distance < theta
    # the power's gradient at 0 is infinite for exponents below 1, which targets of at most 1 do not have; what the
    # linear branch uses must still not reach it
    close = torch.where(near, distance, theta)
    return torch.where(near, omega * torch.log1p((close / epsilon) ** exponent), slope * distance - step)


def simcc_loss(
    predicted: SimCC, target: SimCC, weights: Float[Tensor, "batch points"], beta: float = SIMCC_BETA
) -> Float[Tensor, ""]:
    """RTMPose's: KL divergence of softmax(beta x predicted) from softmax(beta x target), of x plus of y."""
    total = weights.new_zeros(())
    for found, wanted in zip(predicted, target, strict=True):
        log_found = F.log_softmax(beta * found.float(), -1)
        wanted = (beta * wanted.float()).softmax(-1)
        divergence = F.kl_div(log_found, wanted, reduction="none").mean(-1)
        total = total + (divergence * weights).mean()
    return total


def absent_points(presence: Int[Tensor, "batch points"]) -> Bool[Tensor, "batch points"]:
    """Points known not to exist: their maps may be taught to be empty, and no teacher is heard about them."""
    return presence == 0


class DistillationLoss(nn.Module):
    """(1 - a) AWing(student, labels) + a AWing(student, teacher), mean over the points each term knows.

    Labels count where a point is labelled. The teacher counts where its peak passes ``min_peak``, so it fills in what
    nobody labelled, but never where a limb is known to be absent: a teacher trained on intact people paints one
    there. A teacher of 17 points speaks for the first 17 channels only.

    Args:
        teacher_share: a, the paper's 0.7.
        min_peak: of the teacher's map.
        absent_weight: teach points known to be absent an empty map, by this share of a label's weight; the paper
            has none.
    """

    def __init__(self, teacher_share: float = 0.7, min_peak: float = 0.1, absent_weight: float = 0.0) -> None:
        super().__init__()
        if not 0 <= teacher_share <= 1:
            raise UserError(f"teacher_share is {teacher_share}; give 0..1")
        self.teacher_share, self.min_peak, self.absent_weight = teacher_share, min_peak, absent_weight

    def forward(
        self,
        student: Float[Tensor, "batch points rows columns"],
        target: Float[Tensor, "batch points rows columns"],
        weights: Float[Tensor, "batch points"],
        presence: Int[Tensor, "batch points"],
        teacher: Float[Tensor, "batch taught rows columns"] | None,
    ) -> Float[Tensor, ""]:
        """The loss.

        Args:
            target: labels' maps, empty where there is no label.
            weights: of the labels' points; 0 without a label.
            presence: 1, 0, or -1 where it is not known.
            teacher: its maps; None only with a teacher_share of 0.
        """
        share = self.teacher_share
        absent = absent_points(presence)
        weights = torch.where(absent & (weights == 0), self.absent_weight, weights)
        total = (1 - share) * _mean_over(adaptive_wing(student, target).mean((2, 3)), weights)
        if share == 0:
            return total
        assert teacher is not None, "a teacher's share above 0 needs its maps"
        taught = teacher.shape[1]
        believed = (teacher.flatten(2).amax(-1) > self.min_peak) & ~absent[:, :taught]
        wing = adaptive_wing(student[:, :taught], teacher.detach().clamp(0, 1)).mean((2, 3))
        return total + share * _mean_over(wing, believed.float())


def _mean_over(losses: Tensor, weights: Tensor) -> Tensor:
    return (losses * weights).sum() / weights.sum().clamp_min(1)
