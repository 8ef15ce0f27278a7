"""The eight places a limb can end between two joints: LDPose's residual-limb points and the bones they lie on.

On the bone the end is ``J_anchor + lambda (J_upstream - J_anchor)``: lambda 0 at the anchor, the distal joint
(the whole segment is left), 1 at the upstream joint (nothing of it is). Joint-level classes are the ends of
that range: `of_level`. Source: ResiHMR, residual anchor-factor optimisation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Integer

from ajahr.anatomy import (
    JOINT_LIMB,
    JOINT_NAMES,
    LDPOSE25,
    LIMBS,
    NUM_LEVELS,
    NUM_LIMBS,
    PARENTS,
    Level,
    Limb,
    residual_end,
)
from ajahr.body.keypoints import LDPOSE_RESIDUAL_JOINTS
from ajahr.errors import UserError

_BONES = {"shoulder": "upper arm", "elbow": "forearm", "hip": "thigh", "knee": "shank"}


@dataclass(frozen=True)
class Segment:
    """A bone in which a limb can end."""

    name: str
    """LDPose's name of its end, "left_below_knee_res"."""
    point: int
    """Index in LDPOSE25."""
    anchor: int
    """Distal joint; the same number in SMPL, SMPL-H and SMPL-X."""
    upstream: int
    """Proximal joint."""

    @property
    def limb(self) -> Limb:
        return Limb(JOINT_LIMB[self.anchor])

    @property
    def bone(self) -> str:
        """Upper arm, forearm, thigh or shank."""
        return _BONES[JOINT_NAMES[self.upstream].split("_")[1]]

    @property
    def words(self) -> str:
        """ "left below knee"."""
        return self.name.removesuffix("_res").replace("_", " ")

    @property
    def mirrored(self) -> Segment:
        return SEGMENTS[LDPOSE25.flip[self.point] - SEGMENTS[0].point]


SEGMENTS: tuple[Segment, ...] = tuple(
    Segment(LDPOSE25.names[point], point, anchor, PARENTS[anchor])
    for point, anchor in zip(LDPOSE25.residual, LDPOSE_RESIDUAL_JOINTS, strict=True)
)
SEGMENT: dict[str, Segment] = {segment.name: segment for segment in SEGMENTS}
SEGMENT_FLIP: tuple[int, ...] = tuple(SEGMENTS.index(segment.mirrored) for segment in SEGMENTS)
"""Order of `SEGMENTS` after mirroring."""


def segment_of(name: str) -> Segment:
    """A segment by LDPose's name, with or without ``_res``, spaces or dashes allowed.

    Raises:
        UserError: there is none by that name.
    """
    key = name.strip().lower().replace(" ", "_").replace("-", "_").removesuffix("_res") + "_res"
    if key not in SEGMENT:
        known = ", ".join(segment.words for segment in SEGMENTS)
        raise UserError(f"'{name}' is no end of a residual limb; choose among {known}")
    return SEGMENT[key]


def of_level(limb: Limb | int, level: Level | int) -> tuple[Segment, float] | None:
    """Segment and lambda of a joint-level amputation: a lost hand is lambda 0 of the forearm.

    A shoulder or hip disarticulation is lambda 1 of the upper arm or thigh. None: the limb is intact.
    """
    if int(level) == Level.INTACT:
        return None
    name = residual_end(limb, level)
    if name is not None:
        return SEGMENT[name], 0.0
    top = residual_end(limb, int(level) - 1)
    assert top is not None
    return SEGMENT[top], 1.0


def _level_table() -> np.ndarray:
    table = np.full((NUM_LIMBS, NUM_LEVELS, len(SEGMENTS)), np.nan, np.float32)
    for limb in LIMBS:
        for level in range(1, NUM_LEVELS):
            found = of_level(limb, level)
            if found is not None:
                table[limb, level, SEGMENTS.index(found[0])] = found[1]
    table.setflags(write=False)
    return table


LEVEL_FRACTIONS: np.ndarray = _level_table()
"""(limb 4, level 4, segment 8) lambda of joint-level amputations; NaN in the other segments."""


def fractions_of_levels(levels: Integer[np.ndarray, "*people limbs=4"]) -> Float32[np.ndarray, "*people 8"]:
    """Lambda in every segment of people cut at joints, by `of_level`; NaN where no limb ends, or it is unknown (-1)."""
    levels = np.asarray(levels)
    known = np.where(levels < 0, 0, levels)
    rows = LEVEL_FRACTIONS[np.arange(NUM_LIMBS), known]  # (people, limbs, 8): a segment is of one limb
    return np.fmax.reduce(rows, axis=-2)
