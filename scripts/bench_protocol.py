"""Times a whole protocol without its network: both bodies' meshes made, compared and forgotten, batch by batch.

    OMP_NUM_THREADS=2 python scripts/bench_protocol.py [--people 35515] [--batch 64] [--body SMPL_FOLDER]

35,515 is the size of 3DPW's test set. Everybody has a true body, a predicted one with the true labels' parts removed
and one with the model's own; joints, PA-MPJPE and MVE of all, per limb, as `ajahr evaluate hmr` measures them. The
allowance is 3 minutes and 2 GB on two cores; the network and the pictures come on top.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from ajahr.anatomy import ABSENT_TABLE
from ajahr.body.body import Body
from ajahr.body.data import load_body
from ajahr.data.batch import Batch
from ajahr.data.hmr.pictures import PictureStore
from ajahr.data.hmr.samples import PeopleTable, empty_rows, set_box
from ajahr.evaluation.benchmarks import Dataset
from ajahr.evaluation.protocols import PROTOCOLS
from ajahr.evaluation.run import TrueBodies, measure
from ajahr.geometry.rotations_np import rotvec_to_rotmat
from ajahr.progress import Progress
from ajahr.training.hmr_losses import absent_joints

_ALLOWED_S, _ALLOWED_GB = 180.0, 2.0


def invented(people: int) -> Dataset:
    """People with every label; one in five has lost something."""
    rng = np.random.default_rng(0)
    rows = empty_rows(people, [f"{n}.jpg" for n in range(people)])
    rows["key"] = rows["image"] = [f"seq_{n % 24:02d}/{n}.jpg".encode() for n in range(people)]
    set_box(rows, np.full((people, 2), 500.0), np.full((people, 2), 300.0))
    rows["pose"] = rng.normal(0, 0.3, (people, 24, 3))
    rows["betas"] = rng.normal(0, 1, (people, 10))
    rows["has_pose"], rows["has_betas"] = True, True
    rows["levels"] = np.where(rng.random((people, 4)) < 0.05, rng.integers(1, 4, (people, 4)), 0)
    table = PeopleTable("invented", rows, PictureStore(Path()))
    return Dataset("a3d", PROTOCOLS["a3d"], (table,), np.full(people, 300.0))


@dataclass
class Model:
    """Answers with the truth of the rows in their order, off by some degrees; no network."""

    dataset: Dataset
    body: Body

    def __post_init__(self) -> None:
        self.bpac, self.config = object(), SimpleNamespace(keypoint_frame="crop")
        self.mean_pose = torch.zeros(1)
        self.seen = 0

    def __call__(self, image: Tensor, keypoints: Tensor) -> SimpleNamespace:
        count = len(image)
        rows = slice(self.seen, self.seen + count)
        self.seen += count
        rng = np.random.default_rng(self.seen)
        pose = self.dataset.column("pose")[rows] + rng.normal(0, 0.1, (count, 24, 3))
        rotmats = torch.from_numpy(rotvec_to_rotmat(pose.astype(np.float64))).float()
        betas = torch.from_numpy(self.dataset.column("betas")[rows]) + 0.2
        levels = torch.from_numpy(self.dataset.column("levels")[rows].astype(np.int64))
        levels = torch.where(torch.from_numpy(rng.random((count, 4)) < 0.05), 0, levels)
        posed = self.body(betas, rotmats, absent_joints(levels, torch.tensor(ABSENT_TABLE)))
        logits = 8.0 * torch.nn.functional.one_hot(levels, 4)
        return SimpleNamespace(
            vertices=posed.vertices, joints=posed.joints, keypoints_3d=posed.keypoints_44, betas=betas,
            keypoints_2d=posed.keypoints_44[..., :2], pose_rotmat=rotmats, limb_levels=levels, limb_logits=logits,
            limb_probabilities=logits.softmax(-1),
        )  # fmt: skip


def batches(dataset: Dataset, size: int) -> Iterator[Batch]:
    """What the loader would give, without pictures."""
    pose, betas = dataset.column("pose").astype(np.float64), dataset.column("betas")
    levels, keys = dataset.column("levels").astype(np.int64), dataset.keys
    for start in range(0, len(dataset), size):
        rows = slice(start, min(start + size, len(dataset)))
        count = rows.stop - start
        yield Batch(
            image=torch.zeros(count, 3, 1, 1),
            keypoints_2d=torch.zeros(count, 44, 3),
            keypoints_3d=torch.zeros(count, 44, 4),
            pose_rotmat=torch.from_numpy(rotvec_to_rotmat(pose[rows])).float(),
            betas=torch.from_numpy(betas[rows]),
            has_pose=torch.ones(count, 24, dtype=torch.bool),
            has_betas=torch.ones(count, dtype=torch.bool),
            trusted_3d=torch.ones(count, dtype=torch.bool),
            limb_levels=torch.from_numpy(levels[rows]),
            residual=torch.full((count, 8), torch.nan),
            residual_3d=torch.zeros(count, 8, 4),
            bpac_keypoints=torch.zeros(count, 12, 3),
            box_center=torch.zeros(count, 2),
            box_size=torch.ones(count),
            image_size=torch.ones(count, 2),
            focal_length=torch.ones(count),
            keys=keys[rows],
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--people", type=int, default=35_515)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--body", type=Path, help="SMPL's folder; the embedded body if left out")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    dataset, bodies = invented(options.people), TrueBodies(options.body)
    model = Model(dataset, Body(load_body(options.body)))
    variants = [dataset.protocol, dataset.protocol.variant(labels="predicted")]
    run = cast(Any, measure)  # the model is none
    few = dataset.limited(options.batch)
    run("warm", Model(few, model.body), few, bodies, variants, batches(few, options.batch))  # compiled

    wall, cpu = time.perf_counter(), time.process_time()
    with Progress().bar("batches", -(-options.people // options.batch)) as advance:
        found = run("model", model, dataset, bodies, variants, batches(dataset, options.batch), advance)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    means = {m: found[variants[0]].mean(m).value for m in variants[0].metrics}
    started = time.perf_counter()
    for one in found.values():
        _ = one.intervals
    bootstrap = time.perf_counter() - started
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    vertices = len(model.body.data.v_template)
    print(f"{options.people} people, {vertices} vertices, three meshes each: {wall:.0f} s wall, {cpu:.0f} s CPU, "
          f"intervals {bootstrap:.1f} s, {memory:.2f} GB at most")  # fmt: skip
    print(", ".join(f"{name} {value:.2f}" for name, value in means.items()))
    print(f"allowed {_ALLOWED_S:.0f} s and {_ALLOWED_GB:.0f} GB:",
          "kept" if wall + bootstrap <= _ALLOWED_S and memory <= _ALLOWED_GB else "NOT kept")  # fmt: skip


if __name__ == "__main__":
    main()
