"""Batches of made-up people for the tests of training: random, but everything in its range."""

from __future__ import annotations

import torch
from torch import Tensor

from ajahr.data.batch import Batch
from ajahr.residual_limb.segments import fractions_of_levels


def rotations(generator: torch.Generator, *lead: int, dtype: torch.dtype = torch.float32) -> Tensor:
    raw = torch.randn(*lead, 3, 3, generator=generator, dtype=torch.float64)
    q, _ = torch.linalg.qr(raw)
    return (q * torch.linalg.det(q)[..., None, None].sign()).to(dtype)


def random_batch(
    count: int = 6, *, seed: int = 0, dtype: torch.dtype = torch.float32, image: int = 8
) -> Batch:
    """Fully labelled people of random limb levels."""
    g = torch.Generator().manual_seed(seed)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=g, dtype=torch.float64).to(dtype)

    points_2d = torch.cat([uniform(count, 44, 2) - 0.5, 0.2 + 0.8 * uniform(count, 44, 1)], -1)
    points_3d = torch.cat([uniform(count, 44, 3) - 0.5, 0.2 + 0.8 * uniform(count, 44, 1)], -1)
    keypoints = torch.cat([uniform(count, 12, 2) - 0.5, uniform(count, 12, 1)], -1)
    levels = torch.randint(0, 4, (count, 4), generator=g)
    ends = torch.from_numpy(fractions_of_levels(levels.numpy())).to(dtype)
    ends_3d = torch.cat([torch.zeros(count, 8, 3, dtype=dtype), (ends < 1).to(dtype)[..., None]], -1)
    return Batch(
        image=uniform(count, 3, image, image),
        keypoints_2d=points_2d,
        keypoints_3d=points_3d,
        pose_rotmat=rotations(g, count, 24, dtype=dtype),
        betas=uniform(count, 10) - 0.5,
        has_pose=torch.ones(count, 24, dtype=torch.bool),
        has_betas=torch.ones(count, dtype=torch.bool),
        trusted_3d=torch.arange(count) % 2 == 0,
        limb_levels=levels,
        residual=ends,
        residual_3d=ends_3d,
        bpac_keypoints=keypoints,
        box_center=100 + 50 * uniform(count, 2),
        box_size=100 + 50 * uniform(count),
        image_size=torch.full((count, 2), 400.0, dtype=dtype),
        focal_length=torch.full((count,), 5000 / 256 * 400, dtype=dtype),
        keys=[f"photo{i:03d}" for i in range(count)],
    )
