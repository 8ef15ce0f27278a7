"""Ranges of motion of SMPL's joints, from clinical tables, and how far a pose lies outside them.

Each joint turns by a *swing* of its bone and a *twist* about the bone. Three kinds of joint:

* **box** (spine, neck, head, collars, wrists, hands, ankles, feet): ``R = twist swing``; twist angle and the
two
  components of the swing's rotation vector each have a range.
* **hinge** (elbows, knees): ``R = swing twist``; the bone's direction stays within a tolerance of an arc.
* **ball** (shoulders, hips): ``R = swing twist``; the bone's direction stays inside a reach cone (Wilhelms
and
  Van Gelder 2001) whose rim passes through the clinical end positions; the middle of the twist range moves
  with the direction of the bone. A hip's rotation is what remains after flexion and abduction, as clinics
  read it.

A shoulder is judged together with its collar, because clinics measure the whole shoulder complex against the
trunk. Tables exist for the left side and the middle only; a right joint is mirrored first, so both sides have
the same limits by construction.

Axes are SMPL's at rest (T-pose): left arm along +x, legs along -y, face to +z.
"""

from __future__ import annotations

import math
import typing

import numpy as np
from jaxtyping import Float
from numba import njit

from ajahr.anatomy import JOINT, JOINT_FLIP, JOINT_NAMES, NUM_JOINTS
from ajahr.poses import quaternions as quat
from ajahr.poses.ranges import CERVICAL_SHARE, FOREARM_SHARE, RANGES_DEG, SPINE_SHARE

BOX, HINGE, BALL = 0, 1, 2
NUM_KNOTS = 13

_KIND = np.zeros(NUM_JOINTS, np.int64)
_TWIST_AXIS = np.zeros(NUM_JOINTS, np.int64)
_TWIST = np.zeros((NUM_JOINTS, 2))  # lo, hi
_TWIST_SLOPE = np.zeros((NUM_JOINTS, 3))  # ball: middle of the twist range per unit of bone direction
_SWING = np.zeros((NUM_JOINTS, 2, 3))  # box: lo, hi
_BONE = np.zeros((NUM_JOINTS, 3))  # hinge, ball: bone at rest
_FORWARD = np.zeros((NUM_JOINTS, 3))  # hinge: where flexion moves the bone at rest
_ARC = np.zeros((NUM_JOINTS, 3))  # hinge: lo, hi, tolerance
_CENTRE = np.zeros((NUM_JOINTS, 3, 3))  # ball: rows centre, and two axes across it
_KNOTS = np.zeros((NUM_JOINTS, 2, NUM_KNOTS))  # ball: angle about the centre, reach from it
_ROW = np.array([JOINT_FLIP[j] if n.startswith("right_") else j for j, n in enumerate(JOINT_NAMES)])
_LEFT_SHOULDER, _RIGHT_SHOULDER, _LEFT_HIP = (
    JOINT["left_shoulder"],
    JOINT["right_shoulder"],
    JOINT["left_hip"],
)
_MIRRORED = np.array([n.startswith("right_") for n in JOINT_NAMES])


def _deg(joint: str, motion: str) -> float:
    return math.radians(RANGES_DEG[joint][motion][0])


def _box(
    name: str,
    twist_axis: int,
    lo: tuple[float, float, float],
    hi: tuple[float, float, float],
) -> None:
    """``lo`` and ``hi``: rad about x, y, z; the twist axis's entry is the range of the twist."""
    j = JOINT[name]
    _KIND[j], _TWIST_AXIS[j] = BOX, twist_axis
    _TWIST[j] = lo[twist_axis], hi[twist_axis]
    _SWING[j, 0], _SWING[j, 1] = lo, hi
    _SWING[j, :, twist_axis] = -np.inf, np.inf


def _hinge(
    name: str,
    bone: tuple[float, float, float],
    forward: tuple[float, float, float],
    arc: tuple[float, float, float],
    twist: tuple[float, float],
) -> None:
    j = JOINT[name]
    lo, hi, tolerance = arc
    _KIND[j], _TWIST_AXIS[j], _TWIST[j] = HINGE, int(np.argmax(np.abs(bone))), twist
    _BONE[j], _FORWARD[j] = bone, forward
    _ARC[j] = lo + tolerance, hi - tolerance, tolerance  # so that the ends hold exactly in the plane


