"""From probabilities of levels to a level: whether something of a limb is lost, then where it ends."""

from __future__ import annotations

from typing import Any, overload

import numpy as np
from torch import Tensor


@overload
def decide_levels(probabilities: np.ndarray, threshold: float | None = None) -> np.ndarray: ...
@overload
def decide_levels(probabilities: Tensor, threshold: float | Tensor | None = None) -> Tensor: ...
def decide_levels(probabilities: Any, threshold: Any = None) -> Any:
    """Levels of limbs, (..., levels=4) to (...).

    Args:
        threshold: None: the most likely level, as published (Eq. 1). Else a limb counts as lost where its three lost
            levels together are likelier than this, and ends at the likeliest of them: a net that is sure of a loss
            and not of its level splits the probability among three, and "intact" would win.
    """
    if threshold is None:
        return probabilities.argmax(-1)
    lost = 1 - probabilities[..., 0] > threshold
    return (probabilities[..., 1:].argmax(-1) + 1) * lost
