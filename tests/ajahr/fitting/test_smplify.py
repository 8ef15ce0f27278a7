"""SMPLify on people the sampler posed: hidden poses found, absent limbs without pull, bad input named."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from ajahr.anatomy import (
    COCO17,
    J44,
    JOINT,
    JOINT_FLIP,
    JOINT_LIMB,
    LDPOSE25,
    SMPL24,
    KeypointLayout,
    Limb,
    absent_joint_mask,
)
from ajahr.body.data import load_body
from ajahr.body.fast import FastBody
from ajahr.errors import UserError
from ajahr.fitting.keypoint_model import KeypointModel
from ajahr.fitting.smplify import FitOptions, FitStatus, Smplify, keypoint_sigmas
from ajahr.geometry.cameras import Camera
from ajahr.geometry.procrustes import procrustes_align
from ajahr.geometry.rotations import geodesic_angle, rotvec_to_rotmat
from ajahr.poses.limits import violation
from ajahr.poses.sampler import FAMILIES, sample_pose

CAMERA = Camera.centred(800, 800, 1200.0)
DISTANCE = 1200 * 1.7 / 500  # a standing person is about 500 px tall


@dataclass
class Person:
    keypoints: np.ndarray  # (K, 3)
    joints: torch.Tensor  # (24, 3) about the pelvis
    root: torch.Tensor


def person(family: str, seed: int, layout: KeypointLayout = COCO17, camera: Camera = CAMERA) -> Person:
    """A sampled pose, turned anyhow, before a camera."""
    rng = np.random.default_rng(seed)
    pose = sample_pose(rng, family)
    turn, tilt = rng.uniform(-np.pi, np.pi), rng.normal(0, 0.1)
    chain = rotvec_to_rotmat(torch.tensor([[np.pi, 0, 0], [tilt, 0, 0], [0, turn, 0]], dtype=torch.float64))
    root = chain[0] @ chain[1] @ chain[2] @ rotvec_to_rotmat(torch.from_numpy(pose.root_rotvec).double())
    betas = torch.from_numpy(rng.normal(0, 0.7, (1, 10)))
    body_pose = torch.from_numpy(pose.body_pose).double()[None]
    points = {
        x.name: KeypointModel(load_body(), x).pose(root[None], body_pose, betas).keypoints[0]
        for x in (layout, SMPL24)
    }
    pixels = camera.project((points[layout.name] + torch.tensor([0.0, 0.0, DISTANCE])).numpy())
    keypoints = np.concatenate([pixels, np.ones((len(layout), 1))], 1)
    return Person(keypoints, points["smpl24"], root)


def joints_of(result) -> torch.Tensor:
    model = KeypointModel(load_body(), SMPL24)
    parts = (result.global_orient_rotmat, result.body_pose_rotvec, result.betas)
    return model.pose(*(torch.from_numpy(x) for x in parts)).keypoints


@pytest.fixture(scope="module")
def fitter() -> Smplify:
    return Smplify()


@pytest.fixture(scope="module")
def quick() -> Smplify:
    """For tests that compare two fits and care for neither."""
    return Smplify(options=FitOptions(starts=3, kept=1, iterations=8))


@pytest.fixture(scope="module")
def people() -> list[Person]:
    return [person(family, seed) for family in FAMILIES for seed in (1, 2)]


@pytest.fixture(scope="module")
def keypoints(people) -> np.ndarray:
    return np.stack([p.keypoints for p in people])


@pytest.fixture(scope="module")
def result(fitter, keypoints):
    return fitter.fit(keypoints, CAMERA)


# ------------------------------------------------------------------------------------------- what is found


def test_reprojects_within_two_pixels(result):
    assert result.ok.all()
    assert np.median(result.reprojection_px) < 1.5 and result.reprojection_px.max() < 3


def test_recovers_pose_and_facing_in_3d(result, people):
    found, truth = joints_of(result), torch.stack([p.joints for p in people])
    error = (procrustes_align(found, truth) - truth).norm(dim=-1).mean(1)
    assert error.median() < 0.04 and error.max() < 0.12
    turned = geodesic_angle(
        torch.from_numpy(result.global_orient_rotmat), torch.stack([p.root for p in people])
    )
    assert turned.max() < np.radians(30)


def test_result_is_what_the_body_and_camera_draw(result, keypoints):
    body = FastBody(load_body())
    for i in range(3):
        drawn = body(result.betas[i].astype(np.float32), result.rotmats[i].astype(np.float32))
        pixels = result.cameras[i].project(drawn.coco17 + result.translation[i])
        np.testing.assert_allclose(pixels, result.keypoints_2d[i], atol=0.05)
        distance = np.linalg.norm(result.keypoints_2d[i] - keypoints[i, :, :2], axis=-1).mean()
        assert result.reprojection_px[i] == pytest.approx(distance)
        longer = np.ptp(keypoints[i, :, :2], axis=0).max()
        assert result.reprojection_relative[i] == pytest.approx(distance / longer)


def test_poses_stay_near_the_range_of_motion(result):
    assert violation(result.body_pose_rotvec).max() < np.radians(12)


def test_weak_perspective_cameras_draw_the_result(keypoints):
    weak = Smplify(options=FitOptions(weak_perspective=True, starts=4, kept=1))
    result = weak.fit(keypoints[:2], CAMERA)
    assert all(c.weak_depth is not None for c in result.cameras)
    body = FastBody(load_body())
    for i in range(2):
        drawn = body(result.betas[i].astype(np.float32), result.rotmats[i].astype(np.float32))
        pixels = result.cameras[i].project(drawn.coco17 + result.translation[i])
        np.testing.assert_allclose(pixels, result.keypoints_2d[i], atol=0.05)
    assert result.reprojection_px.max() < 10  # the people are seen in perspective


@pytest.mark.parametrize("layout", [J44, LDPOSE25], ids=lambda x: x.name)
def test_other_layouts(layout):
    people = [person("everyday", seed, layout) for seed in (5, 6, 7)]
    keypoints = np.stack([someone.keypoints for someone in people])
    keypoints[:, list(layout.residual), 2] = 0
    result = Smplify(layout=layout, options=FitOptions(starts=4, kept=2)).fit(keypoints, CAMERA)
    assert result.ok.all() and result.reprojection_px.max() < 3
    errors = [
        (procrustes_align(joints, someone.joints) - someone.joints).norm(dim=-1).mean()
        for joints, someone in zip(joints_of(result), people, strict=True)
    ]
    assert np.median(errors) < 0.07  # of several: a hand before or behind the body looks the same in 2D


# ------------------------------------------------------------------------------------- people in one batch


def test_batch_equals_single(fitter, keypoints, result):
    alone = fitter.fit(keypoints[4:5], CAMERA)
    np.testing.assert_allclose(alone.keypoints_2d[0], result.keypoints_2d[4], atol=0.05)
    np.testing.assert_allclose(alone.rotmats[0], result.rotmats[4], atol=5e-3)


def test_people_of_different_pictures(fitter, keypoints, result):
    other = Camera(1600, 1200, 2400.0, (500.0, 300.0))
    moved = keypoints[1].copy()
    moved[:, :2] = 2 * (moved[:, :2] - 400) + other.principal_point
    both = fitter.fit(np.stack([keypoints[0], moved]), [CAMERA, other])
    np.testing.assert_allclose(both.rotmats[0], result.rotmats[0], atol=5e-3)
    np.testing.assert_allclose(both.rotmats[1], result.rotmats[1], atol=5e-3)
    np.testing.assert_allclose(both.translation[1], result.translation[1], rtol=0.01, atol=5e-3)


def test_more_people_than_fit_at_a_time(quick, keypoints, monkeypatch):
    monkeypatch.setattr("ajahr.fitting.smplify._CHUNK", 2)
    chunked = quick.fit(keypoints[:3], CAMERA)
    monkeypatch.setattr("ajahr.fitting.smplify._CHUNK", 32)
    np.testing.assert_allclose(chunked.keypoints_2d, quick.fit(keypoints[:3], CAMERA).keypoints_2d, atol=0.05)


def test_the_same_input_gives_the_same_bytes(keypoints):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        one, two = (
            Smplify(options=FitOptions(starts=3, kept=2)).fit(keypoints[:2], CAMERA) for _ in range(2)
        )
    finally:
        torch.set_num_threads(threads)
    for field in ("global_orient_rotmat", "body_pose_rotvec", "betas", "translation", "energy"):
        assert getattr(one, field).tobytes() == getattr(two, field).tobytes()


def test_a_mirrored_person_gets_the_mirrored_body(fitter, keypoints, result):
    mirrored = keypoints[:2, list(COCO17.flip)].copy()
    mirrored[..., 0] = CAMERA.width - mirrored[..., 0]
    found = joints_of(fitter.fit(mirrored, CAMERA))
    expected = joints_of(result)[:2, list(JOINT_FLIP)] * torch.tensor([-1.0, 1.0, 1.0])
    assert (found - expected).norm(dim=-1).mean() < 0.03


# ----------------------------------------------------------------------------------- limbs that are absent


@pytest.mark.parametrize("limb", list(Limb))
def test_an_absent_limbs_keypoints_change_nothing(quick, keypoints, limb):
    levels = np.zeros((1, 4), int)
    levels[0, limb] = 2
    absent = COCO17.absent(levels[0])
    moved = keypoints[:1].copy()
    moved[0, absent, :2] += 137.0
    one, two = quick.fit(keypoints[:1], CAMERA, levels), quick.fit(moved, CAMERA, levels)
    assert absent.sum() == 2
    assert one.body_pose_rotvec.tobytes() == two.body_pose_rotvec.tobytes()
    assert one.reprojection_px.tobytes() == two.reprojection_px.tobytes()
    assert (one.absent_joints == absent_joint_mask(levels)).all()


def test_absent_joints_keep_a_pose_that_is_not_drawn(fitter, keypoints):
    levels = np.array([[3, 0, 0, 2]])
    result = fitter.fit(keypoints[:1], CAMERA, levels)
    absent = absent_joint_mask(levels)[0]
    assert result.ok.all()
    assert (result.rotmats_drawn[0, absent] == 0).all()
    assert (result.rotmats_drawn[0, ~absent] == result.rotmats[0, ~absent]).all()
    np.testing.assert_allclose(np.linalg.det(result.rotmats[0]), 1, atol=1e-9)
    assert violation(result.body_pose_rotvec).max() < np.radians(12)


def test_limb_confidence_of_zero_is_absence(quick, keypoints):
    confidence = np.ones((1, 4))
    confidence[0, Limb.RIGHT_ARM] = 0
    by_limb = quick.fit(keypoints[:1], CAMERA, limb_confidence=confidence)
    by_hand = keypoints[:1].copy()
    arm = [k for k, joint in enumerate(COCO17.anchors) if JOINT_LIMB[joint] == Limb.RIGHT_ARM]
    assert [COCO17.names[k] for k in arm] == ["right_shoulder", "right_elbow", "right_wrist"]
    by_hand[:, arm, 2] = 0
    assert by_limb.energy.tobytes() == quick.fit(by_hand, CAMERA).energy.tobytes()


def test_a_residual_end_turns_the_bone_it_ends():
    someone = person("everyday", 8, LDPOSE25)
    keypoints = someone.keypoints.copy()
    keypoints[list(LDPOSE25.residual), 2] = 0
    levels = np.array([[0, 0, 2, 0]])  # left leg ends at the knee or above
    hip, end = LDPOSE25.index["left_hip"], LDPOSE25.index["left_above_knee_res"]
    keypoints[end, :2] = keypoints[hip, :2] + (90.0, 45.0)  # swung out: far from where the thigh was
    keypoints[end, 2] = 1
    fit = Smplify(layout=LDPOSE25).fit(keypoints[None], CAMERA, levels)
    thigh = fit.keypoints_2d[0, LDPOSE25.index["left_knee"]] - fit.keypoints_2d[0, hip]
    cosine = thigh @ np.array([90.0, 45.0]) / np.linalg.norm(thigh) / np.hypot(90, 45)
    assert cosine > np.cos(np.radians(15))
    assert np.linalg.norm(fit.keypoints_2d[0, end] - keypoints[end, :2]) < 25


# ------------------------------------------------------------------------ people cut off, bad input


def test_only_the_upper_body_in_the_picture_stands(fitter, people):
    keypoints = people[0].keypoints.copy()
    keypoints[11:, 2] = 0  # from the hips down
    result = fitter.fit(keypoints[None], CAMERA)
    assert result.ok.all() and result.reprojection_px[0] < 3
    pose = result.body_pose_rotvec[0]
    for side in ("left", "right"):
        knee, hip = (pose[JOINT[f"{side}_{j}"] - 1] for j in ("knee", "hip"))
        assert np.linalg.norm(knee) < 0.5 and np.linalg.norm(hip) < 0.5
    assert result.size_px[0] == pytest.approx(500, rel=0.25)
    assert np.abs(result.betas).max() < 2.5


def test_nobody(fitter):
    result = fitter.fit(np.zeros((0, 17, 3)), CAMERA)
    assert len(result) == 0 and result.rotmats.shape == (0, 24, 3, 3) and result.cameras == ()


def test_too_few_keypoints_is_a_status_and_harms_nobody_else(fitter, keypoints, result):
    one, none, heap = (keypoints[0].copy() for _ in range(3))
    one[1:, 2] = 0
    none[:, 2] = 0
    heap[:, :2] = 300.0  # all in one place
    mixed = fitter.fit(np.stack([one, keypoints[0], none, heap]), CAMERA)
    few = FitStatus.TOO_FEW_KEYPOINTS
    assert mixed.status == (few, FitStatus.OK, few, few)
    assert np.isnan(mixed.translation[0]).all() and np.isnan(mixed.reprojection_px[[0, 2, 3]]).all()
    assert np.isfinite(mixed.rotmats).all() and np.isfinite(mixed.betas).all()
    np.testing.assert_allclose(mixed.rotmats[1], result.rotmats[0], atol=5e-3)


def test_keypoints_of_no_person_are_a_poor_fit(fitter):
    rng = np.random.default_rng(0)
    scattered = np.concatenate([rng.uniform(0, 800, (1, 17, 2)), np.ones((1, 17, 1))], -1)
    assert fitter.fit(scattered, CAMERA).status == (FitStatus.POOR_FIT,)


def test_an_outlier_does_not_drag_the_body(fitter, keypoints, result):
    spoilt = keypoints[:1].copy()
    spoilt[0, COCO17.index["left_wrist"], :2] += (260, -220)
    found = fitter.fit(spoilt, CAMERA)
    others = [k for k, n in enumerate(COCO17.names) if n not in ("left_wrist", "left_elbow", "left_shoulder")]
    shift = np.linalg.norm(found.keypoints_2d[0, others] - result.keypoints_2d[0, others], axis=-1)
    assert shift.mean() < 6


def test_what_is_not_known_may_be_not_a_number_and_what_counts_may_not(quick, keypoints):
    unknown = keypoints[:1].copy()
    unknown[0, 9] = (np.nan, np.inf, 0)
    assert np.isfinite(quick.fit(unknown, CAMERA).translation).all()
    counted = keypoints[:2].copy()
    counted[1, 9, 0] = np.nan
    with pytest.raises(UserError, match=r"left_wrist of person 1 is not a number.*confidence 0"):
        quick.fit(counted, CAMERA)
    for confidence in (np.nan, -0.1, 1.5):
        counted = keypoints[:1].copy()
        counted[0, 3, 2] = confidence
        with pytest.raises(UserError, match=r"confidences of person 0"):
            quick.fit(counted, CAMERA)


def test_wrong_shapes_are_refused(fitter, keypoints):
    with pytest.raises(ValueError, match="17 keypoints"):
        fitter.fit(np.zeros((1, 25, 3)), CAMERA)
    with pytest.raises(ValueError, match="1 cameras for 2 people"):
        fitter.fit(keypoints[:2], [CAMERA])


def test_sigmas_follow_the_annotators_spread():
    sigma = dict(zip(COCO17.names, keypoint_sigmas(COCO17).tolist(), strict=True))
    assert (
        sigma["left_hip"] > sigma["left_shoulder"] > sigma["left_wrist"] > sigma["nose"] == sigma["left_eye"]
    )
    assert keypoint_sigmas(J44)[J44.index["left_hip"]] == sigma["left_hip"]
