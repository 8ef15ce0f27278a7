"""Levenberg-Marquardt: goes down, finds what was hidden, keeps problems apart."""

from __future__ import annotations

import torch

from ajahr.fitting.energy import POSE, ROOT, State, Weights
from ajahr.fitting.solver import minimise

WEIGHTS = Weights()


def nudged(state: State, seed: int, size: float) -> State:
    generator = torch.Generator().manual_seed(seed)
    step = size * torch.randn(len(state.root), 85, generator=generator, dtype=torch.float64)
    return state.stepped(step)


def test_energies_fall_and_are_the_states_own(make_energy, problem):
    energy = make_energy()
    state, targets = problem(5, 17)
    before = energy(state, targets, WEIGHTS)
    after, value = minimise(energy, state, targets, WEIGHTS, iterations=15)
    assert (value < before).all()
    torch.testing.assert_close(energy(after, targets, WEIGHTS), value)


def test_finds_exact_keypoints_from_nearby(make_energy, problem):
    energy = make_energy()
    state, targets = problem(4, 17)
    state = state._replace(pose=0.3 * state.pose)
    targets.weights[:] = 1
    targets = targets._replace(points=energy.project(state, targets))
    faint = Weights(pose=1e-4, shape=1e-4, upright=100.0, held=100.0, limits=100.0)
    found, _ = minimise(energy, nudged(state, 1, 0.1), targets, faint, iterations=60)
    error = (energy.project(found, targets) - targets.points).norm(dim=-1)
    assert error.max() < 0.01 * targets.size.min()


def test_stops_at_a_minimum(make_energy, problem):
    energy = make_energy()
    state, targets = problem(3, 17)
    state = state._replace(pose=0.5 * state.pose)
    targets = targets._replace(points=energy.project(nudged(state, 2, 0.2), targets))
    found, value = minimise(energy, state, targets, WEIGHTS, iterations=100, tolerance=1e-9)
    _, lower = minimise(energy, found, targets, WEIGHTS, iterations=20, tolerance=1e-9)
    assert (value - lower < 1e-3 * value).all()


def test_problems_do_not_see_each_other(make_energy, problem):
    energy = make_energy()
    state, targets = problem(4, 17)
    together, value = minimise(energy, state, targets, WEIGHTS, iterations=10)
    for i in range(4):
        one = torch.tensor([i])
        alone, own = minimise(energy, state.take(one), targets.take(one), WEIGHTS, iterations=10)
        torch.testing.assert_close(own, value[one], rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(alone.pose, together.pose[one], rtol=0, atol=1e-4)


def test_only_free_parameters_move(make_energy, problem):
    energy = make_energy()
    state, targets = problem(2, 17)
    found, _ = minimise(energy, state, targets, WEIGHTS, free=[ROOT, slice(82, 85)], iterations=5)
    assert torch.equal(found.pose, state.pose) and torch.equal(found.betas, state.betas)
    assert not torch.equal(found.root, state.root) and not torch.equal(found.place, state.place)
    found, _ = minimise(energy, state, targets, WEIGHTS, free=[POSE], iterations=5)
    assert torch.equal(found.root, state.root) and not torch.equal(found.pose, state.pose)


def test_the_given_state_is_not_written_to(make_energy, problem):
    energy = make_energy()
    state, targets = problem(2, 17)
    copy = State(*(x.clone() for x in state))
    minimise(energy, state, targets, WEIGHTS, iterations=3)
    assert all(torch.equal(a, b) for a, b in zip(state, copy, strict=True))


def test_no_problem_at_all(make_energy, problem):
    state, targets = problem(2, 17)
    none = torch.zeros(0, dtype=torch.long)
    found, value = minimise(make_energy(), state.take(none), targets.take(none), WEIGHTS)
    assert value.shape == (0,) and found.pose.shape == (0, 23, 3)
