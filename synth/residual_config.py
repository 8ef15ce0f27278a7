"""The keys of a generation job that say where in a bone limbs end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

LOWEST = 0.02
"""Nearer to the joint a limb is lost at the joint."""


@dataclass
class ResidualConfig:
    """Limbs that end inside a bone, cut and closed, beside those that shrink onto a joint.

    What such a limb is called is what it would be at the joint below: who has lost half a forearm has lost a hand.

    Attributes:
        share: Of the limbs lost at the first or second joint (hand and elbow, foot and knee), the share that end
            inside the bone above. 0: all end at joints.
        lambda_range: Least and largest lambda, the lost share of the bone: 0 at its lower joint, 1 at its upper one.
            Thighs and upper arms end below the highest that can be cut clear of the trunk, whatever stands here.
        distribution: ``uniform`` over the range; or ``clinical``, about where surgeons cut, most shanks between a
            third and a half of their length, and still inside the range.
    """

    share: float = 0.0
    lambda_range: list[float] = field(default_factory=lambda: [0.1, 0.85])
    distribution: Literal["uniform", "clinical"] = "uniform"

    def problems(self) -> list[tuple[bool, str]]:
        """Pairs of whether a key is wrong and what to say about it."""
        low, high = [*self.lambda_range, -1.0, -1.0][:2]
        return [
            (not 0 <= self.share <= 1, "residual.share is a share, 0..1"),
            (len(self.lambda_range) != 2 or not LOWEST <= low <= high <= 0.95,
             f"residual.lambda_range takes two numbers, {LOWEST} <= least <= largest <= 0.95"),
            (low > min(HIGHEST.values()),
             f"residual.lambda_range begins above {min(HIGHEST.values())}, the highest a thigh can be cut"),
        ]  # fmt: skip


HIGHEST = {"thigh": 0.7, "upper arm": 0.74}
"""Largest lambda of a tip: somewhat higher the trunk bounds the cut instead of the plane
(`ajahr.residual_limb.surface.HIGHEST` holds for the plane, which lies half a radius higher)."""
CLINICAL = {"shank": (0.6, 0.1), "thigh": (0.4, 0.13), "forearm": (0.45, 0.18), "upper arm": (0.42, 0.16)}
"""Mean and standard deviation of lambda. Transtibial limbs keep a third to a half of the shank, transfemoral ones
most of the thigh's middle; arms are cut anywhere."""
