"""Where somebody has to stand to hide a limb of somebody else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from ajahr.anatomy import JOINT_NAMES, PARENTS, absent_joint_mask
from synth.occluders.limbs import CORE, MIN_CORE, joints_to_hide, limb_ends, points_between

_TRIES = 24
_NEARER = (1.04, 1.4)
"""How much larger than the person behind."""
_EYE_M = 1.2
"""Cameras are held about so high: who is nearer stands lower in the picture by this much of the difference."""
_SURE, _WIDE = 0.75, 1.25
"""Shares of a limb's radius within which it hides for sure, and outside which it hides nothing."""
_RADIUS_M = {
    "hip": 0.10, "spine1": 0.11, "knee": 0.065, "spine2": 0.12, "ankle": 0.045, "spine3": 0.12, "foot": 0.035,
    "neck": 0.11, "collar": 0.09, "head": 0.075, "shoulder": 0.07, "elbow": 0.042, "wrist": 0.032, "hand": 0.03,
}  # fmt: skip
_RADII = np.array([0.0, *(_RADIUS_M[name.split("_")[-1]] for name in JOINT_NAMES[1:])])
"""Of the capsule from a joint's parent to the joint, m, none too large."""


def hidden_by(
    points: Float[np.ndarray, "points 2"],
    joints: Float[np.ndarray, "joints=24 2"],
    radii: Float[np.ndarray, "joints=24"],
    absent: Bool[np.ndarray, "joints=24"],
) -> Bool[np.ndarray, " points"]:
    """Which points lie behind the bones of a person, each a capsule; all px."""
    bones = np.flatnonzero(~absent[1:]) + 1
    start = joints[np.array(PARENTS)[bones]]
    along = joints[bones] - start
    offset = points[:, None] - start
    share = (offset * along).sum(-1) / np.maximum((along**2).sum(-1), 1e-9)
    gap = offset - np.clip(share, 0, 1)[..., None] * along
    return ((gap**2).sum(-1) < radii[bones] ** 2).any(axis=1)


def stand_before(
    rng: np.random.Generator,
    target: Float[np.ndarray, "joints=24 2"],
    target_levels: Sequence[int],
    target_px_per_m: float,
    ground_y: float,
    joints: Float[np.ndarray, "joints=24 2"],
    levels: tuple[int, int, int, int],
    sole_m: float,
    size: tuple[int, int],
    target_fractions: Sequence[float] = (0.0,) * 4,
    fractions: Sequence[float] = (0.0,) * 4,
) -> tuple[int, float, Float[np.ndarray, "xy=2"]] | None:
    """The limb that is hidden, the scale (px per m) and the place (px) of the one before; None if none is found.

    Args:
        rng: draws the candidates.
        target: joints of the intact person behind, px.
        target_levels: of their limbs.
        target_px_per_m: their scale.
        ground_y: where they stand, px.
        joints: of the intact person before, m from the pelvis, x right and y down.
        levels: of their limbs.
        sole_m: from their lowest joint to the ground.
        size: width and height of the picture.
        target_fractions: lambda of the limbs of the person behind that end inside a bone.
        fractions: of the one before.
    """
    absent = absent_joint_mask(levels)
    sight = limb_ends(target, target_levels, target_fractions)
    cuts = limb_ends(joints, levels, fractions)
    for limb in rng.permutation(4).tolist():
        ends = points_between(target[list(joints_to_hide(limb, target_levels[limb]))])
        if not ((ends >= 0) & (ends < size)).all():
            continue
        for nearer, jitter, which in zip(
            rng.uniform(*_NEARER, _TRIES),
            rng.normal(0.0, 0.04, _TRIES),
            rng.integers(0, len(CORE), _TRIES),
            strict=True,
        ):
            scale = target_px_per_m * nearer
            x = ends[:, 0].mean() + (jitter - joints[CORE[which], 0]) * scale
            ground = ground_y + (nearer - 1) * _EYE_M * target_px_per_m
            y = ground - (joints[:, 1].max() + sole_m) * scale
            placed = joints * scale + (x, y)
            inside = ((placed >= 0) & (placed < size)).all(axis=1)
            placed_cuts = cuts * scale + (x, y)
            if inside.sum() < 10 or not ((placed_cuts >= 0) & (placed_cuts < size)).all():
                continue
            if not hidden_by(ends, placed, _SURE * scale * _RADII, absent).all():
                continue
            points = np.concatenate([target[list(CORE)], sight])
            wide = hidden_by(points, placed, _WIDE * scale * _RADII, np.zeros(24, bool))
            if not wide[len(CORE) :].any() and (~wide[: len(CORE)]).sum() >= MIN_CORE:
                return limb, scale, np.array([x, y])
    return None
