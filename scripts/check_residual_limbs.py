"""Cuts 8 limbs at 20 lengths in 10 poses and counts what is closed; times the cut and RAFO.

python scripts/check_residual_limbs.py [--body FILE] [--lengths 20] [--poses 10]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from ajahr.body.data import load_body
from ajahr.geometry.cameras import Camera
from ajahr.geometry.rotations_np import rotvec_to_rotmat
from ajahr.poses.sampler import FAMILIES, sample_pose
from ajahr.residual_limb.rafo import Problem, fit_residuals, minimise_lbfgs, solve
from ajahr.residual_limb.segments import SEGMENTS
from ajahr.residual_limb.skin import SkinnedMesh, topology
from ajahr.residual_limb.surface import cut_limb


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--body", type=Path)
    parser.add_argument("--lengths", type=int, default=20)
    parser.add_argument("--poses", type=int, default=10)
    args = parser.parse_args()
    mesh = SkinnedMesh.of_body(load_body(args.body))
    rng = np.random.default_rng(0)
    poses = np.tile(np.eye(3), (args.poses, 24, 1, 1))
    for k, pose in enumerate(poses):
        pose[1:] = rotvec_to_rotmat(sample_pose(rng, FAMILIES[k % len(FAMILIES)]).body_pose)
    times, closed, posed_well, total, rising, flags = [], 0, 0, 0, 0, {}
    for segment in SEGMENTS:
        cut_limb(mesh, segment, 0.5)
        last = np.inf
        for fraction in np.linspace(0, 1, args.lengths):
            start = time.perf_counter()
            cut = cut_limb(mesh, segment, float(fraction))
            times.append(time.perf_counter() - start)
            found = cut.mesh.topology
            closed += found.closed and found.euler_number == mesh.topology.euler_number and found.volume > 0
            rising += found.volume > last
            last = found.volume
            for flag in cut.ends[0].flags:
                flags[flag] = flags.get(flag, 0) + 1
            for pose in poses:
                total += 1
                posed_well += topology(cut.mesh.pose(pose), cut.mesh.faces).volume > 0
    count = len(times)
    print(
        f"closed, Euler number kept, positive volume: {closed} of {count} cuts; posed {posed_well} of {total}"
    )
    print(f"volume rises with lambda: {rising} of {count - len(SEGMENTS)}; flags: {flags}")
    print(f"a cut: median {1000 * np.median(times):.1f} ms, largest {1000 * max(times):.1f} ms")

    camera = Camera.centred(1000, 1000, 1200.0)
    people = 64
    joints = np.empty((people, 24, 3))
    for k in range(people):
        rotmats = poses[k % len(poses)].copy()
        rotmats[0] = np.diag([1.0, -1, -1]) @ rotvec_to_rotmat(np.array([0, rng.uniform(-3, 3), 0]))
        joints[k] = mesh.pose_joints(rotmats)[1] + (0, -0.2, 3)
    anchor = joints[:, [s.anchor for s in SEGMENTS]]
    upstream = joints[:, [s.upstream for s in SEGMENTS]]
    truth = rng.uniform(0.1, 0.9, (people, 8))
    points = np.zeros((people, 8, 3))
    points[..., :2] = camera.project(anchor + truth[..., None] * (upstream - anchor))
    points[..., :2] += rng.normal(0, 2, (people, 8, 2))
    points[:, [0, 3, 4, 7], 2] = 1
    start = time.perf_counter()
    found = fit_residuals(joints, points, camera)
    batched = (time.perf_counter() - start) / (4 * people)
    start = time.perf_counter()
    for k in range(people):
        fit_residuals(joints[k : k + 1], points[k : k + 1], camera)
    singly = (time.perf_counter() - start) / people
    problem = Problem.build(anchor[:16, 0], upstream[:16, 0], points[:16, 0, :2], camera)
    start = time.perf_counter()
    slow = minimise_lbfgs(problem)[1]
    lbfgs = (time.perf_counter() - start) / 16
    error = np.abs(found.fraction - truth)[found.accepted]
    print(
        f"RAFO, 2 px: {found.accepted.sum()} of {4 * people} accepted, median |lambda error| {np.median(error):.4f}"
    )
    print(
        f"a limb: batched {1000 * batched:.3f} ms, a person of four alone {1000 * singly:.2f} ms, "
        f"L-BFGS {1000 * lbfgs:.1f} ms; largest difference in lambda {np.abs(slow - solve(problem)[1]).max():.1e}"
    )


if __name__ == "__main__":
    main()
