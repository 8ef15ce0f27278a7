"""RAFO's objective for a batch of limbs, and its two solvers (see `ajahr.residual_limb.rafo`).

`solve` is damped Gauss-Newton with four unknowns a limb; `minimise_lbfgs`, the paper's L-BFGS with strong Wolfe,
agrees with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int

from ajahr.geometry.cameras import Camera

Solver = Literal["gauss_newton", "lbfgs"]

_LOW, _HIGH = 0.02, 0.98
_SCAN = np.linspace(_LOW, _HIGH, 97)
_TAU_PX, _ALPHA, _MU, _NU = 15.0, 0.3, 1.0, 0.05
_ANCHOR_UNIT = 0.1  # metres a parameter of the anchor stands for


@dataclass(frozen=True, eq=False)
class Problem:
    """Limbs to fit, with the scan and the weights that follow from it."""

    anchor: Float64[np.ndarray, "limbs 3"]
    upstream: Float64[np.ndarray, "limbs 3"]
    point: Float64[np.ndarray, "limbs 2"]
    length: Float64[np.ndarray, " limbs"]
    scan: Float64[np.ndarray, " limbs"]
    first_error: Float64[np.ndarray, " limbs"]
    """px, at the scan's best lambda."""
    alpha: Float64[np.ndarray, " limbs"]
    mu: Float64[np.ndarray, " limbs"]
    nu: Float64[np.ndarray, " limbs"]
    focal: Float64[np.ndarray, " limbs"]
    centre: Float64[np.ndarray, "limbs 2"]
    weak_depth: Float64[np.ndarray, " limbs"]
    """NaN where the camera sees in perspective."""

    @classmethod
    def build(
        cls,
        anchor: Float64[np.ndarray, "limbs 3"],
        upstream: Float64[np.ndarray, "limbs 3"],
        point: Float64[np.ndarray, "limbs 2"],
        camera: Camera | Sequence[Camera],
    ) -> Problem:
        """Scan and weights. The camera is one for all limbs, or one each."""
        cameras = [camera] if isinstance(camera, Camera) else list(camera)
        rows = np.array(
            [
                (c.focal_length, *c.principal_point, np.nan if c.weak_depth is None else c.weak_depth)
                for c in cameras
            ],
            np.float64,
        ).reshape(-1, 4)
        focal, *centre, weak = np.broadcast_to(rows, (len(anchor), 4)).T
        centre = np.stack(centre, 1)
        places = anchor[:, None] + _SCAN[:, None] * (upstream - anchor)[:, None]
        depths = np.where(np.isnan(weak)[:, None], places[..., 2], weak[:, None])
        pixels = places[..., :2] * (focal[:, None] / depths)[..., None] + centre[:, None]
        errors = np.sqrt(np.square(pixels - point[:, None]).sum(-1))
        best = errors.argmin(1)
        first = errors[np.arange(len(best)), best]
        depth = np.where(np.isnan(weak), anchor[:, 2], weak)
        square = (focal / depth) ** 2
        trust = np.clip(1 / (1 + (first / _TAU_PX) ** 2), 0.1, 1)
        length = np.linalg.norm(upstream - anchor, axis=1)
        return cls(
            anchor, upstream, point, length, _SCAN[best], first, _ALPHA * trust * square, _MU * trust * square,
            _NU * square * length**2, focal, centre, weak,
        )  # fmt: skip

    def with_prior(
        self, mean: Float64[np.ndarray, " limbs"], weight: Float64[np.ndarray, " limbs"]
    ) -> Problem:
        """With one more term, weight (lambda - mean)²: the scan's and this one are one parabola."""
        total = self.nu + weight
        return replace(self, scan=(self.nu * self.scan + weight * mean) / total, nu=total)

    def project(self, places: Float64[np.ndarray, "limbs 3"]) -> Float64[np.ndarray, "limbs 2"]:
        """Pixels of one point of each limb (m, camera frame)."""
        depth = np.where(np.isnan(self.weak_depth), places[:, 2], self.weak_depth)
        return places[:, :2] * (self.focal / depth)[:, None] + self.centre

    def residuals(
        self, q: Float64[np.ndarray, "limbs 4"], rows: Int[np.ndarray, " limbs"] | slice = slice(None)
    ) -> tuple[Float64[np.ndarray, "limbs 7"], Float64[np.ndarray, "limbs 7 4"]]:
        """Residuals, whose squares' sum is the objective, and their Jacobian in (anchor / 0.1 m, logit)."""
        upstream, start = self.upstream[rows], self.anchor[rows]
        focal, weak = self.focal[rows], self.weak_depth[rows]
        share = 1 / (1 + np.exp(-q[:, 3]))
        fraction, slope = _LOW + (_HIGH - _LOW) * share, (_HIGH - _LOW) * share * (1 - share)
        step = _ANCHOR_UNIT * q[:, :3]
        anchor = start + step
        bone = upstream - anchor
        place = anchor + fraction[:, None] * bone
        by_place = np.zeros((len(q), 2, 3))
        deep = np.isnan(weak)
        depth = np.where(deep, place[:, 2], weak)
        scale = focal / depth
        by_place[:, 0, 0] = by_place[:, 1, 1] = scale
        by_place[:, :, 2] = -place[:, :2] * np.where(deep, scale / depth, 0)[:, None]
        length = np.linalg.norm(bone, axis=1)
        a, m, n = (np.sqrt(w[rows]) for w in (self.alpha, self.mu, self.nu))
        r, jacobian = np.empty((len(q), 7)), np.zeros((len(q), 7, 4))
        r[:, :2] = place[:, :2] * scale[:, None] + self.centre[rows] - self.point[rows]
        jacobian[:, :2, :3] = by_place * (_ANCHOR_UNIT * (1 - fraction))[:, None, None]
        jacobian[:, :2, 3] = np.einsum("nij,nj->ni", by_place, bone) * slope[:, None]
        r[:, 2:5] = a[:, None] * step
        jacobian[:, 2:5, :3] = np.eye(3) * (a * _ANCHOR_UNIT)[:, None, None]
        r[:, 5] = m * (length - self.length[rows])
        jacobian[:, 5, :3] = bone * (-m * _ANCHOR_UNIT / np.maximum(length, 1e-9))[:, None]
        r[:, 6] = n * (fraction - self.scan[rows])
        jacobian[:, 6, 3] = n * slope
        return r, jacobian

    @property
    def start(self) -> Float64[np.ndarray, "limbs 4"]:
        """The anchor where it was, lambda from the scan."""
        share = np.clip((self.scan - _LOW) / (_HIGH - _LOW), 0.01, 0.99)
        return np.concatenate([np.zeros((len(share), 3)), np.log(share / (1 - share))[:, None]], 1)

    def unpack(
        self, q: Float64[np.ndarray, "limbs 4"]
    ) -> tuple[Float64[np.ndarray, "limbs 3"], Float64[np.ndarray, " limbs"]]:
        """Anchor (m) and lambda."""
        return self.anchor + _ANCHOR_UNIT * q[:, :3], _LOW + (_HIGH - _LOW) / (1 + np.exp(-q[:, 3]))


