"""Frames of a posed, intact skeleton, to which things are attached."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from ajahr.anatomy import NUM_JOINTS, PARENTS
from ajahr.geometry.rotations_np import rotvec_to_rotmat


def joint_rotations(pose_rotvec: Float[np.ndarray, "joints=24 3"]) -> Float[np.ndarray, "joints=24 3 3"]:
    """Rotation from the rest pose (y up, facing +z, arms out) to the camera frame of every joint's bone."""
    local = rotvec_to_rotmat(pose_rotvec.astype(np.float64))
    world = np.empty((NUM_JOINTS, 3, 3))
    world[0] = local[0]
    for joint in range(1, NUM_JOINTS):
        world[joint] = world[PARENTS[joint]] @ local[joint]
    return world
