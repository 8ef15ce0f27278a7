"""Crops to one batch: labels into the crop's frame, for all samples at once.

A worker hands over a `PackedBatch`, whose pictures are uint8: a quarter of the bytes through the queue and
onto the device. `PackedBatch.unpack` makes the `Batch` there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ajahr.anatomy import J44, JOINT_FLIP, LIMB_FLIP
from ajahr.data.batch import Batch
from ajahr.data.hmr import detector_noise
from ajahr.data.hmr.dataset import Crops
from ajahr.data.hmr.detector_noise import DetectorNoise, detector_like
from ajahr.data.hmr.samples import BPAC_J44
from ajahr.geometry.cameras import hmr_focal_length
from ajahr.geometry.crops import CROP_SIZE
from ajahr.geometry.rotations_np import mirror_rotvec, rotvec_to_rotmat
from ajahr.residual_limb.segments import SEGMENT_FLIP

IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_STD = (0.229, 0.224, 0.225)
_J44_FLIP = np.array(J44.flip)
_BPAC_BODY = np.array(BPAC_J44)
_BPAC_EXTRA = np.array([J44.index[f"{J44.names[i]}_extra"] for i in BPAC_J44])


@dataclass(eq=False)
class PackedBatch:
    """What a worker hands over: everything of `Batch` but the picture, which is not normalised yet."""

    pixels: UInt8[Tensor, "batch height width 3"]
    """RGB."""
    colour: Float[Tensor, "batch rgb=3"]
    """Factor of each channel, applied before clipping and normalising."""
    labels: dict[str, Tensor]
    keys: list[str]

    def __len__(self) -> int:
        return len(self.keys)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> PackedBatch:
        """The batch on another device; still packed."""
        return self._map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> PackedBatch:
        """The batch in page-locked memory, as DataLoader asks for."""
        return self._map(Tensor.pin_memory)

    def _map(self, move: Any) -> PackedBatch:
        labels = {name: move(tensor) for name, tensor in self.labels.items()}
        return replace(self, pixels=move(self.pixels), colour=move(self.colour), labels=labels)

    def unpack(self) -> Batch:
        """The batch, its pictures multiplied by the colour, clipped and normalised, where it is."""
        return Batch(image=normalise(self.pixels, self.colour), keys=self.keys, **self.labels)


def normalise(
    pixels: UInt8[Tensor, "batch height width 3"], colour: Float[Tensor, "batch rgb=3"] | None = None
) -> Float[Tensor, "batch 3 height width"]:
    """ImageNet-normalised float32 of uint8 RGB, channels first.

    On a device, factor, clip at 255, mean and deviation are one product, one sum and one minimum: clipping
    commutes with what comes after it.
    """
    if not pixels.is_cuda:
        return _normalise_by_table(pixels, colour)
    mean = torch.tensor(IMAGE_MEAN, device=pixels.device)
    std = torch.tensor(IMAGE_STD, device=pixels.device)
    gain = 1 / (255 * std) if colour is None else colour / (255 * std)
    image = pixels.permute(0, 3, 1, 2) * gain.expand(len(pixels), 3)[..., None, None]
    image -= (mean / std)[:, None, None]
    return torch.minimum(image, ((1 - mean) / std)[:, None, None])


def _normalise_by_table(pixels: Tensor, colour: Tensor | None) -> Tensor:
    """256 values per person and channel, looked up: half of the time of arithmetic on a CPU."""
    factors = np.ones((len(pixels), 3), np.float32) if colour is None else colour.numpy()
    mean, std = np.array(IMAGE_MEAN, np.float32)[:, None], np.array(IMAGE_STD, np.float32)[:, None]
    values = np.minimum(factors[..., None] * np.arange(256, dtype=np.float32), 255) / 255
    tables = (values - mean) / std
    image = torch.empty(len(pixels), 3, *pixels.shape[1:3])
    for person, table, planes in zip(pixels.numpy(), tables, image.numpy(), strict=True):
        for channel, one in enumerate(cv2.split(person)):
            cv2.LUT(one, table[channel], planes[channel])
    return image


@dataclass(frozen=True)
class Collate:
    """Crops to a `PackedBatch`; give it to DataLoader as ``collate_fn``."""

    noise: DetectorNoise = DetectorNoise()  # noqa: RUF009  (frozen)

    def __call__(self, crops: Crops | Sequence[Crops]) -> PackedBatch:
        crops = crops if isinstance(crops, Crops) else Crops.joined(crops)
        labels = self.labels(crops, crops.pixels.shape[1])
        return PackedBatch(
            pixels=torch.from_numpy(crops.pixels),
            colour=torch.from_numpy(crops.colour.astype(np.float32)),
            labels={name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in labels.items()},
            keys=crops.keys,
        )

    def labels(self, crops: Crops, size: int = CROP_SIZE) -> dict[str, np.ndarray]:
        """The label fields of `Batch` as arrays. Mirrored before they are turned, as upstream does."""
        column, placements = crops.columns, crops.placements
        flip, affine, wide = placements.flip, placements.affine(size), column["image_size"]

        points = _to_crop(column["keypoints_2d"][..., :2], affine, size)
        confidence = np.clip(column["keypoints_2d"][..., 2:], 0, 1)
        keypoints_2d = np.where(confidence > 0, np.concatenate([points, confidence], -1), 0)
        keypoints_2d[flip] = keypoints_2d[flip][:, _J44_FLIP]

        turn = _about_z(-placements.rotation)
        pose, has_pose = column["pose"].astype(np.float64), column["has_pose"].copy()
        pose[flip] = mirror_rotvec(pose[flip][:, list(JOINT_FLIP)])
        has_pose[flip] = has_pose[flip][:, list(JOINT_FLIP)]
        rotmat = rotvec_to_rotmat(pose)
        rotmat[:, 0] = turn @ rotmat[:, 0]

        keypoints_3d = column["keypoints_3d"].astype(np.float64)
        keypoints_3d[flip] = keypoints_3d[flip][:, _J44_FLIP] * (-1, 1, 1, 1)
        keypoints_3d[..., :3] = keypoints_3d[..., :3] @ turn.transpose(0, 2, 1)
        keypoints_3d[..., 3] = np.clip(keypoints_3d[..., 3], 0, 1)

        residual, ends = column["residual"].copy(), column["residual_3d"].astype(np.float64)
        residual[flip] = residual[flip][:, list(SEGMENT_FLIP)]
        ends[flip] = ends[flip][:, list(SEGMENT_FLIP)] * (-1, 1, 1, 1)
        ends[..., :3] = ends[..., :3] @ turn.transpose(0, 2, 1)

        levels = column["levels"].astype(np.int64)
        levels[flip] = levels[flip][:, list(LIMB_FLIP)]
        absent = J44.absent(np.maximum(levels, 0))
        keypoints_2d[absent] = 0

        center = placements.center.astype(np.float32)
        center[flip, 0] = wide[flip, 0] - center[flip, 0]
        focal = column["focal_length"]
        unknown = np.array([hmr_focal_length(*pair) for pair in wide.tolist()], np.float32)
        return {
            "keypoints_2d": keypoints_2d.astype(np.float32),
            "keypoints_3d": keypoints_3d.astype(np.float32),
            "pose_rotmat": rotmat.astype(np.float32),
            "betas": column["betas"],
            "has_pose": has_pose,
            "has_betas": column["has_betas"],
            "trusted_3d": column["trusted_3d"],
            "limb_levels": levels,
            "residual": residual,
            "residual_3d": ends.astype(np.float32),
            "bpac_keypoints": self._bpac(crops, keypoints_2d, absent, affine, size),
            "box_center": center,
            "box_size": placements.side.astype(np.float32),
            "image_size": wide,
            "focal_length": np.where(np.isfinite(focal), focal, unknown),
        }

    def _bpac(
        self,
        crops: Crops,
        keypoints: np.ndarray,
        absent: np.ndarray,
        affine: np.ndarray,
        size: int,
    ) -> np.ndarray:
        flip, column = crops.placements.flip, crops.columns
        body, extra = keypoints[:, _BPAC_BODY], keypoints[:, _BPAC_EXTRA]
        truth = np.where(body[..., 2:] > 0, body, extra)  # lab data label the extra block only
        intact = _to_crop(column["intact_2d"], affine, size)
        intact[flip] = intact[flip][:, detector_noise.FLIP]
        covered = column["hidden"] | crops.covered
        covered[flip] = covered[flip][:, detector_noise.FLIP]
        found = detector_like(
            truth.astype(np.float64), absent[:, _BPAC_BODY], intact, covered, crops.chance, self.noise
        )
        return found.astype(np.float32)


def _to_crop(points: np.ndarray, affine: np.ndarray, size: int) -> np.ndarray:
    """(batch, points, 2) px of the stored pictures to crop units."""
    moved = points.astype(np.float64) @ affine[:, :, :2].transpose(0, 2, 1) + affine[:, None, :, 2]
    return moved / size - 0.5


def _about_z(angle: np.ndarray) -> np.ndarray:
    """(batch, 3, 3) rotations about the camera's z, rad."""
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.zeros((len(angle), 3, 3))
    turn[:, 0, 0], turn[:, 0, 1], turn[:, 1, 0], turn[:, 1, 1] = cosine, -sine, sine, cosine
    turn[:, 2, 2] = 1
    return turn


def to_batch(crops: Crops | Sequence[Crops], noise: DetectorNoise | None = None) -> Batch:
    """Crops to a `Batch` in one step, for a few people at a time."""
    return Collate(noise or DetectorNoise())(crops).unpack()
