"""People with limb loss whose truth is known: bodies posed before a camera, their 25 points, their cut meshes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ajahr.anatomy import LDPOSE25, descendants
from ajahr.body.rig import RigData
from ajahr.fitting.rig_model import RigModel
from ajahr.geometry.cameras import Camera
from ajahr.geometry.rotations_np import rotvec_to_rotmat
from ajahr.inference.body_params import BodyParams
from ajahr.poses.sampler import sample_pose
from ajahr.residual_limb.segments import SEGMENT

CAMERA = Camera.centred(800, 800, 1200.0)


@dataclass
class Truth:
    rotmats: np.ndarray  # (24, 3, 3) or the rig's
    body_pose: np.ndarray  # (23, 3)
    betas: np.ndarray
    translation: np.ndarray
    joints: np.ndarray
    keypoints: np.ndarray  # (25, 3): intact points with score 1, the ends, absent points 0
    ends: dict[str, np.ndarray]  # camera frame, m


def person(
    rig: RigData,
    ends: dict[str, float],
    seed: int = 0,
    *,
    turn: float = 0.4,
    noise_px: float = 0.0,
    betas: np.ndarray | None = None,
    place: tuple[float, float, float] = (0.0, 0.1, 4.0),
) -> Truth:
    """A standing person whose limbs end where told (LDPose's name to lambda)."""
    rng = np.random.default_rng(seed)
    body_pose = sample_pose(rng, "everyday", archetype="standing_relaxed").body_pose.astype(np.float64)
    rotmats = np.tile(np.eye(3), (rig.num_joints, 1, 1))
    rotmats[0] = np.diag([1.0, -1, -1]) @ rotvec_to_rotmat(np.array([0, turn, 0]))
    shared = 22 if rig.is_smplx else 24
    rotmats[1:shared] = rotvec_to_rotmat(body_pose[: shared - 1])
    model = RigModel(rig)
    betas = rng.normal(0, 0.6, rig.num_betas) if betas is None else betas
    shape = np.zeros((1, model.num_shape))
    shape[0, : rig.num_betas] = betas
    rest = model.rest_joints(torch.from_numpy(shape))[0, 0].numpy()
    translation = np.array(place) - rest
    with torch.no_grad():
        found = model(*(torch.from_numpy(x) for x in (rotmats[None], shape, translation[None])))
    joints, points = found.joints[0].numpy(), found.keypoints[0].numpy()
    keypoints = np.zeros((25, 3))
    keypoints[:17, :2] = CAMERA.project(points[:17]) + rng.normal(0, noise_px, (17, 2))
    keypoints[:17, 2] = 1
    where = {}
    for name, fraction in ends.items():
        segment = SEGMENT[name]
        gone = descendants(segment.anchor)
        keypoints[[k for k in range(17) if LDPOSE25.anchors[k] in gone]] = 0
        where[name] = joints[segment.anchor] + fraction * (joints[segment.upstream] - joints[segment.anchor])
        keypoints[segment.point, :2] = CAMERA.project(where[name]) + rng.normal(0, noise_px, 2)
        keypoints[segment.point, 2] = 1
    return Truth(rotmats, body_pose, betas, translation, joints, keypoints, where)


def as_another_method_says(
    people: list[Truth], rig: RigData, spread: float = 0.0, seed: int = 1
) -> BodyParams:
    """Parameters off the truth by so much (rad; a third of it in m)."""
    rng = np.random.default_rng(seed)
    return BodyParams(
        "made",
        np.stack([p.rotmats[0] @ rotvec_to_rotmat(rng.normal(0, spread / 2, 3)) for p in people]),
        np.stack([p.body_pose + rng.normal(0, spread, (23, 3)) for p in people]),
        np.stack([p.betas for p in people]),
        np.stack([p.translation + rng.normal(0, spread / 3, 3) * (1, 1, 0.3) for p in people]),
        (CAMERA,) * len(people),
        {},
        body=rig.name,
    )
