"""Crops in, numbers out: the regressor on its device, a batch at a time."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float32, Int, Int64, UInt8
from torch import Tensor

from ajahr.anatomy import NUM_LIMBS
from ajahr.data.hmr.crops import cut
from ajahr.data.images import LoadedImage
from ajahr.errors import UserError
from ajahr.geometry.crops import CROP_SIZE, apply_affine, crop_affine, crop_side, normalise_points
from ajahr.inference.people import People

Precision = Literal["fp32", "bf16"]
KeypointFrame = Literal["crop", "image"]
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, eq=False)
class Crops:
    """What the regressor sees of people, and where in the whole picture that lies."""

    images: UInt8[np.ndarray, "people 256 256 3"]
    keypoints: Float32[np.ndarray, "people coco12=12 3"]
    """In the frame the regressor wants (`RegressorConfig.keypoint_frame`)."""
    centres: Float32[np.ndarray, "people xy=2"]
    """px of the whole picture."""
    sides: Float32[np.ndarray, " people"]

    def __len__(self) -> int:
        return len(self.images)

    def take(self, index: Int[np.ndarray, " chosen"]) -> Crops:
        return Crops(*(getattr(self, field.name)[index] for field in fields(self)))

    @classmethod
    def joined(cls, parts: list[Crops]) -> Crops:
        if len(parts) == 1:
            return parts[0]
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))


def cut_people(image: LoadedImage, people: People, frame: KeypointFrame = "crop") -> Crops:
    """Antialiased square crops of people, black outside the picture. No margin is added to their boxes.

    Args:
        image: as loaded, perhaps reduced.
        people: boxes and keypoints in px of the full picture.
        frame: in which BPAC-Net takes its keypoints.
    """
    count = len(people)
    centres, sides = people.centres, crop_side(people.sizes).astype(np.float32).reshape(count)
    images = np.empty((count, CROP_SIZE, CROP_SIZE, 3), np.uint8)
    keypoints = people.bpac_keypoints.copy()
    for k in range(count):
        affine = crop_affine(centres[k], float(sides[k]))
        images[k] = cut(image.pixels, affine, reduction=image.reduction)
        if frame == "crop":
            keypoints[k, :, :2] = normalise_points(apply_affine(affine, keypoints[k, :, :2]))
    keypoints[keypoints[..., 2] <= 0] = 0
    return Crops(images, keypoints, centres, sides)


@dataclass(frozen=True, eq=False)
class Estimates:
    """The regressor's output on the CPU, without what only training needs. See `RegressorOutput`."""

    limb_probabilities: Float32[np.ndarray, "people limbs=4 levels=4"] | None
    """Calibrated; None where no BPAC-Net judged the limbs."""
    limb_levels: Int64[np.ndarray, "people limbs=4"]
    pose_rotmat: Float32[np.ndarray, "people joints=24 3 3"]
    betas: Float32[np.ndarray, "people betas=10"]
    crop_camera: Float32[np.ndarray, "people styx=3"]
    vertices: Float32[np.ndarray, "people vertices 3"]
    joints: Float32[np.ndarray, "people joints=24 3"]
    keypoints_3d: Float32[np.ndarray, "people j44=44 3"]
    residual_lambda: Float32[np.ndarray, "people segments=8"] | None = None
    """Where a limb ends in each segment; None without a residual head."""
    residual_std: Float32[np.ndarray, "people segments=8"] | None = None
    """Its standard deviation, calibrated."""

    def __len__(self) -> int:
        return len(self.limb_levels)

    def rows(self, start: int, stop: int) -> Estimates:
        return Estimates(**{name: _slice(value, start, stop) for name, value in self._columns().items()})

    def replaced(self, index: Int[np.ndarray, " chosen"], others: Estimates) -> Estimates:
        """These with the rows ``index`` from ``others``, in its order; limb probabilities stay."""
        columns = self._columns()
        for name, value in columns.items():
            new = getattr(others, name)
            if name != "limb_probabilities" and value is not None and new is not None:
                value = value.copy()
                value[index] = new
                columns[name] = value
        return Estimates(**columns)

    def _columns(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def joined(cls, parts: list[Estimates]) -> Estimates:
        if len(parts) == 1:
            return parts[0]
        names = [field.name for field in fields(cls)]
        columns: dict[str, Any] = {}
        for name in names:
            values = [getattr(part, name) for part in parts]
            columns[name] = None if values[0] is None else np.concatenate(values)
        return cls(**columns)


def _slice(value: Any, start: int, stop: int) -> Any:
    return None if value is None else value[start:stop]


class Estimator:
    """Runs a regressor over crops.

    Args:
        regressor: put into evaluation mode and moved to the device.
        device: ``cpu``, ``cuda``, ``cuda:1`` ...
        precision: bf16 runs the network under autocast; geometry stays float32.
        batch_size: people at a time.
    """

    def __init__(
        self,
        regressor: torch.nn.Module,
        *,
        device: str = "cpu",
        precision: Precision = "fp32",
        batch_size: int = 16,
    ) -> None:
        if batch_size < 1:
            raise UserError(f"batch_size is {batch_size}; give at least 1")
        self.device, self.precision, self.batch_size = torch.device(device), precision, batch_size
        self.regressor = regressor.eval().requires_grad_(False).to(self.device)
        self.loss_threshold: float | None = getattr(regressor, "loss_threshold", None)
        """For `ajahr.models.decision.decide_levels`."""
        self._mean = torch.tensor(_MEAN, device=self.device).view(3, 1, 1) * 255
        self._scale = 1 / (torch.tensor(_STD, device=self.device).view(3, 1, 1) * 255)

    def __call__(
        self, crops: Crops, limb_levels: Int[np.ndarray, "people limbs=4"] | None = None
    ) -> Estimates:
        """Estimates for at least one crop.

        Args:
            limb_levels: levels that overrule BPAC-Net's; -1 leaves a limb to it.
        """
        parts = []
        for start in range(0, len(crops), self.batch_size):
            stop = min(start + self.batch_size, len(crops))
            levels = None if limb_levels is None else torch.from_numpy(limb_levels[start:stop]).long()
            parts.append(
                self._batch(
                    torch.from_numpy(crops.images[start:stop]),
                    torch.from_numpy(crops.keypoints[start:stop]),
                    levels,
                )
            )
        return Estimates.joined(parts)

    def _batch(self, images: Tensor, keypoints: Tensor, levels: Tensor | None) -> Estimates:
        device = self.device
        with (
            torch.inference_mode(),
            torch.autocast(device.type, torch.bfloat16, enabled=self.precision == "bf16"),
        ):
            pixels = images.to(device).permute(0, 3, 1, 2).float()
            output = self.regressor(
                pixels.sub_(self._mean).mul_(self._scale).contiguous(),
                keypoints.to(device),
                limb_levels=None if levels is None else levels.to(device),
            )
        if not bool(torch.isfinite(output.joints).all()):
            raise UserError(
                f"the network gives numbers that are not finite ({self.precision}); use fp32, or other weights"
            )
        found = output.limb_probabilities

        def array(value: Tensor) -> np.ndarray:
            return value.float().cpu().numpy()

        return Estimates(
            None if found is None else array(found),
            output.limb_levels.cpu().numpy().astype(np.int64).reshape(-1, NUM_LIMBS),
            array(output.pose_rotmat),
            array(output.betas),
            array(output.crop_camera),
            array(output.vertices),
            array(output.joints),
            array(output.keypoints_3d),
            None if output.residual_lambda is None else array(output.residual_lambda),
            None if output.residual_std is None else array(output.residual_std),
        )
