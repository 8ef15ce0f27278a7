"""The hip-knee-ankle angle and the knee's flexion out of 2D keypoints, with their uncertainty, or a refusal. No torch.

One signed number is kept: ``deviation_deg``, 0 for a straight leg, negative varus (bow-leg), positive valgus
(knock-knee), whichever the side and whichever way the person faces. Literature prints it in other ways
(`Convention`).

A photograph measures the projected line of three points that are not the centres of bones: a screening figure,
not a diagnosis. It is withheld where it would mislead: a limb that is absent or ends early, a point the model is
unsure of, a person who does not stand, is seen from the side, or is too small.

Sources: "Efficient lower limb alignment assessment via knowledge-distilled pose estimation" for the use; the
formulas and their errors are derived here.

A deviation D of a person turned by yaw psi shows as atan(tan D cos psi) + phi sin psi: narrowed, and mixed with the
knee's flexion phi, which moves both knees towards where the person looks. Nothing in two dimensions tells phi, so an
expectation takes its place: a straight standing knee flexes by `STANDING_FLEXION_DEG`, which leaves an error of at most
(phi - 1 deg) sin psi. The yaw is read off the face: by how much the nose stands off the middle of the ears, which
its body cannot do without turning (`yaw_deg`); so look where you stand. What neither tells widens the interval:
the spread of flexion and of yaw, the whole range of yaw where no face is seen.
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

Convention = Literal["deviation", "medial", "lateral"]
"""How the angle is printed: signed about 0 (varus negative), the medial angle (varus below 180), the lateral one."""
LEGS = (Limb.LEFT_LEG, Limb.RIGHT_LEG)
_SEEN = 0.3
Z95 = 1.959964
STANDING_FLEXION_DEG = 1.0, 0.6
"""Of a straight standing knee, mean and standard deviation: 0 to 2 degrees, each as likely."""
NOSE_TO_EARS = 1.46
"""How far the tip of the nose lies before the axis of the ears, over half the ears' distance: the embedded body's
adults have 1.46 with a standard deviation of 0.03."""
YAW_SD_DEG = 3.0
"""Of a yaw read off the face: heads are not quite straight on their trunks."""
UNSEEN_YAW_SD_DEG = 6.0
"""Of somebody who stands frontally, within 10 degrees, with no face to tell by how much."""
MAX_YAW_DEG = 20.0
"""A head turned further is turned by itself and says nothing of the trunk, whose width is frontal."""


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


def yaw_deg(points: Float[np.ndarray, "points xy=2"], scores: Float[np.ndarray, " points"]) -> float | None:
    """By how much somebody who faces the camera is turned, by nose and ears; positive towards their own left.

    None from behind, without a nose or an ear in sight, or where only the head can be turned so far.
    """
    if facing(points) <= 0:
        return None
    nose, left, right = (COCO17.index[name] for name in ("nose", "left_ear", "right_ear"))
    if (scores[[nose, left, right]] < _SEEN).any() or not np.isfinite(points[[nose, left, right]]).all():
        return None
    ears = points[left] - points[right]
    half = float(np.hypot(*ears)) / 2
    if half < 1e-6:
        return None
    ahead = float((points[nose] - (points[left] + points[right]) / 2) @ ears) / (2 * half)
    yaw = math.degrees(math.atan2(ahead / NOSE_TO_EARS, half))
    return yaw if abs(yaw) <= MAX_YAW_DEG else None


def uncover(deviation_deg: float, limb: Limb, yaw: float | None) -> tuple[float, float]:
    """A seen deviation (signed, varus negative) as it would be from straight ahead, and the view's standard deviation.

    Args:
        yaw: `yaw_deg`; None leaves the deviation as it is and only widens its interval.
    """
    mean, spread = STANDING_FLEXION_DEG
    psi, sd = math.radians(yaw or 0.0), math.radians(UNSEEN_YAW_SD_DEG if yaw is None else YAW_SD_DEG)
    # a flexed knee moves to where the person looks: out of the line of the leg for the left leg turned left
    outwards = 1.0 if limb == Limb.LEFT_LEG else -1.0
    straight = deviation_deg + outwards * mean * math.sin(psi)
    tangent = math.tan(math.radians(straight)) / math.cos(psi)
    of_flexion = math.hypot(spread * math.sin(psi), math.hypot(mean, spread) * math.cos(psi) * sd)
    of_width = abs(straight) * abs(math.tan(psi)) * sd + abs(straight) * sd**2 / 2
    return math.degrees(math.atan(tangent)), math.hypot(of_flexion, of_width)


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
        of_points = turn_sd_deg(points[hip], points[knee], points[ankle], sd_px[three])
        yaw = yaw_deg(points, scores)
        seen, of_view = uncover(_signed(limb, towards, turn), limb, yaw)
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
