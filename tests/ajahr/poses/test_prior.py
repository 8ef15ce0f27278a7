"""The pose prior: likes sampled poses, treats both sides alike, is finite everywhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ajahr.anatomy import BODY_POSE_FLIP
from ajahr.geometry.rotations import mirror_rotvec
from ajahr.poses.limits import violation
from ajahr.poses.prior import ASSET, PosePrior
from ajahr.poses.sampler import FAMILIES, pose_library, sample_pose


@pytest.fixture(scope="module")
def prior() -> PosePrior:
    return PosePrior.load()


@pytest.fixture(scope="module")
def poses() -> torch.Tensor:
    return torch.from_numpy(pose_library(200, seed=99)).double()


def random_poses(*shape: int, sd: float, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(0, sd, (*shape, 23, 3)))


def test_the_asset_is_small():
    assert ASSET.stat().st_size < 300_000


@pytest.mark.parametrize("family", FAMILIES)
def test_sampled_poses_are_likelier_than_random_ones(prior, family):
    rng = np.random.default_rng(1)
    sampled = torch.from_numpy(np.stack([sample_pose(rng, family).body_pose for _ in range(40)])).double()
    spread = sampled.std().item()
    assert prior.energy(sampled).max() < prior.energy(random_poses(40, sd=spread)).min()


def test_joints_belong_together(prior, poses):
    """Joints drawn from different people, each plausible alone, are less likely than whole people."""
    generator = torch.Generator().manual_seed(0)
    mixed = torch.stack([poses[torch.randperm(len(poses), generator=generator), j] for j in range(23)], 1)
    assert prior.energy(mixed).median() > prior.energy(poses).median() + 15


def test_bent_the_wrong_way_costs(prior):
    pose = torch.from_numpy(pose_library(20, seed=3)).double()
    wrong = pose.clone()
    wrong[:, 3, 0] = -1.0  # left knee
    assert (prior.energy(wrong) > prior.energy(pose) + 5).all()


def test_mirror_law(prior, poses):
    mirrored = mirror_rotvec(poses[:, list(BODY_POSE_FLIP)])
    torch.testing.assert_close(prior.energy(mirrored), prior.energy(poses))


def test_twin_in_numpy(prior, poses):
    x = poses[:20].flatten(1).numpy()
    means, precisions, offsets = (getattr(prior, k).numpy() for k in ("means", "precisions", "offsets"))
    expected = []
    for row in x:
        terms = [
            o + 0.5 * (row - m) @ p @ (row - m) for m, p, o in zip(means, precisions, offsets, strict=True)
        ]
        expected.append(-np.log(np.exp(-np.array(terms)).sum()) + np.log(2))
    np.testing.assert_allclose(prior.energy(poses[:20]).numpy(), expected, rtol=1e-9)


def test_offsets_are_minus_log_weight_times_height(prior):
    _, log_determinant = torch.linalg.slogdet(prior.precisions)
    likelihood = torch.exp(-prior.offsets)
    # weights, up to a factor: what remains when the Gaussian's height is divided out
    weights = likelihood / torch.exp(0.5 * (log_determinant - log_determinant.max()))
    with np.load(ASSET) as file:
        fitted = np.tile(file["weights"], 2)
    np.testing.assert_allclose(weights / weights.sum(), fitted / fitted.sum(), rtol=1e-4)
    assert prior.offsets.min() == 0


@pytest.mark.parametrize("shape", [(), (1,), (2, 3)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shapes_and_dtypes(prior, shape, dtype):
    local = PosePrior.load().to(dtype)
    x = random_poses(*shape, sd=0.3).to(dtype)
    assert local.energy(x).shape == shape
    torch.testing.assert_close(local.energy(x).double(), prior.energy(x.double()), rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("sd", [0.0, 1e-8, 3.0, 1e3])
def test_finite_with_finite_gradients(sd):
    prior = PosePrior.load().float()
    x = random_poses(4, sd=sd).float().requires_grad_()
    energy = prior.energy(x).sum()
    energy.backward()
    assert torch.isfinite(energy) and torch.isfinite(x.grad).all()


def test_gradient_by_differences(prior):
    x = random_poses(2, sd=0.3).requires_grad_()
    assert torch.autograd.gradcheck(prior.energy, (x,))


def test_precisions_are_positive_and_means_plausible(prior):
    assert torch.linalg.eigvalsh(prior.precisions).min() > 0
    # a component wider than half a radian everywhere would say nothing
    assert torch.linalg.eigvalsh(prior.precisions).max(-1).values.min() > 4
    assert violation(prior.means.reshape(-1, 23, 3).numpy()).max() < 0.3
