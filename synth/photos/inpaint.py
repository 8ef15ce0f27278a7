"""Fill the hole a person leaves, with methods that need no weights."""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from synth.photos.exemplar import exemplar_fill

InpainterName = Literal["exemplar", "telea", "ns"]

_DIFFUSION_RADIUS = 5
_DIFFUSION_SIDE = 320
"""Diffusion runs on the picture scaled to this side: the fill is smooth anyway, and large holes take long."""
_GRAIN_SEED = 20_250
_MAX_GRAIN = 12.0


@runtime_checkable
class Inpainter(Protocol):
    """Fills a hole. Pixels outside it must come back unchanged."""

    def __call__(
        self, image: UInt8[np.ndarray, "height width 3"], hole: Bool[np.ndarray, "height width"]
    ) -> UInt8[np.ndarray, "height width 3"]: ...


def make_inpainter(name: InpainterName) -> Inpainter:
    """The inpainter of this name."""
    return ExemplarInpainter() if name == "exemplar" else DiffusionInpainter(name)


class ExemplarInpainter:
    """Patches of the same picture (`exemplar_fill`): sharp, with the picture's own grain.

    A hole that leaves nothing to copy is filled by diffusion.
    """

    def __call__(
        self, image: UInt8[np.ndarray, "height width 3"], hole: Bool[np.ndarray, "height width"]
    ) -> UInt8[np.ndarray, "height width 3"]:
        try:
            return exemplar_fill(image, hole)
        except ValueError:
            return DiffusionInpainter("telea")(image, hole)


class DiffusionInpainter:
    """OpenCV's Telea or Navier-Stokes at reduced scale, with the picture's grain put on top.

    Fast, and smooth: over a person-sized hole it smears.
    """

    def __init__(self, method: Literal["telea", "ns"] = "telea") -> None:
        self._flag = {"telea": cv2.INPAINT_TELEA, "ns": cv2.INPAINT_NS}[method]

    def __call__(
        self, image: UInt8[np.ndarray, "height width 3"], hole: Bool[np.ndarray, "height width"]
    ) -> UInt8[np.ndarray, "height width 3"]:
        if not hole.any():
            return image.copy()
        height, width = hole.shape
        factor = min(1.0, _DIFFUSION_SIDE / max(height, width))
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        # every small pixel the hole touches: the others are clean averages
        gap = (cv2.resize(hole.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0).astype(np.uint8)
        if gap.all():
            raise ValueError("the hole is the whole picture: nothing to fill it with")
        fill = cv2.inpaint(small, gap, _DIFFUSION_RADIUS, self._flag).astype(np.float32)
        fill = cv2.resize(fill, (width, height), interpolation=cv2.INTER_CUBIC) + _grain(image, hole)
        return np.where(hole[..., None], np.clip(np.rint(fill), 0, 255).astype(np.uint8), image)


def _grain(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Noise as strong as the picture's own, (height, width, 1): the median difference to a slight blur."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    residual = np.abs(grey - cv2.GaussianBlur(grey, (0, 0), 1.0))[~hole]
    # 0.8 of white noise survives the subtraction; 0.6745 sigma is the median of its size
    sigma = min(float(np.median(residual)) / (0.6745 * 0.8), _MAX_GRAIN)
    noise = np.random.default_rng(_GRAIN_SEED).standard_normal((*hole.shape, 1), np.float32)
    return noise * np.float32(sigma)
