"""Unit quaternions (x, y, z, w) as tuples of floats, for the numba kernels of this package."""

from __future__ import annotations

import math
import typing

from numba import njit


@njit(cache=True)
@typing.no_type_check
def mul(a, b):
    """Rotate by ``b``, then by ``a``."""
    ax, ay, az, aw = a
    bx, by, bz, bw = b
    return (
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
        aw * bw - ax * bx - ay * by - az * bz,
    )


@njit(cache=True)
@typing.no_type_check
def conj(q):
    return (-q[0], -q[1], -q[2], q[3])


@njit(cache=True)
@typing.no_type_check
def about_x(angle):
    return (math.sin(0.5 * angle), 0.0, 0.0, math.cos(0.5 * angle))


@njit(cache=True)
@typing.no_type_check
def about_y(angle):
    return (0.0, math.sin(0.5 * angle), 0.0, math.cos(0.5 * angle))


@njit(cache=True)
@typing.no_type_check
def about_z(angle):
    return (0.0, 0.0, math.sin(0.5 * angle), math.cos(0.5 * angle))


@njit(cache=True)
@typing.no_type_check
def mirror(q):
    """The rotation in a mirror that swaps left and right."""
    return (q[0], -q[1], -q[2], q[3])


@njit(cache=True)
@typing.no_type_check
def rotate(q, v):
    """Vector ``v`` (tuple of 3) turned by ``q``."""
    x, y, z, w = q
    tx = 2.0 * (y * v[2] - z * v[1])
    ty = 2.0 * (z * v[0] - x * v[2])
    tz = 2.0 * (x * v[1] - y * v[0])
    return (
        v[0] + w * tx + y * tz - z * ty,
        v[1] + w * ty + z * tx - x * tz,
        v[2] + w * tz + x * ty - y * tx,
    )


@njit(cache=True)
@typing.no_type_check
def from_rotvec(x, y, z):
    angle = math.sqrt(x * x + y * y + z * z)
    s = math.sin(0.5 * angle) / angle if angle > 1e-12 else 0.5
    return (x * s, y * s, z * s, math.cos(0.5 * angle))


@njit(cache=True)
@typing.no_type_check
def to_rotvec(q):
    """Rotation vector with an angle of 0..pi."""
    x, y, z, w = q
    if w < 0.0:
        x, y, z, w = -x, -y, -z, -w
    sine = math.sqrt(x * x + y * y + z * z)
    factor = 2.0 * math.atan2(sine, w) / sine if sine > 1e-12 else 2.0
    return (x * factor, y * factor, z * factor)


@njit(cache=True)
@typing.no_type_check
def between(a, b):
    """Smallest rotation that turns unit vector ``a`` to unit vector ``b``."""
    x = a[1] * b[2] - a[2] * b[1]
    y = a[2] * b[0] - a[0] * b[2]
    z = a[0] * b[1] - a[1] * b[0]
    w = 1.0 + a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
    if w < 1e-9:  # opposite: any axis across ``a`` will do
        x, y, z = (0.0, -a[2], a[1]) if abs(a[0]) < 0.9 else (-a[2], 0.0, a[0])
        w = 0.0
    norm = math.sqrt(x * x + y * y + z * z + w * w)
    return (x / norm, y / norm, z / norm, w / norm)


@njit(cache=True)
@typing.no_type_check
def from_matrix_columns(c0, c1, c2):
    """Quaternion of the rotation matrix with these columns (Shepperd 1978)."""
    m00, m10, m20 = c0
    m01, m11, m21 = c1
    m02, m12, m22 = c2
    x, y, z, w = 1 + m00 - m11 - m22, 1 - m00 + m11 - m22, 1 - m00 - m11 + m22, 1 + m00 + m11 + m22
    if w >= x and w >= y and w >= z:
        q = (m21 - m12, m02 - m20, m10 - m01, w)
    elif x >= y and x >= z:
        q = (x, m01 + m10, m02 + m20, m21 - m12)
    elif y >= z:
        q = (m01 + m10, y, m12 + m21, m02 - m20)
    else:
        q = (m02 + m20, m12 + m21, z, m10 - m01)
    norm = math.sqrt(q[0] ** 2 + q[1] ** 2 + q[2] ** 2 + q[3] ** 2)
    return (q[0] / norm, q[1] / norm, q[2] / norm, q[3] / norm)
