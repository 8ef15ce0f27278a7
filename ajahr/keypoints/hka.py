"""The hip-knee-ankle angle and the knee's flexion out of 2D keypoints, with their uncertainty, or a refusal. No torch.

One signed number is kept: ``deviation_deg``, 0 for a straight leg, negative varus (bow-leg), positive valgus
(knock-knee), whichever the side and whichever way the person faces. Literature prints it in other ways
(`Convention`).

A photograph measures the projected line of three points that are not the centres of bones: a screening figure,
not a diagnosis. It is withheld where it would mislead: a limb that is absent or ends early, a point the model is
unsure of, a person who does not stand, is seen from the side, or is too small.
The angles themselves and what the view does to them are in `ajahr.keypoints.hka_geometry`.

Sources: "Efficient lower limb alignment assessment via knowledge-distilled pose estimation" for the use; the
formulas and their errors are derived by this project.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from ajahr.anatomy import COCO17, Limb
from ajahr.data.ldpose import ABOVE, BELOW, DISTAL, LIMB_POINTS, PROXIMAL
from ajahr.errors import UserError
from ajahr.keypoints.calibration import HkaCalibration
from ajahr.keypoints.hka_geometry import (
    facing,
    frontal_width,
    heading_of,
    signed_deviation,
    thigh_tilt_deg,
    trunk_tilt_deg,
    turn_deg,
    turn_sd_deg,
    uncover,
    yaw_deg,
)

Convention = Literal["deviation", "medial", "lateral"]
"""How the angle is printed: signed about 0 (varus negative), the medial angle (varus below 180), the lateral one."""
LEGS = (Limb.LEFT_LEG, Limb.RIGHT_LEG)
Z95 = 1.959964


class Reason(StrEnum):
    """Why there is no number."""

    LIMB_ABSENT = "limb_absent"
    LIMB_UNCLEAR = "limb_unclear"
    LOW_SCORE = "low_score"
    OUTSIDE_IMAGE = "outside_image"
    COINCIDENT_POINTS = "coincident_points"
    FACING_UNDEFINED = "facing_undefined"
    NOT_STANDING = "not_standing"
    NOT_FRONTAL = "not_frontal"
    NOT_SAGITTAL = "not_sagittal"
    TOO_SMALL = "too_small"
    TOO_UNCERTAIN = "too_uncertain"


MENDS: dict[Reason, str] = {
    Reason.LIMB_ABSENT: "the limb ends above the ankle; no angle of a leg that is not there",
    Reason.LIMB_UNCLEAR: "the model sees a residual end and an ankle; look at the picture",
    Reason.LOW_SCORE: "hip, knee or ankle is not seen well; take a clearer picture",
    Reason.OUTSIDE_IMAGE: "hip, knee or ankle lies at or beyond the border; step back",
    Reason.COINCIDENT_POINTS: "two of the points coincide",
    Reason.FACING_UNDEFINED: "the hips lie behind one another; turn to the camera",
    Reason.NOT_STANDING: "the trunk leans or the leg does not hang below it; stand upright",
    Reason.NOT_FRONTAL: "not seen from the front or back; turn to the camera",
    Reason.NOT_SAGITTAL: "not seen from the side; turn sideways",
    Reason.TOO_SMALL: "the leg has too few pixels; step closer or use a larger picture",
    Reason.TOO_UNCERTAIN: "the interval is wider than allowed; use a larger or sharper picture",
}


@dataclass(frozen=True)
class Gates:
    """When a number is withheld. All thresholds are this project's.

    Args:
        min_score: least score of hip, knee and ankle.
        absent_score: a residual end that scores above it, and above the ankle, means the limb ends there.
        border: least distance to the border, as a share of the leg's length.
        max_trunk_tilt_deg: of mid-shoulders to mid-hips, against the vertical of the picture.
        max_thigh_tilt_deg: of hip to knee against the trunk, which also tells sitting.
        min_frontal_width: width of shoulders over length of trunk; a frontal person has about 0.7 to 0.9, and a
            person turned by yaw that times its cosine.
        max_sagittal_width: the same for a view from the side.
        min_leg_px: shortest thigh or shank, px of the picture.
        max_half_width_deg: widest half of the 95 % interval.
    """

    min_score: float = 0.5
    absent_score: float = 0.3
    border: float = 0.01
    max_trunk_tilt_deg: float = 10.0
    max_thigh_tilt_deg: float = 20.0
    min_frontal_width: float = 0.5
    max_sagittal_width: float = 0.25
    min_leg_px: float = 60.0
    max_half_width_deg: float = 10.0

    def __post_init__(self) -> None:
        if not 0 <= self.min_score <= 1 or not 0 <= self.absent_score <= 1:
            raise UserError("min_score and absent_score are scores; give 0..1")


@dataclass(frozen=True)
class LegAngle:
    """One leg. Numbers are None where a reason says why."""

    limb: Limb
    deviation_deg: float | None = None
    """Signed, varus negative, calibrated."""
    sd_deg: float | None = None
    interval_deg: tuple[float, float] | None = None
    """95 %, of the points and of the view: not of lens or anatomy."""
    reason: Reason | None = None
    sd_points_deg: float | None = None
    """Of the points alone, before any calibration."""
    yaw_deg: float | None = None
    """Of the person, positive towards their left, as the correction took it; None where no face tells."""
    residual_axis_deviation_deg: float | None = None
    """The same with the end of a below-knee residual limb for the ankle; not an HKA angle."""
    flexion_deg: float | None = None
    """Of the knee, 0 straight, hyperextension negative; from the side only."""
    flexion_reason: Reason | None = None

    def angle(self, convention: Convention = "medial") -> float | None:
        """The deviation as others print it."""
        if self.deviation_deg is None:
            return None
        return {
            "deviation": self.deviation_deg,
            "medial": 180 + self.deviation_deg,
            "lateral": 180 - self.deviation_deg,
        }[convention]

    @property
    def words(self) -> str:
        """``varus``, ``neutral`` (within 3 degrees) or ``valgus``; the reason where there is no number."""
        if self.deviation_deg is None:
            return "no angle" if self.reason is None else str(self.reason).replace("_", " ")
        if abs(self.deviation_deg) <= 3:
            return "neutral"
        return "varus" if self.deviation_deg < 0 else "valgus"


def measure_legs(
    points: Float[np.ndarray, "points xy=2"],
    scores: Float[np.ndarray, " points"],
    sd_px: Float[np.ndarray, " points"],
    image_size: tuple[int, int],
    *,
    presence: Int[np.ndarray, " points"] | None = None,
    gates: Gates | None = None,
    calibration: HkaCalibration | None = None,
) -> tuple[LegAngle, LegAngle]:
    """Both legs of one person, left first.

    Args:
        points: 25 keypoints, or COCO's 17, in px of the whole picture.
        scores: the model's, 0..1.
        sd_px: standard deviation of each point per coordinate, px of the whole picture.
        image_size: width and height, px.
        presence: 1, 0 or -1 of each point where somebody knows; it wins over the scores.
        gates: when a number is withheld.
        calibration: of the deviation and of its spread (`ajahr.keypoints.calibration`).
    """
    points, scores = np.asarray(points, np.float64), np.asarray(scores, np.float64)
    gates, calibration = gates or Gates(), calibration or HkaCalibration()
    people = [
        _leg(limb, points, scores, np.asarray(sd_px, np.float64), image_size, presence, gates, calibration)
        for limb in LEGS
    ]
    return people[0], people[1]


def _leg(
    limb: Limb,
    points: np.ndarray,
    scores: np.ndarray,
    sd_px: np.ndarray,
    image_size: tuple[int, int],
    presence: np.ndarray | None,
    gates: Gates,
    calibration: HkaCalibration,
) -> LegAngle:
    knee, ankle = int(LIMB_POINTS[limb, PROXIMAL]), int(LIMB_POINTS[limb, DISTAL])
    hip = COCO17.index[f"{limb.side}_hip"]
    three = [hip, knee, ankle]
    towards = facing(points)
    end = _absent_end(limb, scores, presence, gates)
    if end is not None:
        residual = None
        if end == BELOW and towards:
            tip = int(LIMB_POINTS[limb, BELOW])
            turn = turn_deg(points[hip], points[knee], points[tip])
            residual = None if turn is None else signed_deviation(limb, towards, turn)
        absent = Reason.LIMB_ABSENT
        return LegAngle(limb, reason=absent, residual_axis_deviation_deg=residual, flexion_reason=absent)
    common = _common_reason(limb, three, points, scores, image_size, gates)
    if common is not None:
        return LegAngle(limb, reason=common, flexion_reason=common)
    turn = turn_deg(points[hip], points[knee], points[ankle])
    if turn is None:
        return LegAngle(limb, reason=Reason.COINCIDENT_POINTS, flexion_reason=Reason.COINCIDENT_POINTS)
    width = frontal_width(points)
    flexion, flexion_reason = None, None
    if width > gates.max_sagittal_width:
        flexion_reason = Reason.NOT_SAGITTAL
    else:
        heading = heading_of(points, scores)
        flexion = heading * turn if heading else None
        flexion_reason = None if heading else Reason.FACING_UNDEFINED
    if width < gates.min_frontal_width:
        reason = Reason.NOT_FRONTAL
    elif not towards:
        reason = Reason.FACING_UNDEFINED
    elif (
        trunk_tilt_deg(points) > gates.max_trunk_tilt_deg
        or thigh_tilt_deg(points, hip, knee) > gates.max_thigh_tilt_deg
    ):
        reason = Reason.NOT_STANDING
    else:
        of_points = turn_sd_deg(points[hip], points[knee], points[ankle], sd_px[three])
        yaw = yaw_deg(points, scores)
        seen, of_view = uncover(signed_deviation(limb, towards, turn), limb, yaw)
        value = calibration.slope * seen + calibration.offset_deg
        spread = math.hypot(calibration.sd_scale * of_points, calibration.sd_floor_deg, of_view)
        sd = calibration.slope * spread
        if not sd * Z95 <= gates.max_half_width_deg:
            return LegAngle(
                limb, reason=Reason.TOO_UNCERTAIN, flexion_deg=flexion, flexion_reason=flexion_reason
            )
        interval = (value - Z95 * sd, value + Z95 * sd)
        return LegAngle(
            limb,
            value,
            sd,
            interval,
            sd_points_deg=of_points,
            yaw_deg=yaw,
            flexion_deg=flexion,
            flexion_reason=flexion_reason,
        )
    return LegAngle(limb, reason=reason, flexion_deg=flexion, flexion_reason=flexion_reason)


def _absent_end(limb: Limb, scores: np.ndarray, presence: np.ndarray | None, gates: Gates) -> int | None:
    """`ABOVE` or `BELOW` where the limb ends there; a limb without an ankle and without an end counts as above."""
    row = LIMB_POINTS[limb]
    if presence is not None and len(presence) > row.max():
        known = presence[row]
        if known[BELOW] == 1:
            return BELOW
        if known[ABOVE] == 1 or 0 in known[[PROXIMAL, DISTAL]]:
            return ABOVE
        if known[DISTAL] == 1:
            return None
    if len(scores) <= row.max():
        return None
    ends = scores[row[[ABOVE, BELOW]]]
    best = int(ends.argmax())
    if ends[best] > gates.absent_score and ends[best] > scores[row[DISTAL]]:
        return (ABOVE, BELOW)[best]
    return None


def _common_reason(
    limb: Limb, three: list[int], points: np.ndarray, scores: np.ndarray, size: tuple[int, int], gates: Gates
) -> Reason | None:
    """What stands against any angle of this leg."""
    if (scores[three] < gates.min_score).any() or not np.isfinite(points[three]).all():
        return Reason.LOW_SCORE
    ends = LIMB_POINTS[limb, [ABOVE, BELOW]]
    if len(scores) > ends.max() and (scores[ends] >= gates.min_score).any():
        return Reason.LIMB_UNCLEAR
    hip, knee, ankle = points[three]
    thigh, shank = float(np.hypot(*(knee - hip))), float(np.hypot(*(ankle - knee)))
    if min(thigh, shank) < 1e-6:
        return Reason.COINCIDENT_POINTS
    margin = gates.border * (thigh + shank)
    if (points[three] < margin).any() or (points[three] > np.array(size) - margin).any():
        return Reason.OUTSIDE_IMAGE
    return Reason.TOO_SMALL if min(thigh, shank) < gates.min_leg_px else None
