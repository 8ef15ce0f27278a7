"""Painting on texels: signed distances in metres become antialiased edges, layers lie over each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float32, Int

from synth.appearance.atlas import Atlas

Colour = Sequence[int | float] | np.ndarray
Amounts = Float[np.ndarray, " texels"]
"""One number per covered texel."""


def smoothstep(low: float | int, high: float | int, x: np.ndarray) -> np.ndarray:
    """0 below ``low``, 1 above ``high``, smooth between; falls instead when ``low > high``."""
    t = ((x - low) / (high - low)).clip(0, 1)
    return t * t * (3 - 2 * t)


def bump(x: np.ndarray, centre: float | int, width: float | int) -> np.ndarray:
    """Gaussian of standard deviation ``width``, 1 at ``centre``."""
    return np.exp(-0.5 * ((x - centre) / width) ** 2)


class Canvas:
    """Colours of the covered texels of an atlas while they are painted. sRGB, 0..255."""

    def __init__(self, atlas: Atlas, base: Colour) -> None:
        self.atlas = atlas
        self.colours: Float32[np.ndarray, "texels 3"] = np.empty((len(atlas.xyz), 3), np.float32)
        self.colours[:] = np.asarray(base, np.float32)

    def blend(self, alpha: Amounts, colour: Colour) -> None:
        """Lay ``colour`` (3,) or (texels, 3) over everything with opacity ``alpha`` 0..1."""
        self.blend_at(np.flatnonzero(alpha > 0.002), alpha, colour)

    def blend_at(self, at: Int[np.ndarray, " some"], alpha: np.ndarray, colour: Colour) -> None:
        """As `blend`, at texels ``at``; ``alpha`` and ``colour`` are per texel of ``at`` or of the atlas."""
        total = len(self.colours)
        colour = np.asarray(colour, np.float32)
        if len(alpha) == total:
            alpha = alpha[at]
        if colour.ndim == 2 and len(colour) == total:
            colour = colour[at]
        old = self.colours[at]
        self.colours[at] = old + (colour - old) * alpha[:, None].astype(np.float32)

    def shade(self, factor: Amounts) -> None:
        """Multiply all colours by ``factor``."""
        self.colours *= factor[:, None]

    def edge(self, distance: Amounts) -> Amounts:
        """Opacity of a shape from the signed distance to its outline, positive inside: soft over a texel."""
        return (0.5 + distance / (1.3 * self.atlas.texel_m)).clip(0, 1)

    def layer(
        self, distance: Amounts, colour: Colour, shadow: float | int = 0.3, shadow_width: float = 0.01
    ) -> None:
        """Lay an opaque shape over what is there, with the soft shadow that its rim throws on it."""
        if shadow:
            self.blend(
                np.where(distance < 0, shadow * (1 + distance / shadow_width).clip(0, 1), 0), (0, 0, 0)
            )
        self.blend(self.edge(distance), colour)
