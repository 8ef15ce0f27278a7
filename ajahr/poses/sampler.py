"""Plausible poses by family, within joint limits and without limbs that pass through the body.

A pose is an archetype (a few dozen a family) filled with correlated chance: how the person holds themselves,
which side acts, where in the stride they are, how high they reach. What breaks a joint limit or penetrates is
drawn again.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from ajahr.anatomy import Limb, absent_joint_mask, check_levels
from ajahr.errors import UserError
from ajahr.poses import penetration
from ajahr.poses.archetypes.everyday import EVERYDAY
from ajahr.poses.archetypes.lying import LYING
from ajahr.poses.archetypes.one_leg import ONE_LEG
from ajahr.poses.archetypes.para_sport import PARA_SPORT
from ajahr.poses.archetypes.seated import SEATED, WHEELCHAIR
from ajahr.poses.archetypes.sport import SPORT
from ajahr.poses.articulation import pose
from ajahr.poses.draft import Archetype, Draft
from ajahr.poses.penetration import TOUCH, LimbGeometry

FAMILIES: tuple[str, ...] = ("everyday", "sport", "seated", "wheelchair", "lying")
ARCHETYPES: tuple[Archetype, ...] = (*EVERYDAY, *ONE_LEG, *SPORT, *PARA_SPORT, *SEATED, *WHEELCHAIR, *LYING)

MAX_TRIES = 60
FLOOR_GIVE = 0.05
"""Metres a lying person's limbs may be below the lowest part of the trunk: capsules are thinner than
people."""
_ARMS, _LEGS = (Limb.LEFT_ARM, Limb.RIGHT_ARM), (Limb.LEFT_LEG, Limb.RIGHT_LEG)


@dataclass(frozen=True, eq=False, slots=True)
class SampledPose:
    """A pose in SMPL's joints."""

    body_pose: Float32[np.ndarray, "23 3"]
    """Rotation vectors (rad) of joints 1..23; absent joints have the pose they would have had."""
    root_rotvec: Float32[np.ndarray, " 3"]
    """From the body to an upright world: y up, facing +z but for people who lie."""
    family: str
    archetype: str


def sample_pose(
    rng: np.random.Generator,
    family: str,
    levels: Sequence[int] | np.ndarray = (0, 0, 0, 0),
    geometry: LimbGeometry | None = None,
    archetype: str | None = None,
) -> SampledPose:
    """Draws a pose. A function of the generator's state and the arguments alone.

    Args:
        rng: advanced by a number of draws that varies.
        family: one of `FAMILIES`.
        levels: limb levels in `Limb` order. Archetypes that need a lost limb are left out: who has lost a leg
            stands on the other one with crutches or a support, hops or sits. Absent limbs penetrate nothing.
        geometry: the person for the penetration test and the hands' targets; the embedded body at betas 0 if
        none. archetype: draw this one only.

    Raises:
        UserError: no such family or archetype.
    """
    lost = tuple(int(x) for x in check_levels(levels))
    person = LimbGeometry.default() if geometry is None else geometry
    options, bounds = _options(family, archetype, lost)
    absent = absent_joint_mask(np.array(lost))
    for _ in range(MAX_TRIES):
        kind = options[int(np.searchsorted(bounds, rng.random(), side="right"))]
        draft = Draft(rng, _side(rng, kind.hands, lost, _ARMS), _side(rng, kind.legs, lost, _LEGS), lost)
        kind.make(draft)
        rotvecs, violation, overlap, below = articulate(draft, person, absent, kind.lies)
        if violation <= 0.0 and overlap <= TOUCH and below <= FLOOR_GIVE:
            return SampledPose(rotvecs[1:], rotvecs[0], family, kind.name)
    raise RuntimeError(f"no pose of family {family} for levels {lost} in {MAX_TRIES} tries")


def articulate(
    draft: Draft, person: LimbGeometry, absent: np.ndarray, lies: bool = False
) -> tuple[Float32[np.ndarray, "24 3"], float, float, float]:
    """Rotation vectors of a draft, root first; worst limit violation (rad), overlap (m), depth under the
    floor (m)."""
    return pose(
        np.array(draft.trunk),
        np.array(draft.arms),
        np.array(draft.legs),
        person.offsets,
        person.ends,
        person.radius,
        penetration._CAPSULE_JOINT,
        absent,
        lies,
    )


def _feasible(kind: Archetype, lost: tuple[int, ...]) -> bool:
    arms = sum(lost[limb] == 0 for limb in _ARMS)
    legs = sum(lost[limb] == 0 for limb in _LEGS)
    return kind.hands <= arms and kind.legs <= legs


@functools.cache
def _options(
    family: str, archetype: str | None, lost: tuple[int, ...]
) -> tuple[tuple[Archetype, ...], np.ndarray]:
    """Archetypes this person can take, and the bounds of their shares of [0, 1)."""
    if family not in FAMILIES:
        raise UserError(f"no pose family {family!r}; there are {', '.join(FAMILIES)}")
    of_family = [a for a in ARCHETYPES if a.family == family]
    if archetype is not None:
        of_family = [a for a in of_family if a.name == archetype]
        if not of_family:
            raise UserError(f"no archetype {archetype!r} in family {family}")
    options = tuple(a for a in of_family if _feasible(a, lost))
    if family == "everyday" and archetype is None and all(lost[limb] for limb in _LEGS):
        # no leg to stand on: everyday life is then lived sitting
        options += tuple(a for a in SEATED if _feasible(a, lost))
    if not options:
        raise UserError(f"archetype {archetype!r} needs a limb that is lost (levels {lost})")
    two_legs = lost[Limb.LEFT_LEG] == 0 and lost[Limb.RIGHT_LEG] == 0
    weight = np.array([a.weight * (0.1 if a.one_legged and two_legs else 1.0) for a in options])
    bounds = np.cumsum(weight) / weight.sum()
    bounds[-1] = np.inf
    return options, bounds


def _side(rng: np.random.Generator, needed: int, lost: tuple[int, ...], limbs: tuple[Limb, Limb]) -> int:
    """The side that acts: one whose limb is there if the archetype needs one, else a coin."""
    left, right = (lost[limb] == 0 for limb in limbs)
    coin = int(rng.random() < 0.5)
    if needed == 1 and left != right:
        return 0 if left else 1
    return coin


FAMILY_SHARES: dict[str, float] = {
    "everyday": 0.4,
    "sport": 0.25,
    "seated": 0.2,
    "wheelchair": 0.07,
    "lying": 0.08,
}
"""Families in a mixed set of poses: what photographs of people show, roughly."""


def pose_library(count: int, seed: int = 0) -> Float32[np.ndarray, "{count} 23 3"]:
    """Body poses (rotation vectors, rad) of intact people in the shares of `FAMILY_SHARES`: to start a fit
    from, to fit a prior to. The same for the same arguments."""
    rng = np.random.default_rng(seed)
    families = rng.choice(list(FAMILY_SHARES), size=count, p=list(FAMILY_SHARES.values()))
    if count == 0:
        return np.zeros((0, 23, 3), np.float32)
    return np.stack([sample_pose(rng, str(family)).body_pose for family in families])
