"""Where the people of a picture are: given boxes, a detector, or the picture as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32, Int64, Num, UInt8

from ajahr.anatomy import BPAC_KEYPOINTS, COCO17, LDPOSE25, NUM_LIMBS
from ajahr.data.ldpose import ABOVE, BELOW, LIMB_POINTS
from ajahr.residual_limb.rafo import Gates

MIN_SIDE = 1.0
"""A box with less than so many pixels inside the picture, across or down, shows nobody."""


@dataclass(frozen=True, eq=False)
class People:
    """Boxes of people in one picture, px of the picture at full size, continuous coordinates."""

    boxes_xyxy: Float32[np.ndarray, "people xyxy=4"]
    scores: Float32[np.ndarray, " people"]
    """1 for given boxes without a score."""
    keypoints: Float32[np.ndarray, "people coco17=17 3"]
    """x, y, confidence 0..1; confidence 0 is no keypoint."""
    ends: Float32[np.ndarray, "people segments=8 3"] | None = None
    """Given ends of residual limbs in LDPose's order, as keypoints; None: nobody gave any."""

    def __len__(self) -> int:
        return len(self.boxes_xyxy)

    @classmethod
    def of(
        cls,
        boxes: Num[np.ndarray, "people 4"] | Sequence[Sequence[float | int]],
        scores: Num[np.ndarray, " people"] | Sequence[float | int] | None = None,
        keypoints: Num[np.ndarray, "people _ 3"] | Sequence[Sequence[Sequence[float | int]]] | None = None,
    ) -> People:
        """People from plain lists or arrays.

        Args:
            keypoints: COCO's 17 of each, or LDPose's 25.

        Raises:
            ValueError: shapes that do not fit, or numbers that are not finite.
        """
        box_array = (
            np.asarray(boxes, np.float32).reshape(-1, 4) if len(boxes) else np.zeros((0, 4), np.float32)
        )
        count = len(box_array)
        score_array = np.ones(count, np.float32) if scores is None else np.asarray(scores, np.float32)
        points = np.zeros((count, len(COCO17), 3), np.float32)
        if keypoints is not None and count:
            points = np.asarray(keypoints, np.float32)
        ends = None
        if points.ndim == 3 and points.shape[1] == len(LDPOSE25):
            points, ends = np.split(points, [len(COCO17)], axis=1)
        if score_array.shape != (count,) or points.shape != (count, len(COCO17), 3):
            raise ValueError(
                f"{count} boxes, scores {score_array.shape}, keypoints {points.shape}: give one score and "
                f"({len(COCO17)}, 3) or ({len(LDPOSE25)}, 3) keypoints for each box"
            )
        if not all(
            np.isfinite(array).all()
            for array in (box_array, score_array, points, *([] if ends is None else [ends]))
        ):
            raise ValueError("a box, score or keypoint is not finite")
        return cls(box_array, score_array, points, ends)

    @classmethod
    def nobody(cls) -> People:
        return cls.of([])

    @classmethod
    def whole(cls, size: tuple[int, int]) -> People:
        """One person who fills a picture of (width, height)."""
        return cls.of([[0, 0, *size]])

    def take(self, index: np.ndarray) -> People:
        """Those of ``index``, in its order."""
        ends = None if self.ends is None else self.ends[index]
        return People(self.boxes_xyxy[index], self.scores[index], self.keypoints[index], ends)

    def with_keypoints(self, keypoints: Float32[np.ndarray, "people 17 3"]) -> People:
        return replace(self, keypoints=keypoints)

    def usable(self, size: tuple[int, int]) -> People:
        """Those with something inside a picture of (width, height); boxes are not cut at its border."""
        limit = np.array(size, np.float32)
        low = np.clip(self.boxes_xyxy[:, :2], 0, limit)
        high = np.clip(self.boxes_xyxy[:, 2:], 0, limit)
        seen = ((high - low) >= np.minimum(MIN_SIDE, limit)).all(1)
        return self if seen.all() else self.take(np.flatnonzero(seen))

    @property
    def told_levels(self) -> Int64[np.ndarray, "people limbs=4"]:
        """Limb levels that given ends tell: an end inside a bone is a limb that ends there. -1: not told."""
        levels = np.full((len(self), NUM_LIMBS), -1, np.int64)
        if self.ends is None:
            return levels
        for limb in range(NUM_LIMBS):
            below, above = (LIMB_POINTS[limb, row] - len(COCO17) for row in (BELOW, ABOVE))
            scores = self.ends[:, [below, above], 2]
            told = scores.max(1) >= Gates.least_score
            levels[told, limb] = 1 + scores[told].argmax(1)
        return levels

    @property
    def centres(self) -> Float32[np.ndarray, "people 2"]:
        return (self.boxes_xyxy[:, :2] + self.boxes_xyxy[:, 2:]) / 2

    @property
    def sizes(self) -> Float32[np.ndarray, "people 2"]:
        """Width and height."""
        return self.boxes_xyxy[:, 2:] - self.boxes_xyxy[:, :2]

    @property
    def bpac_keypoints(self) -> Float32[np.ndarray, "people coco12=12 3"]:
        """What BPAC-Net sees, still in px."""
        return self.keypoints[:, list(BPAC_KEYPOINTS)]


@runtime_checkable
class Detector(Protocol):
    """Finds people in a picture."""

    def __call__(self, image: UInt8[np.ndarray, "height width 3"]) -> Float32[np.ndarray, "people xyxys=5"]:
        """Boxes (px of the array given) and scores."""
        ...


@runtime_checkable
class KeypointFinder(Protocol):
    """Finds the 17 COCO keypoints of people in boxes."""

    def __call__(
        self,
        image: UInt8[np.ndarray, "height width 3"],
        boxes_xyxy: Float32[np.ndarray, "people 4"],
    ) -> Float32[np.ndarray, "people 17 3"]:
        """x, y (px of the array given) and confidence."""
        ...


def iou(
    a: Float[np.ndarray, "rows 4"], b: Float[np.ndarray, "columns 4"]
) -> Float[np.ndarray, "rows columns"]:
    """Intersection over union of every box of ``a`` with every one of ``b``; 0 for empty boxes."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    common = np.clip(high - low, 0, None).prod(-1)
    areas = [np.clip(box[:, 2:] - box[:, :2], 0, None).prod(-1) for box in (a, b)]
    union = areas[0][:, None] + areas[1][None] - common
    return np.where(union > 0, common / np.where(union > 0, union, 1), 0).astype(a.dtype)


def match_keypoints(people: People, other: People, least: float = 0.5) -> People:
    """``people`` with the keypoints of the ones of ``other`` whose boxes lie closest, each used once."""
    if not len(people) or not len(other):
        return people
    overlap = iou(people.boxes_xyxy, other.boxes_xyxy)
    keypoints = people.keypoints.copy()
    ends = np.zeros((len(people), len(LDPOSE25) - len(COCO17), 3), np.float32)
    if people.ends is not None:
        ends[:] = people.ends
    for _ in range(min(overlap.shape)):
        row, column = np.unravel_index(int(overlap.argmax()), overlap.shape)
        if overlap[row, column] < least:
            break
        keypoints[row] = other.keypoints[column]
        if other.ends is not None:
            ends[row] = other.ends[column]
        overlap[row], overlap[:, column] = -1, -1
    none = people.ends is None and other.ends is None
    return replace(people, keypoints=keypoints, ends=None if none else ends)
