"""Numpy rotations against their torch twins, at the angles where formulas break."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ajahr.geometry import rotations, rotations_np


def test_golden_axis_angle():
    expected = [
        [0.859534, -0.497992, -0.114917],
        [0.439868, 0.835316, -0.329794],
        [0.260227, 0.232921, 0.937032],
    ]
    np.testing.assert_allclose(rotations_np.rotvec_to_rotmat(np.array([0.3, -0.2, 0.5])), expected, atol=1e-6)


@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 23)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_same_as_torch(shape, dtype):
    rotvec = np.random.default_rng(0).normal(size=(*shape, 3)).astype(dtype)
    rotmat = rotations_np.rotvec_to_rotmat(rotvec)
    assert rotmat.dtype == dtype and rotmat.shape == (*shape, 3, 3)
    twin = rotations.rotvec_to_rotmat(torch.from_numpy(rotvec)).numpy()
    np.testing.assert_allclose(rotmat, twin, atol=1e-6)
    back = rotations_np.rotmat_to_rotvec(rotmat)
    assert back.dtype == dtype
    np.testing.assert_allclose(
        back,
        rotations.rotmat_to_rotvec(torch.from_numpy(rotmat)).numpy(),
        atol=1e-5 if dtype == np.float32 else 1e-9,
    )


unit = st.floats(-1, 1)


@given(unit, unit, unit, st.sampled_from([0.0, 1e-9, 1e-4, 0.5, 2.0, 3.1, np.pi - 1e-7, np.pi]))
def test_there_and_back_at_every_angle(x, y, z, angle):
    axis = np.array([x, y, z])
    length = np.linalg.norm(axis)
    if length < 1e-3:
        return
    rotmat = rotations_np.rotvec_to_rotmat(axis / length * angle)
    rotvec = rotations_np.rotmat_to_rotvec(rotmat)
    assert np.linalg.norm(rotvec) <= np.pi + 1e-9
    np.testing.assert_allclose(rotations_np.rotvec_to_rotmat(rotvec), rotmat, atol=1e-9)
    assert np.linalg.norm(rotvec) == pytest.approx(angle, abs=1e-7)


def test_half_turns_about_each_axis():
    for axis in range(3):
        rotmat = -np.eye(3)
        rotmat[axis, axis] = 1
        rotvec = rotations_np.rotmat_to_rotvec(rotmat)
        np.testing.assert_allclose(np.abs(rotvec), np.pi * np.eye(3)[axis], atol=1e-12)
        np.testing.assert_allclose(rotations_np.rotation_about(axis, np.pi), rotmat, atol=1e-12)


def test_zero_matrix_is_an_absent_joint():
    rotmat = np.stack([np.eye(3), np.zeros((3, 3)), rotations_np.rotation_about(2, 1.0)])
    assert rotations_np.is_absent(rotmat).tolist() == [False, True, False]
    np.testing.assert_allclose(
        rotations_np.rotmat_to_rotvec(rotmat), [[0, 0, 0], [0, 0, 0], [0, 0, 1]], atol=1e-12
    )


def test_mirror_agrees_with_mirrored_points():
    rotvec = np.random.default_rng(1).normal(size=(4, 3))
    mirror = np.diag([-1.0, 1, 1])
    expected = mirror @ rotations_np.rotvec_to_rotmat(rotvec) @ mirror
    np.testing.assert_allclose(
        rotations_np.rotvec_to_rotmat(rotations_np.mirror_rotvec(rotvec)), expected, atol=1e-12
    )
