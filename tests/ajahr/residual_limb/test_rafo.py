"""Residual length from image points: recovery and refusal."""

from __future__ import annotations

import numpy as np
import pytest
from rafo_people import CAMERA, people

from ajahr.errors import UserError
from ajahr.geometry.cameras import Camera
from ajahr.residual_limb.rafo import Gates, Reason, Status, fit_residuals
from ajahr.residual_limb.segments import SEGMENTS
from ajahr.residual_limb.skin import SkinnedMesh


def seen_px(joints: np.ndarray) -> np.ndarray:
    a, b = (CAMERA.project(joints[:, [getattr(s, n) for s in SEGMENTS]]) for n in ("anchor", "upstream"))
    return np.linalg.norm(a - b, axis=-1)


def test_recovers_lambda_without_noise(mesh: SkinnedMesh) -> None:
    joints, points, truth = people(mesh, 20, 0)
    found = fit_residuals(joints, points, CAMERA)
    given = points[..., 2] > 0
    clear = given & (seen_px(joints) > 20)
    assert clear.sum() > 70 and found.accepted[clear].all()
    assert np.abs(found.fraction - truth)[clear].max() < 0.02
    assert np.median(np.abs(found.fraction - truth)[clear]) < 0.003
    assert (found.status[~given] == Status.ABSENT).all() and np.isnan(found.fraction[~given]).all()


def test_two_pixels_of_noise(mesh: SkinnedMesh) -> None:
    joints, points, truth = people(mesh, 150, 2)
    found = fit_residuals(joints, points, CAMERA)
    error = np.abs(found.fraction - truth)[found.accepted]
    assert found.accepted.sum() > 0.9 * 600
    assert np.median(error) < 0.02
    # the told deviation is that of the errors
    z = ((found.fraction - truth) / found.sd)[found.accepted]
    assert 0.5 < np.median(np.abs(z)) / 0.6745 < 1.5


def test_points_off_the_limb_are_refused(mesh: SkinnedMesh) -> None:
    joints, points, _ = people(mesh, 60, 0, seed=2)
    anchor, upstream = (
        CAMERA.project(joints[:, [getattr(s, n) for s in SEGMENTS]]) for n in ("anchor", "upstream")
    )
    across = (upstream - anchor)[..., ::-1] * (1, -1)
    points[..., :2] += 0.45 * across
    clear = (points[..., 2] > 0) & (seen_px(joints) > 40)
    found = fit_residuals(joints, points, CAMERA)
    refused = found.status[clear] == Status.REJECTED
    assert refused.mean() >= 0.9
    assert all(reason != Reason.NONE for reason in found.reason[clear][refused])


def test_batch_is_its_rows(mesh: SkinnedMesh) -> None:
    joints, points, _ = people(mesh, 6, 4, seed=3)
    whole = fit_residuals(joints, points, CAMERA)
    for k in range(6):
        alone = fit_residuals(joints[k : k + 1], points[k : k + 1], CAMERA)
        assert np.allclose(alone.fraction[0], whole.fraction[k], atol=1e-9, equal_nan=True)


def test_one_camera_per_person_and_the_other_solver(mesh: SkinnedMesh) -> None:
    joints, points, _ = people(mesh, 4, 3, seed=7)
    # the second picture is twice as large, off its middle and weak; its points follow
    other = Camera(2100, 2300, 2400.0, (900.0, 1100.0))
    both = points.copy()
    both[1::2, :, :2] = (points[1::2, :, :2] - 500) * 2 + (900, 1100)
    cameras = [CAMERA, other] * 2
    one, two = fit_residuals(joints, points, CAMERA), fit_residuals(joints, both, cameras)
    np.testing.assert_allclose(two.fraction[::2], one.fraction[::2], atol=1e-9)
    # in an image of twice the size the same error weighs more: g sees 15 px
    np.testing.assert_allclose(two.fraction, one.fraction, atol=0.02)
    slow = fit_residuals(joints, both, cameras, solver="lbfgs")
    np.testing.assert_allclose(slow.fraction, two.fraction, atol=1e-4)
    assert (slow.status == two.status).all()
    with pytest.raises(UserError, match="2 cameras for 4 people"):
        fit_residuals(joints, both, cameras[:2])


