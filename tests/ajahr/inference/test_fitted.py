"""Predicted people on their keypoints: what moves, what stays, and who counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from puppet import ELBOW, INTACT, picture

from ajahr.anatomy import J44_FROM_COCO17, JOINT, LDPOSE25
from ajahr.body.fast import FastBody
from ajahr.geometry.cameras import crop_to_full_translation
from ajahr.geometry.rotations_np import rotvec_to_rotmat
from ajahr.inference.fitted import PeopleFitter, fit_points
from ajahr.inference.predictor import AJAHR
from ajahr.inference.residual import by_level
from ajahr.residual_limb.segments import SEGMENT, SEGMENTS

SIZE = (240, 320)
END = SEGMENT["left_above_elbow_res"]
K = 17 + SEGMENTS.index(END)
COCO = list(J44_FROM_COCO17)


@pytest.fixture(scope="module")
def fitter(body):
    return PeopleFitter(body)


@pytest.fixture
def moved(model, body):
    """Makes a person as predicted, and the keypoints (px) of the same person with arms and place changed."""

    def make(levels):
        person = model.predict(picture(levels, SIZE)).people[0]
        pose = person.pose_rotmat.copy()
        for joint, turn in (("left_shoulder", -0.7), ("right_shoulder", 0.6), ("right_hip", 0.3)):
            pose[JOINT[joint]] = rotvec_to_rotmat(np.array([0, 0, turn]))
        place = person.translation + np.array([0.05, -0.04, 0.0], np.float32)
        posed = FastBody(body)(person.betas, pose, person.absent_joints)
        points = np.zeros((25, 4), np.float32)
        points[:, 3] = np.nan
        points[:17, :2] = person.camera.project(posed.keypoints_44[COCO] + place)
        points[:17, 2] = 0.9
        whole = FastBody(body)(person.betas, pose)
        bone = [whole.joints[END.anchor] + place, whole.joints[END.upstream] + place]
        points[K, :2] = person.camera.project(0.5 * (bone[0] + bone[1]))[None]
        points[K, 2] = 0.9
        return person, points

    return make


def seen(person, points):
    return replace(person, keypoints=points[:17, :3], keypoints_ldpose25=points)


def test_the_body_comes_to_lie_on_its_keypoints(fitter, moved) -> None:
    person, points = moved(INTACT)
    before = np.linalg.norm(person.keypoints_2d[COCO] - points[:17, :2], axis=1)
    (fitted,) = fitter([seen(person, points)])
    after = np.linalg.norm(fitted.keypoints_2d[COCO] - points[:17, :2], axis=1)
    assert before.max() > 15 and after.max() < 4
    back = crop_to_full_translation(
        fitted.crop_camera[None], fitted.crop_centre[None], np.array([fitted.crop_side], np.float32),
        np.array([SIZE], np.float32), np.array([fitted.camera.focal_length], np.float32),
    )[0]  # fmt: skip
    np.testing.assert_allclose(back, fitted.translation, atol=1e-3)


def test_a_limbs_end_turns_its_bone_and_what_is_lost_stays_lost(fitter, moved) -> None:
    person, points = moved(ELBOW)
    points[[7, 9], 2] = 0  # nobody sees the elbow and the wrist that are lost
    (fitted,) = fitter([seen(person, points)])
    assert np.array_equal(fitted.limb_levels, person.limb_levels)
    gone = person.absent_joints
    np.testing.assert_array_equal(fitted.pose_rotmat[gone], person.pose_rotmat[gone])
    # the lost elbow is collapsed: where it would be, an intact body of the same pose shows
    posed = FastBody(fitter.body)(fitted.betas, fitted.pose_rotmat)
    joints = fitted.camera.project(posed.joints + fitted.translation)
    a, b = joints[END.upstream], joints[END.anchor]
    along, to_end = (b - a) / np.linalg.norm(b - a), points[K, :2] - a
    assert abs(along[0] * to_end[1] - along[1] * to_end[0]) < 3, "the end lies on its bone"
    untold = seen(person, np.where(np.arange(25)[:, None] == K, 0, points))
    (without,) = fitter([untold])
    shoulder = JOINT["left_shoulder"]
    assert np.abs(without.pose_rotmat[shoulder] - fitted.pose_rotmat[shoulder]).max() > 0.1


def test_who_has_too_few_keypoints_stays_as_regressed(fitter, moved) -> None:
    person, points = moved(INTACT)
    points[3:, 2] = 0
    few, many = seen(person, points), seen(person, moved(INTACT)[1])
    first, second = fitter([few, many])
    assert first is few and second is not many
    assert fitter([]) == ()


def test_what_a_fit_counts(moved) -> None:
    person, points = moved(INTACT)
    points[0, 2], points[1, :2], points[2, 0] = 0.1, (-5, 20), np.nan
    counted = fit_points(seen(person, points))[:, 2]
    assert not counted[[0, 1, 2]].any(), "unsure, outside the picture, not a number"
    assert (counted[3:17] > 0).all() and not counted[list(LDPOSE25.residual)].any(), (
        "whole limbs have no ends"
    )
    lost = fit_points(seen(moved(ELBOW)[0], points))[:, 2]
    assert lost[K] > 0


def test_a_level_answers_whether_there_is_an_end() -> None:
    points = np.zeros((8, 3))
    points[:, 2] = 0.05
    peaks = np.linspace(0.2, 0.9, 8)
    own = SEGMENTS.index(END)
    rival = SEGMENTS.index(SEGMENT["left_below_elbow_res"])
    told = by_level(points, peaks, np.array(ELBOW))
    assert told[own, 2] == peaks[own] and told[rival, 2] == 0
    others = np.delete(told[:, 2], [own, rival])
    np.testing.assert_array_equal(others, 0.05)
    np.testing.assert_array_equal(by_level(points, peaks, np.array(INTACT)), points)


def test_predict_fits_when_asked(puppet, moved) -> None:
    person, points = moved(INTACT)
    given = points[None, :17, :3]
    plain = AJAHR(puppet, device="cpu").predict(picture(INTACT, SIZE), [[0, 0, *SIZE]], given).people[0]
    fitted = AJAHR(puppet, device="cpu", refine="fit").predict(picture(INTACT, SIZE), [[0, 0, *SIZE]], given)

    def error(one) -> float:
        return float(np.linalg.norm(one.keypoints_2d[COCO] - points[:17, :2], axis=1).mean())

    assert error(fitted.people[0]) < 0.25 * error(plain)
    assert error(plain) == pytest.approx(
        float(np.linalg.norm(person.keypoints_2d[COCO] - points[:17, :2], axis=1).mean()), rel=0.3
    )


def test_a_given_end_says_that_its_limb_ends_there(puppet) -> None:
    points = np.zeros((2, 25, 3), np.float32)
    points[:, :17] = (100, 100, 0.5)
    points[0, K] = (130, 110, 0.9)
    points[1, K] = (130, 110, 0.2)  # too unsure to say anything
    boxes = [[0, 0, *SIZE]] * 2
    for refine in ("none", "rafo"):
        first, second = (
            AJAHR(puppet, device="cpu", refine=refine).predict(picture(INTACT, SIZE), boxes, points).people
        )
        assert first.limb_levels.tolist() == list(ELBOW) and second.limb_levels.tolist() == list(INTACT)
        assert first.limb_probabilities[0].tolist() == [0, 0, 1, 0] and first.limbs_from_bpac[0, 0] > 0.5
