"""Similarity of detected and labelled keypoints, and LDPose's weights that punish impossible limbs.

    OKS_LD = sum_i gamma_i exp(-d_i^2 / (2 s^2 (2 sigma_i)^2)) [v_i > 0] / sum_i [v_i > 0]

The denominator is not reduced by gamma: a contradiction costs what it would have earned. What gamma is has four
readings (`Mode`), and published numbers depend on which; so a figure always goes with its mode and threshold.
Per pair symmetric <= text <= coco holds; ``pattern`` has no fixed order against the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float64, Int64

from ajahr.data.ldpose import ABOVE, BELOW, DISTAL, EXCLUDES, LIMB_POINTS, NUM_POINTS, PROXIMAL
from ajahr.data.readers.keypoint_results import KeypointDetections
from ajahr.data.readers.ldpose import KeypointAnnotations

Mode = Literal["coco", "text", "symmetric", "pattern", "pattern_fork"]
"""``coco``: gamma 1. ``text``: the paper's words, a residual end that the model contradicts earns nothing.
``symmetric``, ours and the default: the same for all sixteen limb points. ``pattern``: which points of a limb are
there must agree wholly with the labels, or the limb earns nothing. ``pattern_fork``: the same as the authors'
development code has it, which for every limb compares the left wrist with the left below-elbow end."""
MODES: tuple[Mode, ...] = ("coco", "text", "symmetric", "pattern", "pattern_fork")
MAX_DETECTIONS = 20
_CHUNK = 65536
_EPS = float(np.spacing(1))


@dataclass(frozen=True, eq=False)
class Pairs:
    """Every detection of a picture with every person in it, picture by picture, row-major.

    Detections are the `MAX_DETECTIONS` of each picture with the highest scores, in falling order; people are
    in the order of the annotations.
    """

    detection: Int64[np.ndarray, " kept"]
    """Row of each kept detection among the detections."""
    detection_start: Int64[np.ndarray, " bounds"]
    person_start: Int64[np.ndarray, " bounds"]
    pair_start: Int64[np.ndarray, " bounds"]
    of_detection: Int64[np.ndarray, " pairs"]
    """Row of the pair's detection among the detections."""
    of_person: Int64[np.ndarray, " pairs"]


