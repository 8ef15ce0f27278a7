"""People whose residual ends are known, and the image points of these."""

from __future__ import annotations

import numpy as np

from ajahr.geometry.cameras import Camera
from ajahr.geometry.rotations_np import rotvec_to_rotmat
from ajahr.residual_limb.segments import SEGMENTS
from ajahr.residual_limb.skin import SkinnedMesh

CAMERA = Camera.centred(1000, 1000, 1200.0)
CHOSEN = np.array([[0, 3, 4, 7], [2, 1, 6, 5]])


def people(mesh: SkinnedMesh, count: int, noise: float, seed: int = 0):
    """Joints seen from all sides, lambda and points of four limbs each."""
    rng = np.random.default_rng(seed)
    joints = np.empty((count, 24, 3))
    for k in range(count):
        rotmats = rotvec_to_rotmat(rng.normal(0, 0.25, (24, 3)))
        rotmats[0] = np.diag([1.0, -1, -1]) @ rotvec_to_rotmat(np.array([0, rng.uniform(-3, 3), 0]))
        joints[k] = mesh.pose_joints(rotmats)[1] + (0, -0.2, 3)
    truth = rng.uniform(0.1, 0.9, (count, 8))
    anchor, upstream = (joints[:, [getattr(s, n) for s in SEGMENTS]] for n in ("anchor", "upstream"))
    ends = anchor + truth[..., None] * (upstream - anchor)
    points = np.zeros((count, 8, 3))
    points[..., :2] = CAMERA.project(ends) + rng.normal(0, noise, (count, 8, 2))
    rows = np.arange(count)[:, None]
    points[rows, CHOSEN[np.arange(count) % 2], 2] = 1
    return joints, points, truth
