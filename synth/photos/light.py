"""A guess at the light where somebody will stand, from the people who were in the photograph and what is around.

No model, no labels. Whoever stood there is the best probe there is: how bright their bright parts are, and which of
their flanks is the brighter one. The surroundings stand in where nobody was, and have their say otherwise, since
clothes have colours of their own; the darker they are the less, as nobody knows whether a black wall is unlit. Every
number is bounded, so that the guess can be dull but not absurd: light always comes from above and from the
camera's side, and its colour stays near white, since grass and walls have colours of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

from ajahr.render.rasterizer import Lighting

_GRID = 32
"""The picture is looked at with this many cells along its longer side."""
_TYPICAL = 0.45
"""Mean sRGB value of an ordinary photograph; textures are made for it."""
_GAIN_RANGE = (0.22, 1.2)
_TYPICAL_PERSON = 0.60
"""`Probe.level` of our own bodies in a light of 1: geometric mean over 48 textures; it varies by a factor of e^0.36."""
_BRIGHTER_SD, _DARKER_SD = 0.30, 0.50
"""How far one person's level tells of the light, as a standard deviation of its logarithm, where it says more light
than the surroundings do, and where it says less: dark clothes are common, clothes brighter than white are none."""
_AROUND_SD, _AROUND_SD_DARK = 0.45, 0.40
"""The same of the surroundings, and what is added for each factor of e that they are darker than `_NIGHT`."""
PERSON_QUANTILE = 0.9
"""Of the luma of a person's pixels: black clothes hide less of the light in their bright parts."""
_NIGHT = 0.4
_OWN = 2.0
"""Whoever stood at the place counts as so many of the others, who may have had other light."""
_SIDE_OF_PERSON, _SIDE_PRIOR = 5.5, 2.75
"""Sideways part of the light for a difference of 1 between the flanks, as our bodies show it in light half of which
has a direction; and how many people the surroundings count as, since the flanks differ by clothes and poses too."""
_MIN_ROW_PX, _MIN_ROWS = 6, 12
_TINT_TRUST, _TINT_LIMIT = 0.3, 0.12
"""Share of the surroundings' tint that is ascribed to the light, and its bound per channel."""
_SIDE_TRUST, _SIDE_LIMIT = 2.5, 0.8
_UP_RANGE = (0.35, 0.9)
_TOWARDS_CAMERA = 0.6
_GREY_SPREAD = 6.0
"""Largest difference of channels, of 255, that JPEG leaves in a black and white picture."""
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class Probe:
    """What one person in a photograph tells of the light on them.

    Attributes:
        level: How bright they look, 0..1: luma of the brighter part of their pixels.
        side: (right - left) / (right + left) of the luma of their two flanks, the median over rows; None where they
            are too small to tell.
    """

    level: float
    side: float | None = None


def probe_person(image: UInt8[np.ndarray, "height width 3"], mask: Bool[np.ndarray, "height width"]) -> Probe:
    """Read the light off somebody's pixels."""
    level = float(np.quantile(image[mask] @ _LUMA, PERSON_QUANTILE)) / 255
    # the outermost pixels are mixed with what is behind
    inner = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    sides = []
    for row in np.flatnonzero(inner.any(axis=1)):
        columns = np.flatnonzero(inner[row])
        if len(columns) >= _MIN_ROW_PX:
            third = len(columns) // 3
            luma = image[row, columns] @ _LUMA
            left, right = float(luma[:third].mean()), float(luma[-third:].mean())
            sides.append((right - left) / (right + left + 8))
    return Probe(level, float(np.median(sides)) if len(sides) >= _MIN_ROWS else None)


def estimate_light(
    image: UInt8[np.ndarray, "height width 3"],
    bbox_xyxy: Float[np.ndarray, "xyxy=4"],
    own: Probe | None = None,
    others: Sequence[Probe] = (),
) -> Lighting:
    """Ambient and one directional light for a person in this box of a clean picture.

    Args:
        image: The background, RGB.
        bbox_xyxy: Where the person will be, px.
        own: Of whoever stood there, where somebody did.
        others: Of other people in the photograph.

    Returns:
        ``ambient_rgb`` and ``directional_rgb`` as factors on texture colours, together about 1 in an ordinary
        picture; ``direction`` in the camera frame, from the surface to the light.
    """
    people = [(one, _OWN) for one in (own,) if one is not None] + [(one, 1.0) for one in others]
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
    gain = float(np.clip(_with_people(float(gain), max(level, 1e-3), people), *_GAIN_RANGE))
    side_light = _side(_SIDE_TRUST * _difference(luma, near, x[None, :] > 0), people)
    top_light = _difference(luma, near, y[:, None] < 0)
    direction = np.array(
        [
            np.clip(side_light, -_SIDE_LIMIT, _SIDE_LIMIT),
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


def is_grey(image: UInt8[np.ndarray, "height width 3"]) -> bool:
    """Whether a picture is black and white: a coloured body in it would look pasted."""
    cells = cv2.resize(image, (_GRID, _GRID), interpolation=cv2.INTER_AREA).astype(np.float32)
    return float(np.quantile(np.ptp(cells, axis=2), 0.95)) < _GREY_SPREAD


def _with_people(around: float, level: float, people: list[tuple[Probe, float]]) -> float:
    """The gain that the surroundings (``around``, at their brightness ``level``) and the people together suggest:
    their logarithms weighted by how sure each is."""
    if not people:
        return around
    weights = np.array([weight for _, weight in people])
    seen = float(weights @ [one.level for one, _ in people] / weights.sum())
    seen = max(seen, 1e-3) / _TYPICAL_PERSON
    independent = weights.sum() ** 2 / (weights**2).sum()
    of_people = independent / (_BRIGHTER_SD if seen > around else _DARKER_SD) ** 2
    of_around = 1 / (_AROUND_SD + _AROUND_SD_DARK * max(np.log(_NIGHT / level), 0.0)) ** 2
    return float(np.exp((of_people * np.log(seen) + of_around * np.log(around)) / (of_people + of_around)))


def _side(around: float, people: list[tuple[Probe, float]]) -> float:
    """Sideways part of the light, to the right."""
    told = [(one.side, weight) for one, weight in people if one.side is not None]
    total = _SIDE_PRIOR * around + sum(weight * _SIDE_OF_PERSON * side for side, weight in told)
    return total / (_SIDE_PRIOR + sum(weight for _, weight in told))


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
