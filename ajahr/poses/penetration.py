"""Do limbs pass through the body? Capsules around bones, on a light skeleton of 24 joints.

The capsules are a little thinner than the skin, as flesh gives way, and whatever belongs together (a thigh
and its hip, an upper arm and its shoulder) is not tested. What remains may touch by a tolerance.
"""

from __future__ import annotations

import functools
import math
import typing
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numba import njit

from ajahr.anatomy import JOINT, JOINT_LIMB, JOINT_NAMES, NUM_JOINTS, PARENTS, mirror_name
from ajahr.poses import quaternions as quat

TOUCH = 0.015
"""Metres by which capsules may overlap and still count as touching."""

_REST_MM = {
    "pelvis": (0, 0, 0), "left_hip": (112, -56, 10), "spine1": (0, 108, -4), "left_knee": (148, -434, 5),
    "spine2": (0, 192, -9), "left_ankle": (133, -866, -43), "spine3": (0, 314, -18),
    "left_foot": (142, -916, 98), "neck": (0, 499, 19), "left_collar": (22, 426, 28), "head": (0, 598, 53),
    "left_shoulder": (181, 446, 32), "left_elbow": (434, 429, 2), "left_wrist": (667, 437, 1),
    "left_hand": (768, 441, 1),
}  # fmt: skip


def _rest_joints() -> np.ndarray:
    joints = np.empty((NUM_JOINTS, 3))
    for j, name in enumerate(JOINT_NAMES):
        joints[j] = (
            _REST_MM[name] if name in _REST_MM else np.multiply(_REST_MM[mirror_name(name)], (-1, 1, 1))
        )
    joints /= 1000
    joints.setflags(write=False)
    return joints


REST_JOINTS: np.ndarray = _rest_joints()
"""(24, 3) metres from the pelvis: the embedded body's joints at betas 0, to the millimetre."""

# capsule: the joint whose frame it moves with, its ends in mm from the pelvis of `REST_JOINTS`, its radius in
# mm; measured on the embedded body (median distance of a part's vertices to the bone, a tenth off for flesh)
_TRUNK_CAPSULES: dict[str, tuple[str, tuple, tuple, float]] = {
    "pelvis": ("pelvis", (-75, -35, 30), (75, -35, 30), 108),
    "abdomen": ("spine1", (-42, 110, 46), (42, 110, 46), 102),
    "waist": ("spine2", (-40, 210, 44), (40, 210, 44), 104),
    "chest": ("spine3", (-55, 315, 40), (55, 315, 40), 108),
    "collars": ("spine3", (-60, 400, 22), (60, 400, 22), 85),
    "neck": ("neck", (0, 490, 22), (0, 560, 45), 50),
    "head": ("head", (0, 605, 72), (0, 662, 58), 83),
}
_LIMB_CAPSULES: dict[str, tuple[str, tuple, tuple, float]] = {
    # the first half of the upper arm and the first third of the thigh are one with the trunk
    "upper_arm": ("left_shoulder", (308, 435, 17), (434, 429, 2), 42),
    "forearm": ("left_elbow", (434, 429, 2), (667, 437, 1), 32),
    "hand": ("left_wrist", (690, 435, 3), (825, 428, 3), 25),
    "thigh": ("left_hip", (124, -183, 9), (148, -434, 5), 75),
    "shin": ("left_knee", (148, -434, 5), (133, -866, -43), 48),
    "foot": ("left_ankle", (140, -895, -55), (142, -915, 125), 36),
}
CAPSULE_NAMES: tuple[str, ...] = (
    *_TRUNK_CAPSULES,
    *(f"left_{n}" for n in _LIMB_CAPSULES),
    *(f"right_{n}" for n in _LIMB_CAPSULES),
)
_NUM_TRUNK = len(_TRUNK_CAPSULES)

