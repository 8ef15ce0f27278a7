"""From clinical angles to SMPL rotations: what the pose archetypes are written in.

Angles are degrees, in the words of a physiotherapist, the same for both sides. Hands may be placed by inverse
kinematics instead: a wrist target in the frame of any joint of trunk, head or legs, and a direction for the
elbow.
"""

from __future__ import annotations

import math
import typing
from enum import IntEnum

import numpy as np
from numba import njit

from ajahr.anatomy import JOINT, NUM_JOINTS
from ajahr.poses import quaternions as quat
from ajahr.poses.limits import pose_violation
from ajahr.poses.penetration import deepest, forward, place_capsules


class Trunk(IntEnum):
    FLEXION = 0
    LATERAL = 1  # to the left
    TURN = 2  # to the left
    NECK_FLEXION = 3
    NECK_LATERAL = 4
    NECK_TURN = 5
    PITCH = 6  # of the root: forwards; -90 lies on the back
    SPIN = 7  # of the root about the body's own long axis, to the left
    LEAN = 8  # of the root, to the left


class Arm(IntEnum):
    ELEVATION = 0  # of the upper arm from hanging, against the trunk
    PLANE = 1  # of elevation: 0 sideways, 90 forwards, -90 backwards
    ROTATION = 2  # of the upper arm, inwards
    ELBOW = 3
    PRONATION = 4
    WRIST = 5  # palmar flexion
    ULNAR = 6
    FINGERS = 7  # flexion
    SHRUG = 8
    PROTRACTION = 9
    ANCHOR = 10  # joint in whose frame the wrist target is given; -1: use the angles above
    X = 11  # of the target, metres from the anchor joint; x away from the body's middle on either side
    Y = 12
    Z = 13
    POLE_X = 14  # where the elbow points, in the thorax's frame; x away from the middle
    POLE_Y = 15
    POLE_Z = 16
    FINGERS_X = (
        17  # where the fingers point, in the anchor's frame (the thorax's without one); zero: use the angles
    )
    FINGERS_Y = 18
    FINGERS_Z = 19
    PALM_X = 20  # where the palm faces, as far as it can while the fingers point there
    PALM_Y = 21
    PALM_Z = 22


class Leg(IntEnum):
    FLEXION = 0
    ABDUCTION = 1
    ROTATION = 2  # outwards
    KNEE = 3
    TIBIA = 4  # rotation outwards
    DORSIFLEXION = 5
    INVERSION = 6
    TOES = 7  # extension


_RAD = math.pi / 180.0
_HALF_PI = math.pi / 2
_SPINE3 = JOINT["spine3"]
_SPINE = (JOINT["spine1"], JOINT["spine2"], _SPINE3)
_NECK, _HEAD = JOINT["neck"], JOINT["head"]
# (side, joint down the limb)
_ARM = tuple(
    tuple(JOINT[f"{s}_{n}"] for n in ("collar", "shoulder", "elbow", "wrist", "hand"))
    for s in ("left", "right")
)
_LEG = tuple(tuple(JOINT[f"{s}_{n}"] for n in ("hip", "knee", "ankle", "foot")) for s in ("left", "right"))
# plain ints, which numba freezes into the kernels
_X, _POLE, _ANCHOR = int(Arm.X), int(Arm.POLE_X), int(Arm.ANCHOR)
_POINT, _PALM = int(Arm.FINGERS_X), int(Arm.PALM_X)
_FLEXION_SHARE = (0.38, 0.34, 0.28)
_LATERAL_SHARE = (0.33, 0.34, 0.33)
_TURN_SHARE = (0.2, 0.3, 0.5)
_MAX_ELBOW = 147.0 * _RAD
_MAX_PRONATION, _MAX_SUPINATION = 82.0 * _RAD, 86.0 * _RAD
_MAX_FLEXION, _MAX_EXTENSION, _MAX_RADIAL, _MAX_ULNAR = 78.0 * _RAD, 70.0 * _RAD, 22.0 * _RAD, 36.0 * _RAD
_TRUNK_BOTTOM = 5
"""Capsules pelvis, abdomen, waist, chest, collars come first: what a lying person lies on, head left out."""


