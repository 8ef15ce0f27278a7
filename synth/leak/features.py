"""Numbers in which traces of processing show, from the pixels that are left of a picture."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

_TRUNCATE = 2
"""Residuals are counted from -2 to 2, as steganalysis does (Pevny, Bas and Fridrich, 2010)."""


def residual_features(
    image: UInt8[np.ndarray, "height width 3"], hidden: Bool[np.ndarray, "height width"]
) -> Float32[np.ndarray, " features"]:
    """Colour, grain, neighbouring residuals, and how both lie to the grid of JPEG blocks.

    Args:
        image: RGB, as decoded.
        hidden: pixels that have no say.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    seen = ~hidden
    if np.count_nonzero(seen) < 256:
        raise ValueError("too little of the picture is left to look at")
    pixels = image[seen].astype(np.float32)
    found = [*pixels.mean(0), *pixels.std(0), *(pixels % 2).mean(0)]
    for axis in (0, 1):
        step = np.diff(grey, axis=axis)
        both = np.logical_and(*_shifted(seen, axis, 1))
        found += [np.abs(step[both]).mean(), step[both].mean(), np.sqrt((step[both] ** 2).mean())]
        # by place in a block of 8: blockiness, and every pattern of that period
        place = np.broadcast_to(np.expand_dims(np.arange(step.shape[axis]) % 8, 1 - axis), step.shape)
        weight = np.bincount(place[both], minlength=8)
        for values in (np.abs(step[both]), step[both]):
            total = np.bincount(place[both], np.clip(values, -8, 8), minlength=8)
            found += list(total / np.maximum(weight, 1))
        # pairs of neighbouring residuals
        three = np.logical_and(*_shifted(both, axis, 1))
        first, second = (
            np.clip(np.rint(part[three]), -_TRUNCATE, _TRUNCATE) + _TRUNCATE
            for part in _shifted(step, axis, 1)
        )
        base = 2 * _TRUNCATE + 1
        pairs = np.bincount((first * base + second).astype(np.int64), minlength=base * base)
        found += list(pairs / max(pairs.sum(), 1))
    return np.asarray(found, np.float32)


def _shifted(values: np.ndarray, axis: int, by: int) -> tuple[np.ndarray, np.ndarray]:
    """The array without its last, and without its first row or column."""
    return (values[:-by], values[by:]) if axis == 0 else (values[:, :-by], values[:, by:])
