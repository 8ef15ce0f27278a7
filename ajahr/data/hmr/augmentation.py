"""What chance does to one crop: drawn here, applied by `ajahr.data.hmr.crops` and `ajahr.data.hmr.collate`.

The distributions and their order are HMR2.0's (facts 3.9): extreme crop, shift of the box, mirror of picture
and box, one affine map with scale and rotation, colour. Occlusion and truncation are ours and come last.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int, Num
from scipy.special import ndtri

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
class Placements:
    """Where crops are in their pictures, after augmentation."""

    center: Float[np.ndarray, "samples xy=2"]
    """In the stored picture (not mirrored), px."""
    side: Float[np.ndarray, " samples"]
    """px, with the random scale."""
    rotation: Float[np.ndarray, " samples"]
    """rad; positive turns the content counter-clockwise."""
    flip: Bool[np.ndarray, " samples"]

    @classmethod
    def plain(cls, center: Num[np.ndarray, "samples xy=2"], side: Num[np.ndarray, " samples"]) -> Placements:
        """The boxes as they are."""
        count = len(side)
        return cls(center.astype(np.float64), side.astype(np.float64), np.zeros(count), np.zeros(count, bool))

    def affine(self, crop_size: int = CROP_SIZE) -> Float[np.ndarray, "samples 2 3"]:
        """Stored picture to crop, px, continuous. The mirror's axis cancels: no picture size is needed."""
        zoom = crop_size / self.side
        cosine, sine = zoom * np.cos(self.rotation), zoom * np.sin(self.rotation)
        mirror = np.where(self.flip, -1.0, 1.0)
        linear = np.stack([cosine * mirror, sine, -sine * mirror, cosine], -1).reshape(-1, 2, 2)
        offset = crop_size / 2 - linear @ self.center[..., None]
        return np.concatenate([linear, offset], 2)


NUMBERS = 14
"""Uniform numbers `draw` takes per sample."""


@dataclass(frozen=True, eq=False)
class Augmentation:
    """What chance does to each of several crops."""

    placements: Placements
    colour: Float[np.ndarray, "samples rgb=3"]
    """Factor of each channel."""
    occluded: Bool[np.ndarray, "samples kinds=3"]
    """Patches, an object, an early end of the picture: `ajahr.data.hmr.occlusion`."""


def draw(
    uniform: Float[np.ndarray, "samples numbers=14"],
    config: AugmentationConfig,
    center: Num[np.ndarray, "samples xy=2"],
    side: Num[np.ndarray, " samples"],
    keypoints: Num[np.ndarray, "samples j44=44 3"],
    levels: Int[np.ndarray, "samples limbs=4"],
) -> Augmentation:
    """What happens to each of several people.

    Args:
        uniform: numbers in 0..1, `NUMBERS` per person.
        config: chances and ranges.
        center, side: the people's own boxes, px.
        keypoints: px and confidence; only extreme crops look at them.
        levels: of the limbs; what is lost does not count as out of sight.
    """
    normal = ndtri(np.clip(uniform[:, :4], 1e-9, 1 - 1e-9))
    turns, flips, crops, which = uniform[:, 4:8].T
    center, side = center.astype(np.float64), side.astype(np.float64)
    for i in np.flatnonzero(crops < config.extreme_crop_probability):
        absent = J44.absent(np.maximum(levels[i], 0).astype(np.int64))
        mode = choose_mode(keypoints[i, :, 2] > 0, absent, float(which[i]), config.extreme_crop_level)
        found = None if mode is None else box_of(keypoints[i].astype(np.float64), mode)
        if found is not None:
            center[i], side[i] = found
    # upstream shifts first and mirrors the shifted centre, so the shift keeps its sign in the stored picture
    center += config.shift * side[:, None] * np.clip(normal[:, :2], -1, 1)
    side *= 1 + config.scale * np.clip(normal[:, 2], -1, 1)
    rotation = np.deg2rad(config.rotation_deg) * np.clip(normal[:, 3], -2, 2)
    rotation[turns >= config.rotation_probability] = 0
    placements = Placements(center, side, rotation, flips < config.flip_probability)
    colour = 1 + config.colour * (2 * uniform[:, 8:11] - 1)
    occlusion = config.occlusion
    chances = (occlusion.patch_probability, occlusion.object_probability, occlusion.truncation_probability)
    return Augmentation(placements, colour, uniform[:, 11:] < np.array(chances))
