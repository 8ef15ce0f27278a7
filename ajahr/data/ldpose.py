"""LDPose's 25 keypoints: tolerances, what excludes what, and what a limb's labels say of the limb. No torch.

`ajahr.anatomy.LDPOSE25` names the points; here is what the task needs besides. A limb has four of them, in the
order *proximal* (elbow or knee), *distal* (wrist or ankle), *above* and *below* (the residual-limb ends above and
below the elbow or knee). At most one of ``proximal + distal``, ``above``, ``proximal + below`` exists.

Source: LDPose (ICCV 2025), its project page; sigmas of the residual ends, which the page lacks, are those of the
joint each one stands for, as in the authors' development code.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from jaxtyping import Float64, Int, Int8, Num

from ajahr.anatomy import COCO17, LDPOSE25, LIMBS, check_levels
from ajahr.errors import UserError

NUM_POINTS = len(LDPOSE25)
NUM_INTACT_POINTS = len(COCO17)


def _limb_points() -> np.ndarray:
    rows = []
    for limb in LIMBS:
        proximal, distal = ("elbow", "wrist") if limb.is_arm else ("knee", "ankle")
        ends = [f"{limb.side}_{where}_{proximal}_res" for where in ("above", "below")]
        names = [f"{limb.side}_{proximal}", f"{limb.side}_{distal}", *ends]
        rows.append([LDPOSE25.index[name] for name in names])
    table = np.array(rows, np.int64)
    table.setflags(write=False)
    return table


LIMB_POINTS: np.ndarray = _limb_points()
"""(limb 4, point 4): proximal, distal, above, below."""
PROXIMAL, DISTAL, ABOVE, BELOW = range(4)
"""Columns of `LIMB_POINTS`."""
PAIRS: tuple[tuple[int, int], ...] = tuple(
    (int(row[joint]), int(row[end]))
    for row in LIMB_POINTS
    for joint, end in ((PROXIMAL, ABOVE), (DISTAL, BELOW))
)
"""LDLoss's pairs: an intact joint and the residual end that replaces it."""
RESIDUAL_STANDS_FOR: dict[int, int] = {end: joint for joint, end in PAIRS}
"""The joint whose tolerance and visibility slot a residual end takes over."""

_COCO_SIGMAS = (
    0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087,
    0.089, 0.089,
)  # fmt: skip
SIGMAS: np.ndarray = np.array(
    [*_COCO_SIGMAS, *(_COCO_SIGMAS[RESIDUAL_STANDS_FOR[k]] for k in LDPOSE25.residual)]
)
"""OKS tolerance of each point; kappa is twice this."""
SIGMAS.setflags(write=False)
JOINT_WEIGHTS: np.ndarray = np.ones(NUM_POINTS, np.float32)
"""Weights of the heat-map loss: COCO's for elbows, knees (1.2), wrists, ankles (1.5); 1 for residual ends."""
JOINT_WEIGHTS[LIMB_POINTS[:, PROXIMAL]], JOINT_WEIGHTS[LIMB_POINTS[:, DISTAL]] = 1.2, 1.5
JOINT_WEIGHTS.setflags(write=False)
UPPER_BODY: np.ndarray = np.array(
    [not any(part in name for part in ("hip", "knee", "ankle")) for name in LDPOSE25.names]
)
"""Points of the upper half, for half-body augmentation; the others are of the lower one."""
UPPER_BODY.setflags(write=False)


def _exclusions() -> np.ndarray:
    table = np.zeros((NUM_POINTS, NUM_POINTS), bool)
    for proximal, distal, above, below in LIMB_POINTS:
        table[above, [proximal, distal, below]] = True
        table[below, [distal, above]] = True
        table[proximal, above] = True
        table[distal, [above, below]] = True
    table.setflags(write=False)
    return table


EXCLUDES: np.ndarray = _exclusions()
"""``EXCLUDES[i, j]``: nobody has both i and j. Symmetric: a limb ends once."""


