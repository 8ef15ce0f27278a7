"""Times MPJPE and PA-MPJPE beside the usual ways, all in one run: ratios are what counts.

    OMP_NUM_THREADS=2 python scripts/bench_metrics.py [--people 35515] [--joints 14]

The size is 3DPW's test set on its 14 joints. "batched SVD" is what the published evaluators do, in float32 and one
call; "one by one" is the same a person at a time, measured on a part and scaled up. The script stops if the
values differ: from a float64 SVD by more than 1e-6 mm.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from ajahr.evaluation.metrics import joint_errors
from ajahr.geometry.procrustes import procrustes_align

Pair = tuple[np.ndarray, np.ndarray]
_TOLERANCE_MM = 1e-6
_ALONE = 500


def people(count: int, joints: int) -> Pair:
    """Person-sized clouds, errors of some centimetres, each turned at random."""
    rng = np.random.default_rng(0)
    target = rng.normal(size=(count, joints, 3)) * (0.15, 0.5, 0.1)
    predicted = target + rng.normal(size=target.shape) * 0.05
    turn = np.linalg.qr(rng.normal(size=(count, 3, 3)))[0]
    turn *= np.linalg.det(turn)[:, None, None]
    return (predicted @ turn).astype(np.float32), target.astype(np.float32)


def ours(predicted: np.ndarray, target: np.ndarray) -> Pair:
    errors = joint_errors(predicted, target, predicted_pelvis=predicted[:, 0], target_pelvis=target[:, 0])
    return errors.mpjpe_mm, errors.pa_mpjpe_mm


def batched_svd(predicted: np.ndarray, target: np.ndarray, dtype: torch.dtype = torch.float32) -> Pair:
    """The published formulation: one torch.svd of all covariances, determinants for the reflections."""
    p, q = (torch.from_numpy(x).to(dtype) for x in (predicted, target))
    mpjpe = (p - p[:, :1] - (q - q[:, :1])).square().sum(-1).sqrt().mean(-1)
    p, q = p.permute(0, 2, 1), q.permute(0, 2, 1)
    mean_p, mean_q = p.mean(2, keepdim=True), q.mean(2, keepdim=True)
    x, y = p - mean_p, q - mean_q
    variance = x.square().sum((1, 2))
    K = x @ y.transpose(1, 2)
    U, _, V = torch.svd(K)
    Z = torch.eye(3, dtype=dtype).repeat(len(p), 1, 1)
    Z[:, -1, -1] *= torch.sign(torch.linalg.det(U @ V.transpose(1, 2)))
    R = V @ Z @ U.transpose(1, 2)
    scale = torch.diagonal(R @ K, dim1=1, dim2=2).sum(-1) / variance
    aligned = scale[:, None, None] * (R @ p) + mean_q - scale[:, None, None] * (R @ mean_p)
    pa = (aligned - q).square().sum(1).sqrt().mean(-1)
    return 1000 * mpjpe.numpy(), 1000 * pa.numpy()


def one_by_one(predicted: np.ndarray, target: np.ndarray) -> Pair:
    pairs = [batched_svd(predicted[i : i + 1], target[i : i + 1]) for i in range(_ALONE)]
    return np.concatenate([m for m, _ in pairs]), np.concatenate([p for _, p in pairs])


def seconds(call: Callable[..., object], *args: np.ndarray, rounds: int) -> float:
    """Least of some rounds."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call(*args)
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--people", type=int, default=35_515)
    parser.add_argument("--joints", type=int, default=14)
    options = parser.parse_args()
    pair = people(max(options.people, _ALONE), options.joints)

    exact = batched_svd(*pair, torch.float64)
    repository = procrustes_align(*(torch.from_numpy(x).double() for x in pair)).numpy()
    pa = 1000 * np.linalg.norm(repository - pair[1], axis=-1).mean(1)
    gaps = [float(np.abs(a - b).max()) for a, b in zip((*ours(*pair), pa), (*exact, exact[1]), strict=True)]
    if max(gaps) > _TOLERANCE_MM:
        raise SystemExit(f"values differ from a float64 SVD by {max(gaps):.1e} mm")
    single = float(np.abs(batched_svd(*pair)[1] - exact[1]).max())

    ours(*pair)  # compiled
    mine = seconds(ours, *pair, rounds=10)
    batched = seconds(batched_svd, *pair, rounds=5)
    alone = seconds(one_by_one, *pair, rounds=1) * len(pair[0]) / _ALONE
    table = Table(title=f"MPJPE and PA-MPJPE of {len(pair[0])} people x {options.joints} joints")
    for name in ("", "ms", "ratio", "largest difference, mm"):
        table.add_column(name, justify="right" if name else "left")
    for name, value, gap in (
        ("ajahr.evaluation.metrics (float64 inside)", mine, max(gaps)),
        ("batched SVD, float32", batched, single),
        (f"one by one (of {_ALONE}, scaled)", alone, single),
    ):
        table.add_row(name, f"{1000 * value:.1f}", f"{value / mine:.1f}", f"{gap:.1e}")
    Console().print(table)


if __name__ == "__main__":
    main()
