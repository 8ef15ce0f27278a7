"""RAFO on rendered truth: how exact, what it refuses, how fast. One core; run by hand.

    OMP_NUM_THREADS=1 taskset -c 1 python scripts/bench_rafo.py

People of the pose sampler, seen from all sides; lambda 0.1 to 0.9 on all eight bones, 2 px of noise. Errors are
told per length of the bone in the image, because a point's error counts by it. Endpoints off the limb are put to
the side of the bone by more than 0.3 of it. Times: CPU time per limb, one limb a call and all limbs in a call,
by Gauss-Newton, by our batched L-BFGS, and by torch's L-BFGS, in turns.
"""

from __future__ import annotations

import argparse
import time
from itertools import pairwise

import numpy as np
import torch

from ajahr.body.data import load_body
from ajahr.geometry.cameras import Camera
from ajahr.geometry.rotations_np import rotvec_to_rotmat
from ajahr.poses.sampler import FAMILIES, sample_pose
from ajahr.residual_limb.rafo import fit_residuals
from ajahr.residual_limb.rafo_problem import Problem, minimise_lbfgs, solve
from ajahr.residual_limb.segments import SEGMENTS
from ajahr.residual_limb.skin import SkinnedMesh

CAMERA = Camera.centred(1000, 1000, 1200.0)
BINS = (20, 50, 100, 150, 1000)
LIMBS_OF = ((0, 1, 4, 5), (2, 3, 6, 7))  # a limb ends once, so people take turns


