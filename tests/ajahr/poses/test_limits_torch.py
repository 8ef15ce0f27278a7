"""The torch limits are the numpy ones, with gradients that stay finite."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from ajahr.poses import limits, limits_torch


def poses(*shape: int, sd: float = 1.2, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, sd, (*shape, 23, 3))


@pytest.mark.parametrize("sd", [0.3, 1.0, 3.0])
def test_twin_of_the_numpy_limits(sd):
    x = poses(500, sd=sd)
    np.testing.assert_allclose(
        limits_torch.violation(torch.from_numpy(x)).numpy(), limits.violation(x), atol=1e-9
    )


@pytest.mark.parametrize("shape", [(), (1,), (2, 3), (0,)])
def test_batch_shapes(shape):
    x = torch.from_numpy(poses(*shape))
    assert limits_torch.violation_squared(x).shape == (*shape, 23)
    torch.testing.assert_close(limits_torch.penalty(x), limits_torch.violation(x).square().sum(-1))


def test_gradient_by_differences():
    x = torch.from_numpy(poses(2, sd=0.8)).requires_grad_()
    assert torch.autograd.gradcheck(limits_torch.penalty, (x,))


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("angle", [0.0, 1e-9, math.pi / 2, math.pi - 1e-7, math.pi, 2 * math.pi, 50.0])
def test_gradients_are_finite_where_formulas_are_singular(axis, angle):
    for dtype in (torch.float32, torch.float64):
        x = torch.zeros(23, 3, dtype=dtype)
        x[:, axis] = angle
        x.requires_grad_()
        limits_torch.penalty(x).backward()
        limits_torch.violation(x).sum().backward()
        assert torch.isfinite(x.grad).all()


def test_descent_brings_a_pose_inside():
    x = torch.from_numpy(poses(8, sd=0.7)).requires_grad_()
    optimiser = torch.optim.Adam([x], lr=0.03)
    before = limits_torch.penalty(x).sum().item()
    for _ in range(150):
        optimiser.zero_grad()
        limits_torch.penalty(x).sum().backward()
        optimiser.step()
    assert limits_torch.penalty(x).sum().item() < 0.01 * before


def test_weights_leave_joints_out():
    x = torch.from_numpy(poses(4))
    weight = torch.zeros(23, dtype=torch.float64)
    weight[3] = 2.0
    expected = 2 * limits_torch.violation_squared(x)[:, 3]
    torch.testing.assert_close(limits_torch.penalty(x, weight), expected)
