"""The kernels' quaternions against rotation matrices."""

from __future__ import annotations

import numpy as np
import pytest

from ajahr.geometry.rotations_np import mirror_rotvec, rotvec_to_rotmat
from ajahr.poses import quaternions as Q

RNG = np.random.default_rng(0)
ROTVECS = [*RNG.normal(0, 1.2, (20, 3)), np.zeros(3), np.array([0, np.pi - 1e-6, 0]), np.array([1e-9, 0, 0])]


def quat(rotvec):
    return Q.from_rotvec(*(float(x) for x in rotvec))


@pytest.mark.parametrize("rotvec", ROTVECS)
def test_rotate_is_the_matrix_times_the_vector(rotvec):
    v = (0.3, -1.2, 0.7)
    np.testing.assert_allclose(Q.rotate(quat(rotvec), v), rotvec_to_rotmat(rotvec) @ v, atol=1e-12)


def test_mul_applies_the_second_first():
    for a, b in zip(ROTVECS[:10], ROTVECS[10:20], strict=True):
        product = Q.rotate(Q.mul(quat(a), quat(b)), (1.0, 2.0, 3.0))
        np.testing.assert_allclose(product, rotvec_to_rotmat(a) @ rotvec_to_rotmat(b) @ [1, 2, 3], atol=1e-12)


@pytest.mark.parametrize("rotvec", ROTVECS)
def test_rotvec_round_trip(rotvec):
    matrix = rotvec_to_rotmat(rotvec)
    back = np.array(Q.to_rotvec(quat(rotvec)))
    assert np.linalg.norm(back) <= np.pi + 1e-9
    np.testing.assert_allclose(rotvec_to_rotmat(back), matrix, atol=1e-9)


@pytest.mark.parametrize("rotvec", [*ROTVECS, np.array([np.pi, 0, 0]), np.array([0, 0, np.pi])])
def test_from_matrix_columns(rotvec):
    matrix = rotvec_to_rotmat(rotvec)
    q = Q.from_matrix_columns(*(tuple(float(x) for x in matrix[:, k]) for k in range(3)))
    np.testing.assert_allclose(
        [Q.rotate(q, (1.0, 0.0, 0.0)), Q.rotate(q, (0.0, 0.0, 1.0))], matrix.T[[0, 2]], atol=1e-9
    )


def test_mirror_is_that_of_rotation_vectors():
    for rotvec in ROTVECS:
        np.testing.assert_allclose(Q.mirror(quat(rotvec)), quat(mirror_rotvec(rotvec)), atol=1e-12)


@pytest.mark.parametrize("b", [(0.6, 0.8, 0.0), (1.0, 0.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 0.0, -1.0)])
def test_between_takes_the_one_to_the_other(b):
    q = Q.between((1.0, 0.0, 0.0), b)
    np.testing.assert_allclose(Q.rotate(q, (1.0, 0.0, 0.0)), b, atol=1e-9)
    assert np.linalg.norm(q) == pytest.approx(1)