def make_pairs(truth: KeypointAnnotations, found: KeypointDetections) -> Pairs:
    """The pairs to compare."""
    images = len(truth.image_ids)
    order = np.lexsort((-found.score, found.image))  # stable: equal scores stay in the order of the file
    start = np.searchsorted(found.image[order], np.arange(images + 1))
    rank = np.arange(len(order)) - start[found.image[order]]
    kept = order[rank < MAX_DETECTIONS]
    detection_start = np.searchsorted(found.image[kept], np.arange(images + 1))
    person_start = np.searchsorted(truth.image, np.arange(images + 1))
    detections, people = np.diff(detection_start), np.diff(person_start)
    pair_start = np.concatenate([[0], np.cumsum(detections * people)])
    image = np.repeat(np.arange(images), detections * people)
    within = np.arange(pair_start[-1]) - pair_start[image]
    people_here = np.maximum(people[image], 1)
    of_detection = kept[detection_start[image] + within // people_here] if len(image) else kept[:0]
    of_person = person_start[image] + within % people_here
    return Pairs(kept, detection_start, person_start, pair_start, of_detection, of_person)


def point_similarities(
    truth: KeypointAnnotations,
    found: KeypointDetections,
    pairs: Pairs,
    sigmas: Float64[np.ndarray, " points"],
) -> Float64[np.ndarray, "pairs points"]:
    """What each point contributes to a pair's OKS, before gamma: rows sum to OKS.

    Points without a label contribute 0. A person without any is a region to ignore, as in COCO: every point
    contributes by its distance to the box doubled about its centre.
    """
    count = len(sigmas)
    labelled = truth.keypoints[:, :count, 2] > 0
    any_labelled = np.asarray(labelled.any(1))
    weight = (
        np.where(any_labelled[:, None], labelled, True)
        / np.maximum(np.where(any_labelled, labelled.sum(1), count), 1)[:, None]
    )
    scale = 2 * (truth.area + _EPS)[:, None] * (2 * sigmas) ** 2
    low = truth.bbox_xywh[:, :2] - truth.bbox_xywh[:, 2:]
    high = truth.bbox_xywh[:, :2] + 2 * truth.bbox_xywh[:, 2:]
    result = np.empty((len(pairs.of_person), count))
    for start in range(0, len(result), _CHUNK):
        part = slice(start, start + _CHUNK)
        person = pairs.of_person[part]
        xy = found.keypoints[pairs.of_detection[part], :count, :2]
        offset = xy - truth.keypoints[person, :count, :2]
        ignore = np.flatnonzero(~any_labelled[person])
        if len(ignore):
            box_low, box_high = low[person[ignore], None], high[person[ignore], None]
            offset[ignore] = np.maximum(box_low - xy[ignore], 0) + np.maximum(xy[ignore] - box_high, 0)
        squared = (offset**2).sum(-1)
        result[part] = np.exp(-squared / scale[person]) * weight[person]
    return result


def gamma(
    mode: Mode, truth: KeypointAnnotations, found: KeypointDetections, pairs: Pairs, threshold: float
) -> Bool[np.ndarray, "pairs 25"] | None:
    """Which points of each pair keep what they earned; None where all do.

    Args:
        threshold: scores above it claim that a point is there: 0.3 for peaks of heat maps, 0.5 for
            probabilities.
    """
    if mode == "coco":
        return None
    score: np.ndarray = found.keypoints[..., 2]
    if mode in ("text", "symmetric"):
        clean = consistent_points(score, threshold, residual_only=mode == "text")
        keep = clean[pairs.of_detection]
    else:
        claimed = claimed_points(score, threshold, fork=mode == "pattern_fork")
        labelled = truth.keypoints[:, LIMB_POINTS, 2] > 0
        agree = (claimed[pairs.of_detection] == labelled[pairs.of_person]).all(-1)
        keep = np.ones((len(agree), NUM_POINTS), bool)
        keep[:, LIMB_POINTS] = agree[..., None]
    unlabelled = np.asarray(truth.num_keypoints == 0)
    keep[unlabelled[pairs.of_person]] = True
    return keep


def consistent_points(
    score: Float64[np.ndarray, "people 25"], threshold: float, *, residual_only: bool = False
) -> Bool[np.ndarray, "people 25"]:
    """Points of which no excluded partner scores above the threshold, whatever they score themselves: a model
    that puts all its confidence on the wrong point must not be paid for a lucky location."""
    clean: np.ndarray = ~((score > threshold).astype(np.float32) @ EXCLUDES.T.astype(np.float32) > 0)
    if residual_only:
        clean[:, :17] = True
    return clean


def claimed_points(
    score: Float64[np.ndarray, "people 25"], threshold: float, *, fork: bool = False
) -> Bool[np.ndarray, "people limbs=4 points=4"]:
    """The pattern of each limb that a model claims: of points that contradict the highest one, none counts."""
    limb = score[:, LIMB_POINTS].copy()
    best = limb.argmax(-1)
    best[limb.max(-1) <= threshold] = -1
    limb[best == ABOVE] *= np.array([0, 0, 1, 0])
    limb[best == BELOW] *= np.array([1, 0, 0, 1])
    proximal = best == PROXIMAL
    if not fork:
        wrist_first = limb[..., DISTAL] >= limb[..., BELOW]
        limb[proximal & wrist_first] *= np.array([1, 1, 0, 0])
        limb[proximal & ~wrist_first] *= np.array([1, 0, 0, 1])
    else:
        # as their code runs: the left arm decides for every limb, and the limb's own score is looked up at the
        # place of the winner among those two instead of among the four
        left_wrist, left_end = LIMB_POINTS[0, DISTAL], LIMB_POINTS[0, BELOW]
        wrist_first = (score[:, left_wrist] >= score[:, left_end])[:, None]
        looked_up = np.where(wrist_first, limb[..., PROXIMAL], limb[..., DISTAL]) > threshold
        limb[proximal & wrist_first & looked_up] *= np.array([1, 1, 0, 0])
        limb[proximal & ~wrist_first & looked_up] *= np.array([1, 0, 0, 1])
    return limb > threshold


def oks(
    detected_xy: Float64[np.ndarray, "points xy=2"],
    labelled: Float64[np.ndarray, "points xyv=3"],
    area: float,
    sigmas: Float64[np.ndarray, " points"],
    keep: Bool[np.ndarray, " points"] | None = None,
) -> float:
    """OKS of one detection and one person with labels, in a few lines: what the tests trust."""
    visible = labelled[:, 2] > 0
    squared = ((detected_xy - labelled[:, :2]) ** 2).sum(-1)
    similarity = np.exp(-squared / (2 * (area + _EPS) * (2 * sigmas) ** 2))
    kept = visible if keep is None else visible & keep
    return float(similarity[kept].sum() / visible.sum())
