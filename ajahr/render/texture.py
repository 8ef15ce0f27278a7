"""A texture with its mip levels, packed for the rasteriser."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Int64, UInt8, UInt32

MAX_LEVELS = 5
"""Coarser levels would mix neighbouring islands of a uv layout: level 4 of 1024 px averages 16 texels."""


@dataclass(frozen=True, eq=False)
class Texture:
    """An RGB image and its halvings, so that a body far away shows mean colours and not a pick of texels.

    Worth keeping when one texture serves several pictures: building it costs about a millisecond at 1024 px
    and 5.6 MB. ``Rasterizer.render`` takes a plain image too and then builds one every time.

    Attributes:
        texels: R | G << 8 | B << 16, all levels, each with a rim of one texel that repeats its edge.
        mips: per level the place of its first texel in ``texels``, row pitch, width and height.
    """

    texels: UInt32[np.ndarray, " texels"]
    mips: Int64[np.ndarray, "levels 4"]

    @classmethod
    def from_image(cls, image: UInt8[np.ndarray, "height width 3"]) -> Texture:
        """The texture of an RGB image; its first row is v = 0. A 1 x 1 image is a plain colour."""
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise ValueError(f"a texture is a uint8 RGB image (h, w, 3), got {image.dtype} {image.shape}")
        levels, mips, offset = [], [], 0
        while True:
            height, width = image.shape[:2]
            padded = cv2.copyMakeBorder(image, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
            levels.append(cv2.cvtColor(padded, cv2.COLOR_RGB2RGBA).view(np.uint32).reshape(-1))
            mips.append((offset + width + 3, width + 2, width, height))
            offset += levels[-1].size
            if len(mips) == MAX_LEVELS or min(height, width) < 2:
                break
            image = cv2.resize(image, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        return cls(np.concatenate(levels), np.array(mips, np.int64))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the finest level, px."""
        return int(self.mips[0, 2]), int(self.mips[0, 3])
