"""Which points of a person have to be hidden, and which must stay in sight, when a limb is occluded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from ajahr.anatomy import JOINT, LIMBS, PARENTS, Limb, absent_joints, amputation_joint

CORE = tuple(
    JOINT[name]
    for name in (
        "pelvis", "spine1", "spine3", "neck", "head", "left_hip", "right_hip", "left_shoulder", "right_shoulder",
    )
)  # fmt: skip
"""Somebody of whom most of these are hidden is hidden, not occluded."""
MIN_CORE = 5
_SHARES = (0.0, 0.5)
_DISTAL = {
    limb: tuple(JOINT[f"{limb.side}_{name}"] for name in (("elbow", "wrist") if limb.is_arm else ("knee", "ankle")))
    for limb in LIMBS
}  # fmt: skip


def joints_to_hide(limb: Limb | int, level: int) -> tuple[int, ...]:
    """Joints of the intact skeleton that make a limb occluded when they are out of sight.

    Of a whole limb elbow and wrist, or knee and ankle. Where the limb is lost, the joints below the cut in the
    place where they would be: something stands there as it does before whole limbs, and the cut can be seen.
    """
    limb = Limb(limb)
    if not level:
        return _DISTAL[limb]
    return absent_joints(limb, level)[1:][:2]


def limb_ends(
    joints: Float[np.ndarray, "joints=24 _"], levels: Sequence[int], fractions: Sequence[float] = (0.0,) * 4
) -> Float[np.ndarray, "ends _"]:
    """Where lost limbs end: hidden, nobody could tell that something is lost.

    Args:
        joints: of the intact person, in space or in the picture.
        levels: of the limbs.
        fractions: lambda of those that end inside the bone above the joint of their level.
    """
    found = []
    for limb in LIMBS:
        if levels[limb]:
            joint = amputation_joint(limb, levels[limb])
            found.append(joints[joint] + fractions[limb] * (joints[PARENTS[joint]] - joints[joint]))
    return np.array(found).reshape(-1, joints.shape[1])


def points_between(points: Float[np.ndarray, "joints 2"]) -> Float[np.ndarray, "points 2"]:
    """The joints and what lies half-way between them."""
    halves = [
        points[i] + share * (points[i + 1] - points[i]) for i in range(len(points) - 1) for share in _SHARES
    ]
    return np.stack([*halves, points[-1]])
