"""A posed person to put things on."""

from dataclasses import dataclass

import numpy as np
import pytest

from ajahr.body.data import BodyData, load_body
from ajahr.body.fast import FastBody
from ajahr.geometry.rotations_np import rotmat_to_rotvec, rotvec_to_rotmat
from ajahr.poses.sampler import sample_pose
from synth.props.skeleton import joint_rotations

FACE_CAMERA = np.diag([1.0, -1.0, -1.0])


@dataclass
class Posed:
    """Joints, rotations and vertices in the camera frame, with the rotation from the upright world to it."""

    joints: np.ndarray
    rotations: np.ndarray
    vertices: np.ndarray
    T_cam_world: np.ndarray


@pytest.fixture(scope="session")
def body() -> BodyData:
    return load_body()


@pytest.fixture(scope="session")
def posed(body):
    fast = FastBody(body)

    def make(family: str = "", archetype: str | None = None, seed: int = 0, yaw: float = 0.0) -> Posed:
        T = FACE_CAMERA @ rotvec_to_rotmat(np.array([0.0, yaw, 0.0]))
        pose = np.zeros((24, 3), np.float32)
        root = T
        if family:
            sampled = sample_pose(np.random.default_rng(seed), family, archetype=archetype)
            pose[1:] = sampled.body_pose
            root = T @ rotvec_to_rotmat(sampled.root_rotvec.astype(np.float64))
        pose[0] = rotmat_to_rotvec(root)
        translation = np.array([0.1, 0.2, 6.0], np.float32)
        person = fast(np.zeros(10, np.float32), rotvec_to_rotmat(pose), None, translation)
        return Posed(person.joints, joint_rotations(pose), person.vertices, T)

    return make
