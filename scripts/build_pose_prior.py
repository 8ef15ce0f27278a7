"""Builds ``ajahr/poses/assets/pose_prior.npz``: a Gaussian mixture fitted to sampled poses. About a minute.

    python scripts/build_pose_prior.py

The sampler knows a few dozen archetypes a family; people do more than that. So every component is widened by
`WIDEN` in each direction before it is stored, and shrunk towards its diagonal where samples are few.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy.cluster.vq import kmeans2
from scipy.special import logsumexp

from ajahr.anatomy import BODY_POSE_FLIP
from ajahr.poses.prior import ASSET, SIZE
from ajahr.poses.sampler import pose_library

COMPONENTS = 10
SAMPLES = 30_000
SEED = 2025
WIDEN = 0.15
"""rad, standard deviation."""
SHRINK = 0.05
STEPS = 40


def mirror(poses: np.ndarray) -> np.ndarray:
    return poses[:, list(BODY_POSE_FLIP)] * np.array([1.0, -1.0, -1.0])


def fit(x: np.ndarray, components: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Expectation maximisation from k-means: weights (K,), means (K, D), covariances (K, D, D)."""
    _, label = kmeans2(x, components, minit="++", rng=np.random.default_rng(seed))
    responsibility = np.eye(components)[label]
    weights = means = covariances = np.empty(0)
    for _ in range(STEPS):
        mass = responsibility.sum(0) + 1e-9
        weights = mass / mass.sum()
        means = responsibility.T @ x / mass[:, None]
        covariances = np.empty((components, SIZE, SIZE))
        log_likelihood = np.empty((len(x), components))
        for k in range(components):
            off = x - means[k]
            full = (off * responsibility[:, k, None]).T @ off / mass[k]
            covariances[k] = (1 - SHRINK) * full + SHRINK * np.diag(np.diag(full)) + WIDEN**2 * np.eye(SIZE)
            factor = np.linalg.cholesky(covariances[k])
            white = np.linalg.solve(factor, off.T)
            log_likelihood[:, k] = (
                np.log(weights[k]) - np.log(np.diag(factor)).sum() - 0.5 * (white**2).sum(0)
            )
        responsibility = np.exp(log_likelihood - logsumexp(log_likelihood, axis=1, keepdims=True))
    return weights, means, covariances


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=ASSET)
    arguments = parser.parse_args()
    poses = pose_library(SAMPLES, SEED).astype(np.float64)
    # each pose on one side at random: the prior adds the mirror images itself
    flipped = np.random.default_rng(SEED).random(len(poses)) < 0.5
    poses[flipped] = mirror(poses[flipped])
    weights, means, covariances = fit(poses.reshape(len(poses), SIZE), COMPONENTS, SEED)
    rows, columns = np.tril_indices(SIZE)
    cholesky = np.stack([np.linalg.cholesky(np.linalg.inv(c))[rows, columns] for c in covariances])
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        arguments.output,
        weights=weights.astype(np.float32),
        means=means.astype(np.float32),
        cholesky=cholesky.astype(np.float32),
    )
    size = arguments.output.stat().st_size / 1024
    print(f"{arguments.output}: {size:.0f} KB, weights {np.sort(weights)[::-1].round(3)}")


if __name__ == "__main__":
    main()