_SAME_LIMB_TESTED = {("upper_arm", "hand"), ("thigh", "foot")}
_WITH_TRUNK_SKIPPED = {
    ("upper_arm", "collars"), ("upper_arm", "neck"), ("upper_arm", "head"), ("thigh", "pelvis"),
    ("shin", "pelvis"),  # sitting on the heels
}  # fmt: skip
_EXTRA_TOUCH_MM = {
    # soft parts that press into each other when a person folds up, or lie on each other
    ("thigh", "abdomen"): 60, ("thigh", "waist"): 45, ("thigh", "chest"): 30, ("thigh", "thigh"): 20,
    ("upper_arm", "chest"): 45, ("upper_arm", "waist"): 25, ("forearm", "waist"): 10,
    ("forearm", "abdomen"): 10, ("upper_arm", "hand"): 25, ("forearm", "thigh"): 15, ("forearm", "shin"): 12,
    ("foot", "shin"): 15, ("foot", "foot"): 12, ("thigh", "foot"): 25, ("pelvis", "foot"): 35,
    ("thigh", "shin"): 20, ("upper_arm", "thigh"): 15,
    # hands are flatter than their capsules, and hold each other
    ("hand", "hand"): 35, ("hand", "forearm"): 15, ("hand", "thigh"): 12, ("hand", "head"): 8,
    ("hand", "pelvis"): 10,
}  # fmt: skip


def _pairs() -> tuple[np.ndarray, np.ndarray]:
    """Capsule pairs to test (P, 2) and the overlap each may have beyond the tolerance (P,), metres."""
    pairs, extra = [], []
    for b, second in enumerate(CAPSULE_NAMES):
        for a, first in enumerate(CAPSULE_NAMES[:b]):
            if b < _NUM_TRUNK:
                continue
            kind_a = first.split("_", 1)[1] if a >= _NUM_TRUNK else first
            kind_b = second.split("_", 1)[1]
            same_limb = a >= _NUM_TRUNK and JOINT_LIMB[_CAPSULE_JOINT[a]] == JOINT_LIMB[_CAPSULE_JOINT[b]]
            if same_limb and (kind_a, kind_b) not in _SAME_LIMB_TESTED:
                continue
            if (kind_b, kind_a) in _WITH_TRUNK_SKIPPED:
                continue
            pairs.append((a, b))
            extra.append(max(_EXTRA_TOUCH_MM.get(k, 0) for k in ((kind_a, kind_b), (kind_b, kind_a))) / 1000)
    return np.array(pairs), np.array(extra)


def _capsule_arrays() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    joint, ends, radius = [], [], []
    for name in CAPSULE_NAMES:
        side, _, kind = name.partition("_")
        j, p, q, r = (_LIMB_CAPSULES[kind]) if kind else _TRUNK_CAPSULES[name]
        j, sign = (mirror_name(j), (-1, 1, 1)) if side == "right" else (j, (1, 1, 1))
        joint.append(JOINT[j])
        ends.append((np.multiply(p, sign), np.multiply(q, sign)))
        radius.append(r)
    return np.array(joint), np.array(ends) / 1000, np.array(radius) / 1000


_CAPSULE_JOINT, _CAPSULE_ENDS, _CAPSULE_RADIUS = _capsule_arrays()
_PAIRS, _PAIR_TOUCH = _pairs()
_PARENTS = np.array(PARENTS)


