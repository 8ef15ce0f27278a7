"""How sure a mean over people is, and whether two models differ: bootstrap over what is independent.

Frames of a sequence and people of a picture are drawn together (cluster bootstrap): drawn one by one, 35,515
frames of 24 sequences would make intervals many times too narrow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

RESAMPLES = 2000
LEVEL = 0.95
_BLOCK = 250


@dataclass(frozen=True)
class Interval:
    """A mean and its bootstrap percentile interval; NaN where there are fewer than two clusters to draw."""

    value: float
    low: float
    high: float
    people: int
    clusters: int


@dataclass(frozen=True)
class Paired:
    """Two models on the same people: B minus A, so that below zero B is better where less is better."""

    difference: Interval
    p_value: float
    """Two-sided: how often a resample's difference has the other sign, twice; at least 2 / (resamples + 1)."""
    better: float
    """Share of people of whom B's value is the lower one."""
    left_out: int
    """People measured by one model only, because the other's prediction is not finite."""


def clusters_of(names: Sequence[str]) -> Int[np.ndarray, " people"]:
    """Numbers 0.. of equal names."""
    return np.unique(np.asarray(names, dtype=object).astype(str), return_inverse=True)[1].reshape(-1)


def interval(
    values: Float[np.ndarray, " people"],
    clusters: Int[np.ndarray, " people"],
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> Interval:
    """Of the finite values' mean."""
    finite = np.isfinite(values)
    values, clusters = values[finite].astype(np.float64), clusters[finite]
    drawn, count = _means(values, clusters, resamples, seed)
    mean = float(values.mean()) if len(values) else float("nan")
    tails = (1 - level) / 2
    low, high = np.quantile(drawn, [tails, 1 - tails]) if count > 1 else (np.nan, np.nan)
    return Interval(mean, float(low), float(high), len(values), count)


def paired(
    a: Float[np.ndarray, " people"],
    b: Float[np.ndarray, " people"],
    clusters: Int[np.ndarray, " people"],
    measured: Bool[np.ndarray, " people"],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Paired:
    """Compare two models on the people both have a finite value of.

    Args:
        measured: People who could be measured at all.
    """
    both = np.isfinite(a) & np.isfinite(b) & measured
    difference = b[both].astype(np.float64) - a[both]
    drawn, count = _means(difference, clusters[both], resamples, seed)
    found = interval(difference, clusters[both], resamples=resamples, seed=seed)
    p_value = float("nan")
    if count > 1:
        beyond = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
        p_value = min(1.0, 2 * (beyond + 1) / (resamples + 1))
    better = float((difference < 0).mean()) if len(difference) else float("nan")
    return Paired(found, p_value, better, int((measured & (np.isfinite(a) != np.isfinite(b))).sum()))


def _means(
    values: Float[np.ndarray, " people"], clusters: Int[np.ndarray, " people"], resamples: int, seed: int
) -> tuple[Float[np.ndarray, " resamples"], int]:
    """Means of as many clusters drawn with replacement as there are; and how many there are."""
    if not len(values):
        return np.full(resamples, np.nan), 0
    numbers = np.unique(clusters, return_inverse=True)[1].reshape(-1)
    sizes = np.bincount(numbers).astype(np.float64)
    sums = np.bincount(numbers, values)
    rng = np.random.default_rng(seed)
    count = len(sizes)
    found = []
    for start in range(0, resamples, _BLOCK):
        picks = rng.integers(0, count, (min(_BLOCK, resamples - start), count))
        found.append(sums[picks].sum(1) / sizes[picks].sum(1))
    return np.concatenate(found), count
