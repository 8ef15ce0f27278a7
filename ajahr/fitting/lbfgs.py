"""L-BFGS with a strong Wolfe line search over a batch of independent problems.

Each problem has its own curvature pairs, its own step and its own end; a batch gives what its rows give alone.
Torch's optimiser takes one problem, and a sum of problems under one step length is not the same thing.

The line search keeps a bracket whose lower end descends and whose upper end has gone too far (no sufficient
decrease, or uphill again); it holds a point of the strong Wolfe conditions, found by interpolation (Nocedal and
Wright 2006, Sec. 3.5 and 7.2).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

Objective = Callable[
    [Float[Tensor, "problems n"], Int[Tensor, " problems"]],
    tuple[Float[Tensor, " problems"], Float[Tensor, "problems n"]],
]
"""Values and gradients at points of the problems with these numbers."""
_DECREASE, _CURVATURE = 1e-4, 0.9
_TRIALS = 20


class Minimum(NamedTuple):
    point: Float[Tensor, "problems n"]
    value: Float[Tensor, " problems"]
    iterations: Int[Tensor, " problems"]


def of_energy(
    energy: Callable[[Float[Tensor, "problems n"], Int[Tensor, " problems"]], Float[Tensor, " problems"]],
) -> Objective:
    """An `Objective` of energies that torch can differentiate."""

    def objective(point: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            point = point.detach().requires_grad_()
            value = energy(point, index)
            (gradient,) = torch.autograd.grad(value.sum(), point)
        return value.detach(), gradient

    return objective


@torch.no_grad()
def minimise(
    objective: Objective,
    start: Float[Tensor, "problems n"],
    *,
    iterations: int = 100,
    history: int = 10,
    gradient_tolerance: float = 1e-9,
    change_tolerance: float = 1e-12,
) -> Minimum:
    """Lower every problem's value; none ever rises.

    Args:
        objective: values that are not finite count as too high, so a barrier may be infinite.
        start: a finite value is needed here; a problem without one stays where it is.
        iterations: at most, per problem.
        history: curvature pairs kept.
        gradient_tolerance: largest gradient entry at which a problem has ended.
        change_tolerance: relative fall of the value in one iteration at which it has ended.
    """
    count, n = start.shape
    point = start.clone()
    everyone = torch.arange(count)
    value, gradient = objective(point, everyone)
    steps, bends = (start.new_zeros(history, count, n) for _ in range(2))  # the newest last
    curvature = start.new_zeros(history, count)  # 1 / (step . bend); 0: no such pair
    scale = start.new_ones(count)
    taken = torch.zeros(count, dtype=torch.long)
    active = everyone[torch.isfinite(value) & torch.isfinite(gradient).all(1)]
    active = active[gradient[active].abs().amax(1) > gradient_tolerance]
    for _ in range(iterations):
        if not len(active):
            break
        direction = -_two_loops(
            gradient[active], steps[:, active], bends[:, active], curvature[:, active], scale[active]
        )
        slope = (direction * gradient[active]).sum(1)
        fresh = curvature[:, active].abs().sum(0) == 0
        uphill = ~(slope < 0)
        if uphill.any():  # curvature that misleads is forgotten
            curvature[:, active[uphill]] = 0
            direction = torch.where(uphill[:, None], -gradient[active], direction)
            slope = (direction * gradient[active]).sum(1)
            fresh = fresh | uphill
        first = torch.where(fresh, (1 / gradient[active].abs().sum(1)).clamp(max=1.0), 1.0)
        length, new_value, new_gradient = _search(
            objective, point[active], value[active], gradient[active], direction, slope, first, active
        )
        moved = length > 0
        step = length[:, None] * direction
        bend = new_gradient - gradient[active]
        product = (step * bend).sum(1)
        good = moved & (product > 1e-10 * bend.square().sum(1).clamp(min=1e-300))
        rows = active[good]
        for memory, new in ((steps, step), (bends, bend)):
            memory[:-1, rows] = memory[1:, rows].clone()
            memory[-1, rows] = new[good]
        curvature[:-1, rows] = curvature[1:, rows].clone()
        curvature[-1, rows] = 1 / product[good]
        scale[rows] = product[good] / bend[good].square().sum(1)
        fall = value[active] - new_value
        point[active] += torch.where(moved[:, None], step, 0.0)
        value[active], gradient[active] = new_value, new_gradient
        taken[active] += 1
        flat = new_gradient.abs().amax(1) <= gradient_tolerance
        still = fall <= change_tolerance * (1 + new_value.abs())
        # one that found no step tries the plain gradient once before it ends
        again = ~moved & ~fresh
        curvature[:, active[again]] = 0
        active = active[again | (moved & ~flat & ~still)]
    return Minimum(point, value, taken)


def _two_loops(gradient: Tensor, steps: Tensor, bends: Tensor, curvature: Tensor, scale: Tensor) -> Tensor:
    """The inverse Hessian's estimate times the gradient."""
    q = gradient
    alphas = []
    for s, y, rho in zip(reversed(steps), reversed(bends), reversed(curvature), strict=True):
        alpha = rho * (s * q).sum(1)
        alphas.append(alpha)
        q = q - alpha[:, None] * y
    known = curvature.abs().sum(0) > 0
    q = q * torch.where(known, scale, 1.0)[:, None]
    for s, y, rho, alpha in zip(steps, bends, curvature, reversed(alphas), strict=True):
        q = q + (alpha - rho * (y * q).sum(1))[:, None] * s
    return q


