"""A texture from a seed and an index: skin, face, footwear, trousers, top, hair, in this order."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8

from synth.appearance.atlas import Atlas
from synth.appearance.clothes import paint_belt, paint_bottom, paint_feet, paint_top
from synth.appearance.groups import Group, Sex
from synth.appearance.head import paint_face, paint_hair
from synth.appearance.look import Look
from synth.appearance.skin import paint_skin
from synth.appearance.wardrobe import sample_look

PAINTER_VERSION = 1
"""Goes up with every change of what is sampled or painted: banks of two painters are not mixed."""


def paint(atlas: Atlas, look: Look) -> UInt8[np.ndarray, "size size rgb=3"]:
    """The texture of ``look`` in the UV layout of ``atlas``; every texel of the square is filled."""
    canvas = paint_skin(atlas, look)
    paint_face(canvas, look)
    paint_feet(canvas, look.feet)
    paint_bottom(canvas, look.bottom)
    paint_top(canvas, look)
    if look.top is not None and look.top.tucked and look.bottom.belt is not None:
        paint_belt(canvas, look.bottom.belt)
    paint_hair(canvas, look)
    return atlas.image(canvas.colours)


def make_texture(
    atlas: Atlas, seed: int, index: int, sex: Sex | None = None, group: Group | None = None
) -> tuple[UInt8[np.ndarray, "size size rgb=3"], Look]:
    """Texture ``index`` and its look: a pure function of the atlas and the numbers. See `sample_look`."""
    look = sample_look(seed, index, sex, group)
    return paint(atlas, look), look
