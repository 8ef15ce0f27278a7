"""Uniform numbers of many samples at once, each sample's a function of its own seed.

SplitMix64 (Steele, Lea and Flood 2014) over arrays: a numpy Generator per sample takes longer to set up than all
else that is drawn for it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(30), np.uint64(0xBF58476D1CE4E5B9), np.uint64(27), np.uint64(0x94D049BB133111EB))
_LAST, _MANTISSA = np.uint64(31), np.uint64(11)


def uniform(seeds: Sequence[tuple[int, ...]], count: int) -> Float64[np.ndarray, "samples numbers"]:
    """``count`` numbers in [0, 1) for each seed; seeds are tuples of whole numbers of one length, 0 or more."""
    words = np.array(seeds, np.uint64).reshape(len(seeds), -1)
    state = np.zeros(len(seeds), np.uint64)
    for column in words.T:
        state = _mixed(state ^ column)
    steps = np.arange(1, count + 1, dtype=np.uint64) * _GOLDEN
    return (_mixed(state[:, None] + steps) >> _MANTISSA) * 2.0**-53


def _mixed(state: np.ndarray) -> np.ndarray:
    state = state + _GOLDEN
    state = (state ^ (state >> _MIX[0])) * _MIX[1]
    state = (state ^ (state >> _MIX[2])) * _MIX[3]
    return state ^ (state >> _LAST)
