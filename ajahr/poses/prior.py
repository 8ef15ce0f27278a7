"""A pose prior fitted to the project's own sampler: a Gaussian mixture over body poses. Torch.

What SMPLify's mixture prior is for (Bogo et al., ECCV 2016, Eq. 6), without the licensed file: made by
``scripts/build_pose_prior.py`` from poses of `ajahr.poses.sampler`.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from ajahr.anatomy import BODY_POSE_FLIP

ASSET = Path(__file__).parent / "assets" / "pose_prior.npz"
SIZE = 3 * len(BODY_POSE_FLIP)


class PosePrior(nn.Module):
    """Mixture of Gaussians over the 69 numbers of a body pose (rotation vectors of joints 1..23, rad).

    Each fitted component enters with its mirror image, so that a pose and its mirror image cost the same.

    Args:
        weights: of the fitted components, summing to 1.
        means: of the fitted components.
        cholesky: lower factors L of the fitted components' precisions, L L^T.
    """

    means: Float[Tensor, "components 69"]
    precisions: Float[Tensor, "components 69 69"]
    offsets: Float[Tensor, " components"]
    """Energy at each component's mean, the least one 0: minus log of weight times height."""

    def __init__(
        self,
        weights: Float[Tensor, " fitted"],
        means: Float[Tensor, "fitted 69"],
        cholesky: Float[Tensor, "fitted 69 69"],
    ) -> None:
        super().__init__()
        order, sign = _mirror_indices()
        precisions = cholesky @ cholesky.transpose(-1, -2)
        mirrored = precisions[:, order][:, :, order] * sign * sign[:, None]
        log_height = cholesky.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        offsets = -(weights.log() + log_height)
        self.register_buffer("means", torch.cat([means, means[:, order] * sign]))
        self.register_buffer("precisions", torch.cat([precisions, mirrored]))
        self.register_buffer("offsets", (offsets - offsets.min()).repeat(2))

    @classmethod
    def load(cls, path: Path | None = None) -> PosePrior:
        """The shipped prior, in double precision; ``.float()`` it where that is enough."""
        with np.load(ASSET if path is None else path, allow_pickle=False) as file:
            weights, means, packed = (
                torch.from_numpy(file[k].astype(np.float64)) for k in ("weights", "means", "cholesky")
            )
        cholesky = torch.zeros(len(weights), SIZE, SIZE, dtype=torch.float64)
        rows, columns = np.tril_indices(SIZE)
        cholesky[:, rows, columns] = packed
        return cls(weights, means, cholesky)

    def energy(self, body_pose: Float[Tensor, "*batch 23 3"]) -> Float[Tensor, "*batch"]:
        """Minus the log-likelihood, up to a constant; smooth and finite for any finite pose.

        At the likeliest mean it is about 0; every standard deviation off in one direction adds a half.
        """
        off = body_pose.flatten(-2)[..., None, :] - self.means
        half_square = 0.5 * torch.einsum("...ci,cij,...cj->...c", off, self.precisions, off)
        return -torch.logsumexp(-(half_square + self.offsets), -1) + math.log(2)

    forward = energy


def _mirror_indices() -> tuple[Tensor, Tensor]:
    """Order and signs that mirror the 69 numbers of a pose."""
    order = torch.tensor([3 * j + axis for j in BODY_POSE_FLIP for axis in range(3)])
    sign = torch.tensor([1.0, -1.0, -1.0], dtype=torch.float64).repeat(len(BODY_POSE_FLIP))
    return order, sign
