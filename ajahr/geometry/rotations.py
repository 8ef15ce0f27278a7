"""Rotations in torch, by roma, and the 6D layouts.

Matrices multiply column vectors. **The 6D layout inside this project is the row one**: six numbers are the
first two rows of the matrix, as in TokenHMR and AJAHR. HMR2.0 reads the same six numbers as two columns, and
SPIN interleaves the two columns; weights trained there go through the adapters at the end and nowhere else.

A joint that is absent carries the zero matrix (AJAHR, Sec. 3.1), which is no rotation: its rotation vector is
zero here, and `is_absent` tells it apart.
"""

from __future__ import annotations

import roma
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ajahr.geometry.rotations_np import MIRROR_ROTVEC


def rotvec_to_rotmat(rotvec: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotation matrices of rotation vectors (rad); values and gradients are finite at zero."""
    return roma.rotvec_to_rotmat(rotvec)


def rotmat_to_rotvec(rotmat: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3"]:
    """Rotation vectors (rad, angle 0..pi) of rotation matrices; zero for an absent joint's matrix."""
    absent = is_absent(rotmat)[..., None]
    identity = torch.eye(3, dtype=rotmat.dtype, device=rotmat.device)
    rotvec = roma.rotmat_to_rotvec(torch.where(absent[..., None], identity, rotmat))
    return torch.where(absent, 0.0, rotvec)


def is_absent(rotmat: Float[Tensor, "*batch 3 3"]) -> Bool[Tensor, "*batch"]:
    """Is the matrix the zero matrix that stands for an absent joint (largest entry below 1e-6)?"""
    return rotmat.detach().abs().amax(dim=(-2, -1)) < 1e-6


def mirror_rotvec(rotvec: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
    """The rotation seen in a mirror that swaps left and right. Swapping the joints is the caller's."""
    return rotvec * rotvec.new_tensor(MIRROR_ROTVEC)


def mirror_rotmat(rotmat: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3 3"]:
    """`mirror_rotvec` for matrices: S R S with S = diag(-1, 1, 1); zero matrices stay zero."""
    sign = rotmat.new_tensor((-1.0, 1.0, 1.0))
    return rotmat * sign * sign[:, None]


def geodesic_angle(a: Float[Tensor, "*batch 3 3"], b: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch"]:
    """Angle (rad, 0..pi) of the rotation between ``a`` and ``b``; accurate at small angles.

    From the chord ``|a - b|_F = 2 sqrt(2) sin(angle / 2)``.
    """
    half_sine = torch.linalg.matrix_norm(a - b) / (2 * 2**0.5)
    return 2 * torch.asin(half_sine.clamp(max=1.0))


# --------------------------------------------------------------------------------------------- 6D layouts


def rot6d_to_rotmat(rot6d: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 3 3"]:
    """Row layout: Gram-Schmidt of the two 3-vectors gives the first two **rows**, their cross the third."""
    return _gram_schmidt(rot6d[..., :3], rot6d[..., 3:], dim=-2)


def rotmat_to_rot6d(rotmat: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 6"]:
    """Row layout: the first two rows."""
    return rotmat[..., :2, :].flatten(-2)


def hmr2_rot6d_to_rotmat(rot6d: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 3 3"]:
    """HMR2.0's layout: numbers 0..2 and 3..5 are the first two **columns**."""
    return _gram_schmidt(rot6d[..., :3], rot6d[..., 3:], dim=-1)


def rotmat_to_hmr2_rot6d(rotmat: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 6"]:
    """HMR2.0's layout: the first column, then the second."""
    return rotmat[..., :2].transpose(-1, -2).flatten(-2)


def spin_rot6d_to_rotmat(rot6d: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 3 3"]:
    """SPIN's layout: numbers 0, 2, 4 and 1, 3, 5 are the first two **columns**."""
    return _gram_schmidt(rot6d[..., 0::2], rot6d[..., 1::2], dim=-1)


def rotmat_to_spin_rot6d(rotmat: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 6"]:
    """SPIN's layout: the first two columns, interleaved."""
    return rotmat[..., :2].flatten(-2)


def _gram_schmidt(
    a: Float[Tensor, "*batch 3"], b: Float[Tensor, "*batch 3"], dim: int
) -> Float[Tensor, "*batch 3 3"]:
    """Orthonormal (b1, b2, b1 x b2) stacked along ``dim``; eps and order of operations as upstream's."""
    normalise = torch.nn.functional.normalize  # eps 1e-12, so zeros give zeros and no NaN
    b1 = normalise(a, dim=-1)
    b2 = normalise(b - (b1 * b).sum(-1, keepdim=True) * b1, dim=-1)
    return torch.stack((b1, b2, torch.linalg.cross(b1, b2, dim=-1)), dim=dim)
