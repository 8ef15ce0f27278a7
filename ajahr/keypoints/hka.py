"""The hip-knee-ankle angle and the knee's flexion out of 2D keypoints, with their uncertainty, or a refusal. No torch.

One signed number is kept: ``deviation_deg``, 0 for a straight leg, negative varus (bow-leg), positive valgus
(knock-knee), whichever the side and whichever way the person faces. Literature prints it in other ways
(`Convention`).

A photograph measures the projected line of three points that are not the centres of bones: a screening figure,
not a diagnosis. It is withheld where it would mislead: a limb that is absent or ends early, a point the model is
unsure of, a person who does not stand, is seen from the side, or is too small.

Sources: "Efficient lower limb alignment assessment via knowledge-distilled pose estimation" for the use; the
formulas and their errors are derived here. A deviation D seen with yaw psi shows as atan(tan D cos psi), and a
knee flexion phi leaks in as about phi sin psi.
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
class Calibration:
    """Of a device or a model against radiographs: deviation -> slope x deviation + offset (degrees)."""

    slope: float = 1.0
    offset_deg: float = 0.0


@dataclass(frozen=True)
class LegAngle:
    """One leg. Numbers are None where a reason says why."""

    limb: Limb
    deviation_deg: float | None = None
    """Signed, varus negative, calibrated."""
    sd_deg: float | None = None
    interval_deg: tuple[float, float] | None = None
    """95 %, of the points' uncertainty alone: not of view, lens or anatomy."""
    reason: Reason | None = None
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


def turn_deg(
    hip: Float[np.ndarray, "xy=2"], knee: Float[np.ndarray, "xy=2"], ankle: Float[np.ndarray, "xy=2"]
) -> float | None:
    """Angle from thigh to shank, signed by the picture's sense (clockwise positive); None for coinciding points."""
    u, w = np.asarray(knee - hip, np.float64), np.asarray(ankle - knee, np.float64)
    if not (np.hypot(*u) > 1e-6 and np.hypot(*w) > 1e-6):
        return None
    return math.degrees(math.atan2(_cross(u, w), float(u @ w)))


def turn_sd_deg(
    hip: Float[np.ndarray, "xy=2"],
    knee: Float[np.ndarray, "xy=2"],
    ankle: Float[np.ndarray, "xy=2"],
    sd_px: Float[np.ndarray, "hka=3"],
) -> float:
    """Standard deviation of `turn_deg` from the points' own, each per coordinate, to first order.

    With one s for all three it is (180/pi) s sqrt(2/L1^2 + 2/L2^2 + 2 cos(delta)/(L1 L2)).
    """
    u, w = np.asarray(knee - hip, np.float64), np.asarray(ankle - knee, np.float64)
    thigh, shank = float(np.hypot(*u)), float(np.hypot(*w))
    cosine = float(u @ w) / (thigh * shank)
    of_knee = 1 / thigh**2 + 1 / shank**2 + 2 * cosine / (thigh * shank)
    hip_var, knee_var, ankle_var = np.asarray(sd_px, np.float64) ** 2
    return math.degrees(math.sqrt(hip_var / thigh**2 + knee_var * of_knee + ankle_var / shank**2))


def facing(points: Float[np.ndarray, "points xy=2"]) -> int:
    """+1 for a person who faces the camera, -1 for one seen from behind, 0 where the hips do not tell.

    Measured against the trunk, so that a tilted picture does not matter.
    """
    left, right = points[COCO17.index["left_hip"]], points[COCO17.index["right_hip"]]
    down = (left + right) / 2 - _middle(points, "shoulder")
    if np.hypot(*down) < 1e-6:
        down = _middle(points, "knee") - (left + right) / 2
    side = _cross(down, left - right)
    scale = float(np.hypot(*down) * np.hypot(*(left - right)))
    return 0 if scale < 1e-9 or abs(side) < 1e-3 * scale else (-1 if side > 0 else 1)


