"""2D keypoints of people in boxes, by ViTPose through transformers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8

from ajahr.anatomy import COCO17
from ajahr.inference.external import WeightsFile, require

VITPOSE_WEIGHTS = WeightsFile(
    "keypoints",
    "the folder of a ViTPose model (config.json, preprocessor_config.json, model.safetensors)",
    "huggingface.co/usyd-community, such as vitpose-base-simple or vitpose-plus-huge",
    folder=True,
)
_COCO_EXPERT = 0
"""ViTPose+ has an expert per data set; COCO's is the first."""


class VitPose:
    """Keypoints in boxes by a ViTPose model of any size and any number of keypoints.

    Args:
        weights: A model folder as transformers saves it.
        device: ``cpu`` or ``cuda``.
        batch_size: Boxes at a time.
        file: How errors call the weights.

    Raises:
        MissingAsset: no such folder, or transformers is not installed.
        UserError: the folder holds no ViTPose model.
    """

    def __init__(
        self,
        weights: Path | None,
        *,
        device: str = "cpu",
        batch_size: int = 16,
        file: WeightsFile = VITPOSE_WEIGHTS,
    ) -> None:
        path = file.find(weights)
        transformers = require("transformers", f"{file.key} (ViTPose)")
        transformers.utils.logging.disable_progress_bar()
        try:
            config = transformers.AutoConfig.from_pretrained(path, local_files_only=True)
            if config.model_type != "vitpose":
                raise ValueError(f"it is a model of type {config.model_type}")
            self._processor = transformers.VitPoseImageProcessor.from_pretrained(path, local_files_only=True)
            model, report = transformers.VitPoseForPoseEstimation.from_pretrained(
                path, local_files_only=True, output_loading_info=True
            )
            if report["missing_keys"]:
                raise ValueError(f"{len(report['missing_keys'])} weights are missing")
        except Exception as error:  # transformers raises OSError, ValueError, KeyError, safetensors its own
            raise file.refuse(path, f"{type(error).__name__}: {error}") from None
        self._model = model.eval().to(device)
        self.num_keypoints = int(model.config.num_labels)
        self._experts = model.config.backbone_config.num_experts > 1
        self._device, self._batch_size = device, batch_size

    def keypoints(
        self, image: UInt8[np.ndarray, "height width 3"], boxes_xyxy: Float32[np.ndarray, "people 4"]
    ) -> Float32[np.ndarray, "people keypoints 3"]:
        """x, y (px) and score of each keypoint in each box."""
        import torch

        found = np.zeros((len(boxes_xyxy), self.num_keypoints, 3), np.float32)
        corner_size = np.concatenate([boxes_xyxy[:, :2], boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]], axis=1)
        for start in range(0, len(corner_size), self._batch_size):
            boxes = [corner_size[start : start + self._batch_size]]
            inputs = self._processor(image, boxes=boxes, return_tensors="pt").to(self._device)
            expert = (
                torch.full((len(boxes[0]),), _COCO_EXPERT, device=self._device) if self._experts else None
            )
            with torch.inference_mode():
                output = self._model(**inputs, dataset_index=expert)
            for k, person in enumerate(self._processor.post_process_pose_estimation(output, boxes=boxes)[0]):
                found[start + k, :, :2] = person["keypoints"].float().cpu().numpy()
                found[start + k, :, 2] = person["scores"].float().cpu().numpy()
        return found


class VitPoseKeypoints(VitPose):
    """The 17 COCO keypoints of each box. Arguments and errors as in `VitPose`."""

    def __init__(
        self,
        weights: Path | None,
        *,
        device: str = "cpu",
        batch_size: int = 16,
        file: WeightsFile = VITPOSE_WEIGHTS,
    ) -> None:
        super().__init__(weights, device=device, batch_size=batch_size, file=file)
        if self.num_keypoints != len(COCO17):
            assert weights is not None
            raise file.refuse(weights, f"it has {self.num_keypoints} keypoints, COCO {len(COCO17)}")

    def __call__(
        self, image: UInt8[np.ndarray, "height width 3"], boxes_xyxy: Float32[np.ndarray, "people 4"]
    ) -> Float32[np.ndarray, "people 17 3"]:
        """x, y (px) and confidence (0..1) of each keypoint in each box."""
        found = self.keypoints(image, boxes_xyxy)
        found[..., 2] = np.clip(found[..., 2], 0, 1)
        return found