def _ball(
    name: str,
    bone: tuple[float, float, float],
    centre: np.ndarray,
    rim: np.ndarray,
    twist: tuple[float, float],
    slope: tuple[float, float, float],
) -> None:
    """``rim``: directions (K, 3) of the bone at the ends of its range, in any order."""
    j = JOINT[name]
    _KIND[j], _TWIST_AXIS[j], _TWIST[j] = BALL, int(np.argmax(np.abs(bone))), twist
    _BONE[j], _TWIST_SLOPE[j] = bone, slope
    u = np.cross(centre, bone)
    u /= np.linalg.norm(u)
    _CENTRE[j] = centre, u, np.cross(centre, u)
    angle = np.arctan2(rim @ _CENTRE[j, 2], rim @ _CENTRE[j, 1])
    reach = np.arccos(np.clip(rim @ centre, -1, 1))
    order = np.argsort(angle)
    angle, reach = angle[order], reach[order]
    # one knot beyond each end makes the rim periodic; the unused places repeat the last
    angle = np.concatenate([[angle[-1] - 2 * np.pi], angle, [angle[0] + 2 * np.pi]])
    reach = np.concatenate([[reach[-1]], reach, [reach[0]]])
    spare = NUM_KNOTS - len(angle)
    _KNOTS[j, 0] = np.concatenate([angle, angle[-1] + np.arange(1, spare + 1)])
    _KNOTS[j, 1] = np.concatenate([reach, np.full(spare, reach[-1])])


_SHOULDER_TWIST = math.radians(-17)
_SHOULDER_SLOPE = (math.radians(14), math.radians(-32), math.radians(-32))
"""Middle of the twist range: a constant, and per x, y, z of the arm's direction. Rotation is counted from the
shortest way out of the T-pose, and an arm that comes forwards or up that way arrives turned inwards (Codman).
So: sideways -108..87, hanging -90..105, forwards and up -154..41 degrees, inwards positive."""


def arm_direction(plane: float | int, elevation: float | int) -> np.ndarray:
    """Left upper arm's direction: elevation from hanging, in a plane (0 sideways, 90 forwards); degrees."""
    p, e = math.radians(plane), math.radians(elevation)
    return np.array([math.sin(e) * math.cos(p), -math.cos(e), math.sin(e) * math.sin(p)])


def leg_direction(flexion: float | int, abduction: float | int) -> np.ndarray:
    """Left thigh's direction: abducted, then flexed about x; degrees."""
    f, a = math.radians(flexion), math.radians(abduction)
    return np.array([math.sin(a), -math.cos(a) * math.cos(f), math.cos(a) * math.sin(f)])