@dataclass(frozen=True, eq=False)
class LimbGeometry:
    """Bones and capsules of one person, metres. The ends of a capsule are in the frame of its joint."""

    offsets: Float[np.ndarray, "24 3"]
    """Rest position of each joint from its parent; the root's is zero."""
    ends: Float[np.ndarray, "capsules 2 3"]
    radius: Float[np.ndarray, " capsules"]

    @staticmethod
    def from_joints(rest_joints: Float[np.ndarray, "24 3"]) -> LimbGeometry:
        """Capsules for a body with these joints in the T-pose (metres, any origin).

        A limb's capsules stretch and thicken with the bone that carries them, the trunk's with the distance
        between the shoulders across and with the height from hips to neck along. How heavy a person is,
        joints do not tell.
        """
        joints = np.asarray(rest_joints, np.float64) - rest_joints[0]
        width = _distance(joints, "left_shoulder", "right_shoulder")
        height = _distance(joints, "pelvis", "neck")
        ends, radius = np.empty_like(_CAPSULE_ENDS), np.empty_like(_CAPSULE_RADIUS)
        for c, j in enumerate(_CAPSULE_JOINT):
            local = _CAPSULE_ENDS[c] - REST_JOINTS[j]
            if c < _NUM_TRUNK:
                ends[c], radius[c] = local * (width, height, width), _CAPSULE_RADIUS[c] * width
                continue
            child = _only_child(int(j))
            bone, rest_bone = joints[child] - joints[j], REST_JOINTS[child] - REST_JOINTS[j]
            scale = np.linalg.norm(bone) / np.linalg.norm(rest_bone)
            along = (
                local @ rest_bone / (rest_bone @ rest_bone)
            )  # the part along the bone follows its direction
            ends[c] = along[:, None] * bone + scale * (local - along[:, None] * rest_bone)
            radius[c] = scale * _CAPSULE_RADIUS[c]
        offsets = joints - joints[np.maximum(_PARENTS, 0)]
        return LimbGeometry(offsets, ends, radius)

    @staticmethod
    @functools.cache
    def default() -> LimbGeometry:
        """The embedded body at betas 0."""
        return LimbGeometry.from_joints(REST_JOINTS)


def _distance(joints: np.ndarray, a: str, b: str) -> float:
    """Distance of two joints, as a multiple of what it is on `REST_JOINTS`."""
    now, rest = (np.linalg.norm(x[JOINT[a]] - x[JOINT[b]]) for x in (joints, REST_JOINTS))
    return float(now / rest)


def _only_child(joint: int) -> int:
    return PARENTS.index(joint)


@njit(cache=True)
@typing.no_type_check
def forward(local, offsets, world, position):
    """Forward kinematics: local quaternions (24, 4) into world quaternions and joint positions (24, 3)."""
    for j in range(local.shape[0]):
        p = _PARENTS[j]
        q = (local[j, 0], local[j, 1], local[j, 2], local[j, 3])
        if p < 0:
            world[j] = q
            position[j] = offsets[j]
        else:
            parent = (world[p, 0], world[p, 1], world[p, 2], world[p, 3])
            world[j] = quat.mul(parent, q)
            step = quat.rotate(parent, (offsets[j, 0], offsets[j, 1], offsets[j, 2]))
            for k in range(3):
                position[j, k] = position[p, k] + step[k]


@njit(cache=True)
@typing.no_type_check
def place_capsules(world, position, ends, out):
    """Ends of the capsules (C, 2, 3) in the root's frame, for joints placed by `forward`."""
    for c in range(ends.shape[0]):
        j = _CAPSULE_JOINT[c]
        q = (world[j, 0], world[j, 1], world[j, 2], world[j, 3])
        for e in range(2):
            v = quat.rotate(q, (ends[c, e, 0], ends[c, e, 1], ends[c, e, 2]))
            for k in range(3):
                out[c, e, k] = position[j, k] + v[k]


