"""Who is in a picture besides the annotated people, and whether anybody is left in a cleaned one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, UInt8

from ajahr.data.readers.people import PersonAnnotation

SAME_PERSON_IOU = 0.5
"""A detection that overlaps an annotated person more is that person."""
DETECTED = "detected"
"""``source_id`` of people no annotation knows."""


@runtime_checkable
class Detector(Protocol):
    """Finds the boxes of people: px, and a score in the last column."""

    def __call__(
        self, image: UInt8[np.ndarray, "height width 3"]
    ) -> Float32[np.ndarray, "people xyxys=5"]: ...


@runtime_checkable
class PersonCheck(Protocol):
    """Counts the people seen in a picture; ``boxes_xyxy`` are the places to look at first."""

    def __call__(
        self, image: UInt8[np.ndarray, "height width 3"], boxes_xyxy: Float32[np.ndarray, "places 4"]
    ) -> int: ...


@runtime_checkable
class KeypointDetector(Protocol):
    """Finds COCO's 17 keypoints of the people in boxes: px, and a score 0..1; 0 where it sees nobody."""

    def __call__(
        self, image: UInt8[np.ndarray, "height width 3"], boxes_xyxy: Float32[np.ndarray, "people 4"]
    ) -> Float32[np.ndarray, "people 17 3"]: ...


def add_detected(
    annotated: Sequence[PersonAnnotation], found: Float32[np.ndarray, "people xyxys=5"]
) -> list[PersonAnnotation]:
    """The annotated people, then everybody detected who is none of them.

    Many annotations leave people out: MPII's names only some of a group. Detections in a crowd region count
    as people of their own.
    """
    known = [person.bbox_xyxy for person in annotated if not person.crowd]
    people = list(annotated)
    for box in found[:, :4]:
        if not known or box_iou(box, np.stack(known)).max() < SAME_PERSON_IOU:
            people.append(PersonAnnotation(box.copy(), source_id=DETECTED))
            known.append(box)
    return people


def box_iou(
    box: Float32[np.ndarray, "xyxy=4"], others: Float32[np.ndarray, "n 4"]
) -> Float32[np.ndarray, " n"]:
    """Intersection over union of one box with others; 0 for boxes without area."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=1)
    areas = np.prod(others[:, 2:] - others[:, :2], axis=1) + np.prod(box[2:] - box[:2])
    return (shared / np.maximum(areas - shared, 1e-9)).astype(np.float32)