@njit(cache=True)
@typing.no_type_check
def _trunk(t, local):
    root = quat.mul(
        quat.about_x(t[6] * _RAD), quat.mul(quat.about_y(t[7] * _RAD), quat.about_z(-t[8] * _RAD))
    )
    local[0] = root
    for k in range(3):
        turn = quat.about_y(t[2] * _TURN_SHARE[k] * _RAD)
        lateral = quat.about_z(-t[1] * _LATERAL_SHARE[k] * _RAD)
        local[_SPINE[k]] = quat.mul(turn, quat.mul(quat.about_x(t[0] * _FLEXION_SHARE[k] * _RAD), lateral))
    neck = quat.mul(
        quat.about_y(0.5 * t[5] * _RAD),
        quat.mul(quat.about_x(0.5 * t[3] * _RAD), quat.about_z(-0.5 * t[4] * _RAD)),
    )
    local[_NECK] = neck
    local[_HEAD] = neck


@njit(cache=True)
@typing.no_type_check
def _set(local, j, q, right):
    local[j] = quat.mirror(q) if right else q


@njit(cache=True)
@typing.no_type_check
def _leg(g, side, local):
    right = side == 1
    hip, knee, ankle, foot = _LEG[side]
    q = quat.mul(quat.about_x(-g[0] * _RAD), quat.mul(quat.about_z(g[1] * _RAD), quat.about_y(g[2] * _RAD)))
    _set(local, hip, q, right)
    _set(local, knee, quat.mul(quat.about_x(g[3] * _RAD), quat.about_y(g[4] * _RAD)), right)
    _set(local, ankle, quat.mul(quat.about_x(-g[5] * _RAD), quat.about_z(-g[6] * _RAD)), right)
    _set(local, foot, quat.about_x(-g[7] * _RAD), right)


@njit(cache=True)
@typing.no_type_check
def _unit(v):
    n = max(math.sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]), 1e-9)
    return (v[0] / n, v[1] / n, v[2] / n)


@njit(cache=True)
@typing.no_type_check
def _cross(a, b):
    return (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])


@njit(cache=True)
@typing.no_type_check
def _dot(a, b):
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@njit(cache=True)
@typing.no_type_check
def _triad(a0, b0, a1, b1):
    """Rotation that takes unit a0 to a1 and the plane (a0, b0) to the plane (a1, b1)."""
    n0, n1 = _unit(_cross(a0, b0)), _unit(_cross(a1, b1))
    m0, m1 = _cross(n0, a0), _cross(n1, a1)
    c0 = (
        a1[0] * a0[0] + m1[0] * m0[0] + n1[0] * n0[0],
        a1[1] * a0[0] + m1[1] * m0[0] + n1[1] * n0[0],
        a1[2] * a0[0] + m1[2] * m0[0] + n1[2] * n0[0],
    )
    c1 = (
        a1[0] * a0[1] + m1[0] * m0[1] + n1[0] * n0[1],
        a1[1] * a0[1] + m1[1] * m0[1] + n1[1] * n0[1],
        a1[2] * a0[1] + m1[2] * m0[1] + n1[2] * n0[1],
    )
    return quat.from_matrix_columns(c0, c1, _cross(c0, c1))


@njit(cache=True)
@typing.no_type_check
def _collar(elevation, forwards, shrug, protraction):
    """Collar of a left arm: the shoulder blade follows the arm, up and forwards."""
    up = min(shrug + 0.2 * max(elevation - 45.0, 0.0), 40.0)
    front = min(protraction + 10.0 * max(forwards - 0.4, 0.0), 28.0)
    return quat.mul(quat.about_z(up * _RAD), quat.about_y(-front * _RAD))


@njit(cache=True)
@typing.no_type_check
def _hang(a):
    """Upper arm (thorax's frame, left) and flexion (rad) of an arm given by angles."""
    elevation, plane = a[0] * _RAD, a[1] * _RAD
    d = (math.sin(elevation) * math.cos(plane), -math.cos(elevation), math.sin(elevation) * math.sin(plane))
    turned = quat.mul(quat.about_z(-_HALF_PI), quat.about_x(a[2] * _RAD))
    collar = _collar(a[0], d[2], a[8], a[9])
    return collar, quat.mul(quat.between((0.0, -1.0, 0.0), d), turned), a[3] * _RAD