def solve(
    problem: Problem, iterations: int = 60
) -> tuple[Float64[np.ndarray, "limbs 3"], Float64[np.ndarray, " limbs"]]:
    """Anchor (m) and lambda of every limb; each has its own damping and its own end."""
    q = problem.start
    damping = np.full(len(q), 1e-3)
    active = np.arange(len(q))
    r, jacobian = problem.residuals(q)
    for _ in range(iterations):
        matrix = np.einsum("nki,nkj->nij", jacobian, jacobian)
        gradient = np.einsum("nki,nk->ni", jacobian, r)
        diagonal = np.einsum("nii->ni", matrix)
        diagonal += damping[active, None] * diagonal + 1e-9
        step = -np.linalg.solve(matrix, gradient[..., None])[..., 0]
        step *= np.minimum(1, 2 / np.maximum(np.abs(step).max(1, keepdims=True), 1e-12))
        trial = q[active] + step
        new_r, new_jacobian = problem.residuals(trial, active)
        before, after = (r**2).sum(1), (new_r**2).sum(1)
        better = after < before
        q[active[better]] = trial[better]
        damping[active] = np.where(better, damping[active] / 5, damping[active] * 8)
        r = np.where(better[:, None], new_r, r)
        jacobian = np.where(better[:, None, None], new_jacobian, jacobian)
        settled = (better & (before - after < 1e-10 * (1 + before))) | (~better & (damping[active] > 1e8))
        if settled.all():
            break
        going = ~settled
        active, r, jacobian = active[going], r[going], jacobian[going]
    return problem.unpack(q)


def minimise_lbfgs(
    problem: Problem, max_iterations: int = 100
) -> tuple[Float64[np.ndarray, "limbs 3"], Float64[np.ndarray, " limbs"]]:
    """As `solve`, by the paper's L-BFGS with strong Wolfe, all limbs in one batch. Needs torch."""
    import torch

    from ajahr.fitting.lbfgs import minimise

    def objective(q: torch.Tensor, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        # far along a line search places may come before the camera: such values are refused
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            r, jacobian = problem.residuals(q.numpy(), index.numpy())
            return torch.from_numpy((r**2).sum(1)), torch.from_numpy(2 * np.einsum("nki,nk->ni", jacobian, r))

    found = minimise(objective, torch.from_numpy(problem.start), iterations=max_iterations)
    return problem.unpack(found.point.numpy())


SOLVERS: dict[Solver, Callable[[Problem], tuple[np.ndarray, np.ndarray]]] = {
    "gauss_newton": solve,
    "lbfgs": minimise_lbfgs,
}
