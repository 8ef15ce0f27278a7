"""Whether somebody is left where people were removed, by ViTPose (AJAHR supplementary A)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8

from synth.photos.backends.assets import WeightsFile, require

VITPOSE_WEIGHTS = WeightsFile(
    "backgrounds.checker_weights",
    "the folder of a ViTPose model (config.json, preprocessor_config.json, model.safetensors)",
    "huggingface.co/usyd-community, such as vitpose-base-simple or vitpose-plus-huge",
    folder=True,
)
_COCO_EXPERT = 0
"""ViTPose+ has an expert per data set; COCO's is the first."""
_BATCH = 16


class VitPoseCheck:
    """Looks for people in given places of a picture with a ViTPose model of any size.

    ViTPose works on boxes: it is asked where people were removed, and where a detector sees somebody.

    Args:
        weights: A model folder as transformers saves it.
        confidence: Least score of a keypoint.
        keypoints: Keypoints that make a person. The paper drops a picture for any keypoint; a heat map has a
            weak maximum on any texture, so one alone says little.
        device: ``cpu`` or ``cuda``.
        file: What the weights are called in errors.

    Raises:
        MissingAsset: no such folder, or transformers is not installed.
        UserError: the folder holds no ViTPose model.
    """

    def __init__(
        self,
        weights: Path | None,
        *,
        confidence: float = 0.5,
        keypoints: int = 3,
        device: str = "cpu",
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
        self._confidence, self._keypoints, self._device = confidence, keypoints, device

    def __call__(
        self, image: UInt8[np.ndarray, "height width 3"], boxes_xyxy: Float32[np.ndarray, "places 4"]
    ) -> int:
        """In how many of the places a person is seen."""
        scores = self.scores(image, boxes_xyxy)
        return int(((scores >= self._confidence).sum(axis=1) >= self._keypoints).sum())

    def scores(
        self, image: UInt8[np.ndarray, "height width 3"], boxes_xyxy: Float32[np.ndarray, "places 4"]
    ) -> Float32[np.ndarray, "places keypoints"]:
        """Score of each keypoint in each place."""
        return self.keypoints(image, boxes_xyxy)[..., 2]

    def keypoints(
        self, image: UInt8[np.ndarray, "height width 3"], boxes_xyxy: Float32[np.ndarray, "places 4"]
    ) -> Float32[np.ndarray, "places keypoints 3"]:
        """Place (px) and score of each keypoint in each place."""
        import torch

        if not len(boxes_xyxy):
            return np.zeros((0, self.num_keypoints, 3), np.float32)
        corner_size = np.concatenate([boxes_xyxy[:, :2], boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]], axis=1)
        found = []
        for start in range(0, len(corner_size), _BATCH):
            boxes = [corner_size[start : start + _BATCH]]
            inputs = self._processor(image, boxes=boxes, return_tensors="pt").to(self._device)
            expert = (
                torch.full((len(boxes[0]),), _COCO_EXPERT, device=self._device) if self._experts else None
            )
            with torch.inference_mode():
                output = self._model(**inputs, dataset_index=expert)
            for person in self._processor.post_process_pose_estimation(output, boxes=boxes)[0]:
                points, scores = person["keypoints"].float(), person["scores"].float()
                found.append(torch.cat([points, scores[:, None]], 1).cpu().numpy())
        return np.stack(found).astype(np.float32)
