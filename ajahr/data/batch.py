"""The one typed batch of the regressor. Every dataset's adapter makes it; nothing downstream asks where from.

A label that is missing is masked, never invented: ``limb_levels`` is -1, ``has_*`` is False, a confidence is 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

CROP_SIZE = 256
"""Side of the square crop, px. The ViT sees its columns 32..223, BPAC-Net all of it."""


@dataclass(eq=False)
class Batch:
    """Crops of people and what is known of them.

    2D points are in crop units: the square is -0.5..0.5 in x and y, so ``px = (kp + 0.5) * CROP_SIZE``. 3D points
    are in the camera frame, m. Rotations are matrices; the global orientation follows the crop's rotation.
    """

    image: Float[Tensor, "batch 3 height width"]
    """RGB, ImageNet-normalised."""
    keypoints_2d: Float[Tensor, "batch j44=44 3"]
    """x, y in crop units, confidence 0..1; 0: no label. Absent joints have confidence 0."""
    keypoints_3d: Float[Tensor, "batch j44=44 4"]
    """x, y, z (m, not centred) and confidence."""
    pose_rotmat: Float[Tensor, "batch joints=24 3 3"]
    """global_orient first. Joints that are absent keep their original rotation where the dataset has it."""
    betas: Float[Tensor, "batch betas=10"]
    has_pose: Bool[Tensor, "batch joints=24"]
    has_betas: Bool[Tensor, " batch"]
    trusted_3d: Bool[Tensor, " batch"]
    """3D labels that are exact (rendered) or measured (motion capture): never loosened (facts 5.10)."""
    limb_levels: Int[Tensor, "batch limbs=4"]
    """0 intact .. 3 shoulder or hip, in `Limb` order; -1 unknown."""
    residual: Float[Tensor, "batch segments=8"]
    """Lambda of the end of a residual limb in each of `ajahr.residual_limb.segments.SEGMENTS`: 0 at the distal
    joint, 1 at the proximal one. NaN where no limb ends, or it is not known."""
    residual_3d: Float[Tensor, "batch segments=8 4"]
    """x, y, z (m, not centred) of that end and confidence."""
    bpac_keypoints: Float[Tensor, "batch coco12=12 3"]
    """What BPAC-Net is shown: the COCO joints 5..16 in crop units and confidence; confidence 0 draws nothing."""
    box_center: Float[Tensor, "batch xy=2"]
    """Of the crop in the whole picture, px."""
    box_size: Float[Tensor, " batch"]
    """Side of the square crop in the whole picture, px."""
    image_size: Float[Tensor, "batch wh=2"]
    """Width and height of the whole picture, px."""
    focal_length: Float[Tensor, " batch"]
    """Of the whole picture, px; HMR's 5000 / 256 x the longer side where it is not known."""
    keys: list[str]
    """Name of every sample, for the error that names it."""

    def __len__(self) -> int:
        return len(self.keys)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """The batch on another device."""
        return self._map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Batch:
        """The batch in page-locked memory, as DataLoader asks for."""
        return self._map(Tensor.pin_memory)

    def select(self, index: Tensor) -> Batch:
        """The samples of ``index`` (integers or a boolean mask), in its order."""
        rows = torch.arange(len(self), device=index.device)[index].tolist()
        return self._map(lambda tensor: tensor[index], [self.keys[i] for i in rows])

    def _map(self, change: Callable[[Tensor], Tensor], keys: list[str] | None = None) -> Batch:
        tensors: dict[str, Any] = {
            field.name: change(getattr(self, field.name)) for field in fields(self) if field.name != "keys"
        }
        return Batch(**tensors, keys=self.keys if keys is None else keys)