def test_an_image_of_twice_the_size_gives_the_same_lambda(mesh: SkinnedMesh) -> None:
    joints, points, _ = people(mesh, 5, 0, seed=8)
    large = Camera.centred(2000, 2000, 2400.0)
    twice = points * (2, 2, 1)
    one, two = fit_residuals(joints, points, CAMERA), fit_residuals(joints, twice, large)
    np.testing.assert_allclose(two.fraction, one.fraction, atol=1e-3)


def test_levels_are_the_ends_of_the_range(mesh: SkinnedMesh) -> None:
    joints, points, _ = people(mesh, 2, 0, seed=9)
    points[..., 2] = 0
    points[1, 4, 2] = 1  # left leg of the second person: an end was seen, which says more than a level
    levels = np.array([[1, 2, 3, 0], [0, 0, 2, 0]])
    found = fit_residuals(joints, points, CAMERA, levels=levels)
    expected = {2: 0.0, 1: 0.0, 4: 1.0}  # hand: forearm 0; elbow: upper arm 0; hip: thigh 1
    for k in range(8):
        if k in expected:
            assert (found.status[0, k], found.fraction[0, k]) == (Status.JOINT_LEVEL, expected[k])
        else:
            assert found.status[0, k] == Status.ABSENT and np.isnan(found.fraction[0, k])
    hip = SEGMENTS[4].upstream
    np.testing.assert_allclose(found.end[0, 4], joints[0, hip])
    assert found.length[0, 4] == 0 and found.usable[0].sum() == 3
    assert found.status[1, 4] == Status.ACCEPTED and (found.status[1] != Status.JOINT_LEVEL).all()


def test_a_mirrored_person_has_the_same_ends(mesh: SkinnedMesh) -> None:
    from ajahr.anatomy import JOINT_FLIP

    joints, points, _ = people(mesh, 4, 5, seed=4)
    found = fit_residuals(joints, points, CAMERA)
    flip = [SEGMENTS.index(s.mirrored) for s in SEGMENTS]
    mirror = np.array([1000.0, 0, 0]) + points * (-1, 1, 1)
    other = fit_residuals((joints * (-1, 1, 1))[:, list(JOINT_FLIP)], mirror[:, flip], CAMERA)
    assert np.allclose(other.fraction[:, flip], found.fraction, atol=1e-6, equal_nan=True)


def test_bad_input_is_told(mesh: SkinnedMesh) -> None:
    joints, points, _ = people(mesh, 5, 0, seed=5)
    points[..., 2] = 0
    points[:, 4, 2] = 1
    points[0, 6] = (*points[0, 6, :2], 0.8)  # both ends of the left leg: the surer counts
    points[0, 4, 2] = 0.9
    points[1, 4, :2] = (-30, 40)
    joints[2] -= (0, 0, 9)
    joints[3, 4] = joints[3, 1]
    points[4, 4, 0] = np.nan
    found = fit_residuals(joints, points, CAMERA)
    assert (found.status[0, 6], found.reason[0, 6]) == (Status.REJECTED, Reason.OTHER_END)
    assert found.status[0, 4] == Status.ACCEPTED
    for k, why in ((1, Reason.OUTSIDE), (2, Reason.BEHIND), (3, Reason.SHORT_BONE), (4, Reason.NOT_FINITE)):
        assert (found.status[k, 4], found.reason[k, 4]) == (Status.REJECTED, why)
    with pytest.raises(UserError, match="do not fit"):
        fit_residuals(joints[:, :20], points, CAMERA)


def test_gate_may_follow_the_persons_size(mesh: SkinnedMesh) -> None:
    joints, points, _ = people(mesh, 1, 0, seed=6)
    strict = fit_residuals(joints, points, CAMERA, gates=Gates(error_px=1e-9))
    assert (strict.reason[points[..., 2] > 0] == Reason.ERROR).all()
    loose = Gates(error_px=1e-9, error_of_height=0.05)
    assert (
        fit_residuals(joints, points, CAMERA, gates=loose, heights_px=np.array([700.0])).accepted.sum() >= 3
    )
