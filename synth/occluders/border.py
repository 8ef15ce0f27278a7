"""Move somebody so that one limb leaves the picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from synth.occluders.limbs import CORE, MIN_CORE, joints_to_hide, limb_ends

_MIN_INSIDE = 10


def border_shift(
    pixels: Float[np.ndarray, "joints=24 2"],
    size: tuple[int, int],
    levels: Sequence[int],
    limbs: Sequence[int],
    margin: float,
    fractions: Sequence[float] = (0.0,) * 4,
) -> tuple[int, Float[np.ndarray, "xy=2"]] | None:
    """The shift (px) that takes a limb over the left, right or lower border, and that limb.

    Never over the upper one: the feet would leave the ground. What is left of limbs that end early stays inside.

    Args:
        pixels: joints of the intact person.
        size: width and height of the picture.
        levels: of the limbs.
        limbs: in the order in which to try them; the first that can be taken is.
        margin: how far beyond the border the joints go, px.
        fractions: lambda of limbs that end inside a bone.
    """
    width, height = size
    sight = limb_ends(pixels, levels, fractions)
    for limb in limbs:
        ends = pixels[list(joints_to_hide(limb, levels[limb]))]
        shifts = np.array(
            [
                [min(0.0, -margin - ends[:, 0].max()), 0.0],
                [max(0.0, width + margin - ends[:, 0].min()), 0.0],
                [0.0, max(0.0, height + margin - ends[:, 1].min())],
            ]
        )
        for shift in shifts[np.argsort(np.abs(shifts).sum(axis=1), kind="stable")]:
            moved = pixels + shift
            inside = ((moved >= 0) & (moved < size)).all(axis=1)
            seen = ((sight + shift >= 0) & (sight + shift < size)).all()
            if inside.sum() >= _MIN_INSIDE and seen and inside[list(CORE)].sum() >= MIN_CORE:
                return limb, shift
    return None
