"""Prints the table `_MEAN_BODY` of ajahr/models/mean_parameters.py: the mean of sampled poses. Half a minute.

    python scripts/build_mean_pose.py

The mean of each joint's rotations is the rotation nearest to the mean matrix. Poses count once as they are and once
mirrored, so the table is the same on both sides.
"""

from __future__ import annotations

import argparse

import numpy as np

from ajahr.anatomy import BODY_POSE_FLIP
from ajahr.geometry.rotations_np import MIRROR_ROTVEC, rotmat_to_rotvec, rotvec_to_rotmat
from ajahr.poses.sampler import pose_library

SAMPLES = 4000
SEED = 2025


def mean_pose(samples: int, seed: int) -> np.ndarray:
    """Mean rotation vectors (23, 3), rad."""
    poses = pose_library(samples, seed).astype(np.float64)
    both = np.concatenate([poses, poses[:, list(BODY_POSE_FLIP)] * np.array(MIRROR_ROTVEC)])
    u, _, vh = np.linalg.svd(rotvec_to_rotmat(both).mean(0))
    u[:, :, 2] *= np.linalg.det(u @ vh)[:, None]
    return rotmat_to_rotvec(u @ vh)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args()
    rows = [", ".join(f"{x + 0.0:.2f}" for x in row.round(2)) for row in mean_pose(SAMPLES, SEED)]
    for i in range(0, len(rows), 4):
        print("    " + ", ".join(f"({row})" for row in rows[i : i + 4]) + ",")


if __name__ == "__main__":
    main()
