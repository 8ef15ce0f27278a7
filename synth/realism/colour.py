"""The tones of a photograph, and a mild transfer of a rendered body's colours towards them.

Textures are made for an ordinary picture: black near black, white near white, fresh colours. Haze lifts the blacks
of a photograph, dim rooms and old prints hold its whites down, and few photographs are as fresh as a texture. Each
correction is trusted in part and bounded: the photograph's surfaces have colours of their own, which a person
standing between them does not take on. It follows from the photograph alone, so twins are corrected alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

LUMA = np.array([0.299, 0.587, 0.114])
_CELLS = 96
"""The picture is looked at with this many cells along its longer side: grain and small lights do not count."""
_BLACK_OF_TEXTURES, _MAX_BLACK, _BLACK_TRUST = 8.0, 36.0, 0.7
_WHITE_OF_TEXTURES, _MIN_WHITE, _WHITE_TRUST = 245.0, 150.0, 0.5
_TYPICAL_CHROMA, _CHROMA_POWER, _CHROMA_RANGE = 22.0, 0.25, (0.8, 1.05)
"""Mean distance from grey, of 255, in a picture as fresh as the textures."""
_TINT_TRUST, _TINT_LIMIT = 0.3, 0.05
_LOCAL = 1.0
"""Weight falls off with this many box sides."""
_EDGE_POWER = 5


@dataclass(frozen=True)
class Tone:
    """Tones around one place.

    Attributes:
        black: Luma of the darkest parts, of 255.
        white: Luma of the brightest.
        chroma: Mean distance of colours from grey, of 255.
        tint: Red, green and blue of the light as edges have it, mean 1.
    """

    black: float
    white: float
    chroma: float
    tint: tuple[float, float, float]

    def transfer(self) -> Float32[np.ndarray, "rgb=3 rgba=4"]:
        """The map of colours: red, green, blue, 255 of a texture to those of the photograph."""
        black = max(_BLACK_TRUST * (min(self.black, _MAX_BLACK) - _BLACK_OF_TEXTURES), 0.0)
        white = 255.0 - _WHITE_TRUST * max(_WHITE_OF_TEXTURES - max(self.white, _MIN_WHITE), 0.0)
        freshness = np.clip((self.chroma / _TYPICAL_CHROMA) ** _CHROMA_POWER, *_CHROMA_RANGE)
        mix = freshness * np.eye(3) + (1 - freshness) * np.tile(LUMA, (3, 1))
        tint = 1 + np.clip(_TINT_TRUST * (np.asarray(self.tint) - 1), -_TINT_LIMIT, _TINT_LIMIT)
        mix *= ((white - black) / 255.0 * tint / tint.mean())[:, None]
        return np.concatenate([mix, np.full((3, 1), black / 255.0)], axis=1).astype(np.float32)


IDENTITY = np.eye(3, 4, dtype=np.float32)
"""The map that changes nothing."""


def estimate_tone(image: UInt8[np.ndarray, "height width 3"], bbox_xyxy: Float[np.ndarray, "xyxy=4"]) -> Tone:
    """Tones of a picture around a box, px: black and white of all of it, freshness and tint mostly near the box."""
    height, width = image.shape[:2]
    factor = min(1.0, _CELLS / max(height, width))
    size = (max(2, round(width * factor)), max(2, round(height * factor)))
    cells = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float64)
    luma = cells @ LUMA
    centre, side = (bbox_xyxy[:2] + bbox_xyxy[2:]) / 2, max(float((bbox_xyxy[2:] - bbox_xyxy[:2]).max()), 8.0)
    x = ((np.arange(size[0]) + 0.5) * (width / size[0]) - centre[0]) / side
    y = ((np.arange(size[1]) + 0.5) * (height / size[1]) - centre[1]) / side
    near = np.exp(-0.5 * (x[None, :] ** 2 + y[:, None] ** 2) / _LOCAL**2) + 1e-2
    near /= near.sum()
    chroma = np.sqrt(((cells - luma[..., None]) ** 2).mean(axis=2))
    # of small parts: one dark ski in the snow shows where black is
    small = cv2.resize(image, (max(width // 2, 1), max(height // 2, 1)), interpolation=cv2.INTER_AREA) @ LUMA
    black, white = np.quantile(small, [0.001, 0.999])
    return Tone(
        round(float(black), 2),
        round(float(white), 2),
        round(float((near * chroma).sum()), 2),
        _edge_tint(cells, near),
    )


def _edge_tint(cells: np.ndarray, near: np.ndarray) -> tuple[float, float, float]:
    """Colour of the light by the grey-edge hypothesis: differences between surfaces are grey on average.

    Unlike the surfaces' mean it does not take a lawn for green light (van de Weijer et al., 2007).
    """
    smooth = cv2.GaussianBlur(cells, (0, 0), 1.0)
    strength = np.hypot(
        np.diff(smooth, axis=1, append=smooth[:, -1:]), np.diff(smooth, axis=0, append=smooth[-1:])
    )
    mean = ((near[..., None] * strength**_EDGE_POWER).sum(axis=(0, 1))) ** (1 / _EDGE_POWER)
    if mean.max() < 1e-3:
        return (1.0, 1.0, 1.0)
    tint = np.clip(mean / mean.mean(), 0.5, 1.5)
    red, green, blue = (tint / tint.mean()).round(4).tolist()
    return red, green, blue