@njit(cache=True)
@typing.no_type_check
def _reach(a, target, to_collar, clavicle, u, f):
    """Collar, upper arm and flexion (rad) that bring the wrist of a left arm to ``target``, all in the
    thorax's frame.

    ``to_collar`` and ``clavicle`` are rest offsets of collar and shoulder, ``u`` and ``f`` of elbow and
    wrist.
    """
    lu, lf = math.sqrt(_dot(u, u)), math.sqrt(_dot(f, f))
    u, f = _unit(u), _unit(f)
    pole = (a[_POLE], a[_POLE + 1], a[_POLE + 2])
    collar = _collar(0.0, 0.0, a[8], a[9])
    d, w = (1.0, 0.0, 0.0), (1.0, 0.0, 0.0)
    nearest = math.sqrt(lu * lu + lf * lf + 2.0 * lu * lf * math.cos(_MAX_ELBOW))
    for _ in range(2):  # the collar follows the arm, and moves the shoulder
        s = quat.rotate(collar, clavicle)
        r = (
            target[0] - to_collar[0] - s[0],
            target[1] - to_collar[1] - s[1],
            target[2] - to_collar[2] - s[2],
        )
        length = min(max(math.sqrt(_dot(r, r)), nearest), 0.995 * (lu + lf))
        r = _unit(r)
        along = (lu * lu - lf * lf + length * length) / (2.0 * length)
        across = math.sqrt(max(lu * lu - along * along, 0.0))
        p = _dot(pole, r)
        out = _unit((pole[0] - p * r[0], pole[1] - p * r[1], pole[2] - p * r[2]))
        e = (along * r[0] + across * out[0], along * r[1] + across * out[1], along * r[2] + across * out[2])
        d = _unit(e)
        w = _unit((length * r[0] - e[0], length * r[1] - e[1], length * r[2] - e[2]))
        collar = _collar(math.acos(min(max(-d[1], -1.0), 1.0)) / _RAD, d[2], a[8], a[9])
    # flexion at which the bones at rest, which are not quite straight, make the angle of d and w
    k_cos, k_sin = u[0] * f[0] + u[2] * f[2], u[2] * f[0] - u[0] * f[2]
    k = (_dot(d, w) - u[1] * f[1]) / math.sqrt(k_cos * k_cos + k_sin * k_sin)
    flexion = math.atan2(k_sin, k_cos) + math.acos(min(max(k, -1.0), 1.0))
    return collar, _triad(u, quat.rotate(quat.about_y(-flexion), f), d, w), flexion


@njit(cache=True)
@typing.no_type_check
def _turn_hand(a, point, palm, forearm):
    """Pronation, wrist flexion and ulnar deviation (rad) that point fingers and palm (frame of
    ``forearm``)."""
    p = _unit(quat.rotate(quat.conj(forearm), point))
    n = quat.rotate(quat.conj(forearm), palm)
    along = _dot(n, p)
    y = _unit((along * p[0] - n[0], along * p[1] - n[1], along * p[2] - n[2]))  # the back of the hand
    z = _cross(p, y)
    # the matrix with columns p, y, z is X(pronation) Z(-flexion) Y(ulnar)
    wrist = math.asin(min(max(y[0], -1.0), 1.0)) + a[5] * _RAD
    pronation = math.atan2(y[2], y[1]) + a[4] * _RAD
    ulnar = math.atan2(z[0], p[0]) + a[6] * _RAD
    pronation = min(max(pronation, -_MAX_SUPINATION), _MAX_PRONATION)
    return (
        pronation,
        min(max(wrist, -_MAX_EXTENSION), _MAX_FLEXION),
        min(max(ulnar, -_MAX_RADIAL), _MAX_ULNAR),
    )


