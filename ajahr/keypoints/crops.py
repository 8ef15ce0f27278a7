"""The 256 x 192 crop a keypoint model sees of a person, by UDP's geometry. No torch.

A box grows to the crop's aspect and by `PADDING`; its edges fall on the centres of the crop's outermost pixels,
which is what unbiased data processing (UDP) means by scaling with size - 1, and what ViTPose was trained with.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Num, UInt8

from ajahr.data.hmr.crops import cut
from ajahr.geometry.crops import expand_to_aspect

PADDING = 1.25
INPUT_SIZE = (256, 192)
"""Height and width, px."""


@dataclass(frozen=True, eq=False)
class Place:
    """What a crop shows of a picture, px of the picture, continuous."""

    centre: Float[np.ndarray, "xy=2"]
    size: Float[np.ndarray, "wh=2"]
    """Width and height, of the crop's aspect."""
    rotation: float = 0.0
    """rad; positive turns the content counter-clockwise."""
    flip: bool = False

    @classmethod
    def of_box(cls, box_xyxy: Num[np.ndarray, "xyxy=4"], padding: float = PADDING) -> Place:
        """A person's box, grown to the aspect and by ``padding``."""
        box = np.asarray(box_xyxy, np.float64)
        size = expand_to_aspect(np.maximum(box[2:] - box[:2], 1.0), (INPUT_SIZE[1], INPUT_SIZE[0]))
        return cls((box[:2] + box[2:]) / 2, size * padding)

    @property
    def zoom(self) -> Float[np.ndarray, "xy=2"]:
        """Crop pixels per pixel of the picture, across and down; they differ by 0.1 %, as UDP has it."""
        return (np.array(INPUT_SIZE[::-1]) - 1) / self.size

    def affine(self) -> Float[np.ndarray, "2 3"]:
        """Picture to crop, both continuous px."""
        cosine, sine = np.cos(self.rotation), np.sin(self.rotation)
        linear = self.zoom[:, None] * np.array([[cosine, sine], [-sine, cosine]])
        if self.flip:  # the picture is mirrored about the centre, then turned
            linear = linear @ np.diag([-1.0, 1.0])
        middle = np.array(INPUT_SIZE[::-1]) / 2
        return np.concatenate([linear, (middle - linear @ self.centre)[:, None]], 1)


def cut_person(
    image: UInt8[np.ndarray, "height width 3"], place: Place, *, reduction: int = 1
) -> UInt8[np.ndarray, "256 192 3"]:
    """The crop, antialiased, black outside the picture.

    Args:
        image: decoded at 1/``reduction`` of the size that ``place`` refers to.
        place: what to show.
        reduction: the one the image was decoded at.
    """
    height, width = INPUT_SIZE
    affine = place.affine()
    affine[0, 2] += (height - width) / 2  # the middle of a square
    square = cut(image, affine, height, reduction=reduction)
    return np.ascontiguousarray(square[:, (height - width) // 2 : (height + width) // 2])
