"""Times SMPLify and how well it finds sampled people again, beside the plain way in the same run.

    python scripts/bench_fitting.py [--people 40] [--plain 3]

The plain way is what SMPLify is usually made of: one upright start that faces the camera, Adam on the same
data term, prior and shape term, and the gradient taken through the whole mesh. One thread.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from ajahr.anatomy import COCO17, SMPL24
from ajahr.body.body import Body
from ajahr.body.data import load_body
from ajahr.fitting.keypoint_model import KeypointModel
from ajahr.fitting.pose_prior import relaxed_pose
from ajahr.fitting.smplify import Smplify, keypoint_sigmas
from ajahr.geometry.cameras import Camera
from ajahr.geometry.procrustes import procrustes_align
from ajahr.geometry.rotations import rotvec_to_rotmat
from ajahr.poses.prior import PosePrior
from ajahr.poses.sampler import FAMILIES, sample_pose

CAMERA = Camera.centred(800, 800, 1200.0)
SIZE_PX = 500.0
DEPTH = CAMERA.focal_length * 1.7 / SIZE_PX


def people(count: int, noise_px: float) -> tuple[np.ndarray, torch.Tensor]:
    """COCO keypoints (people, 17, 3) of sampled people turned anyhow, and their joints (people, 24, 3)."""
    rng = np.random.default_rng(5)
    sampled = [sample_pose(rng, FAMILIES[i % len(FAMILIES)]) for i in range(count)]
    pose = torch.from_numpy(np.stack([s.body_pose for s in sampled])).double()
    up, facing = (
        torch.zeros(count, 3, dtype=torch.float64),
        torch.tensor([torch.pi, 0, 0], dtype=torch.float64),
    )
    up[:, 1] = torch.from_numpy(rng.uniform(-np.pi, np.pi, count))
    root = rotvec_to_rotmat(facing) @ rotvec_to_rotmat(up)
    root = root @ rotvec_to_rotmat(torch.from_numpy(np.stack([s.root_rotvec for s in sampled])).double())
    betas = torch.from_numpy(rng.normal(0, 0.8, (count, 10)))
    keypoints, joints = (
        KeypointModel(load_body(), x).pose(root, pose, betas).keypoints for x in (COCO17, SMPL24)
    )
    pixels = CAMERA.project((keypoints + torch.tensor([0, 0, DEPTH])).numpy())
    pixels = pixels + rng.normal(0, noise_px, pixels.shape)
    return np.concatenate([pixels, np.ones((count, 17, 1))], -1), joints


def plain(body: Body, prior: PosePrior, keypoints: np.ndarray, steps: int) -> torch.Tensor:
    """Joints (24, 3) of one person, the plain way."""
    target = torch.from_numpy(keypoints[:, :2]).float()
    sigma = (keypoint_sigmas(COCO17) * 0.6 * SIZE_PX).float()[:, None]
    root = torch.tensor([torch.pi, 0.0, 0.0], requires_grad=True)
    pose = relaxed_pose().float().requires_grad_()
    betas, place = torch.zeros(10, requires_grad=True), torch.tensor([0.0, 0.3, DEPTH], requires_grad=True)

    def joints_and_keypoints() -> tuple[torch.Tensor, torch.Tensor]:
        rotmats = rotvec_to_rotmat(torch.cat([root[None], pose]))
        posed = body(betas[None], rotmats[None])
        return posed.joints[0], posed.coco17[0] + place

    for parameters, rate in (([root, place], 0.05), ([root, place, pose, betas], 0.03)):
        optimiser = torch.optim.Adam(parameters, lr=rate)
        for _ in range(steps // 2):
            optimiser.zero_grad()
            points = joints_and_keypoints()[1]
            square = ((CAMERA.project(points) - target) / sigma).square().sum(-1)
            data = (0.5 * square / (1 + square / 36)).sum()
            (data + prior.energy(pose) + 0.5 * betas.square().sum()).backward()
            optimiser.step()
    with torch.no_grad():
        return joints_and_keypoints()[0]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=40)
    parser.add_argument("--plain", type=int, default=3, help="people fitted the plain way as well")
    parser.add_argument("--steps", type=int, default=400, help="Adam's steps")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    table = Table("keypoints", "way", "people", "s a person", "2D error px", "PA-MPJPE mm, median", "90 %")
    fitter, body, prior = Smplify(), Body(load_body()), PosePrior.load().float()
    seconds: dict[str, float] = {}
    for name, noise in (("exact", 0.0), ("5 px noise", 5.0)):
        keypoints, truth = people(arguments.people, noise)
        start = time.perf_counter()
        result = fitter.fit(keypoints, CAMERA)
        seconds["ours"] = (time.perf_counter() - start) / len(keypoints)
        model = KeypointModel(load_body(), SMPL24)
        parts = (result.global_orient_rotmat, result.body_pose_rotvec, result.betas)
        joints = model.pose(*(torch.from_numpy(x) for x in parts)).keypoints
        start = time.perf_counter()
        plainly = torch.stack([plain(body, prior, k, arguments.steps) for k in keypoints[: arguments.plain]])
        seconds["plain"] = (time.perf_counter() - start) / max(len(plainly), 1)
        for way, found in (("ours", joints), ("plain", plainly.double())):
            error = (procrustes_align(found, truth[: len(found)]) - truth[: len(found)]).norm(dim=-1).mean(
                1
            ) * 1e3
            error_px = f"{np.median(result.reprojection_px):.1f}" if way == "ours" else ""
            table.add_row(
                name, way, str(len(found)), f"{seconds[way]:.2f}", error_px,
                f"{error.median():.0f}", f"{error.quantile(0.9):.0f}",
            )  # fmt: skip
    console = Console()
    console.print(table)
    console.print(f"plain / ours: {seconds['plain'] / seconds['ours']:.0f} x the time")


if __name__ == "__main__":
    main()
