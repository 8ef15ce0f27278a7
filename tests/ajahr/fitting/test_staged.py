"""The staged fit: from nothing, from another method's body, on SMPL and SMPL-X, for people with limb loss."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from limb_loss_people import CAMERA, Truth, person
from smplx_files import write_smplx

from ajahr.anatomy import LDPOSE25, descendants
from ajahr.body.rig import RigData, load_rig
from ajahr.errors import UserError
from ajahr.fitting.rig_model import RigModel
from ajahr.fitting.smplify import FitStatus
from ajahr.fitting.staged import Stage, StagedFit, StagedOptions
from ajahr.fitting.staged_priors import CodebookPrior, MixturePrior
from ajahr.fitting.staged_problem import BodyStart
from ajahr.geometry.procrustes import procrustes_align
from ajahr.geometry.rotations_np import rotvec_to_rotmat
from ajahr.residual_limb.segments import SEGMENT

QUICK = StagedOptions(stages=(Stage(1, 1, iterations=15),))


@pytest.fixture(scope="module")
def rig() -> RigData:
    return load_rig()


@pytest.fixture(scope="module")
def people(rig) -> list[Truth]:
    return [person(rig, {}, seed=k, turn=turn) for k, turn in enumerate((0.3, 2.9, -0.5))]


def keypoints(people: list[Truth]) -> np.ndarray:
    return np.stack([p.keypoints for p in people])


def start_of(people: list[Truth], spread: float = 0.12, seed: int = 0) -> BodyStart:
    rng = np.random.default_rng(seed)
    return BodyStart(
        np.stack([p.rotmats[0] @ rotvec_to_rotmat(rng.normal(0, 0.08, 3)) for p in people]),
        np.stack([p.body_pose + rng.normal(0, spread, (23, 3)) for p in people]),
        np.stack([np.zeros_like(p.betas) for p in people]),
        np.stack([p.translation + rng.normal(0, 0.04, 3) for p in people]),
    )


def aligned_mm(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    a, b = torch.from_numpy(found[:, :22]), torch.from_numpy(truth[:, :22])
    return 1000 * (procrustes_align(a, b) - b).norm(dim=-1).mean(1).numpy()


def test_from_nothing_facing_or_turned_away(rig, people):
    found = StagedFit(rig).fit(keypoints(people), CAMERA)
    assert found.ok.all() and found.reprojection_px.max() < 8
    assert aligned_mm(found.joints, np.stack([p.joints for p in people])).max() < 110
    for k, truth in enumerate(people):  # which way round
        assert np.trace(found.rotmats[k, 0].T @ truth.rotmats[0]) > 1


def test_from_another_methods_body(rig, people):
    start, truth = start_of(people), np.stack([p.joints for p in people])
    advanced = []
    found = StagedFit(rig).fit(keypoints(people), CAMERA, start=start, advance=lambda: advanced.append(1))
    model = RigModel(rig)
    rotmats = np.concatenate(
        [start.global_orient_rotmat[:, None], rotvec_to_rotmat(start.body_pose_rotvec)], 1
    )
    before = model(*(torch.from_numpy(x) for x in (rotmats, start.betas, start.translation)))
    shown = CAMERA.project(before.keypoints.numpy())[:, :17]
    was = np.linalg.norm(shown - keypoints(people)[:, :17, :2], axis=-1).mean(1)
    assert found.ok.all() and (found.reprojection_px < 0.2 * was).all()
    assert (aligned_mm(found.joints, truth) < 0.7 * aligned_mm(before.joints.numpy(), truth)).all()
    assert len(advanced) == 3


def test_the_result_is_what_the_rig_draws_and_people_are_independent(rig, people):
    fit = StagedFit(rig, options=QUICK)
    start, points = start_of(people), keypoints(people)
    whole = fit.fit(points, CAMERA, start=start)
    drawn = RigModel(rig)(*(torch.from_numpy(x) for x in (whole.rotmats, whole.betas, whole.translation)))
    np.testing.assert_allclose(drawn.joints.numpy(), whole.joints, atol=1e-9)
    np.testing.assert_allclose(
        CAMERA.project(drawn.keypoints.numpy())[:, :17], whole.keypoints_2d[:, :17], atol=1e-6
    )
    one = BodyStart(*(x[1:2] for x in vars(start).values()))
    alone = fit.fit(points[1:2], CAMERA, start=one)
    np.testing.assert_allclose(alone.rotmats[0], whole.rotmats[1], atol=1e-6)


def test_lost_limbs_have_no_say_and_rest(rig):
    truth = person(rig, {"left_above_knee_res": 0.4, "right_below_elbow_res": 0.5}, seed=2)
    absent = np.zeros((1, 24), bool)
    absent[0, [4, 21]] = True  # what lies below them is lost with them
    fit = StagedFit(rig, options=replace(QUICK, ends_turn_bones=False))
    start = start_of([truth])
    one = truth.keypoints.copy()
    one[[LDPOSE25.index[n] for n in ("left_knee", "left_ankle", "right_wrist")]] = (700, 20, 1)
    two = one.copy()
    two[LDPOSE25.index["left_ankle"], :2] = (10, 10)
    results = [fit.fit(p[None], CAMERA, absent_joints=absent, start=start) for p in (one, two)]
    assert results[0].rotmats.tobytes() == results[1].rotmats.tobytes()
    for joint in (*descendants(4), *descendants(21)):
        np.testing.assert_allclose(results[0].rotmats[0, joint], np.eye(3), atol=1e-12)
    assert np.abs(results[0].rotmats[0, 1] - np.eye(3)).max() > 1e-3


def test_an_end_turns_its_bone_and_says_nothing_of_its_length(rig):
    truth = person(rig, {"left_below_knee_res": 0.5}, seed=3, turn=0.0)
    segment = SEGMENT["left_below_knee_res"]
    absent = np.zeros((1, 24), bool)
    absent[0, segment.anchor] = True
    points = truth.keypoints.copy()
    knee = points[LDPOSE25.index["left_knee"], :2]
    points[segment.point, :2] = knee + np.array([25.0, 60.0])  # swung out to the side
    results = {
        turn: StagedFit(rig, options=StagedOptions(ends_turn_bones=turn)).fit(
            points[None], CAMERA, absent_joints=absent, start=start_of([truth], 0.02)
        )
        for turn in (False, True)
    }
    wanted = np.arctan2(25.0, 60.0)
    angles = {}
    for turn, found in results.items():
        a, b = CAMERA.project(found.joints[0, [segment.anchor, segment.upstream]])
        angles[turn] = np.arctan2(*(a - b))
    assert abs(angles[True] - wanted) < 0.75 * abs(angles[False] - wanted)


def test_smplx_with_hands_and_face(tmp_path_factory):
    rig = load_rig(write_smplx(tmp_path_factory.mktemp("x") / "SMPLX_NEUTRAL.npz"))
    truth = person(rig, {}, seed=4)
    model = RigModel(rig)
    rng = np.random.default_rng(0)
    rotmats = truth.rotmats.copy()
    assert rig.hands is not None
    codes = rng.normal(0, 0.7, (2, 6))
    for side, first in ((0, 25), (1, 40)):
        fingers = rig.hands[side] + codes[side] @ rig.hands[2 + side][:6]
        rotmats[first : first + 15] = rotvec_to_rotmat(fingers.reshape(15, 3))
    rotmats[22] = rotvec_to_rotmat(np.array([0.2, 0, 0]))
    shape = np.concatenate([truth.betas, rng.normal(0, 0.5, 10)])
    points = model(*(torch.from_numpy(x[None]) for x in (rotmats, shape, truth.translation)))
    extra = [
        np.concatenate([CAMERA.project(p.numpy()), np.ones((*p.shape[:2], 1))], -1)
        for p in (points.hands, points.face)
    ]
    start = start_of([truth], 0.05)
    without = StagedFit(rig).fit(truth.keypoints[None], CAMERA, start=start)
    found = StagedFit(rig).fit(
        truth.keypoints[None], CAMERA, start=start, hands_2d=extra[0], face_2d=extra[1]
    )
    assert found.ok.all() and found.rotmats.shape == (1, 55, 3, 3) and found.expression.shape == (1, 10)

    def apart(result) -> float:
        shape = np.concatenate([result.betas, result.expression], 1)
        shown = model(*(torch.from_numpy(x) for x in (result.rotmats, shape, result.translation)))
        return float(np.linalg.norm(CAMERA.project(shown.hands.numpy()) - extra[0][..., :2], axis=-1).mean())

    assert apart(found) < 0.6 * apart(without)


def test_a_codebook_beside_the_prior_is_chosen_anew_each_round(rig, people):
    rounds = []

    def project(rotmats):
        rounds.append(rotmats.clone())
        return rotmats

    options = replace(QUICK, stages=(Stage(1, 1, iterations=4), Stage(1, 1, iterations=4)))
    fit = StagedFit(rig, options=options, prior=MixturePrior.shipped(), codebook=CodebookPrior(project))
    assert fit.fit(keypoints(people[:1]), CAMERA, start=start_of(people[:1])).energy[0] < np.inf
    assert len(rounds) == 2 and not torch.equal(rounds[0], rounds[1])


def test_too_few_points_behind_the_camera_and_nobody(rig, people):
    fit = StagedFit(rig, options=QUICK)
    points = keypoints(people[:2])
    points[0, 3:, 2] = 0
    found = fit.fit(points, CAMERA)
    assert found.status[0] is FitStatus.TOO_FEW_KEYPOINTS and np.isnan(found.translation[0]).all()
    assert np.isfinite(found.translation[1]).all()
    start = start_of(people[:1])
    start.translation[0, 2] = -1
    with pytest.raises(UserError, match="behind the camera"):
        fit.fit(points[:1], CAMERA, start=start)
    points[1, 5, 0] = np.nan
    with pytest.raises(UserError, match="keypoint 5 of person 1 is not a number"):
        fit.fit(points, CAMERA)
    with pytest.raises(ValueError, match="1 cameras for 2"):
        fit.fit(points, [CAMERA])
    assert len(fit.fit(points[:0], CAMERA).status) == 0
