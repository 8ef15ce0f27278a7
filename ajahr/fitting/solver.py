"""Levenberg-Marquardt over a batch of independent problems, each with its own damping and its own end."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ajahr.fitting.energy import Energy, State, Targets, Weights

_MAX_DAMPING = 1e6


def minimise(
    energy: Energy,
    state: State,
    targets: Targets,
    weights: Weights,
    *,
    free: Sequence[slice] | None = None,
    iterations: int = 30,
    tolerance: float = 1e-5,
) -> tuple[State, Float[Tensor, " batch"]]:
    """Lower each problem's energy; a step that does not lower it is not taken.

    Problems do not see each other: one ends when its energy falls by less than ``tolerance`` (or no step
    lowers it any more) and costs nothing from then on.

    Args:
        free: ranges of parameters that may move; all by default.
    """
    batch = len(state.root)
    n = 3 + state.pose.flatten(1).shape[1] + state.betas.shape[1] + 3
    chosen = torch.arange(n) if free is None else torch.cat([torch.arange(n)[s] for s in free])
    best = energy(state, targets, weights)
    damping = best.new_full((batch,), 1e-2)
    active = torch.arange(batch)
    for _ in range(iterations):
        if not len(active):
            break
        here, aim, factor = state.take(active), targets.take(active), damping[active]
        value, gradient, matrix = energy.normal(here, aim, weights)
        gradient, matrix = gradient[:, chosen], matrix[:, chosen][:, :, chosen]
        diagonal = torch.diagonal(matrix, dim1=1, dim2=2)
        diagonal += factor[:, None] * diagonal.clamp(min=1e-3) + 1e-9
        step = gradient.new_zeros(len(active), n)
        cholesky, failed = torch.linalg.cholesky_ex(matrix)
        solution = torch.cholesky_solve(-gradient[..., None], cholesky)[..., 0]
        # no joint turns by more than about a radian at once: the linearisation is worth nothing beyond
        solution = solution * (1.0 / solution.abs().amax(-1, keepdim=True).clamp(min=1.0))
        step[:, chosen] = solution
        there = here.stepped(step)
        trial = energy(there, aim, weights)
        better = (trial < value) & (failed == 0)
        state = state.put(active[better], there.take(better.nonzero()[:, 0]))
        best = best.index_copy(0, active[better], trial[better])
        damping = damping.index_copy(0, active, torch.where(better, factor / 3, factor * 5))
        settled = better & (value - trial < tolerance) & (factor < 1)
        stuck = ~better & (factor > _MAX_DAMPING)
        active = active[~(settled | stuck)]
    return state, best
