"""The bank that needs no licence: poses from `ajahr.poses.sampler`.

A chunk of poses is a function of (seed, split, number of the chunk), so the bank does not depend on the number
of workers, and no pose of one split is in another. No torch: the workers stay small.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32

from ajahr.anatomy import NUM_LEVELS, NUM_LIMBS, NUM_TOKENIZER_JOINTS, absent_joint_mask
from ajahr.errors import UserError
from ajahr.poses.sampler import FAMILY_SHARES, sample_pose

SPLITS = ("train", "val", "test")
CHUNK = 1000
LOST_LIMBS = (0.75, 0.2, 0.05)
"""Shares of amputees who lost one, two or three limbs; which limbs and how much of them is drawn evenly."""


class SampledPoses(NamedTuple):
    """Poses with their original rotations, those of lost joints included."""

    pose_body: Float32[np.ndarray, "poses 63"]
    absent_joints: Bool[np.ndarray, "poses 21"]


def draw_levels(rng: np.random.Generator) -> tuple[int, ...]:
    """Limb levels of an amputee."""
    levels = [0] * NUM_LIMBS
    lost = 1 + int(rng.choice(len(LOST_LIMBS), p=LOST_LIMBS))
    for limb in rng.permutation(NUM_LIMBS)[:lost]:
        levels[limb] = int(rng.integers(1, NUM_LEVELS))
    return tuple(levels)


def sample_chunk(seed: int, split: str, chunk: int, amputee_share: float = 0.5) -> SampledPoses:
    """Poses ``chunk * CHUNK ..`` of a split."""
    rng = np.random.default_rng([seed, SPLITS.index(split), chunk])
    families = rng.choice(list(FAMILY_SHARES), CHUNK, p=list(FAMILY_SHARES.values()))
    amputee = rng.random(CHUNK) < amputee_share
    levels = [draw_levels(rng) if is_amputee else (0,) * NUM_LIMBS for is_amputee in amputee]
    poses = [
        sample_pose(rng, str(family), lost).body_pose for family, lost in zip(families, levels, strict=True)
    ]
    absent = absent_joint_mask(np.array(levels))[:, 1 : 1 + NUM_TOKENIZER_JOINTS]
    return SampledPoses(np.stack(poses)[:, :NUM_TOKENIZER_JOINTS].reshape(CHUNK, -1), absent)


def sample_poses(
    count: int, seed: int, split: str, amputee_share: float = 0.5, workers: int = 1
) -> Iterator[SampledPoses]:
    """``count`` poses of a split in chunks, the last one cut.

    Args:
        seed: Of the draws.
        split: "train", "val" or "test"; none shares a pose with another.
        amputee_share: Probability that a pose is an amputee's: it then suits what is left of the body, and the
            lost joints have the rotations they would have had.
        workers: Processes.

    Raises:
        UserError: no poses asked for, an unknown split, a share outside 0..1, no worker.
    """
    if count < 1:
        raise UserError(f"{count} poses asked for {split}; ask for at least one")
    if split not in SPLITS:
        raise UserError(f"split {split!r}; there are {', '.join(SPLITS)}")
    if not 0 <= amputee_share <= 1:
        raise UserError(f"amputee_share is {amputee_share}; give 0 to 1")
    if workers < 1:
        raise UserError(f"{workers} workers; give at least one")
    chunks = -(-count // CHUNK)
    lengths = [min(CHUNK, count - CHUNK * i) for i in range(chunks)]
    for length, poses in zip(lengths, _chunks(chunks, seed, split, amputee_share, workers), strict=True):
        yield SampledPoses(poses.pose_body[:length], poses.absent_joints[:length])


def _chunks(chunks: int, seed: int, split: str, share: float, workers: int) -> Iterator[SampledPoses]:
    if min(workers, chunks) == 1:
        yield from (sample_chunk(seed, split, i, share) for i in range(chunks))
        return
    # spawned, since forking a process that has threads (torch's, numba's) may deadlock
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        numbers = iter(range(chunks))
        running = [pool.submit(sample_chunk, seed, split, i, share) for i in islice(numbers, 2 * workers)]
        while running:
            done = running.pop(0).result()
            running += [pool.submit(sample_chunk, seed, split, i, share) for i in islice(numbers, 1)]
            yield done
