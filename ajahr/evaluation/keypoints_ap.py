"""COCO's AP and AR of keypoints, in plain OKS and in LDPose's, from the same comparison of people.

pycocotools' rules to the letter (thresholds .50:.05:.95, 101 recall points, 20 detections a picture, areas all,
medium and large), in arrays: the tests hold it against pycocotools and faster-coco-eval on the same data.
"""

from __future__ import annotations

import typing
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numba import njit

from ajahr.data.ldpose import NUM_POINTS, SIGMAS
from ajahr.data.readers.keypoint_results import KeypointDetections
from ajahr.data.readers.ldpose import KeypointAnnotations
from ajahr.errors import UserError
from ajahr.evaluation.keypoints_oks import (
    MODES,
    Mode,
    Pairs,
    gamma,
    make_pairs,
    point_similarities,
)

OKS_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
AREAS: dict[str, tuple[float, float]] = {
    "all": (0, 1e10),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, 1e10),
}
THRESHOLD = 0.3
"""Score above which a point is claimed; for peaks of heat maps. 0.5 for probabilities."""
SWEEP = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)


@dataclass(frozen=True)
class Scores:
    """AP and AR of one mode, 0..1; NaN where there is nobody of that size."""

    AP: float
    AP50: float
    AP75: float
    AP_medium: float
    AP_large: float
    AR: float
    AR50: float
    AR75: float
    AR_medium: float
    AR_large: float


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Detections held against annotations, before a mode is chosen."""

    truth: KeypointAnnotations
    found: KeypointDetections
    points: int
    pairs: Pairs
    similarities: Float64[np.ndarray, "pairs points"]

    def oks(self, mode: Mode = "coco", threshold: float = THRESHOLD) -> Float64[np.ndarray, " pairs"]:
        """OKS of every pair."""
        keep = gamma(mode, self.truth, self.found, self.pairs, threshold)
        if keep is None:
            return self.similarities.sum(1)
        return (self.similarities * keep[:, : self.points]).sum(1)

    def scores(self, mode: Mode = "coco", threshold: float = THRESHOLD) -> Scores:
        """AP and AR.

        Raises:
            UserError: a mode of LDPose on annotations without residual ends.
        """
        if mode != "coco" and self.points < NUM_POINTS:
            raise UserError(
                f"{self.truth.source}: {self.points} keypoints have no residual ends; only mode coco applies"
            )
        low, high = np.array(list(AREAS.values())).T
        ignored = self.truth.crowd | (self.truth.num_keypoints == 0)
        area, detected = self.truth.area, self.found.area[self.pairs.detection]
        ignore = ignored | (area < low[:, None]) | (area > high[:, None])
        matched, ignored_match = _match(
            self.oks(mode, threshold),
            self.pairs.detection_start,
            self.pairs.person_start,
            self.pairs.pair_start,
            ignore,
            self.truth.crowd,
            OKS_THRESHOLDS,
        )
        outside = (detected < low[:, None]) | (detected > high[:, None])
        dropped = np.where(matched, ignored_match, outside[:, None])
        order = np.argsort(-self.found.score[self.pairs.detection], kind="stable")
        precision, recall = _curves(matched[..., order], dropped[..., order], (~ignore).sum(1))
        aps, ars = precision.mean(-1), recall
        all_, medium, large = range(3)
        half, three_quarters = 0, 5
        return Scores(
            *(float(v) for v in (aps[all_].mean(), aps[all_, half], aps[all_, three_quarters])),
            *(float(v) for v in (aps[medium].mean(), aps[large].mean())),
            *(float(v) for v in (ars[all_].mean(), ars[all_, half], ars[all_, three_quarters])),
            *(float(v) for v in (ars[medium].mean(), ars[large].mean())),
        )

    def sweep(self, mode: Mode = "symmetric", thresholds: Sequence[float] = SWEEP) -> dict[float, Scores]:
        """Scores at several thresholds: LD metrics depend on how a model's scores are calibrated."""
        return {float(t): self.scores(mode, float(t)) for t in thresholds}


def compare(
    truth: KeypointAnnotations,
    found: KeypointDetections,
    sigmas: Float64[np.ndarray, "25"] = SIGMAS,
) -> Evaluation:
    """Every detection against every person of its picture, over the points that the annotations have."""
    pairs = make_pairs(truth, found)
    return Evaluation(
        truth, found, truth.points, pairs, point_similarities(truth, found, pairs, sigmas[: truth.points])
    )


def all_scores(evaluation: Evaluation, threshold: float = THRESHOLD) -> dict[Mode, Scores]:
    """Every mode that applies."""
    modes = MODES if evaluation.points == NUM_POINTS else MODES[:1]
    return {mode: evaluation.scores(mode, threshold) for mode in modes}


@njit(cache=True, nogil=True)
@typing.no_type_check
def _match(oks, detection_start, person_start, pair_start, ignore, crowd, thresholds):
    """Greedy matching per picture, area and threshold.

    Returns whether each detection is matched, and whether with somebody to be ignored: (areas, thresholds,
    detections) both.
    """
    areas, levels, detections = len(ignore), len(thresholds), detection_start[-1]
    matched = np.zeros((areas, levels, detections), np.bool_)
    with_ignored = np.zeros((areas, levels, detections), np.bool_)
    taken = np.empty(len(crowd), np.bool_)
    for image in range(len(detection_start) - 1):
        first, last = person_start[image], person_start[image + 1]
        people = last - first
        if people == 0:
            continue
        for a in range(areas):
            for t in range(levels):
                taken[first:last] = False
                for d in range(detection_start[image], detection_start[image + 1]):
                    row = pair_start[image] + (d - detection_start[image]) * people
                    best = min(thresholds[t], 1 - 1e-10)
                    chosen = -1
                    # people who count come first; those to be ignored are looked at if none of them fits
                    for wanted in range(2):
                        if chosen >= 0:
                            break
                        for g in range(first, last):
                            if ignore[a, g] != (wanted == 1) or (taken[g] and not crowd[g]):
                                continue
                            value = oks[row + g - first]
                            if value >= best:  # of equals the last, as in pycocotools
                                best = value
                                chosen = g
                    if chosen >= 0:
                        taken[chosen] = True
                        matched[a, t, d] = True
                        with_ignored[a, t, d] = ignore[a, chosen]
    return matched, with_ignored


def _curves(
    matched: Bool[np.ndarray, "areas thresholds found"],
    dropped: Bool[np.ndarray, "areas thresholds found"],
    people: Int64[np.ndarray, " areas"],
) -> tuple[Float64[np.ndarray, "areas thresholds recalls=101"], Float64[np.ndarray, "areas thresholds"]]:
    """Interpolated precision at 101 recalls, and the highest recall; NaN in areas without people."""
    areas, levels, _ = matched.shape
    precision = np.full((areas, levels, len(RECALLS)), np.nan)
    recall = np.full((areas, levels), np.nan)
    for a in range(areas):
        if not people[a]:
            continue
        hits = np.cumsum(matched[a] & ~dropped[a], axis=-1, dtype=np.float64)
        misses = np.cumsum(~matched[a] & ~dropped[a], axis=-1, dtype=np.float64)
        for t in range(levels):
            recalls = hits[t] / people[a]
            raw = hits[t] / (hits[t] + misses[t] + np.spacing(1))
            best_after = np.append(np.maximum.accumulate(raw[::-1])[::-1], 0.0)
            precision[a, t] = best_after[np.searchsorted(recalls, RECALLS, side="left")]
            recall[a, t] = recalls[-1] if len(recalls) else 0.0
    return precision, recall
