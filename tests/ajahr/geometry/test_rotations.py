"""Torch rotations: golden values, the three 6D layouts, gradients through zero."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ajahr.geometry import rotations as R

SIX = torch.tensor([1, 0.2, -0.3, 0.1, 0.9, 0.4], dtype=torch.float64)
ROWS = torch.tensor(
    [[0.940721, 0.188144, -0.282216], [-0.042509, 0.890889, 0.452228], [0.336507, -0.413423, 0.846076]],
    dtype=torch.float64,
)


def random_rotmats(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return R.rotvec_to_rotmat(2 * torch.randn(*shape, 3, generator=generator, dtype=torch.float64))


def test_golden_row_layout_is_the_projects_own():
    torch.testing.assert_close(R.rot6d_to_rotmat(SIX), ROWS, atol=1e-6, rtol=0)


def test_golden_hmr2_layout_is_the_transpose_for_the_same_numbers():
    torch.testing.assert_close(R.hmr2_rot6d_to_rotmat(SIX), ROWS.T, atol=1e-6, rtol=0)


def test_spin_layout_interleaves_the_columns():
    interleaved = SIX.reshape(2, 3).T.reshape(6)
    torch.testing.assert_close(R.spin_rot6d_to_rotmat(interleaved), ROWS.T, atol=1e-6, rtol=0)


def test_golden_axis_angle():
    expected = [
        [0.859534, -0.497992, -0.114917],
        [0.439868, 0.835316, -0.329794],
        [0.260227, 0.232921, 0.937032],
    ]
    rotvec = torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64)
    torch.testing.assert_close(
        R.rotvec_to_rotmat(rotvec), torch.tensor(expected, dtype=torch.float64), atol=1e-6, rtol=0
    )


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (1,)])  # three at once: the trap of torch.cross
@pytest.mark.parametrize(
    "pair",
    [
        (R.rotmat_to_rot6d, R.rot6d_to_rotmat),
        (R.rotmat_to_hmr2_rot6d, R.hmr2_rot6d_to_rotmat),
        (R.rotmat_to_spin_rot6d, R.spin_rot6d_to_rotmat),
        (R.rotmat_to_rotvec, R.rotvec_to_rotmat),
    ],
    ids=["row", "hmr2", "spin", "rotvec"],
)
def test_there_and_back(pair, shape):
    there, back = pair
    rotmat = random_rotmats(*shape)
    torch.testing.assert_close(back(there(rotmat)), rotmat, atol=1e-9, rtol=0)


def test_six_numbers_any_give_a_rotation():
    six = torch.randn(500, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    rotmat = R.rot6d_to_rotmat(six)
    torch.testing.assert_close(
        rotmat @ rotmat.mT, torch.eye(3, dtype=torch.float64).expand(500, 3, 3), atol=1e-9, rtol=0
    )
    torch.testing.assert_close(torch.linalg.det(rotmat), torch.ones(500, dtype=torch.float64))


def test_zero_numbers_and_zero_angles_have_finite_values_and_gradients():
    for function, width in ((R.rot6d_to_rotmat, 6), (R.rotvec_to_rotmat, 3)):
        x = torch.zeros(2, width, requires_grad=True)
        y = function(x)
        y.sum().backward()
        assert y.isfinite().all() and x.grad is not None and x.grad.isfinite().all()


def test_rotvec_gradient_matches_finite_differences_near_zero():
    for size in (0.0, 1e-4, 0.5):
        x = torch.full((3,), size, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(R.rotvec_to_rotmat, x, atol=1e-5)


def test_absent_joints_are_told_apart_and_give_zero_vectors():
    rotmat = random_rotmats(4)
    rotmat[1] = 0
    assert R.is_absent(rotmat).tolist() == [False, True, False, False]
    rotvec = R.rotmat_to_rotvec(rotmat.requires_grad_())
    assert (rotvec[1] == 0).all() and rotvec.isfinite().all()
    (gradient,) = torch.autograd.grad(rotvec.sum(), rotmat)
    assert gradient.isfinite().all()


def test_mirror_of_matrix_and_vector_agree_with_mirrored_points():
    rotmat = random_rotmats(6, seed=4)
    mirror = torch.diag(torch.tensor([-1.0, 1, 1], dtype=torch.float64))
    torch.testing.assert_close(R.mirror_rotmat(rotmat), mirror @ rotmat @ mirror)
    rotvec = R.rotmat_to_rotvec(rotmat)
    torch.testing.assert_close(R.rotvec_to_rotmat(R.mirror_rotvec(rotvec)), R.mirror_rotmat(rotmat))


@pytest.mark.parametrize("angle", [0.0, 1e-6, 0.3, 3.0, np.pi])
def test_geodesic_angle_is_the_angle_between(angle):
    base = random_rotmats(1, seed=5)
    axis = torch.nn.functional.normalize(torch.tensor([[1.0, -2.0, 0.5]], dtype=torch.float64), dim=-1)
    turned = base @ R.rotvec_to_rotmat(angle * axis)
    assert float(R.geodesic_angle(base, turned)) == pytest.approx(angle, abs=1e-7)
