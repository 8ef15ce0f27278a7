"""What chance does to one crop: drawn here, applied by `ajahr.data.hmr.crops` and `ajahr.data.hmr.collate`.

The distributions and their order are HMR2.0's (facts 3.9): extreme crop, shift of the box, mirror of picture
and box, one affine map with scale and rotation, colour. Occlusion and truncation are ours and come last.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

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
        cosine, sine = np.cos(self.rotation), np.sin(self.rotation)
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
    absent: Bool[np.ndarray, "j44=44"],
) -> tuple[Placement, tuple[float, float, float]]:
    """Place and colour of one crop.

    Args:
        rng: used for nothing else but this sample.
        config: the ranges.
        center, side: the sample's own box, px.
        keypoints: px and confidence; only an extreme crop looks at them.
        absent: keypoints that amputations have taken.

    Returns:
        The crop's place, and the factor of each channel.
    """
    normal = rng.standard_normal(4)
    uniform = rng.random(7)
    shift_x, shift_y = np.clip(normal[:2], -1, 1) * config.shift
    scale = 1 + config.scale * float(np.clip(normal[2], -1, 1))
    rotation = 0.0
    if uniform[0] < config.rotation_probability:
        rotation = float(np.deg2rad(config.rotation_deg * np.clip(normal[3], -2, 2)))
    flip = bool(uniform[1] < config.flip_probability)
    if uniform[2] < config.extreme_crop_probability:
        mode = choose_mode(keypoints[:, 2] > 0, absent, float(uniform[3]), config.extreme_crop_level)
        found = None if mode is None else box_of(keypoints, mode)
        if found is not None:
            center, side = found
    red, green, blue = (1 + config.colour * (2 * uniform[4:] - 1)).tolist()
    # upstream shifts first and mirrors the shifted centre, so the shift keeps its sign in the stored picture
    moved = np.array([center[0] + side * shift_x, center[1] + side * shift_y], np.float64)
    return Placement(moved, side * scale, rotation, flip), (red, green, blue)
