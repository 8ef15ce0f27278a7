"""Limb status and residual lengths over time. Anatomy does not change from frame to frame, so neither may the answer.

Frames are evidence: the logarithms of their calibrated probabilities add up. But neighbouring frames are no
independent witnesses: a new look is counted every `SPACING` frames, and a long video is worth `LOOKS` of them
at most, since the network may be wrong about a person in the same way all the time. So a dozen frames that say
the same are hardly surer than one.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int64

from ajahr.anatomy import NUM_LEVELS, NUM_LIMBS

SPACING = 10
"""Frames, a third of a second, after which a person is seen anew."""
LOOKS = 10
_LEAST = 1e-3
"""No single frame rules a level out further than this, or is surer of a lambda."""


def fuse(
    probabilities: Float[np.ndarray, "frames limbs=4 levels=4"],
    weights: Float[np.ndarray, " frames"] | None = None,
) -> Float[np.ndarray, "limbs=4 levels=4"]:
    """Probabilities of one person's limbs from all frames, early and late alike.

    Args:
        weights: how much each frame is to be believed, relative to the others; all alike when None.
    """
    count = len(probabilities)
    weights = np.ones(count) if weights is None or not weights.sum() > 0 else weights
    mean = np.tensordot(weights / weights.sum(), _log(probabilities), 1)
    return _normalised(_worth(count) * mean)


def fuse_fractions(
    fractions: Float[np.ndarray, " frames"],
    sds: Float[np.ndarray, " frames"],
    weights: Float[np.ndarray, " frames"] | None = None,
) -> tuple[float, float]:
    """Lambda of one residual limb, and its standard deviation, from all frames: their median, the surer the heavier.

    The spread is that of one frame, or what the frames differ by if that is more, over as many independent looks
    as they are worth.

    Args:
        sds: of the frames' lambdas.
        weights: how much each frame is to be believed, relative to the others; all alike when None.
    """
    count = len(fractions)
    weights = np.ones(count) if weights is None or not weights.sum() > 0 else weights
    sure = weights / np.maximum(sds, _LEAST) ** 2
    order = np.argsort(fractions, kind="stable")
    total = np.cumsum(sure[order])
    # the middle between the two that meet at half the weight, so that early and late, few and many are alike
    ends = np.searchsorted(total, total[-1] * np.array([0.5 - 1e-9, 0.5 + 1e-9]))
    middle = float(fractions[order[np.minimum(ends, count - 1)]].mean())
    one = weights.sum() / sure.sum()
    between = float(sure @ (fractions - middle) ** 2 / sure.sum())
    return middle, float(np.sqrt(max(one, between) / _worth(count)))


class LimbFusion:
    """Limb status of one person as frames come in, for live video.

    The evidence is `fuse`'s, of frames that fade by ``memory`` each, so that a mistaken start is got over. A
    level is given up only when another has been ahead by ``margin`` (log odds) for ``patience`` frames running,
    so that the answer does not flicker.

    Args:
        threshold: `ajahr.models.decision.decide_levels`'s, which decides here too.
    """

    def __init__(
        self,
        *,
        memory: float = 0.99,
        margin: float = 1.0,
        patience: int = 3,
        threshold: float | None = None,
    ) -> None:
        self._threshold = threshold
        self._memory, self._margin, self._patience = memory, margin, patience
        self._frames, self._weight = 0, 0.0
        self._sum = np.zeros((NUM_LIMBS, NUM_LEVELS))
        self._evidence = np.zeros((NUM_LIMBS, NUM_LEVELS))
        self._levels: np.ndarray | None = None
        self._ahead = np.zeros(NUM_LIMBS, np.int64)
        self._challenger = np.full(NUM_LIMBS, -1, np.int64)

    def update(self, probabilities: Float[np.ndarray, "limbs=4 levels=4"], weight: float = 1.0) -> None:
        """One more frame."""
        self._frames += 1
        self._weight = self._memory * self._weight + weight
        self._sum = self._memory * self._sum + weight * _log(probabilities)
        self._evidence = _worth(self._frames) * self._sum / max(self._weight, 1e-9)
        standing = self._standing()
        best = standing.argmax(1)
        if self._levels is None:
            self._levels = best.astype(np.int64)
            return
        limbs = np.arange(NUM_LIMBS)
        lead = standing[limbs, best] - standing[limbs, self._levels]
        challenges = (best != self._levels) & (lead > self._margin)
        same = challenges & (best == self._challenger)
        self._ahead = np.where(same, self._ahead + 1, challenges.astype(np.int64))
        self._challenger = np.where(challenges, best, -1)
        won = self._ahead >= self._patience
        self._levels = np.where(won, best, self._levels).astype(np.int64)
        self._ahead[won], self._challenger[won] = 0, -1

    def _standing(self) -> Float[np.ndarray, "limbs=4 levels=4"]:
        """The evidence, such that the level ahead is the one that is decided for.

        With a threshold, the likeliest lost level stands for all of them together, and intact for what they must beat.
        """
        threshold = self._threshold
        if threshold is None or not 0 < threshold < 1:
            return self._evidence
        log = self._evidence - np.logaddexp.reduce(self._evidence, 1, keepdims=True)
        lost, levels = np.logaddexp.reduce(log[:, 1:], 1, keepdims=True), log[:, 1:]
        intact = log[:, :1] + np.log(threshold / (1 - threshold))
        return np.concatenate([intact, lost + levels - levels.max(1, keepdims=True)], 1)

    @property
    def probabilities(self) -> Float[np.ndarray, "limbs=4 levels=4"]:
        return _normalised(self._evidence)

    @property
    def levels(self) -> Int64[np.ndarray, "limbs=4"]:
        """Intact before the first frame."""
        return np.zeros(NUM_LIMBS, np.int64) if self._levels is None else self._levels.copy()


def _worth(frames: int) -> float:
    """How many independent looks so many frames are worth."""
    return min(1 + (frames - 1) / SPACING, LOOKS)


def _log(probabilities: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(np.asarray(probabilities, np.float64), _LEAST))


def _normalised(evidence: np.ndarray) -> np.ndarray:
    scaled = np.exp(evidence - evidence.max(-1, keepdims=True))
    return scaled / scaled.sum(-1, keepdims=True)
