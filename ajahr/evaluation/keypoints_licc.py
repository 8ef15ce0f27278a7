"""LiCC: does the model rank the limb's labelled points above those that exclude them? No threshold is needed.

LiCC is the share of labelled limb points whose score is above that of every point they exclude. It is asked of
people whom a detection was paired with, so it goes with the number of those, and never mixes two pairings in one
table: by the annotated box, where the model was given those, or by the highest plain OKS above 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from ajahr.data.ldpose import EXCLUDES, NUM_POINTS
from ajahr.errors import UserError
from ajahr.evaluation.keypoints_ap import Evaluation

PAIRED_ABOVE = 0.5
_LIMB = EXCLUDES.any(1)
_RESIDUAL = np.arange(NUM_POINTS) >= 17


@dataclass(frozen=True)
class Licc:
    """Shares 0..1; NaN where there is no such point."""

    points: float
    """Of all labelled limb points: the headline."""
    people: float
    """Mean of each person's share."""
    intact_points: float
    residual_points: float
    paired: int
    """People who take part."""
    labelled: int
    """People with labelled points."""
    by_box: bool
    """Paired by the annotated box."""


def licc(evaluation: Evaluation) -> Licc:
    """LiCC of people paired by box where the detections say so, else by OKS."""
    truth, found = evaluation.truth, evaluation.found
    if evaluation.points < NUM_POINTS:
        raise UserError(f"{truth.source}: {evaluation.points} keypoints have no residual ends; LiCC needs 25")
    if found.annotation is not None:
        detection, person = np.arange(len(found)), found.annotation
    else:
        detection, person = pair_by_oks(evaluation)
    taking_part = truth.keypoints[person, :, 2].any(1) & ~truth.crowd[person]
    detection, person = detection[taking_part], person[taking_part]
    score = found.keypoints[detection, :, 2]
    rival = np.where(EXCLUDES, score[:, None, :], -np.inf).max(-1)
    right = score > rival
    asked = (truth.keypoints[person, :, 2] > 0) & _LIMB
    count = asked.sum(1)
    of_person = (right & asked).sum(1)[count > 0] / count[count > 0]
    return Licc(
        _share(right, asked),
        float(of_person.mean()) if len(of_person) else float("nan"),
        _share(right, asked & ~_RESIDUAL),
        _share(right, asked & _RESIDUAL),
        len(np.unique(person)),
        int(((truth.num_keypoints > 0) & ~truth.crowd).sum()),
        found.annotation is not None,
    )


def pair_by_oks(evaluation: Evaluation) -> tuple[Int64[np.ndarray, " paired"], Int64[np.ndarray, " paired"]]:
    """Rows of detections and people: couples in falling plain OKS above 0.5, everybody used once.

    Of equal ones the detection with the higher score comes first.
    """
    similarity, pairs = evaluation.oks("coco"), evaluation.pairs
    people = (evaluation.truth.num_keypoints > 0) & ~evaluation.truth.crowd
    candidates = np.flatnonzero((similarity > PAIRED_ABOVE) & people[pairs.of_person])
    score: Float64[np.ndarray, " candidates"] = evaluation.found.score[pairs.of_detection[candidates]]
    candidates = candidates[np.lexsort((-score, -similarity[candidates]))]
    used_detection = np.zeros(len(evaluation.found), bool)
    used_person = np.zeros(len(evaluation.truth), bool)
    chosen = []
    for k in candidates:
        detection, person = pairs.of_detection[k], pairs.of_person[k]
        if not used_detection[detection] and not used_person[person]:
            used_detection[detection] = used_person[person] = True
            chosen.append(k)
    rows = np.array(chosen, np.int64)
    return pairs.of_detection[rows], pairs.of_person[rows]


def _share(right: np.ndarray, asked: np.ndarray) -> float:
    return float(right[asked].mean()) if asked.any() else float("nan")
