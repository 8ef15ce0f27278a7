"""Batched L-BFGS: minima of known functions, rows alone, torch's own optimiser as twin."""

from __future__ import annotations

import pytest
import torch

from ajahr.fitting.lbfgs import minimise, of_energy


def quadratics(count: int, n: int, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(count, n, n, generator=generator, dtype=torch.float64)
    matrix = mixing @ mixing.mT + torch.diag(torch.logspace(-2, 2, n, dtype=torch.float64))
    place = torch.randn(count, n, generator=generator, dtype=torch.float64)

    def energy(x, index):
        off = x - place[index]
        return 0.5 * (off * (matrix[index] @ off[..., None])[..., 0]).sum(1)

    return energy, place


def rosenbrock(x, index):
    a, b = x[:, :-1], x[:, 1:]
    return (100 * (b - a**2) ** 2 + (1 - a) ** 2).sum(1) * (1 + index)


def test_finds_the_minima_of_quadratics():
    energy, place = quadratics(7, 12)
    found = minimise(of_energy(energy), torch.zeros(7, 12, dtype=torch.float64), iterations=200)
    torch.testing.assert_close(found.point, place, atol=1e-5, rtol=0)


def test_rosenbrock_as_torch_does_it_one_by_one():
    generator = torch.Generator().manual_seed(1)
    start = torch.randn(5, 6, generator=generator, dtype=torch.float64)
    found = minimise(of_energy(rosenbrock), start, iterations=200)
    for k in range(5):
        x = start[k : k + 1].clone().requires_grad_()
        optimiser = torch.optim.LBFGS(
            [x], max_iter=200, history_size=10, tolerance_grad=1e-9, tolerance_change=1e-12,
            line_search_fn="strong_wolfe",
        )  # fmt: skip

        def closure(x=x, k=k, optimiser=optimiser):
            optimiser.zero_grad()
            value = rosenbrock(x, torch.tensor([k])).sum()
            value.backward()
            return value

        optimiser.step(closure)
        theirs = rosenbrock(x.detach(), torch.tensor([k]))
        assert found.value[k] < theirs + 1e-6


def test_a_batch_is_its_rows():
    energy, _ = quadratics(4, 9, seed=2)
    start = torch.ones(4, 9, dtype=torch.float64)
    whole = minimise(of_energy(energy), start, iterations=25)
    for k in range(4):
        alone = minimise(of_energy(lambda x, i, k=k: energy(x, i + k)), start[k : k + 1], iterations=25)
        torch.testing.assert_close(alone.point[0], whole.point[k], atol=1e-9, rtol=0)


@pytest.mark.parametrize("iterations", [1, 3, 10])
def test_no_value_rises(iterations):
    start = 3 * torch.randn(20, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    before = rosenbrock(start, torch.arange(20))
    found = minimise(of_energy(rosenbrock), start, iterations=iterations)
    assert (found.value <= before).all()
    torch.testing.assert_close(found.value, rosenbrock(found.point, torch.arange(20)))


def test_a_barrier_is_not_crossed_and_a_hopeless_problem_stays():
    def energy(x, index):
        inside = x[:, 0] > 0
        log = torch.log(torch.where(inside, x[:, 0], 1.0))
        return torch.where(inside, x[:, 0] - log, torch.inf) + x[:, 1] ** 2

    start = torch.tensor([[4.0, 2.0], [-1.0, 5.0], [1.0, 0.0]], dtype=torch.float64)
    found = minimise(of_energy(energy), start)
    torch.testing.assert_close(
        found.point[0], torch.tensor([1.0, 0.0], dtype=torch.float64), atol=1e-5, rtol=0
    )
    assert (found.point[1] == start[1]).all() and (found.point[2] == start[2]).all()
