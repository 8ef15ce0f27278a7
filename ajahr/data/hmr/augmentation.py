"""What chance does to one crop: drawn here, applied by `ajahr.data.hmr.crops` and `ajahr.data.hmr.collate`.

The distributions and their order are HMR2.0's (facts 3.9): extreme crop, shift of the box, mirror of picture
and box, one affine map with scale and rotation, colour. Occlusion and truncation are ours and come last.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from ajahr.anatomy import J44
from ajahr.data.hmr.extreme_crop import box_of, choose_mode
from ajahr.data.hmr.occlusion import OcclusionConfig
from ajahr.errors import UserError
from ajahr.geometry.crops import CROP_SIZE


@dataclass(frozen=True)
class AugmentationConfig:
    """Chances and ranges. The defaults are HMR2.0's, with occlusion and truncation added."""

    scale: float = 0.3
    """The box is multiplied by 1 + scale x N(0, 1) cut at +-1."""
    rotation_probability: float = 0.6
    rotation_deg: float = 30.0
    """Rotation is this x N(0, 1) cut at +-2."""
    shift: float = 0.02
    """The centre moves by this x N(0, 1) cut at +-1 of the box's side, in x and in y."""
    flip_probability: float = 0.5
    """Mirroring; limb levels, pose and keypoints change sides with the picture."""
    colour: float = 0.2
    """Each channel is multiplied by U(1 - colour, 1 + colour)."""
    extreme_crop_probability: float = 0.1
    extreme_crop_level: Literal[0, 1] = 1
    occlusion: OcclusionConfig = field(default_factory=OcclusionConfig)

    def __post_init__(self) -> None:
        for name in ("rotation_probability", "flip_probability", "extreme_crop_probability"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"{name} is a chance, 0..1, not {getattr(self, name)}")
        for name in ("scale", "colour"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(f"{name} is 0 or more and below 1, not {getattr(self, name)}")


@dataclass(frozen=True, eq=False)
class Placement:
    """The crop's place in the picture, after augmentation."""

    center: Float[np.ndarray, "xy=2"]
    """In the stored picture (not mirrored), px."""
    side: float
    """px, with the random scale."""
    rotation: float = 0.0
    """rad; positive turns the content counter-clockwise."""
    flip: bool = False

    def affine(self, crop_size: int = CROP_SIZE) -> Float[np.ndarray, "2 3"]:
        """Stored picture to crop, px, continuous. The mirror's axis cancels: no picture size is needed."""
        cosine, sine = math.cos(self.rotation), math.sin(self.rotation)
        zoom = crop_size / self.side
        mirror = -1.0 if self.flip else 1.0
        a, b, c, d = zoom * cosine * mirror, zoom * sine, -zoom * sine * mirror, zoom * cosine
        x, y = float(self.center[0]), float(self.center[1])
        half = crop_size / 2
        return np.array([[a, b, half - a * x - b * y], [c, d, half - c * x - d * y]])


NO_COLOUR = (1.0, 1.0, 1.0)


def draw(
    rng: np.random.Generator,
    config: AugmentationConfig,
    center: Float[np.ndarray, "xy=2"],
    side: float,
    keypoints: Float[np.ndarray, "j44=44 3"],
    levels: Int[np.ndarray, "limbs=4"],
) -> tuple[Placement, tuple[float, float, float]]:
    """Place and colour of one crop.

    Args:
        rng: used for nothing else but this sample.
        config: the ranges.
        center, side: the sample's own box, px.
        keypoints: px and confidence; only an extreme crop looks at them.
        levels: of the limbs; what is lost does not count as out of sight.

    Returns:
        The crop's place, and the factor of each channel.
    """
    across, down, zoom, turn = rng.standard_normal(4).tolist()
    turns, flips, crops, which, *channels = rng.random(7).tolist()
    x, y = center.tolist()
    if crops < config.extreme_crop_probability:
        absent = J44.absent(np.maximum(levels, 0).astype(np.int64))
        mode = choose_mode(keypoints[:, 2] > 0, absent, which, config.extreme_crop_level)
        found = None if mode is None else box_of(keypoints, mode)
        if found is not None:
            (x, y), side = found[0].tolist(), found[1]
    rotation = 0.0
    if turns < config.rotation_probability:
        rotation = math.radians(config.rotation_deg * _cut(turn, 2))
    # upstream shifts first and mirrors the shifted centre, so the shift keeps its sign in the stored picture
    shift = config.shift * side
    moved = np.array([x + shift * _cut(across, 1), y + shift * _cut(down, 1)])
    placement = Placement(
        moved, side * (1 + config.scale * _cut(zoom, 1)), rotation, flips < config.flip_probability
    )
    red, green, blue = (1 + config.colour * (2 * u - 1) for u in channels)
    return placement, (red, green, blue)


def _cut(value: float, limit: float) -> float:
    return min(max(value, -limit), limit)
