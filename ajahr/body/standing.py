"""A standing body whose knees have a known alignment, to measure measurements by."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float32, Float64

from ajahr.anatomy import JOINT, NUM_JOINTS
from ajahr.body.fast import FastBody
from ajahr.geometry.rotations_np import rotvec_to_rotmat

_ARMS_DOWN = 1.15
"""rad, from the rest pose's outstretched arms."""


def standing_pose(
    body: FastBody,
    betas: Float32[np.ndarray, " betas"],
    deviation_deg: tuple[float, float] = (0.0, 0.0),
    flexion_deg: tuple[float, float] = (0.0, 0.0),
    yaw_deg: float = 0.0,
) -> Float64[np.ndarray, "joints=24 3 3"]:
    """Rotations of a person who stands before the camera (x right, y down), arms down.

    Args:
        betas: the joints' places follow from them.
        deviation_deg: left and right: angle of the shank against the thigh in the body's frontal plane, signed,
            varus (ankle inward) negative.
        flexion_deg: left and right: the same in its sagittal plane, ankle backward positive.
        yaw_deg: turn of the whole person, positive towards their own left.
    """
    pose = np.tile(np.eye(3), (NUM_JOINTS, 1, 1))
    joints = np.asarray(body(betas, pose, np.zeros(NUM_JOINTS, bool), np.zeros(3)).joints, np.float64)
    for side, sign, deviation, flexion in zip(
        ("left", "right"), (1, -1), deviation_deg, flexion_deg, strict=True
    ):
        hip, knee, ankle = (joints[JOINT[f"{side}_{name}"]] for name in ("hip", "knee", "ankle"))
        thigh, shank = knee - hip, ankle - knee
        across = math.atan2(thigh[0], -thigh[1]) + sign * math.radians(deviation)
        ahead = math.atan2(thigh[2], -thigh[1]) - math.radians(flexion)
        wanted = np.array([math.tan(across), -1.0, math.tan(ahead)])
        pose[JOINT[f"{side}_knee"]] = _between(shank, wanted)
        pose[JOINT[f"{side}_shoulder"]] = rotvec_to_rotmat(np.array([0.0, 0.0, -sign * _ARMS_DOWN]))
    upright = rotvec_to_rotmat(np.array([math.pi, 0.0, 0.0]))
    pose[0] = upright @ rotvec_to_rotmat(np.array([0.0, math.radians(yaw_deg), 0.0]))
    return pose


def _between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The smallest rotation that turns direction a into b."""
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    axis = np.cross(a, b)
    sine = float(np.linalg.norm(axis))
    if sine < 1e-12:
        return np.eye(3)
    return rotvec_to_rotmat(axis / sine * math.atan2(sine, float(a @ b)))