class LimbState(IntEnum):
    """What the labels of a limb say of it."""

    UNKNOWN = 0
    INTACT = 1
    DISTAL_UNKNOWN = 2
    """The elbow or knee is there; whether the forearm or shank ends below it is not said."""
    ABOVE = 3
    """Ends above the elbow or knee."""
    BELOW = 4
    CONFLICT = 5
    """The labels contradict each other."""


_TARGETS = np.array(  # by state: proximal, distal, above, below; -1: no supervision
    [[-1, -1, -1, -1], [1, 1, 0, 0], [1, -1, 0, -1], [0, 0, 1, 0], [1, 0, 0, 1], [-1, -1, -1, -1]], np.int8
)


def limb_states(visibility: Num[np.ndarray, "*batch 25"]) -> Int[np.ndarray, "*batch limbs=4"]:
    """States of the four limbs (`LimbState`) from which points are labelled (visibility above 0).

    A point without a label may be absent, out of the picture or not annotated, so silence proves nothing:
    a residual end or a wrist must be labelled for a limb to be known.
    """
    labelled = np.asarray(visibility)[..., LIMB_POINTS] > 0
    proximal, distal, above, below = np.moveaxis(labelled, -1, 0)
    conflict = (above & (below | proximal | distal)) | (below & distal)
    rules = [conflict, above, below, distal, proximal]
    states = [
        LimbState.CONFLICT,
        LimbState.ABOVE,
        LimbState.BELOW,
        LimbState.INTACT,
        LimbState.DISTAL_UNKNOWN,
    ]
    return np.select(rules, [np.int64(state) for state in states], np.int64(LimbState.UNKNOWN))


def presence_targets(
    visibility: Num[np.ndarray, "*batch 25"], presence: Int[np.ndarray, "*batch 25"] | None = None
) -> Int8[np.ndarray, "*batch 25"]:
    """Whether each point exists on the person: 1 yes, 0 no, -1 not known.

    Args:
        visibility: 0, 1 or 2 of each point.
        presence: the same as the result, from the annotation itself; where it knows (0 or 1) it wins.

    Returns:
        For points of the limbs, what follows from `limb_states`; other points are known when labelled only.
    """
    visibility = np.asarray(visibility)
    targets = np.where(visibility > 0, np.int8(1), np.int8(-1))
    targets[..., LIMB_POINTS] = _TARGETS[limb_states(visibility)]
    if presence is not None:
        presence = np.asarray(presence)
        targets = np.where(presence >= 0, presence, targets)
    return targets.astype(np.int8)


def presence_of_levels(levels: Sequence[int] | np.ndarray) -> Int8[np.ndarray, "*batch 25"]:
    """The same of people whose limb levels are known: (..., 4) integers -> (..., 25) of 0 and 1.

    A level of -1 is a limb nobody judged: its points are -1.
    """
    levels = np.asarray(levels)
    found = (~LDPOSE25.absent(check_levels(np.maximum(levels, 0)))).astype(np.int8)
    for limb in LIMBS:
        unknown = levels[..., limb] < 0
        found[..., LIMB_POINTS[limb]] = np.where(unknown[..., None], -1, found[..., LIMB_POINTS[limb]])
    return found


def coco_to_25(keypoints: Num[np.ndarray, "*batch coco17=17 xyv=3"]) -> Num[np.ndarray, "*batch 25 xyv=3"]:
    """COCO's 17 points with eight unlabelled residual ends behind them."""
    tail = np.zeros((*keypoints.shape[:-2], NUM_POINTS - NUM_INTACT_POINTS, 3), keypoints.dtype)
    return np.concatenate([keypoints, tail], -2)


def check_sigmas(
    sigmas: Sequence[float] | np.ndarray, points: int = NUM_POINTS
) -> Float64[np.ndarray, " points"]:
    """Tolerances given by the user as an array; `UserError` unless there is a positive one per point."""
    array = np.asarray(sigmas, np.float64)
    if array.shape != (points,) or not (np.isfinite(array) & (array > 0)).all():
        raise UserError(f"{array.size} sigmas were given; give {points} numbers above 0, one per keypoint")
    return array
