"""Rates of `DetectorNoise` measured from a detector's keypoints of people whose truth is known.

Our generated pictures give the truth, limb losses included; any detector of COCO keypoints gives the rest. The
rates are those under which the patterns of reported keypoints are likeliest, by the very model that draws them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import minimize
from scipy.special import expit, softmax

from ajahr.data.hmr.detector_noise import CHAINS, OPPOSITE, DetectorNoise, pattern_distribution
from ajahr.errors import UserError

_FEWEST = 30
"""Limbs of a kind from which rates are taken."""
_MAD = 0.6745
"""Median absolute deviation of a standard normal."""


def measured_rates(
    found: Float[np.ndarray, "people coco12=12 3"],
    truth: Float[np.ndarray, "people coco12=12 3"],
    absent: Bool[np.ndarray, "people coco12=12"],
    covered: Bool[np.ndarray, "people coco12=12"],
    base: DetectorNoise | None = None,
) -> DetectorNoise:
    """Rates at which a detector hallucinates, misses, jitters and swaps.

    An amputated limb that changed sides with its whole opposite cannot be told from a hallucinated one and counts
    as that.

    Args:
        found: the detector's keypoints, crop units and confidence; confidence 0: not reported, or below the
            threshold prediction uses.
        truth: crop units and confidence; confidence 0: no label.
        absent: taken by an amputation.
        covered: hidden in the picture; such limbs tell `covered_missed` only.
        base: gives what is not measured here: where hallucinated keypoints lie.

    Raises:
        UserError: fewer than 30 whole or 30 amputated limbs in sight.
    """
    base = base or DetectorNoise()
    seen, labelled = found[..., 2] > 0, (truth[..., 2] > 0) & ~absent
    swapped, comparable = _swapped(found, truth, labelled)
    in_sight = ((labelled & ~covered) | absent)[:, CHAINS].all(-1) & ~swapped
    level = absent[:, CHAINS].sum(-1)
    patterns = (seen[:, CHAINS] << np.arange(CHAINS.shape[1])).sum(-1)
    counts = np.stack([np.bincount(patterns[in_sight & (level == n)], minlength=8) for n in range(4)])
    whole, amputated = int(counts[0].sum()), int(counts[1:].sum())
    if min(whole, amputated) < _FEWEST:
        raise UserError(
            f"{whole} whole and {amputated} amputated limbs in sight; rates need {_FEWEST} of each: "
            "more pictures"
        )
    measured = _likeliest(counts, base)
    plain = labelled & seen & ~covered
    plain[:, CHAINS] &= ~swapped[..., None]
    hidden = labelled & covered
    return replace(
        measured,
        jitter=float(np.median(np.abs((found - truth)[plain][:, :2])) / _MAD),
        swap=float(swapped[comparable].mean()) if comparable.any() else base.swap,
        covered_missed=float((~seen)[hidden].mean()) if hidden.sum() >= _FEWEST else base.covered_missed,
        confidence=_range(found[plain][:, 2], base.confidence),
        hallucinated_confidence=_range(found[absent & seen][:, 2], base.hallucinated_confidence),
    )


def _likeliest(counts: np.ndarray, base: DetectorNoise) -> DetectorNoise:
    """From (level 4, pattern 8) counts, by maximum likelihood."""

    def rates(x: np.ndarray) -> DetectorNoise:
        hallucinated, ends = softmax([*x[:2], 0.0]), softmax([*x[2:5], 0.0])
        lengths = ends[:3] / ends[:3].sum()
        return replace(
            base,
            mode="detector",
            hallucinate_all=float(hallucinated[0]),
            hallucinate_first=float(hallucinated[1]),
            end_missed=float(ends[:3].sum()),
            end_lengths=(float(lengths[0]), float(lengths[1]), float(lengths[2])),
            missed=float(expit(x[5])),
        )

    def surprise(x: np.ndarray) -> float:
        config = rates(x)
        chances = np.stack([pattern_distribution(config, level) for level in range(4)])
        return -float((counts * np.log(chances + 1e-9)).sum())

    start = np.array([0.5, -1.0, -2.0, -2.5, -3.5, -3.0])
    best = minimize(surprise, start, method="L-BFGS-B", bounds=[(-8.0, 8.0)] * len(start))
    return rates(best.x)


def _swapped(found: np.ndarray, truth: np.ndarray, labelled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(people, limbs): which are reported closer to the opposite limb's truth, and of which that can be told."""
    here, there = found[:, CHAINS, :2], truth[:, CHAINS, :2]
    own = np.linalg.norm(here - there, axis=-1).mean(-1)
    other = np.linalg.norm(here - there[:, OPPOSITE], axis=-1).mean(-1)
    whole = (labelled & (found[..., 2] > 0))[:, CHAINS].all(-1)
    whole = np.asarray(whole)
    comparable = whole & whole[:, OPPOSITE]
    crossed = np.asarray(other < own)
    return comparable & crossed & crossed[:, OPPOSITE], comparable


def _range(values: np.ndarray, otherwise: tuple[float, float]) -> tuple[float, float]:
    """Between which nine tenths of the confidences lie."""
    if len(values) < _FEWEST:
        return otherwise
    low, high = np.quantile(values, (0.05, 0.95))
    return float(low), float(high)