def _build() -> None:
    for k, name in enumerate(("spine1", "spine2", "spine3")):
        flexion, extension, lateral, rotation = (
            _deg("spine", m) * SPINE_SHARE[m][k]
            for m in ("flexion", "extension", "lateral flexion", "rotation")
        )
        _box(name, 1, (-extension, -rotation, -lateral), (flexion, rotation, lateral))
    for name in ("neck", "head"):
        flexion, extension, lateral, rotation = (
            _deg("cervical", m) * CERVICAL_SHARE
            for m in ("flexion", "extension", "lateral flexion", "rotation")
        )
        _box(name, 1, (-extension, -rotation, -lateral), (flexion, rotation, lateral))

    rotation = _deg("collar", "rotation")
    _box(
        "left_collar",
        0,
        (-rotation, -_deg("collar", "protraction"), -_deg("collar", "depression")),
        (rotation, _deg("collar", "retraction"), _deg("collar", "elevation")),
    )
    adduction = 180 - RANGES_DEG["shoulder"]["adduction"][0]
    forward = RANGES_DEG["shoulder"]["horizontal adduction"][0]
    backward = -RANGES_DEG["shoulder"]["horizontal abduction"][0]
    extension = RANGES_DEG["shoulder"]["extension"][0]
    overhead = 360 - RANGES_DEG["shoulder"]["abduction"][0]
    # plane and elevation; the arm passes the vertical a little, inwards and backwards
    rim = [
        (180, overhead - 15), (-90, overhead - 10), (backward, 135), (backward, 90), (-90, extension),
        (-135, 45), (180, 20), (160, adduction - 80), (forward + 10, 70), (forward, 90), (forward, 135),
    ]  # fmt: skip
    _ball(
        "left_shoulder",
        (1, 0, 0),
        arm_direction(40, 85),
        np.stack([arm_direction(p, e) for p, e in rim]),
        (
            -_deg("shoulder", "lateral rotation") + _SHOULDER_TWIST,
            _deg("shoulder", "medial rotation") + _SHOULDER_TWIST,
        ),
        _SHOULDER_SLOPE,
    )
    half_pronation = _deg("forearm", "pronation") * FOREARM_SHARE
    half_supination = _deg("forearm", "supination") * FOREARM_SHARE
    _hinge(
        "left_elbow",
        (1, 0, 0),
        (0, 0, 1),
        (-_deg("elbow", "hyperextension"), _deg("elbow", "flexion"), _deg("elbow", "carrying angle")),
        (-half_supination, half_pronation),
    )
    _box(
        "left_wrist",
        0,
        (-half_supination, -_deg("wrist", "radial deviation"), -_deg("wrist", "flexion")),
        (half_pronation, _deg("wrist", "ulnar deviation"), _deg("wrist", "extension")),
    )
    spread = _deg("fingers", "spread")
    _box(
        "left_hand",
        0,
        (-spread, -spread, -_deg("fingers", "flexion")),
        (spread, spread, _deg("fingers", "extension")),
    )

    hip = {motion: degrees for motion, (degrees, _) in RANGES_DEG["hip"].items()}
    rim = [  # flexion and abduction; abduction grows and adduction shrinks with flexion
        (hip["flexion"], 0), (hip["flexion"], 25), (100, hip["abduction"] + 15), (45, hip["abduction"] + 10),
        (0, hip["abduction"]), (-20, 40), (-hip["extension"], 5), (-25, -20), (0, -hip["adduction"]),
        (45, -hip["adduction"] - 5), (110, -25),
    ]  # fmt: skip
    _ball(
        "left_hip",
        (0, -1, 0),
        leg_direction(50, 12),
        np.stack([leg_direction(f, a) for f, a in rim]),
        (-_deg("hip", "medial rotation"), _deg("hip", "lateral rotation")),
        (0.0, 0.0, 0.0),
    )
    _hinge(
        "left_knee",
        (0, -1, 0),
        (0, 0, -1),
        (-_deg("knee", "hyperextension"), _deg("knee", "flexion"), _deg("knee", "play")),
        (-_deg("knee", "medial rotation"), _deg("knee", "lateral rotation")),
    )
    turn = _deg("ankle", "abduction")
    _box(
        "left_ankle",
        1,
        (-_deg("ankle", "dorsiflexion"), -turn, -_deg("ankle", "inversion")),
        (_deg("ankle", "plantarflexion"), turn, _deg("ankle", "eversion")),
    )
    play = math.radians(10)
    _box(
        "left_foot",
        1,
        (-_deg("toes", "extension"), -play, -play),
        (_deg("toes", "flexion"), play, play),
    )


_build()


@njit(cache=True)
@typing.no_type_check
def _above(value, lo, hi):
    """How far ``value`` lies outside [lo, hi]."""
    return max(lo - value, value - hi, 0.0)


@njit(cache=True)
@typing.no_type_check
def _wrap(angle):
    """To [-pi, pi)."""
    return (angle + math.pi) % (2 * math.pi) - math.pi


