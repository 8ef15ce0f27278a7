"""Body shapes of adults."""

from __future__ import annotations

import weakref
from collections.abc import MutableMapping
from typing import Literal

import numpy as np
from jaxtyping import Float32

from ajahr.body.data import BodyData
from synth.appearance.groups import Sex

HEIGHT_RANGE_M = (1.40, 2.05)
"""Statures kept: beyond them the linear shape space extrapolates."""
MAX_DEVIATION = 2.0
"""Largest deviation along any axis of a sex's distribution, in standard deviations: further out, waists pinch
and limbs turn to sticks."""
_MAX_DRAWS = 64

_heights: MutableMapping[BodyData, tuple[float, np.ndarray]] = weakref.WeakKeyDictionary()


def stature_m(body: BodyData, betas: Float32[np.ndarray, " betas"]) -> float:
    """Height of the T-posed body, from its lowest to its highest vertex on the mean shape."""
    if body not in _heights:
        y = body.v_template[:, 1]
        top, bottom = int(y.argmax()), int(y.argmin())
        _heights[body] = float(y[top] - y[bottom]), body.shapedirs[top, 1] - body.shapedirs[bottom, 1]
    mean, slope = _heights[body]
    return mean + float(slope[: len(betas)] @ betas)


def sample_betas(
    rng: np.random.Generator, sex: Sex | Literal["male", "female"], body: BodyData
) -> Float32[np.ndarray, " betas"]:
    """Betas of a random adult of that sex, drawn again while beyond `HEIGHT_RANGE_M` or `MAX_DEVIATION`.

    The embedded body knows how the betas of men and women are spread (`BodyData.betas_of_sex`); on an SMPL
    file they are standard normal, whatever the sex: there the file's own gender decides.
    """
    name: Literal["male", "female"] = "male" if str(sex) == "male" else "female"
    known = body.betas_of_sex.get(name)
    for _ in range(_MAX_DRAWS):
        betas = body.draw_betas(rng, name)
        deviation = betas if known is None else np.linalg.solve(known.cholesky, betas - known.mean)
        usual = np.abs(deviation).max() <= MAX_DEVIATION
        if usual and HEIGHT_RANGE_M[0] <= stature_m(body, betas) <= HEIGHT_RANGE_M[1]:
            return betas
    return body.draw_betas(rng, name, spread=0.0)