def _search(
    objective: Objective,
    point: Tensor,
    value: Tensor,
    gradient: Tensor,
    direction: Tensor,
    slope: Tensor,
    first: Tensor,
    index: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Step lengths, and values and gradients there; length 0 where no lower point was found."""
    low, high = torch.zeros_like(value), torch.full_like(value, torch.inf)
    low_value, low_slope, high_value = value.clone(), slope.clone(), torch.full_like(value, torch.inf)
    length, found = first.clone(), torch.zeros_like(value)
    best_value, best_gradient = value.clone(), gradient.clone()
    busy = torch.arange(len(value))
    for _ in range(_TRIALS):
        at, way = length[busy], direction[busy]
        new_value, new_gradient = objective(point[busy] + at[:, None] * way, index[busy])
        finite = torch.isfinite(new_value) & torch.isfinite(new_gradient).all(1)
        new_value = torch.where(finite, new_value, torch.inf)
        new_slope = torch.where(finite, (new_gradient * way).sum(1), torch.inf)
        decreases = new_value <= value[busy] + _DECREASE * at * slope[busy]
        better = decreases & (new_value <= best_value[busy])
        rows = busy[better]
        found[rows], best_value[rows], best_gradient[rows] = (
            at[better],
            new_value[better],
            new_gradient[better],
        )
        done = decreases & (new_slope.abs() <= -_CURVATURE * slope[busy])
        too_far = ~decreases | (new_slope > 0)
        far, near = busy[too_far], busy[~too_far]
        high[far], high_value[far] = at[too_far], new_value[too_far]
        low[near], low_value[near], low_slope[near] = at[~too_far], new_value[~too_far], new_slope[~too_far]
        busy = busy[~done]
        if not len(busy):
            break
        width = high[busy] - low[busy]
        # the parabola through the lower end, with its slope, and the upper end
        excess = high_value[busy] - low_value[busy] - low_slope[busy] * width
        share = -low_slope[busy] * width / (2 * excess)
        share = torch.where(torch.isfinite(share), share, 0.5).clamp(0.1, 0.9)
        inside = low[busy] + share * width
        length[busy] = torch.where(torch.isinf(high[busy]), 2.5 * length[busy], inside)
        gone = width <= 1e-16 * (1 + low[busy])
        busy = busy[~gone]
        if not len(busy):
            break
    return found, best_value, best_gradient