@njit(cache=True)
@typing.no_type_check
def _joint_violation(q, row):
    """Violation (rad) of one joint with rotation ``q``, by the table's ``row``."""
    if q[3] < 0.0:
        q = (-q[0], -q[1], -q[2], -q[3])
    axis = _TWIST_AXIS[row]
    along = q[0] if axis == 0 else (q[1] if axis == 1 else q[2])
    twist = 2.0 * math.atan2(along, q[3])
    if _KIND[row] == BOX:
        total = _above(twist, _TWIST[row, 0], _TWIST[row, 1]) ** 2
        if axis == 0:
            swing = quat.to_rotvec(quat.mul(quat.about_x(-twist), q))
        elif axis == 1:
            swing = quat.to_rotvec(quat.mul(quat.about_y(-twist), q))
        else:
            swing = quat.to_rotvec(quat.mul(quat.about_z(-twist), q))
        for k in range(3):
            total += _above(swing[k], _SWING[row, 0, k], _SWING[row, 1, k]) ** 2
        return math.sqrt(total)

    bone = _BONE[row]
    d = quat.rotate(q, (bone[0], bone[1], bone[2]))
    if _KIND[row] == HINGE:
        forward = _FORWARD[row]
        db = d[0] * bone[0] + d[1] * bone[1] + d[2] * bone[2]
        df = d[0] * forward[0] + d[1] * forward[1] + d[2] * forward[2]
        lo, hi, tolerance = _ARC[row]
        middle = 0.5 * (lo + hi)
        flexion = middle + _wrap(math.atan2(df, db) - middle)
        flexion = min(max(flexion, lo), hi)
        # chord to the nearest point of the arc; the third component is the one across the plane
        square = 2.0 - 2.0 * (db * math.cos(flexion) + df * math.sin(flexion))
        reach = max(2.0 * math.asin(min(0.5 * math.sqrt(max(square, 0.0)), 1.0)) - tolerance, 0.0)
        centre = 0.0
    else:
        c = _CENTRE[row]
        x = d[0] * c[1, 0] + d[1] * c[1, 1] + d[2] * c[1, 2]
        y = d[0] * c[2, 0] + d[1] * c[2, 1] + d[2] * c[2, 2]
        z = d[0] * c[0, 0] + d[1] * c[0, 1] + d[2] * c[0, 2]
        angle = math.atan2(y, x)
        k = 0
        while k < NUM_KNOTS - 2 and _KNOTS[row, 0, k + 1] <= angle:
            k += 1
        a, b = _KNOTS[row, 0, k], _KNOTS[row, 0, k + 1]
        rim = _KNOTS[row, 1, k] + (angle - a) / (b - a) * (_KNOTS[row, 1, k + 1] - _KNOTS[row, 1, k])
        reach = max(math.atan2(math.sqrt(x * x + y * y), z) - rim, 0.0)
        slope = _TWIST_SLOPE[row]
        centre = slope[0] * d[0] + slope[1] * d[1] + slope[2] * d[2]
        if row == _LEFT_HIP:  # twist that flexion after abduction has by itself
            radius = math.sqrt(d[1] * d[1] + d[2] * d[2])
            centre = 2.0 * math.atan2(d[0] * d[2], max((1.0 + radius) * (radius - d[1]), 1e-6))
    twist = _wrap(twist - centre)
    return math.sqrt(reach**2 + _above(twist, _TWIST[row, 0], _TWIST[row, 1]) ** 2)


@njit(cache=True)
@typing.no_type_check
def pose_violation(quats, out):
    """Violations (rad) of one pose: ``quats`` (24, 4), root first and ignored; into ``out`` (24,)."""
    out[0] = 0.0
    for j in range(1, NUM_JOINTS):
        q = (quats[j, 0], quats[j, 1], quats[j, 2], quats[j, 3])
        if j in (_LEFT_SHOULDER, _RIGHT_SHOULDER):  # the shoulder complex against the trunk
            q = quat.mul((quats[j - 3, 0], quats[j - 3, 1], quats[j - 3, 2], quats[j - 3, 3]), q)
        if _MIRRORED[j]:
            q = quat.mirror(q)
        out[j] = _joint_violation(q, _ROW[j])


@njit(cache=True)
@typing.no_type_check
def _violations(rotvecs, out):
    quats = np.zeros((NUM_JOINTS, 4))
    row = np.zeros(NUM_JOINTS)
    for i in range(rotvecs.shape[0]):
        for j in range(1, NUM_JOINTS):
            quats[j] = quat.from_rotvec(rotvecs[i, j - 1, 0], rotvecs[i, j - 1, 1], rotvecs[i, j - 1, 2])
        pose_violation(quats, row)
        out[i] = row[1:]


def violation(body_pose: Float[np.ndarray, "*batch 23 3"]) -> Float[np.ndarray, "*batch 23"]:
    """How far each joint lies outside its range of motion, 0 inside.

    Args:
        body_pose: rotation vectors (rad) of joints 1..23. The zero vector of an absent joint is inside.

    Returns:
        radians, float64: for a box joint the norm of the excess, else the geodesic excess of the bone's
        direction and the excess of the twist, as one norm. A shoulder's value depends on its collar.
    """
    flat = np.ascontiguousarray(body_pose, np.float64).reshape(-1, NUM_JOINTS - 1, 3)
    out = np.empty(flat.shape[:2])
    _violations(flat, out)
    return out.reshape(body_pose.shape[:-1])
