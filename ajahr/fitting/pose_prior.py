"""What the fit knows about poses, all from the project's own sampler: a prior, starts, a pose at ease."""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ajahr.anatomy import BODY_POSE_FLIP
from ajahr.fitting.energy import UprightPrior
from ajahr.fitting.starts import PoseLibrary
from ajahr.geometry.rotations import rotvec_to_rotmat
from ajahr.geometry.rotations_np import MIRROR_ROTVEC
from ajahr.poses.prior import PosePrior
from ajahr.poses.sampler import FAMILY_SHARES, SampledPose, sample_pose

LIBRARY_SIZE = 1200
_SEED = 17
_RELAXED_DRAWS = 200
_FEW = 10


@functools.cache
def default_library() -> PoseLibrary:
    """Sampled poses to start from, the same ones at every call."""
    rng = np.random.default_rng(_SEED)
    sampled = [
        sample_pose(rng, family)
        for family, share in FAMILY_SHARES.items()
        for _ in range(round(share * LIBRARY_SIZE))
    ]
    return PoseLibrary(_poses(sampled), rotvec_to_rotmat(_stack([s.root_rotvec for s in sampled])))


@functools.cache
def default_prior() -> UprightPrior:
    """The shipped pose prior, with the directions of up that the library's poses show."""
    return upright_prior(PosePrior.load(), default_library())


@functools.cache
def relaxed_pose() -> Float[Tensor, "23 3"]:
    """Standing at ease: the mean of the sampler's archetype, left and right alike."""
    rng = np.random.default_rng(_SEED)
    draws = [sample_pose(rng, "everyday", archetype="standing_relaxed") for _ in range(_RELAXED_DRAWS)]
    mean = _poses(draws).mean(0)
    order, sign = list(BODY_POSE_FLIP), torch.tensor(MIRROR_ROTVEC, dtype=mean.dtype)
    return 0.5 * (mean + mean[order] * sign)


def upright_prior(prior: PosePrior, library: PoseLibrary) -> UprightPrior:
    """A mixture of poses that also knows how the pelvis of each component stands in the world.

    Centre and spread of the world's up in the pelvis's frame, over the library's poses and their mirror
    images, each with the component that explains it best; by medians, because a body that lies straight has
    the pose of one that stands.
    """
    means, precisions, offsets = (x.double() for x in (prior.means, prior.precisions, prior.offsets))
    mirror = torch.tensor(MIRROR_ROTVEC, dtype=torch.float64)
    poses = torch.cat([library.poses, library.poses[:, list(BODY_POSE_FLIP)] * mirror]).flatten(1)
    up = library.roots[:, 1]  # R^T y
    up = torch.cat([up, -up * mirror])
    off = poses[:, None] - means
    energy = 0.5 * (off * torch.einsum("cij,ncj->nci", precisions, off)).sum(-1) + offsets
    member = energy.argmin(1)
    centre = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64).repeat(len(means), 1)
    spread = torch.full((len(means),), 0.5, dtype=torch.float64)
    for component in range(len(means)):
        own = up[member == component]
        if len(own) < _FEW:  # then upright, more or less
            continue
        centre[component] = torch.nn.functional.normalize(own.quantile(0.5, 0), dim=-1)
        square = (own - centre[component]).square().sum(-1)
        spread[component] = (square.quantile(0.5) / (2 * math.log(2))).sqrt()  # of a tilt in two directions
    return UprightPrior(means, precisions, offsets, centre, spread)


def _poses(sampled: list[SampledPose]) -> Float[Tensor, "poses 23 3"]:
    return _stack([s.body_pose for s in sampled])


def _stack(arrays: list[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(arrays)).double()
