"""The plane geometry of legs in a photograph: angles with their errors, and what the view does to them. No torch.

A deviation D of a person turned by yaw psi shows as atan(tan D cos psi) + phi sin psi: narrowed, and mixed with the
knee's flexion phi, which moves both knees towards where the person looks. Nothing in two dimensions tells phi, so an
expectation takes its place: a straight standing knee flexes by `STANDING_FLEXION_DEG`, which leaves an error of at most
(phi - 1 deg) sin psi. The yaw is read off the face: by how much the nose stands off the middle of the ears, which
its body cannot do without turning (`yaw_deg`); so look where you stand. What neither tells widens the interval:
the spread of flexion and of yaw, the whole range of yaw where no face is seen.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from ajahr.anatomy import COCO17, Limb

_SEEN = 0.3
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


def frontal_width(points: Float[np.ndarray, "points xy=2"]) -> float:
    """Width of the shoulders, across the trunk, over the length of the trunk."""
    trunk = _middle(points, "hip") - _middle(points, "shoulder")
    length = float(np.hypot(*trunk))
    if length < 1e-6:
        return 0.0
    across = points[COCO17.index["left_shoulder"]] - points[COCO17.index["right_shoulder"]]
    return abs(_cross(trunk, across)) / length**2


def heading_of(points: Float[np.ndarray, "points xy=2"], scores: Float[np.ndarray, " points"]) -> int:
    """Of a person seen from the side: +1 who looks to the right of the picture, -1 to the left, 0 unknown.

    By the nose before the ears; the shank of a flexed knee turns away from where the person looks.
    """
    ears = [COCO17.index["left_ear"], COCO17.index["right_ear"]]
    seen = [ear for ear in ears if scores[ear] > 0.1]
    nose = COCO17.index["nose"]
    if not seen or scores[nose] <= 0.1:
        return 0
    return int(np.sign(points[nose, 0] - points[seen, 0].mean()))


def signed_deviation(limb: Limb, towards: int, turn: float) -> float:
    """The knee's turn in the picture as a deviation, varus negative.

    Args:
        towards: `facing`, not 0.
        turn: `turn_deg`.
    """
    return (-towards if limb == Limb.LEFT_LEG else towards) * turn


def trunk_tilt_deg(points: Float[np.ndarray, "points xy=2"]) -> float:
    """Of the trunk against the picture's vertical, degrees."""
    x, y = _middle(points, "hip") - _middle(points, "shoulder")
    return abs(math.degrees(math.atan2(x, y)))


def thigh_tilt_deg(points: Float[np.ndarray, "points xy=2"], hip: int, knee: int) -> float:
    """Of the thigh against the trunk, degrees."""
    trunk, thigh = _middle(points, "hip") - _middle(points, "shoulder"), points[knee] - points[hip]
    return abs(math.degrees(math.atan2(_cross(trunk, thigh), float(trunk @ thigh))))


def _middle(points: np.ndarray, joint: str) -> np.ndarray:
    return (points[COCO17.index[f"left_{joint}"]] + points[COCO17.index[f"right_{joint}"]]) / 2


def _cross(a: np.ndarray, b: np.ndarray) -> float:
    return float(a[0] * b[1] - a[1] * b[0])