def people(count: int, noise: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Joints, points (score 1 on four of the eight bones) and true lambdas."""
    mesh, rng = SkinnedMesh.of_body(load_body()), np.random.default_rng(seed)
    joints = np.empty((count, 24, 3))
    for k in range(count):
        rotmats = np.tile(np.eye(3), (24, 1, 1))
        rotmats[1:] = rotvec_to_rotmat(sample_pose(rng, FAMILIES[k % len(FAMILIES)]).body_pose)
        rotmats[0] = np.diag([1.0, -1, -1]) @ rotvec_to_rotmat(np.array([0, rng.uniform(-3, 3), 0]))
        joints[k] = mesh.pose_joints(rotmats)[1] + (0, -0.2, 3)
    truth = rng.uniform(0.1, 0.9, (count, 8))
    anchor, upstream = bones(joints)
    points = np.zeros((count, 8, 3))
    points[..., :2] = CAMERA.project(anchor + truth[..., None] * (upstream - anchor))
    points[..., :2] += rng.normal(0, noise, (count, 8, 2))
    for k in range(count):
        points[k, LIMBS_OF[k % 2], 2] = 1
    return joints, points, truth


def bones(joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return joints[:, [s.anchor for s in SEGMENTS]], joints[:, [s.upstream for s in SEGMENTS]]


def exactness(count: int) -> None:
    joints, points, truth = people(count, 2.0, 0)
    found = fit_residuals(joints, points, CAMERA)
    a, b = (CAMERA.project(x) for x in bones(joints))
    length = np.linalg.norm(a - b, axis=-1)
    given, error = points[..., 2] > 0, np.abs(found.fraction - truth)
    print(
        f"2 px of noise, {given.sum()} limbs of {count} people, bones of {length[given].mean():.0f} px on average"
    )
    print(
        f"  accepted {found.accepted[given].mean():.1%}; |lambda error| median {np.median(error[found.accepted]):.4f}, "
        f"95 % under {np.quantile(error[found.accepted], 0.95):.4f}"
    )
    for low, high in pairwise(BINS):
        some = found.accepted & (length >= low) & (length < high)
        if some.any():
            print(f"  bone of {low}..{high} px: {some.sum()} limbs, median {np.median(error[some]):.4f}")
    for k, segment in enumerate(SEGMENTS):
        some = found.accepted[:, k]
        print(f"  {segment.words}: median {np.median(error[some, k]):.4f}")
    slow = fit_residuals(joints[:50], points[:50], CAMERA, solver="lbfgs")
    apart = np.nanmax(np.abs(slow.fraction - found.fraction[:50]))
    print(f"  L-BFGS and Gauss-Newton: lambdas {apart:.1e} apart at most")


def refusals(count: int) -> None:
    joints, points, _ = people(count, 2.0, 1)
    a, b = (CAMERA.project(x) for x in bones(joints))
    across = (b - a)[..., ::-1] * (1, -1)
    length = np.linalg.norm(a - b, axis=-1)
    for low in (20, 50):
        clear = (points[..., 2] > 0) & (length >= low)
        for share in (0.35, 0.5, 0.8):
            moved = points.copy()
            moved[..., :2] += share * across
            found = fit_residuals(joints, moved, CAMERA)
            refused = clear & (found.status == "rejected")
            reasons = {str(r): int(((found.reason == r) & refused).sum()) for r in set(found.reason[refused])}
            assert "" not in reasons
            print(
                f"off the limb by {share} of a bone of {low} px or more: "
                f"{refused.sum() / clear.sum():.1%} of {clear.sum()} rejected; {reasons}"
            )


def torch_lbfgs(problem: Problem) -> None:
    for k in range(len(problem.length)):
        row = np.array([k])
        q = torch.tensor(problem.start[row], requires_grad=True)
        optimiser = torch.optim.LBFGS(
            [q], lr=1, max_iter=100, history_size=10, tolerance_grad=1e-9, tolerance_change=1e-12,
            line_search_fn="strong_wolfe",
        )  # fmt: skip

        def closure(q: torch.Tensor = q, row: np.ndarray = row) -> torch.Tensor:
            r, jacobian = problem.residuals(q.detach().numpy(), row)
            q.grad = torch.from_numpy(2 * np.einsum("nki,nk->ni", jacobian, r))
            return torch.tensor((r**2).sum())

        optimiser.step(closure)


def speed(limbs: int) -> None:
    joints, points, _ = people(limbs, 2.0, 2)
    alone = points.copy()
    alone[..., 2] = 0
    alone[:, 0, 2] = 1  # one limb a person
    anchor, upstream = (x[:, 0] for x in bones(joints))
    problem = Problem.build(anchor, upstream, points[:, 0, :2], CAMERA)
    rows = [
        Problem.build(anchor[k : k + 1], upstream[k : k + 1], points[k : k + 1, 0, :2], CAMERA)
        for k in range(limbs)
    ]
    few = slice(0, limbs // 4)
    ways = {
        "whole fit, one limb a call": lambda: [
            fit_residuals(joints[k : k + 1], alone[k : k + 1], CAMERA) for k in range(limbs)
        ],
        "whole fit, all limbs in a call": lambda: fit_residuals(joints, alone, CAMERA),
        "whole fit by L-BFGS, one limb a call": lambda: [
            fit_residuals(joints[k : k + 1], alone[k : k + 1], CAMERA, solver="lbfgs")
            for k in range(limbs // 4)
        ],
        "whole fit by L-BFGS, all in a call": lambda: fit_residuals(joints, alone, CAMERA, solver="lbfgs"),
        "solver only, Gauss-Newton, one a call": lambda: [solve(row) for row in rows],
        "solver only, Gauss-Newton, all": lambda: solve(problem),
        "solver only, our L-BFGS, all": lambda: minimise_lbfgs(problem),
        "solver only, torch's L-BFGS, one a call": lambda: [torch_lbfgs(row) for row in rows[few]],
    }
    counts = {name: limbs // 4 if "L-BFGS, one" in name else limbs for name in ways}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for round_ in range(4):
        for name, way in ways.items():
            wall, cpu = time.perf_counter(), time.process_time()
            way()
            took = (time.process_time() - cpu, time.perf_counter() - wall)
            if round_:  # the first one warms up
                times[name].append(took)
    print(f"{limbs} limbs; ms per limb, least of {len(times['whole fit, one limb a call'])} rounds in turns")
    best = {}
    for name, took in times.items():
        cpu, wall = (1000 * min(t[k] for t in took) / counts[name] for k in (0, 1))
        best[name] = cpu
        print(f"  {name:<42} CPU {cpu:8.3f}   wall {wall:8.3f}")
    for kind in ("whole fit", "whole fit by L-BFGS"):
        single = best[f"{kind}, one limb a call"]
        batched = min(v for k, v in best.items() if k.startswith(f"{kind}, all"))
        print(f"  {kind}: batched is {single / batched:.0f} times as fast per limb")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--people", type=int, default=300)
    parser.add_argument("--limbs", type=int, default=128)
    args = parser.parse_args()
    torch.set_num_threads(1)
    exactness(args.people)
    refusals(args.people)
    speed(args.limbs)


if __name__ == "__main__":
    main()