def measure_legs(
    points: Float[np.ndarray, "points xy=2"],
    scores: Float[np.ndarray, " points"],
    sd_px: Float[np.ndarray, " points"],
    image_size: tuple[int, int],
    *,
    presence: Int[np.ndarray, " points"] | None = None,
    gates: Gates | None = None,
    calibration: Calibration | None = None,
) -> tuple[LegAngle, LegAngle]:
    """Both legs of one person, left first.

    Args:
        points: 25 keypoints, or COCO's 17, in px of the whole picture.
        scores: the model's, 0..1.
        sd_px: standard deviation of each point per coordinate, px of the whole picture.
        image_size: width and height, px.
        presence: 1, 0 or -1 of each point where somebody knows; it wins over the scores.
        gates: when a number is withheld.
        calibration: of the deviation.
    """
    points, scores = np.asarray(points, np.float64), np.asarray(scores, np.float64)
    gates, calibration = gates or Gates(), calibration or Calibration()
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
    calibration: Calibration,
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
            residual = None if turn is None else _signed(limb, towards, turn)
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
        heading = _heading(points, scores)
        flexion = heading * turn if heading else None
        flexion_reason = None if heading else Reason.FACING_UNDEFINED
    if width < gates.min_frontal_width:
        reason = Reason.NOT_FRONTAL
    elif not towards:
        reason = Reason.FACING_UNDEFINED
    elif (
        _tilt(points) > gates.max_trunk_tilt_deg or _thigh_tilt(points, hip, knee) > gates.max_thigh_tilt_deg
    ):
        reason = Reason.NOT_STANDING
    else:
        sd = abs(calibration.slope) * turn_sd_deg(points[hip], points[knee], points[ankle], sd_px[three])
        value = calibration.slope * _signed(limb, towards, turn) + calibration.offset_deg
        if not sd * Z95 <= gates.max_half_width_deg:
            return LegAngle(
                limb, reason=Reason.TOO_UNCERTAIN, flexion_deg=flexion, flexion_reason=flexion_reason
            )
        interval = (value - Z95 * sd, value + Z95 * sd)
        return LegAngle(limb, value, sd, interval, None, None, flexion, flexion_reason)
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


def frontal_width(points: Float[np.ndarray, "points xy=2"]) -> float:
    """Width of the shoulders, across the trunk, over the length of the trunk."""
    trunk = _middle(points, "hip") - _middle(points, "shoulder")
    length = float(np.hypot(*trunk))
    if length < 1e-6:
        return 0.0
    across = points[COCO17.index["left_shoulder"]] - points[COCO17.index["right_shoulder"]]
    return abs(_cross(trunk, across)) / length**2


def _heading(points: np.ndarray, scores: np.ndarray) -> int:
    """Of a person seen from the side: +1 who looks to the right of the picture, -1 to the left, 0 unknown.

    By the nose before the ears; the shank of a flexed knee turns away from where the person looks.
    """
    ears = [COCO17.index["left_ear"], COCO17.index["right_ear"]]
    seen = [ear for ear in ears if scores[ear] > 0.1]
    nose = COCO17.index["nose"]
    if not seen or scores[nose] <= 0.1:
        return 0
    return int(np.sign(points[nose, 0] - points[seen, 0].mean()))


def _signed(limb: Limb, towards: int, turn: float) -> float:
    return (-towards if limb == Limb.LEFT_LEG else towards) * turn


def _tilt(points: np.ndarray) -> float:
    """Of the trunk against the picture's vertical, degrees."""
    x, y = _middle(points, "hip") - _middle(points, "shoulder")
    return abs(math.degrees(math.atan2(x, y)))


def _thigh_tilt(points: np.ndarray, hip: int, knee: int) -> float:
    """Of the thigh against the trunk, degrees."""
    trunk, thigh = _middle(points, "hip") - _middle(points, "shoulder"), points[knee] - points[hip]
    return abs(math.degrees(math.atan2(_cross(trunk, thigh), float(trunk @ thigh))))


def _middle(points: np.ndarray, joint: str) -> np.ndarray:
    return (points[COCO17.index[f"left_{joint}"]] + points[COCO17.index[f"right_{joint}"]]) / 2


def _cross(a: np.ndarray, b: np.ndarray) -> float:
    return float(a[0] * b[1] - a[1] * b[0])
