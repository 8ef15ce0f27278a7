"""Whether somebody is left where people were removed, by ViTPose (AJAHR supplementary A)."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8

from ajahr.inference import vitpose
from ajahr.inference.external import WeightsFile

VITPOSE_WEIGHTS = dataclasses.replace(vitpose.VITPOSE_WEIGHTS, key="backgrounds.checker_weights")


class VitPoseCheck(vitpose.VitPose):
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
        super().__init__(weights, device=device, file=file)
        self._confidence, self._least = confidence, keypoints

    def __call__(
        self, image: UInt8[np.ndarray, "height width 3"], boxes_xyxy: Float32[np.ndarray, "places 4"]
    ) -> int:
        """In how many of the places a person is seen."""
        scores = self.scores(image, boxes_xyxy)
        return int(((scores >= self._confidence).sum(axis=1) >= self._least).sum())

    def scores(
        self, image: UInt8[np.ndarray, "height width 3"], boxes_xyxy: Float32[np.ndarray, "places 4"]
    ) -> Float32[np.ndarray, "places keypoints"]:
        """Score of each keypoint in each place."""
        return self.keypoints(image, boxes_xyxy)[..., 2]
