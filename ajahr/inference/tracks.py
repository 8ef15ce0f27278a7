"""The same person from frame to frame: boxes matched where each track is expected to be. No appearance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64
from scipy.optimize import linear_sum_assignment

from ajahr.inference.people import iou

_SMOOTHING = 0.5
"""Share of the newest step in a track's velocity."""


@dataclass(eq=False)
class _Track:
    number: int
    frame: int
    box: np.ndarray
    velocity: np.ndarray
    """px per frame, of the centre."""

    def expected(self, frame: int) -> np.ndarray:
        return self.box + np.tile(self.velocity, 2) * (frame - self.frame)

    def moved(self, frame: int, box: np.ndarray) -> None:
        centre, before = ((b[:2] + b[2:]) / 2 for b in (box, self.box))
        step = (centre - before) / max(frame - self.frame, 1)
        self.velocity = _SMOOTHING * step + (1 - _SMOOTHING) * self.velocity
        self.frame, self.box = frame, box


class Tracker:
    """Gives boxes the numbers of the people they show.

    Each track moves on at its velocity; boxes and tracks are paired for the largest sum of overlaps, first
    as they are, then, for those left, grown by half, which catches small people and fast ones. A track unseen
    for more than ``max_gap`` frames ends; frames that could not be read count like any other.

    Args:
        min_iou: least overlap of a pair.
        max_gap: frames a person may be out of sight.
    """

    def __init__(self, *, min_iou: float = 0.2, max_gap: int = 15) -> None:
        self._min_iou, self.max_gap = min_iou, max_gap
        self._tracks: list[_Track] = []
        self._next = 0

    def update(self, frame: int, boxes_xyxy: Float32[np.ndarray, "people 4"]) -> Int64[np.ndarray, " people"]:
        """Track of each box of a frame; frames come in ascending order."""
        self._tracks = [track for track in self._tracks if frame - track.frame <= self.max_gap + 1]
        numbers = np.full(len(boxes_xyxy), -1, np.int64)
        free = list(range(len(self._tracks)))
        for margin in (0.0, 0.5):
            left = np.flatnonzero(numbers < 0)
            if not len(left) or not free:
                break
            expected = np.stack([self._tracks[k].expected(frame) for k in free]).astype(np.float32)
            overlap = iou(_grown(boxes_xyxy[left], margin), _grown(expected, margin))
            rows, columns = linear_sum_assignment(-overlap)
            good = overlap[rows, columns] >= self._min_iou
            for row, column in zip(rows[good], columns[good], strict=True):
                track = self._tracks[free[column]]
                numbers[left[row]] = track.number
                track.moved(frame, boxes_xyxy[left[row]].astype(np.float64))
            taken = set(columns[good].tolist())
            free = [track for k, track in enumerate(free) if k not in taken]
        for k in np.flatnonzero(numbers < 0):
            numbers[k] = self._next
            self._tracks.append(_Track(self._next, frame, boxes_xyxy[k].astype(np.float64), np.zeros(2)))
            self._next += 1
        return numbers


def _grown(boxes: np.ndarray, margin: float) -> np.ndarray:
    if not margin:
        return boxes
    pad = (boxes[:, 2:] - boxes[:, :2]) * np.float32(margin / 2)
    return np.concatenate([boxes[:, :2] - pad, boxes[:, 2:] + pad], 1)
