"""Limb status from the 25 keypoints, and its fusion with BPAC-Net's. No torch.

A level (intact, foot or hand lost, knee or elbow, hip or shoulder) says which of a limb's four points exist::

                        knee/elbow   ankle/wrist   end above   end below
    intact                   1            1            0           0
    foot, hand               1            0            0           1
    knee, elbow              0            0            1           0
    hip, shoulder            0            0            0           0

With a presence head the log likelihood of a level is the sum of the points' log probabilities, times a weight fitted
on held-out people (`LimbCalibration`). Peaks of heat maps alone cannot tell a lost point from a covered one, so there
the highest of ankle, end below and end above is taken, blurred towards "all levels alike" the lower it is, and hips
and shoulders are never called lost.

Two witnesses of one picture are no independent ones, so their log odds are pooled with weights (a logarithmic
opinion pool): with 0.5 and 0.5 two that agree are as sure as their mean, never surer. `fit_fusion` finds the weights
on held-out people, where sums above 1 may turn out right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int
from scipy.optimize import minimize

from ajahr.anatomy import NUM_LEVELS, NUM_LIMBS
from ajahr.data.ldpose import ABOVE, BELOW, DISTAL, LIMB_POINTS, presence_of_levels
from ajahr.errors import UserError
from ajahr.keypoints.calibration import LimbCalibration

PATTERNS: np.ndarray = presence_of_levels(np.arange(NUM_LEVELS)[:, None].repeat(NUM_LIMBS, 1))[
    :, LIMB_POINTS[0]
].astype(np.float64)
"""(level 4, point 4): which of a limb's points exist at each level."""
PATTERNS.setflags(write=False)
_PEAK_TEMPERATURE = 0.1
_LEAST = 1e-3
"""No single witness rules a level out further than this."""


@dataclass(frozen=True)
class FusionWeights:
    """How much each witness is believed; 1 is "as it says itself"."""

    bpac: float = 0.5
    keypoints: float = 0.5

    def __post_init__(self) -> None:
        if not (np.isfinite([self.bpac, self.keypoints]).all() and min(self.bpac, self.keypoints) >= 0):
            raise UserError("weights of a fusion are finite and 0 or more")


def from_presence(
    presence: Float[np.ndarray, "people 25"], calibration: LimbCalibration | None = None
) -> Float64[np.ndarray, "people limbs=4 levels=4"]:
    """Probabilities of the levels from the probabilities that the points exist; even ones where any is NaN."""
    calibration = calibration or LimbCalibration()
    return _softmax(calibration.weight * limb_evidence(presence) + np.array(calibration.bias))


def limb_evidence(
    presence: Float[np.ndarray, "people 25"],
) -> Float64[np.ndarray, "people limbs=4 levels=4"]:
    """Log likelihood of each level, not weighted; 0 for a limb of which a presence is NaN."""
    chances = np.clip(np.asarray(presence, np.float64)[:, LIMB_POINTS], 1e-4, 1 - 1e-4)
    evidence = np.log(chances) @ PATTERNS.T + np.log1p(-chances) @ (1 - PATTERNS.T)
    return np.where(np.isfinite(evidence), evidence, 0.0)


def from_scores(
    scores: Float[np.ndarray, "people 25"],
) -> Float64[np.ndarray, "people limbs=4 levels=4"]:
    """Probabilities of the levels from the points' scores, of a model without a presence head."""
    limb = np.clip(np.asarray(scores, np.float64)[:, LIMB_POINTS], 0, 1)
    rivals = limb[..., [DISTAL, BELOW, ABOVE]]
    told = np.concatenate([_softmax(rivals / _PEAK_TEMPERATURE), np.zeros((*rivals.shape[:-1], 1))], -1)
    sure = rivals.max(-1, keepdims=True)
    return sure * told + (1 - sure) / NUM_LEVELS


