"""What a bank of backgrounds keeps of a photograph, so that people can be fitted into it: measured once, there."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, UInt8

from synth.realism.blur import estimate_blur
from synth.realism.colour import Tone, estimate_tone
from synth.realism.noise import Grain, estimate_grain

_AROUND = 0.35
"""Sharpness is read within a place's box widened by this share of its sides."""


@dataclass(frozen=True)
class PlaceTraits:
    """Of one place in a photograph; None where it could not be told.

    Attributes:
        blur_px: `estimate_blur` of whoever stood there, else of what is around.
        tone: `estimate_tone` around the place.
    """

    blur_px: float | None = None
    tone: Tone | None = None


@dataclass(frozen=True)
class PhotoTraits:
    """Of a whole photograph.

    Attributes:
        jpeg_quality: Of the photograph's file; None for no JPEG.
        grain: Of the picture as it is in the bank.
    """

    jpeg_quality: int | None = None
    grain: Grain | None = None


def measure_photo(
    image: UInt8[np.ndarray, "height width 3"],
    hole: Bool[np.ndarray, "height width"],
    jpeg_quality: int | None,
) -> PhotoTraits:
    """Traits of a clean picture; what was filled in (``hole``) is not the photograph's own."""
    return PhotoTraits(jpeg_quality, estimate_grain(image, ~hole))


def measure_place(
    image: UInt8[np.ndarray, "height width 3"],
    hole: Bool[np.ndarray, "height width"],
    bbox_xyxy: Float[np.ndarray, "xyxy=4"],
    person_blur_px: float | None = None,
) -> PlaceTraits:
    """Traits of a place in a clean picture.

    Args:
        image: RGB.
        hole: What was filled in.
        bbox_xyxy: The place, px.
        person_blur_px: Blur of the person who stood there, who was where the next one will be.
    """
    blur = person_blur_px
    if blur is None:
        height, width = hole.shape
        x0, y0, x1, y1 = bbox_xyxy
        mx, my = _AROUND * (x1 - x0), _AROUND * (y1 - y0)
        left, right = (int(np.clip(v, 0, width)) for v in (x0 - mx, x1 + mx))
        top, bottom = (int(np.clip(v, 0, height)) for v in (y0 - my, y1 + my))
        near = np.zeros_like(hole)
        near[top:bottom, left:right] = ~hole[top:bottom, left:right]
        blur = estimate_blur(image, near)
        if blur is None:
            blur = estimate_blur(image, ~hole)
    return PlaceTraits(None if blur is None else round(blur, 3), estimate_tone(image, bbox_xyxy))


def to_json(traits: PlaceTraits | PhotoTraits) -> dict[str, Any]:
    """Plain values."""
    return asdict(traits)


def photo_from_json(tree: dict[str, Any] | None) -> PhotoTraits:
    """`to_json` undone; nothing is known of a photograph in a bank that was made without."""
    if tree is None:
        return PhotoTraits()
    grain = tree["grain"]
    return PhotoTraits(
        tree["jpeg_quality"], grain and Grain(tuple(grain["sigma"]), grain["size"], grain["chroma"])
    )


def place_from_json(tree: dict[str, Any] | None) -> PlaceTraits:
    """As `photo_from_json`."""
    if tree is None:
        return PlaceTraits()
    tone = tree["tone"]
    return PlaceTraits(
        tree["blur_px"], tone and Tone(tone["black"], tone["white"], tone["chroma"], tuple(tone["tint"]))
    )
