"""Rotations in numpy, for code that must not load torch. Formulas as in `ajahr.geometry.rotations`.

Matrices multiply column vectors. Everything keeps the dtype it is given (integers become float64).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

MIRROR_ROTVEC = (1.0, -1.0, -1.0)
"""Mirroring left and right (x -> -x) negates y and z of a rotation vector."""


def rotvec_to_rotmat(rotvec: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3 3"]:
    """Rotation matrices of rotation vectors (rad), Rodrigues' formula; exact through zero."""
    rotvec = np.asarray(rotvec)
    if not np.issubdtype(rotvec.dtype, np.floating):
        rotvec = rotvec.astype(np.float64)
    square = np.einsum("...i,...i->...", rotvec, rotvec)
    angle = np.sqrt(square)
    # sin(a)/a and (1 - cos a)/a^2 = sinc^2(a/2)/2, both smooth at zero
    sinc = np.sinc(angle / np.pi)
    half = 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    x, y, z = rotvec[..., 0], rotvec[..., 1], rotvec[..., 2]
    rotmat = half[..., None, None] * (rotvec[..., :, None] * rotvec[..., None, :])
    sx, sy, sz = sinc * x, sinc * y, sinc * z
    diagonal = 1 - half * square
    for i in range(3):
        rotmat[..., i, i] += diagonal
    rotmat[..., 0, 1] -= sz
    rotmat[..., 1, 0] += sz
    rotmat[..., 0, 2] += sy
    rotmat[..., 2, 0] -= sy
    rotmat[..., 1, 2] -= sx
    rotmat[..., 2, 1] += sx
    return rotmat


def rotmat_to_rotvec(rotmat: Float[np.ndarray, "*batch 3 3"]) -> Float[np.ndarray, "*batch 3"]:
    """Rotation vectors (rad, angle 0..pi) of rotation matrices.

    Safe at any angle, pi included. The zero matrix of an absent joint gives the zero vector: ask `is_absent`
    where that matters.
    """
    rotmat = np.asarray(rotmat)
    m00, m11, m22 = rotmat[..., 0, 0], rotmat[..., 1, 1], rotmat[..., 2, 2]
    # rows of the symmetric 4x4 matrix 4 q q^T, q = (x, y, z, w); the one with the largest diagonal is the
    # best conditioned (Shepperd 1978)
    xy, xz, yz = (rotmat[..., i, j] + rotmat[..., j, i] for i, j in ((0, 1), (0, 2), (1, 2)))
    wx = rotmat[..., 2, 1] - rotmat[..., 1, 2]
    wy = rotmat[..., 0, 2] - rotmat[..., 2, 0]
    wz = rotmat[..., 1, 0] - rotmat[..., 0, 1]
    rows = np.stack(
        [
            np.stack([1 + m00 - m11 - m22, xy, xz, wx], -1),
            np.stack([xy, 1 - m00 + m11 - m22, yz, wy], -1),
            np.stack([xz, yz, 1 - m00 - m11 + m22, wz], -1),
            np.stack([wx, wy, wz, 1 + m00 + m11 + m22], -1),
        ],
        -2,
    )
    diagonal = np.einsum("...ii->...i", rows)
    best = diagonal.argmax(-1)[..., None, None]
    quat = np.take_along_axis(rows, best, axis=-2)[..., 0, :]
    quat = quat / np.linalg.norm(quat, axis=-1, keepdims=True)
    quat = np.where(quat[..., 3:] < 0, -quat, quat)
    sine = np.linalg.norm(quat[..., :3], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, quat[..., 3:])
    factor = np.where(sine > 1e-12, angle / np.maximum(sine, 1e-12), 2.0)
    rotvec = factor * quat[..., :3]
    absent = is_absent(rotmat)[..., None]
    return np.where(absent, rotvec.dtype.type(0), rotvec)


def is_absent(rotmat: Float[np.ndarray, "*batch 3 3"]) -> Bool[np.ndarray, "*batch"]:
    """Is the matrix the zero matrix that stands for an absent joint (largest entry below 1e-6)?"""
    return np.asarray(np.abs(rotmat).max(axis=(-2, -1)) < 1e-6)


def mirror_rotvec(rotvec: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3"]:
    """The rotation seen in a mirror that swaps left and right. Swapping the joints is the caller's."""
    return rotvec * np.asarray(MIRROR_ROTVEC, rotvec.dtype)


def rotation_about(axis: int, angle: float) -> Float[np.ndarray, "3 3"]:
    """Rotation matrix, float64, about x (0), y (1) or z (2) by ``angle`` (rad)."""
    rotvec = np.zeros(3)
    rotvec[axis] = angle
    return rotvec_to_rotmat(rotvec)