@njit(cache=True)
@typing.no_type_check
def _arm(a, side, offsets, world, position, local):
    """Writes collar to hand of one arm; needs the world frames of everything that is not an arm."""
    right = side == 1
    sign = -1.0 if right else 1.0
    collar_j, shoulder_j, elbow_j, wrist_j, hand_j = _ARM[side]
    thorax = quat.conj((world[_SPINE3, 0], world[_SPINE3, 1], world[_SPINE3, 2], world[_SPINE3, 3]))
    j = _SPINE3 if a[_ANCHOR] < 0 else int(a[_ANCHOR])
    frame = quat.mul(thorax, (world[j, 0], world[j, 1], world[j, 2], world[j, 3]))
    if a[_ANCHOR] < 0:
        collar, upper, flexion = _hang(a)
    else:
        # from the thorax to the target, then everything as a left arm
        step = quat.rotate(frame, (sign * a[_X], a[_X + 1], a[_X + 2]))
        origin = quat.rotate(
            thorax,
            (
                position[j, 0] - position[_SPINE3, 0],
                position[j, 1] - position[_SPINE3, 1],
                position[j, 2] - position[_SPINE3, 2],
            ),
        )
        collar, upper, flexion = _reach(
            a,
            (sign * (origin[0] + step[0]), origin[1] + step[1], origin[2] + step[2]),
            (sign * offsets[collar_j, 0], offsets[collar_j, 1], offsets[collar_j, 2]),
            (sign * offsets[shoulder_j, 0], offsets[shoulder_j, 1], offsets[shoulder_j, 2]),
            (sign * offsets[elbow_j, 0], offsets[elbow_j, 1], offsets[elbow_j, 2]),
            (sign * offsets[wrist_j, 0], offsets[wrist_j, 1], offsets[wrist_j, 2]),
        )
    bent = quat.about_y(-flexion)
    pronation, wrist, ulnar = a[4] * _RAD, a[5] * _RAD, a[6] * _RAD
    if a[_POINT] != 0.0 or a[_POINT + 1] != 0.0 or a[_POINT + 2] != 0.0:
        point = quat.rotate(frame, (sign * a[_POINT], a[_POINT + 1], a[_POINT + 2]))
        palm = quat.rotate(frame, (sign * a[_PALM], a[_PALM + 1], a[_PALM + 2]))
        pronation, wrist, ulnar = _turn_hand(
            a,
            (sign * point[0], point[1], point[2]),
            (sign * palm[0], palm[1], palm[2]),
            quat.mul(upper, bent),
        )
    twist = quat.about_x(0.5 * pronation)
    _set(local, collar_j, collar, right)
    _set(local, shoulder_j, quat.mul(quat.conj(collar), upper), right)
    _set(local, elbow_j, quat.mul(bent, twist), right)
    _set(local, wrist_j, quat.mul(twist, quat.mul(quat.about_z(-wrist), quat.about_y(ulnar))), right)
    _set(local, hand_j, quat.about_z(-a[7] * _RAD), right)


@njit(cache=True)
@typing.no_type_check
def articulate(trunk, arms, legs, offsets, local, world, position):
    """Local quaternions (24, 4) of the clinical angles, and the forward kinematics."""
    local[:] = 0.0
    local[:, 3] = 1.0
    _trunk(trunk, local)
    for side in range(2):
        _leg(legs[side], side, local)
    forward(local, offsets, world, position)
    for side in range(2):
        _arm(arms[side], side, offsets, world, position, local)
    forward(local, offsets, world, position)


@njit(cache=True)
@typing.no_type_check
def _below_floor(placed, radius, absent, capsule_joint):
    """How far (m) present limbs reach below what the trunk lies on."""
    floor = 1e9
    for c in range(_TRUNK_BOTTOM):
        floor = min(floor, min(placed[c, 0, 1], placed[c, 1, 1]) - radius[c])
    low = 1e9
    for c in range(_TRUNK_BOTTOM, placed.shape[0]):
        if not absent[capsule_joint[c]]:
            low = min(low, min(placed[c, 0, 1], placed[c, 1, 1]) - radius[c])
    return floor - low


@njit(cache=True)
@typing.no_type_check
def pose(trunk, arms, legs, offsets, ends, radius, capsule_joint, absent, lies):
    """Rotation vectors (24, 3), root first, of the angles; worst limit violation, overlap, depth under the
    floor."""
    local, world = np.empty((NUM_JOINTS, 4)), np.empty((NUM_JOINTS, 4))
    position, violation = np.empty((NUM_JOINTS, 3)), np.empty(NUM_JOINTS)
    articulate(trunk, arms, legs, offsets, local, world, position)
    # judged as it will be stored
    rotvecs = np.empty((NUM_JOINTS, 3), np.float32)
    for j in range(NUM_JOINTS):
        rotvecs[j] = quat.to_rotvec((local[j, 0], local[j, 1], local[j, 2], local[j, 3]))
        local[j] = quat.from_rotvec(float(rotvecs[j, 0]), float(rotvecs[j, 1]), float(rotvecs[j, 2]))
    pose_violation(local, violation)
    placed = np.empty((ends.shape[0], 2, 3))
    place_capsules(world, position, ends, placed)
    overlap, _ = deepest(placed, radius, absent)
    below = _below_floor(placed, radius, absent, capsule_joint) if lies else -1.0
    return rotvecs, violation.max(), overlap, below
