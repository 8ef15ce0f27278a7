"""Scores of one model on residual limbs, as an evaluation leaves them."""

from __future__ import annotations

import numpy as np

from ajahr.evaluation.residual_measured import ResidualMeasured
from ajahr.evaluation.residual_protocol import ResidualProtocol


def measured(method: str, error: float, people: int = 6, generated: bool = True) -> ResidualMeasured:
    """Everybody has all 17 points and one end; errors are ``error`` but for noise that all methods share."""
    rng = np.random.default_rng(0)
    points = np.full((people, 25), np.nan)
    points[:, :17] = 10
    points[:, 20] = error + rng.uniform(0, 1, people)
    one = np.full((people, 8), np.nan)
    one[:, 3] = error + rng.uniform(0, 1, people)
    known = one if generated else np.full((people, 8), np.nan)
    status = np.full((people, 8), "", object)
    if method.endswith("rafo"):
        status[:, 3] = ["accepted", "rejected"] * (people // 2)
    return ResidualMeasured(
        "mine", method, "set", ResidualProtocol(), tuple(map(str, range(people))), np.arange(people), points,
        known / 100, known / 100, known * 0 + 1, known, known, known, known / 50, np.full(people, 0.7), status,
    )  # fmt: skip