@njit(cache=True)
@typing.no_type_check
def _segment_distance(p, q):
    """Distance of segments p (2, 3) and q (2, 3) (Ericson, Real-Time Collision Detection, 5.1.9)."""
    ax, ay, az = p[1, 0] - p[0, 0], p[1, 1] - p[0, 1], p[1, 2] - p[0, 2]
    bx, by, bz = q[1, 0] - q[0, 0], q[1, 1] - q[0, 1], q[1, 2] - q[0, 2]
    rx, ry, rz = p[0, 0] - q[0, 0], p[0, 1] - q[0, 1], p[0, 2] - q[0, 2]
    aa = ax * ax + ay * ay + az * az
    bb = bx * bx + by * by + bz * bz
    ab = ax * bx + ay * by + az * bz
    ar = ax * rx + ay * ry + az * rz
    br = bx * rx + by * ry + bz * rz
    across = aa * bb - ab * ab
    s = min(max((ab * br - ar * bb) / across, 0.0), 1.0) if across > 1e-12 else 0.0
    t = (ab * s + br) / max(bb, 1e-12)
    if t < 0.0 or bb < 1e-12:
        t = 0.0
        s = min(max(-ar / max(aa, 1e-12), 0.0), 1.0)
    elif t > 1.0:
        t = 1.0
        s = min(max((ab - ar) / max(aa, 1e-12), 0.0), 1.0)
    dx, dy, dz = rx + s * ax - t * bx, ry + s * ay - t * by, rz + s * az - t * bz
    return math.sqrt(dx * dx + dy * dy + dz * dz)


@njit(cache=True)
@typing.no_type_check
def deepest(placed, radius, absent):
    """Largest overlap (m) beyond what each pair of capsules may have, and the pair; absent joints take no
    part."""
    worst, where = -1e9, -1
    for k in range(_PAIRS.shape[0]):
        a, b = _PAIRS[k]
        if absent[_CAPSULE_JOINT[a]] or absent[_CAPSULE_JOINT[b]]:
            continue
        depth = radius[a] + radius[b] - _PAIR_TOUCH[k] - _segment_distance(placed[a], placed[b])
        if depth > worst:
            worst, where = depth, k
    return worst, where


_NONE_ABSENT = np.zeros(NUM_JOINTS, np.bool_)


@njit(cache=True)
@typing.no_type_check
def _test(rotvecs, offsets, ends, radius, absent):
    local = np.zeros((NUM_JOINTS, 4))
    local[0, 3] = 1.0
    for j in range(1, NUM_JOINTS):
        local[j] = quat.from_rotvec(rotvecs[j - 1, 0], rotvecs[j - 1, 1], rotvecs[j - 1, 2])
    world, position = np.empty((NUM_JOINTS, 4)), np.empty((NUM_JOINTS, 3))
    forward(local, offsets, world, position)
    placed = np.empty((ends.shape[0], 2, 3))
    place_capsules(world, position, ends, placed)
    return deepest(placed, radius, absent)


def penetration(
    body_pose: Float[np.ndarray, "23 3"],
    geometry: LimbGeometry | None = None,
    absent_joints: Bool[np.ndarray, " 24"] | None = None,
) -> tuple[float, tuple[str, str]]:
    """How deep limbs pass through each other or the trunk.

    Args:
        body_pose: rotation vectors (rad) of joints 1..23.
        geometry: the person; the embedded body at betas 0 if none.
        absent_joints: joints that are not there; their capsules are ignored.

    Returns:
        Depth in metres of the worst pair of capsules, beyond the pressing that pair may do, and the pair's
        names. Negative: the smallest gap. Up to `TOUCH` counts as touching.
    """
    person = LimbGeometry.default() if geometry is None else geometry
    absent = _NONE_ABSENT if absent_joints is None else absent_joints
    pose = np.ascontiguousarray(body_pose, np.float64)
    depth, pair = _test(pose, person.offsets, person.ends, person.radius, absent)
    a, b = _PAIRS[pair]
    return float(depth), (CAPSULE_NAMES[a], CAPSULE_NAMES[b])


def penetrates(
    body_pose: Float[np.ndarray, "23 3"],
    geometry: LimbGeometry | None = None,
    absent_joints: Bool[np.ndarray, " 24"] | None = None,
    touch: float = TOUCH,
) -> bool:
    """Is any limb deeper in another part than ``touch`` metres?"""
    return penetration(body_pose, geometry, absent_joints)[0] > touch