def fuse_status(
    bpac: Float[np.ndarray, "people limbs=4 levels=4"] | None,
    keypoints: Float[np.ndarray, "people limbs=4 levels=4"] | None,
    weights: FusionWeights | None = None,
) -> Float64[np.ndarray, "people limbs=4 levels=4"] | None:
    """Both witnesses as one; the only one as it is where there is one; None without any.

    A witness without an opinion (the same probability for all levels) moves nothing but the other's certainty.
    """
    if bpac is None or keypoints is None:
        only = keypoints if bpac is None else bpac
        return None if only is None else np.asarray(only, np.float64)
    weights = weights or FusionWeights()
    silent = np.ptp(np.asarray(keypoints, np.float64), axis=-1, keepdims=True) < 1e-6
    pooled = _softmax(weights.bpac * _log(bpac) + weights.keypoints * _log(keypoints))
    return np.where(silent, np.asarray(bpac, np.float64), pooled)


def fit_limbs(
    presence: Float[np.ndarray, "people 25"], levels: Int[np.ndarray, "people limbs=4"]
) -> LimbCalibration:
    """The weight and biases under which held-out levels are most likely; -1 is a limb nobody judged.

    A normal prior worth one more limb keeps a model that is never wrong from certainty, and levels that the data lack
    at no bias.

    Raises:
        UserError: nobody whose limbs are known.
    """
    evidence, truth = limb_evidence(presence).reshape(-1, NUM_LEVELS), np.asarray(levels).reshape(-1)
    evidence, truth = evidence[truth >= 0], truth[truth >= 0]
    if not len(truth):
        raise UserError("nobody whose limbs are known; fit on people with known limbs")
    rows = np.arange(len(truth))

    def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
        weight, bias = np.exp(x[0]), x[1:]
        chances = _softmax(weight * evidence + bias)
        value = -np.log(np.maximum(chances[rows, truth], 1e-300)).sum() + (x**2).sum() / 2
        slope = chances
        slope[rows, truth] -= 1
        gradient = np.concatenate([[weight * (slope * evidence).sum()], slope.sum(0)]) + x
        return float(value), gradient

    found = minimize(
        loss, np.zeros(1 + NUM_LEVELS), jac=True, method="L-BFGS-B", bounds=[(-4, 2)] + [(-6, 6)] * 4
    )
    bias = found.x[1:] - found.x[1]
    return LimbCalibration(
        float(np.exp(found.x[0])), (float(bias[0]), float(bias[1]), float(bias[2]), float(bias[3]))
    )


def fit_fusion(
    bpac: Float[np.ndarray, "people limbs=4 levels=4"],
    keypoints: Float[np.ndarray, "people limbs=4 levels=4"],
    levels: Int[np.ndarray, "people limbs=4"],
) -> FusionWeights:
    """The weights under which held-out levels are most likely; -1 is a limb nobody judged.

    Raises:
        UserError: nobody whose limbs are known.
    """
    truth = np.asarray(levels).reshape(-1)
    known = truth >= 0
    if not known.any():
        raise UserError("nobody whose limbs are known; fit on people with known limbs")
    logs = np.stack([_log(x).reshape(-1, NUM_LEVELS)[known] for x in (bpac, keypoints)])
    truth, rows = truth[known], np.arange(int(known.sum()))

    def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
        chances = _softmax(np.tensordot(x, logs, 1))
        value = -np.log(np.maximum(chances[rows, truth], 1e-300)).sum() + ((x - 0.5) ** 2).sum() / 2
        slope = chances
        slope[rows, truth] -= 1
        return float(value), (logs * slope).sum((1, 2)) + (x - 0.5)

    found = minimize(loss, np.full(2, 0.5), jac=True, method="L-BFGS-B", bounds=[(0, 4)] * 2)
    return FusionWeights(float(found.x[0]), float(found.x[1]))


def _log(probabilities: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(np.asarray(probabilities, np.float64), _LEAST))


def _softmax(logits: np.ndarray) -> np.ndarray:
    scaled = np.exp(logits - logits.max(-1, keepdims=True))
    return scaled / scaled.sum(-1, keepdims=True)
