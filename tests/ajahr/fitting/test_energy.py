"""Energies: the gradient is the energy's, absent things weigh nothing, the robust term is bounded."""

from __future__ import annotations

import math

import pytest
import torch

from ajahr.anatomy import COCO17, J44, JOINT, LDPOSE25
from ajahr.fitting.energy import UPRIGHT_ROBUST, Weights, pelvis_place
from ajahr.geometry.rotations import rotvec_to_rotmat

WEIGHTS = Weights()


@pytest.mark.parametrize("layout", [COCO17, J44, LDPOSE25], ids=lambda x: x.name)
def test_gradient_is_the_energys(make_energy, problem, layout):
    energy = make_energy(layout)
    state, targets = problem(4, len(layout))
    value, gradient, matrix = energy.normal(state, targets, WEIGHTS)
    torch.testing.assert_close(value, energy(state, targets, WEIGHTS), rtol=0, atol=0)
    step = 1e-6
    for i in range(gradient.shape[1]):
        d = torch.zeros_like(gradient)
        d[:, i] = step
        slope = energy(state.stepped(d), targets, WEIGHTS) - energy(state.stepped(-d), targets, WEIGHTS)
        torch.testing.assert_close(gradient[:, i], slope / (2 * step), rtol=1e-3, atol=2e-3)
    assert torch.linalg.eigvalsh(matrix).min() > -1e-6 * matrix.abs().max()


def test_gauss_newton_matrix_is_the_hessian_where_residuals_vanish(make_energy, problem):
    energy = make_energy()
    state, targets = problem(2, 17)
    targets = targets._replace(points=energy.project(state, targets))
    weights = Weights(pose=0.0, shape=0.0, upright=1e6, limits=1e6, held=1e6)
    value, gradient, matrix = energy.normal(state, targets, weights)
    assert gradient.abs().max() < 1e-6
    step = 1e-5
    for i in (0, 2, 5, 50, 72, 81, 82, 84):
        d = torch.zeros_like(gradient)
        d[:, i] = step
        twice = energy(state.stepped(d), targets, weights) + energy(state.stepped(-d), targets, weights)
        twice = twice - 2 * value
        torch.testing.assert_close(matrix[:, i, i], twice / step**2, rtol=1e-3, atol=1e-2)


