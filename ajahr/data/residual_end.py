"""A limb that ends inside a bone: what a record says of it, its JSON, and what follows from limb levels
and ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from ajahr.anatomy import (
    J44_FROM_COCO17,
    LDPOSE25,
    LIMBS,
    NUM_LIMBS,
    PARENTS,
    amputation_joint,
    residual_end,
)
from ajahr.data.fields import FieldReader, rounded


@dataclass(frozen=True, eq=False)
class ResidualEnd:
    """A limb that ends inside a bone, with a closed end; `ajahr.data.residual_mesh` makes the surface again.

    Measured at rest as `ajahr.residual_limb.measure` does it, in the body's own size.
    """

    segment: str
    """Where it ends: one of `ajahr.residual_limb.segments.SEGMENTS` by name, ``left_below_knee_res``."""
    fraction: float
    """Lambda of the tip, ``lambda`` in JSON: 0 at the bone's distal joint, 1 at its proximal one."""
    end_3d: Float[np.ndarray, "xyz=3"]
    """The tip of the rendered surface, camera frame, m."""
    length_mm: float
    """Along the bone, from the proximal joint to the tip."""
    volume_ml: float
    """From the tip to the proximal joint, or where a section would meet the trunk."""
    circumferences_mm: tuple[float, ...]
    """Every 20 mm from the tip, as far as the volume goes."""
    oblique: bool = False
    """The rim follows the limb's own border, as high cuts do, and lies in no plane."""

    @property
    def point(self) -> int:
        """Index of its end in LDPOSE25."""
        return LDPOSE25.index[self.segment]


def ldpose_3d(
    keypoints_3d: Float[np.ndarray, "j44=44 3"],
    joints_3d: Float[np.ndarray, "joints=24 3"],
    levels: Sequence[int],
    ends: Sequence[Float[np.ndarray, "xyz=3"] | None] = (None,) * NUM_LIMBS,
) -> Float[np.ndarray, "ldpose25=25 3"]:
    """LDPose's 25 points in the frame of its arguments; NaN where a residual-limb end does not exist.

    The end of a residual limb cut at a joint is that joint.

    Args:
        ends: per limb the tip of one that ends inside a bone.
    """
    points = np.full((len(LDPOSE25), 3), np.nan)
    points[: len(J44_FROM_COCO17)] = keypoints_3d[list(J44_FROM_COCO17)]
    for limb in LIMBS:
        end = residual_end(limb, levels[limb])
        if end is not None:
            tip = ends[limb]
            points[LDPOSE25.index[end]] = (
                joints_3d[amputation_joint(limb, levels[limb])] if tip is None else tip
            )
    return points


def residual_lengths(
    joints_3d: Float[np.ndarray, "joints=24 3"],
    levels: Sequence[int],
    fractions: Sequence[float] = (0.0,) * NUM_LIMBS,
) -> tuple[float | None, ...]:
    """Residual length per limb (m), along the bone from the joint above the end.

    None for an intact limb, and for one lost at the shoulder or hip, which leaves no residual limb.

    Args:
        fractions: lambda of limbs that end inside a bone; 0 for those that end at the joint.
    """
    lengths: list[float | None] = []
    for limb in LIMBS:
        if residual_end(limb, levels[limb]) is None:
            lengths.append(None)
            continue
        joint = amputation_joint(limb, levels[limb])
        bone = float(np.linalg.norm(joints_3d[joint] - joints_3d[PARENTS[joint]]))
        lengths.append((1 - fractions[limb]) * bone)
    return tuple(lengths)


def residual_end_dict(one: ResidualEnd) -> dict[str, Any]:
    """Plain values for JSON, rounded."""
    return {
        "segment": one.segment,
        "lambda": rounded(one.fraction, "share"),
        "end_3d": rounded(one.end_3d, "m"),
        "length_mm": rounded(one.length_mm, "mm"),
        "volume_ml": rounded(one.volume_ml, "ml"),
        "circumferences_mm": rounded(one.circumferences_mm, "mm"),
        "oblique": bool(one.oblique),
    }


def read_residual_end(fields: FieldReader, limb: int, level: int) -> ResidualEnd:
    """Inverse of `residual_end_dict`.

    Args:
        limb, level: that the record has it for.

    Raises:
        UserError: a key is missing, unknown or wrong, or the limb ends elsewhere.
    """
    segment = fields.take("segment", str)
    if segment != residual_end(limb, level):
        raise fields.fail("segment", f"is {segment!r}, and the limb's level {level} ends elsewhere")
    fraction = float(fields.take("lambda", float))
    if not 0 <= fraction <= 1:
        raise fields.fail("lambda", f"is {fraction}, expected 0..1")
    found = ResidualEnd(
        segment,
        fraction,
        fields.take_array("end_3d", (3,)),
        float(fields.take("length_mm", float)),
        float(fields.take("volume_ml", float)),
        tuple(float(x) for x in fields.take_list("circumferences_mm", None, float)),
        fields.take("oblique", bool),
    )
    fields.done()
    return found
