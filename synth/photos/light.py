"""A guess at the light where somebody will stand, from the picture around that place.

No model, no labels: brightness and tint of the surroundings, and from which side they are brighter. Every
number is bounded, so that the guess can be dull but not absurd: light always comes from above and from the
camera's side, and its colour stays near white, since grass and walls have colours of their own.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

from ajahr.render.rasterizer import Lighting

_GRID = 32
"""The picture is looked at with this many cells along its longer side."""
_TYPICAL = 0.45
"""Mean sRGB value of an ordinary photograph; textures are made for it."""
_GAIN_RANGE = (0.22, 1.2)
_TYPICAL_PERSON, _PERSON_TRUST = 0.62, 0.5
"""Brightness (`person_level`) of somebody in an ordinary photograph; and how far a person seen there is believed
more than the surroundings, of which nobody knows whether they are dark or unlit."""
PERSON_QUANTILE = 0.9
"""Of the luma of a person's pixels: black clothes hide less of the light in their bright parts."""
_NIGHT = 0.4
_TINT_TRUST, _TINT_LIMIT = 0.3, 0.12
"""Share of the surroundings' tint that is ascribed to the light, and its bound per channel."""
_SIDE_TRUST, _SIDE_LIMIT = 2.5, 0.8
_UP_RANGE = (0.35, 0.9)
_TOWARDS_CAMERA = 0.6
_GREY_SPREAD = 6.0
"""Largest difference of channels, of 255, that JPEG leaves in a black and white picture."""
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def estimate_light(
    image: UInt8[np.ndarray, "height width 3"],
    bbox_xyxy: Float[np.ndarray, "xyxy=4"],
    person_level: float | None = None,
) -> Lighting:
    """Ambient and one directional light for a person in this box of a clean picture.

    Args:
        image: The background, RGB.
        bbox_xyxy: Where the person will be, px.
        person_level: `person_level` of people in the photograph, where there were some.

    Returns:
        ``ambient_rgb`` and ``directional_rgb`` as factors on texture colours, together about 1 in an ordinary
        picture; ``direction`` in the camera frame, from the surface to the light.
    """
    height, width = image.shape[:2]
    factor = min(1.0, _GRID / max(height, width))
    size = (max(2, round(width * factor)), max(2, round(height * factor)))
    cells = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    luma = cells @ _LUMA
    # cell positions relative to the box, in box sides
    centre, side = (bbox_xyxy[:2] + bbox_xyxy[2:]) / 2, max(float((bbox_xyxy[2:] - bbox_xyxy[:2]).max()), 8.0)
    x = ((np.arange(size[0]) + 0.5) * (width / size[0]) - centre[0]) / side
    y = ((np.arange(size[1]) + 0.5) * (height / size[1]) - centre[1]) / side
    near = np.exp(-0.5 * (x[None, :] ** 2 + y[:, None] ** 2)) + 1e-3
    near /= near.sum()

    level = float(np.exp((near * np.log(np.maximum(luma, 0.01))).sum()))  # lamps light themselves, mostly
    # the square root: half of a bright or dark surrounding is its own colour (snow, asphalt), not the light
    gain = np.sqrt(max(level, 1e-3) / _TYPICAL)
    if level < _NIGHT:  # but nothing is so dark of itself as a picture taken at night
        gain *= (max(level, 1e-3) / _NIGHT) ** 0.8
    if person_level is not None:
        gain = gain ** (1 - _PERSON_TRUST) * (person_level / _TYPICAL_PERSON) ** _PERSON_TRUST
    gain = float(np.clip(gain, *_GAIN_RANGE))
    side_light = _difference(luma, near, x[None, :] > 0)
    top_light = _difference(luma, near, y[:, None] < 0)
    direction = np.array(
        [
            np.clip(_SIDE_TRUST * side_light, -_SIDE_LIMIT, _SIDE_LIMIT),
            -np.clip(0.6 + top_light, *_UP_RANGE),
            -_TOWARDS_CAMERA,
        ],
        np.float32,
    )
    direction /= np.linalg.norm(direction)

    low, high = np.quantile(luma, [0.05, 0.95])
    harshness = float(np.clip((high - low) / 0.7, 0.0, 1.0))
    directional = gain * (0.35 + 0.35 * harshness)
    # surfaces facing the camera see the light at about 0.6: their mean stays at the gain
    ambient = gain - 0.6 * directional
    bright = np.where(luma >= np.quantile(luma, 0.8), near, 0)
    return Lighting(
        ambient_rgb=(ambient * _tint(cells, near)).astype(np.float32),
        directional_rgb=(directional * _tint(cells, bright)).astype(np.float32),
        direction=direction.astype(np.float32),
    )


def person_level(image: UInt8[np.ndarray, "height width 3"], mask: Bool[np.ndarray, "height width"]) -> float:
    """How bright somebody looks, 0..1: luma of the brighter part of their pixels."""
    return float(np.quantile(image[mask] @ _LUMA, PERSON_QUANTILE)) / 255


def is_grey(image: UInt8[np.ndarray, "height width 3"]) -> bool:
    """Whether a picture is black and white: a coloured body in it would look pasted."""
    cells = cv2.resize(image, (_GRID, _GRID), interpolation=cv2.INTER_AREA).astype(np.float32)
    return float(np.quantile(np.ptp(cells, axis=2), 0.95)) < _GREY_SPREAD


def _difference(luma: np.ndarray, near: np.ndarray, where: np.ndarray) -> float:
    """(bright - dark) / (bright + dark) of two halves; 0 where the picture has only one of them."""
    where = np.broadcast_to(where, luma.shape)
    parts = []
    for half in (where, ~where):
        weight = float(near[half].sum())
        if weight < 0.05:
            return 0.0
        parts.append(float((near * luma)[half].sum()) / weight)
    return (parts[0] - parts[1]) / max(sum(parts), 1e-3)


def _tint(cells: Float32[np.ndarray, "h w 3"], weight: np.ndarray) -> np.ndarray:
    """Colour of the light, mean 1, near white."""
    mean = (cells * weight[..., None]).sum(axis=(0, 1))
    tint = mean / max(float(mean.mean()), 1e-3)
    tint = 1 + np.clip(_TINT_TRUST * (tint - 1), -_TINT_LIMIT, _TINT_LIMIT)
    return tint / tint.mean()