def test_a_keypoint_without_weight_does_not_count(make_energy, problem):
    energy = make_energy()
    state, targets = problem(3, 17)
    targets.weights[:, 7] = 0
    spoilt = targets._replace(points=targets.points.clone())
    spoilt.points[:, 7] += 1e5
    for a, b in zip(
        energy.normal(state, targets, WEIGHTS), energy.normal(state, spoilt, WEIGHTS), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_an_outlier_costs_no_more_than_the_robust_bound(make_energy, problem):
    energy = make_energy()
    state, targets = problem(1, 17)
    targets.weights[:] = 1
    exact = targets._replace(points=energy.project(state, targets))
    outlier = exact._replace(points=exact.points.clone())
    outlier.points[:, 3] += 1e5
    cost = energy(state, outlier, WEIGHTS) - energy(state, exact, WEIGHTS)
    assert float(cost) == pytest.approx(0.5 * WEIGHTS.robust**2, rel=1e-3)


def test_behind_the_camera_is_infinite_unless_it_does_not_count(make_energy, problem):
    energy = make_energy()
    state, targets = problem(1, 17)
    targets = targets._replace(weak=torch.tensor([False]))
    state = state._replace(place=torch.tensor([[0.0, 0.0, -3.0]], dtype=torch.float64))
    assert energy(state, targets, WEIGHTS).isinf().all()
    nothing = targets._replace(weights=torch.zeros(1, 17, dtype=torch.float64))
    assert energy(state, nothing, WEIGHTS).isfinite().all()


def test_weak_perspective_sees_everything_at_the_pelvis_depth(make_energy, problem):
    energy = make_energy()
    state, targets = problem(2, 17)  # the first is weak, the second is not
    points = energy.model.pose(*state[:3]).keypoints + pelvis_place(state, targets)[:, None]
    pixels = energy.project(state, targets)
    focal, depth = targets.focal, pelvis_place(state, targets)[:, 2]
    torch.testing.assert_close(pixels[0], points[0, :, :2] * focal[0] / depth[0])
    torch.testing.assert_close(pixels[1], points[1, :, :2] * focal[1] / points[1, :, 2:])


def test_a_residual_end_costs_nothing_anywhere_along_its_bone(make_energy, problem):
    energy = make_energy(LDPOSE25)
    state, targets = problem(2, 25, seed=3)
    end = LDPOSE25.index["left_below_knee_res"]
    targets.weights[:] = 0
    targets.weights[:, end] = 1
    at_joint = energy.model.pose(*state[:3]).joints
    pelvis = pelvis_place(state, targets)[:, None]
    ankle, knee = (at_joint[:, [JOINT[j]]] + pelvis for j in ("left_ankle", "left_knee"))
    nothing = energy(state, targets._replace(weights=torch.zeros_like(targets.weights)), WEIGHTS)
    for share in (0.2, 0.6, 1.0):
        place = torch.lerp(knee, ankle, share)
        depth = torch.where(targets.weak[:, None], pelvis[..., 2], place[..., 2])
        points = targets.points.clone()
        points[:, [end]] = place[..., :2] * (targets.focal[:, None] / depth)[..., None]
        aim = targets._replace(points=points)
        torch.testing.assert_close(energy(state, aim, WEIGHTS), nothing, atol=1e-6, rtol=0)
        torch.testing.assert_close(energy.project(state, aim)[:, end], points[:, end], atol=1e-6, rtol=0)
        beside = aim._replace(points=points + torch.tensor([30.0, 30.0]))
        assert (energy(state, beside, WEIGHTS) > nothing + 1e-3).any()


def test_the_likeliest_component_of_the_prior_counts(make_energy, simple_prior, problem):
    energy = make_energy()
    state, _ = problem(2, 17)
    upright = torch.diag(torch.tensor([1.0, -1.0, -1.0], dtype=torch.float64)).expand(2, 3, 3)
    state = state._replace(pose=simple_prior.means.reshape(2, 23, 3), root=upright)
    faint = Weights(upright=100.0)  # the tilt then costs both components the same
    level = math.log(100.0**2)
    torch.testing.assert_close(
        energy.prior_energy(state.root, state.pose, faint), simple_prior.offsets + level, atol=1e-3, rtol=0
    )
    between = state._replace(pose=state.pose.mean(0, keepdim=True).expand(2, 23, 3))
    off = (between.pose.flatten(1) - simple_prior.means)[:, :, None]
    least = (0.5 * off.mT @ simple_prior.precisions @ off)[:, 0, 0] + simple_prior.offsets
    found = energy.prior_energy(between.root, between.pose, faint)
    torch.testing.assert_close(found, least.min().expand(2) + level, atol=1e-3, rtol=0)


def test_standing_costs_less_than_lying_and_tilt_is_bounded(make_energy, simple_prior):
    energy = make_energy()
    pose = simple_prior.means[:1].reshape(1, 23, 3)
    facing = torch.diag(torch.tensor([1.0, -1.0, -1.0], dtype=torch.float64))

    def cost(axis: tuple[float, float, float]) -> float:
        turn = rotvec_to_rotmat(torch.tensor(axis, dtype=torch.float64))
        return float(energy.prior_energy((turn @ facing)[None], pose, WEIGHTS))

    costs = [cost((angle, 0.0, 0.0)) for angle in (0.0, 0.3, 1.5, 3.1)]
    assert costs == sorted(costs) and costs[0] < costs[1]
    assert costs[-1] - costs[0] < 0.5 * UPRIGHT_ROBUST**2 + 4
    assert cost((0.0, 2.0, 0.0)) == pytest.approx(costs[0])  # any facing costs the same


def test_held_joints_are_drawn_to_the_relaxed_pose(make_energy, relaxed, problem):
    energy = make_energy()
    state, targets = problem(1, 17)
    free = targets._replace(held=torch.zeros(1, 23, dtype=torch.float64))
    knee = JOINT["left_knee"] - 1
    held = free._replace(held=free.held.clone())
    held.held[:, knee] = 1
    off = (state.pose[0, knee] - relaxed[knee]).square().sum() / (2 * WEIGHTS.held**2)
    torch.testing.assert_close(energy(state, held, WEIGHTS) - energy(state, free, WEIGHTS), off[None])
