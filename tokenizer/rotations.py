"""The 6D rotation layout of the tokenizers, and what counts as a rotation.

Six numbers are the first two **rows** of the matrix (TokenHMR's and AJAHR's layout, and this project's own).
`ajahr.geometry.rotations` holds the other layouts; this package is a leaf and keeps the few it needs.
"""

from __future__ import annotations

import roma
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from tokenizer.errors import InputError

_ORTHONORMAL_TOLERANCE = 1e-3
"""Largest entry of ``R R^T - 1``; float16 files stay below it."""


def rotmat_to_rot6d(rotmats: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 6"]:
    """The first two rows, one after the other."""
    return rotmats[..., :2, :].flatten(-2)


def rot6d_to_rotmat(rot6d: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 3 3"]:
    """Gram-Schmidt of two rows; the third is their cross product. Six zeros give the zero matrix."""
    first = F.normalize(rot6d[..., :3], dim=-1)
    second = rot6d[..., 3:]
    second = F.normalize(second - (first * second).sum(-1, keepdim=True) * first, dim=-1)
    return torch.stack((first, second, torch.cross(first, second, dim=-1)), dim=-2)


def rotvec_to_rotmat(rotvecs: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotation vectors (rad) to matrices for column vectors."""
    return roma.rotvec_to_rotmat(rotvecs)


def geodesic_angle(a: Float[Tensor, "*batch 3 3"], b: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch"]:
    """Angle (rad) between two rotations, from the chord: exact at small angles, unlike the trace."""
    return 2 * torch.asin((torch.linalg.matrix_norm(a - b) / 8**0.5).clamp(max=1))


def require_rotations(rotmats: Tensor, num_joints: int, what: str) -> None:
    """Check what a caller hands in as poses.

    Args:
        rotmats: Should be (poses, num_joints, 3, 3), floating point.
        what: Names the poses in the message.

    Raises:
        InputError: another shape, NaN, or a matrix that is no rotation (the zero matrix of an absent joint
            included: the original rotations are learned, zeroing comes after decoding).
    """
    shape = tuple(rotmats.shape)
    if len(shape) != 4 or shape[2:] != (3, 3):
        raise InputError(f"{what}: shape {shape}; give rotation matrices (poses, {num_joints}, 3, 3)")
    if shape[1] != num_joints:
        raise InputError(
            f"{what}: {shape[1]} joints; give the {num_joints} body joints without root and hands"
        )
    if not rotmats.is_floating_point():
        raise InputError(f"{what}: {rotmats.dtype} matrices; give floating point")
    if not bool(rotmats.isfinite().all()):
        pose, joint = _first(~rotmats.isfinite().all(-1).all(-1))
        raise InputError(f"{what}: NaN or infinity in pose {pose}, joint {joint}; drop that pose")
    wrong = ~is_rotation(rotmats)
    if bool(wrong.any()):
        pose, joint = _first(wrong)
        hint = "drop or orthonormalise that pose"
        if not bool(rotmats[pose, joint].any()):
            hint = "keep the original rotation and mark the joint in absent_joints"
        raise InputError(f"{what}: no rotation matrix in pose {pose}, joint {joint}; {hint}")


def is_rotation(rotmats: Float[Tensor, "*batch 3 3"]) -> Bool[Tensor, "*batch"]:
    """Orthonormal to 1e-3 and right-handed?"""
    rotmats = rotmats.float()
    identity = torch.eye(3, device=rotmats.device)
    off = (rotmats @ rotmats.mT - identity).abs().amax((-2, -1))
    third = torch.cross(rotmats[..., 0, :], rotmats[..., 1, :], dim=-1)
    return (off < _ORTHONORMAL_TOLERANCE) & ((third * rotmats[..., 2, :]).sum(-1) > 0)


def zero_absent_joints(
    rotmats: Float[Tensor, "*batch joints 3 3"], absent_joints: Bool[Tensor, "*batch joints"] | None
) -> Float[Tensor, "*batch joints 3 3"]:
    """The zero matrix for every absent joint (AJAHR Sec. 3.3.2: after decoding, never before encoding)."""
    if absent_joints is None:
        return rotmats
    return torch.where(absent_joints[..., None, None], 0.0, rotmats)


def _first(wrong: Bool[Tensor, "poses joints"]) -> tuple[int, int]:
    pose, joint = wrong.nonzero()[0].tolist()
    return pose, joint
