"""Keypoints from parameters, and parameters from the world into the camera."""

from __future__ import annotations

import numpy as np
from fake_people import people_rows
from scipy.spatial.transform import Rotation

from ajahr.anatomy import J44
from ajahr.body.data import load_body
from ajahr.body.fast import FastBody
from ajahr.data.readers.posed import keypoints_from_smpl24, pose_keypoints, to_camera, translation_to_camera
from ajahr.geometry.rotations_np import rotvec_to_rotmat


def test_world_and_camera_agree_on_every_joint():
    """Twin: pose in the world and move the joints, against posing with the camera's root and translation."""
    body = FastBody(load_body())
    rng = np.random.default_rng(0)
    pose, betas, translation = rng.normal(0, 0.5, (24, 3)), np.zeros(10, np.float32), rng.normal(0, 1, 3)
    extrinsics = np.eye(4)
    extrinsics[:3, :3], extrinsics[:3, 3] = (
        Rotation.from_rotvec([0.3, 2.0, -0.5]).as_matrix(),
        (0.1, -0.4, 3.0),
    )
    world = body(betas, rotvec_to_rotmat(pose), translation=translation).joints
    expected = world @ extrinsics[:3, :3].T + extrinsics[:3, 3]
    pelvis = body.shape(betas)[1][0].astype(np.float64)
    moved = translation_to_camera(translation[None], extrinsics[None], pelvis)[0]
    pose[0] = to_camera(pose[0], extrinsics)
    np.testing.assert_allclose(
        body(betas, rotvec_to_rotmat(pose), translation=moved).joints, expected, atol=1e-5
    )


def test_bodies_of_their_gender(tmp_path, monkeypatch):
    asked = []

    def pretend(path: str, gender: str) -> FastBody:
        asked.append((path, gender))
        return FastBody(load_body(gender=gender))

    monkeypatch.setattr("ajahr.data.readers.posed.gendered_body", pretend)
    rows = people_rows(3)
    rows["gender"], rows["keypoints_3d"] = (0, 1, 2), 0
    rows["transl"][1] = (0, 0, 5)
    pose_keypoints(rows, tmp_path)
    assert asked == [(str(tmp_path), gender) for gender in ("neutral", "male", "female")]
    assert (rows["keypoints_3d"][..., 3] == 1).all()
    assert np.abs(rows["keypoints_3d"][0, :, 2]).max() < 1.5 < 3 < rows["keypoints_3d"][1, :, 2].min()


def test_no_bodies_no_keypoints():
    rows = people_rows(1)
    rows["keypoints_3d"] = 0
    pose_keypoints(rows, None)
    assert not rows["keypoints_3d"].any()


def test_smpl_joints_in_j44():
    joints = np.arange(48.0).reshape(24, 2)
    points = keypoints_from_smpl24(joints)
    for name, joint in (("left_wrist", 20), ("right_hip", 2), ("neck", 12), ("mid_hip", 0)):
        np.testing.assert_array_equal(points[J44.index[name]], [*joints[joint], 1])
    assert points[:, 2].sum() == 14 and not points[J44.index["nose"]].any()
