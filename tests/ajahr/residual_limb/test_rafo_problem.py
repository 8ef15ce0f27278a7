"""RAFO's objective: its Jacobian, and the paper's optimiser as twin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from rafo_people import CAMERA, people

from ajahr.residual_limb.rafo_problem import Problem, minimise_lbfgs, solve
from ajahr.residual_limb.segments import SEGMENTS
from ajahr.residual_limb.skin import SkinnedMesh


def test_the_papers_optimiser_agrees(mesh: SkinnedMesh) -> None:
    joints, points, _ = people(mesh, 6, 4, seed=3)
    rows = np.nonzero(points[..., 2])
    anchor, upstream = (joints[:, [getattr(s, n) for s in SEGMENTS]][rows] for n in ("anchor", "upstream"))
    problem = Problem.build(anchor[:8], upstream[:8], points[rows][:8, :2], CAMERA)
    ours, theirs = solve(problem), minimise_lbfgs(problem)
    assert np.abs(ours[1] - theirs[1]).max() < 1e-3
    assert np.linalg.norm(ours[0] - theirs[0], axis=1).max() < 1e-3


def test_gradient_and_a_stiff_anchor(mesh: SkinnedMesh) -> None:
    joints, points, _ = people(mesh, 4, 5, seed=4)
    rows = np.nonzero(points[..., 2])
    anchor, upstream = (joints[:, [getattr(s, n) for s in SEGMENTS]][rows] for n in ("anchor", "upstream"))
    for camera in (CAMERA, CAMERA.weak(3.0)):
        problem = Problem.build(anchor, upstream, points[rows][:, :2], camera)
        q = problem.start + 0.1
        _, jacobian = problem.residuals(q)
        for k in range(4):
            step = np.zeros(4)
            step[k] = 1e-6
            slope = (problem.residuals(q + step)[0] - problem.residuals(q - step)[0]) / 2e-6
            assert np.allclose(slope, jacobian[..., k], rtol=1e-5, atol=1e-4)
    # a stiff anchor stays where it was
    stiff = replace(
        Problem.build(anchor, upstream, points[rows][:, :2], CAMERA), alpha=np.full(len(anchor), 1e12)
    )
    assert np.abs(solve(stiff)[0] - anchor).max() < 1e-4
