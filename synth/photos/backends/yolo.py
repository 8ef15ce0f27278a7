"""People by an ultralytics YOLO model: boxes, or poses for the check of a cleaned picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8

from ajahr.inference import yolo as inference
from ajahr.inference.external import WeightsFile

DETECTOR_WEIGHTS = WeightsFile(
    "backgrounds.detector_weights",
    "an ultralytics detection checkpoint (yolo11x.pt, or one fine-tuned on CrowdHuman as in the paper)",
    "github.com/ultralytics/assets/releases",
)
POSE_WEIGHTS = WeightsFile(
    "backgrounds.checker_weights",
    "an ultralytics pose checkpoint (yolo11x-pose.pt)",
    "github.com/ultralytics/assets/releases",
)


class YoloDetector(inference.YoloDetector):
    """`ajahr.inference.yolo.YoloDetector` with a low threshold: whoever is left in a background does harm."""

    def __init__(
        self,
        weights: Path | None,
        *,
        confidence: float = 0.25,
        size: int = 640,
        person_class: str = "",
        device: str = "cpu",
    ) -> None:
        super().__init__(
            weights,
            confidence=confidence,
            size=size,
            person_class=person_class,
            device=device,
            file=DETECTOR_WEIGHTS,
            class_key="backgrounds.detector_class",
        )


class YoloPose:
    """People and their keypoints by a YOLO pose model.

    Args:
        weights: A ``.pt`` file of ultralytics.
        confidence: Least score of a person.
        size: Longer side of the picture as the network sees it, px.
        device: ``cpu`` or ``cuda``.
        file: What the weights are called in errors.

    Raises:
        MissingAsset: no weights, or ultralytics is not installed.
        UserError: the file is no pose model.
    """

    def __init__(
        self,
        weights: Path | None,
        *,
        confidence: float = 0.5,
        size: int = 640,
        device: str = "cpu",
        file: WeightsFile = POSE_WEIGHTS,
    ) -> None:
        self._model = inference.load_yolo(file, weights, ("pose",))
        self._options = inference.yolo_options(confidence, size, device)

    def __call__(
        self, image: UInt8[np.ndarray, "height width 3"]
    ) -> tuple[Float32[np.ndarray, "people 4"], Float32[np.ndarray, "people keypoints 3"]]:
        """Boxes, and keypoints (px) with their scores."""
        (result,) = self._model.predict(inference.to_bgr(image), **self._options)
        if result.keypoints is None or result.keypoints.conf is None:
            return np.zeros((0, 4), np.float32), np.zeros((0, 17, 3), np.float32)
        boxes = result.boxes.data[:, :4].float().cpu().numpy()
        return boxes, result.keypoints.data.float().cpu().numpy()


class YoloPoseCheck:
    """Looks for people anywhere in a picture with a YOLO pose model.

    Args:
        weights: A ``.pt`` file of ultralytics.
        confidence: Least score of a person and of a keypoint.
        keypoints: Keypoints that make a person.
        size: Longer side of the picture as the network sees it, px.
        device: ``cpu`` or ``cuda``.

    Raises:
        MissingAsset: no weights, or ultralytics is not installed.
        UserError: the file is no pose model.
    """

    def __init__(
        self,
        weights: Path | None,
        *,
        confidence: float = 0.5,
        keypoints: int = 3,
        size: int = 640,
        device: str = "cpu",
    ) -> None:
        self._model = YoloPose(weights, confidence=confidence, size=size, device=device)
        self._confidence, self._keypoints = confidence, keypoints

    def __call__(
        self, image: UInt8[np.ndarray, "height width 3"], boxes_xyxy: Float32[np.ndarray, "places 4"]
    ) -> int:
        """How many people are seen; the places where people were are not needed."""
        _, keypoints = self._model(image)
        seen = keypoints[..., 2] >= self._confidence
        return int((seen.sum(axis=1) >= self._keypoints).sum())
