"""COCO's keypoints of people in given boxes, for those whose annotation has none."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8

from ajahr.inference import vitpose
from synth.photos.backends.pose_check import VITPOSE_WEIGHTS
from synth.photos.backends.yolo import POSE_WEIGHTS, YoloPose
from synth.photos.detect import SAME_PERSON_IOU, box_iou

VITPOSE_KEYPOINTS = dataclasses.replace(VITPOSE_WEIGHTS, key="backgrounds.keypoints_weights")
YOLO_KEYPOINTS = dataclasses.replace(POSE_WEIGHTS, key="backgrounds.keypoints_weights")
_COCO = 17


class VitPoseKeypoints(vitpose.VitPoseKeypoints):
    """`ajahr.inference.vitpose.VitPoseKeypoints` under this package's key."""

    def __init__(self, weights: Path | None, *, device: str = "cpu") -> None:
        super().__init__(weights, device=device, file=VITPOSE_KEYPOINTS)


class YoloPoseKeypoints:
    """A YOLO pose model on the whole picture; each box takes the person that overlaps it most.

    Args:
        weights: A ``.pt`` file of ultralytics.
        size: Longer side of the picture as the network sees it, px.
        confidence: Least score of a person.
        device: ``cpu`` or ``cuda``.

    Raises:
        MissingAsset: no weights, or ultralytics is not installed.
        UserError: the file is no pose model of COCO's keypoints.
    """

    def __init__(
        self, weights: Path | None, *, size: int = 640, confidence: float = 0.25, device: str = "cpu"
    ) -> None:
        self._model = YoloPose(weights, confidence=confidence, size=size, device=device, file=YOLO_KEYPOINTS)
        self._weights = weights

    def __call__(
        self, image: UInt8[np.ndarray, "height width 3"], boxes_xyxy: Float32[np.ndarray, "people 4"]
    ) -> Float32[np.ndarray, "people 17 3"]:
        """Keypoints (px) and scores per box; zeros where no person is seen in it."""
        people, keypoints = self._model(image)
        if len(people) and keypoints.shape[1:] != (_COCO, 3):
            assert self._weights is not None
            raise YOLO_KEYPOINTS.refuse(
                self._weights, f"its keypoints are {keypoints.shape[1:]}, COCO's 17 x 3"
            )
        found = np.zeros((len(boxes_xyxy), _COCO, 3), np.float32)
        for i, box in enumerate(boxes_xyxy):
            overlap = box_iou(box, people) if len(people) else np.zeros(1, np.float32)
            if overlap.max() >= SAME_PERSON_IOU:
                found[i] = keypoints[int(overlap.argmax())]
        return found
