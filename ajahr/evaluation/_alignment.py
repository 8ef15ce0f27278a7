"""Kernels of the position errors: distances after moving the pelvis, and after the best similarity.

The best rotation comes from Horn's quaternion: the eigenvector of the largest eigenvalue of a symmetric 4x4
matrix. The eigenvalue is found by Newton's method on the characteristic polynomial and the vector read from the
adjugate (Theobald 2005), a few hundred operations; where the two largest eigenvalues lie close, which costs that
way its digits, Jacobi rotations do it. Never a reflection. All sums are float64, whatever the input.
"""

from __future__ import annotations

import math
from typing import no_type_check

import numpy as np
from numba import njit

_CLOSE = 0.02
"""Product of the eigenvalue's distances from the other three, over its cube, below which Jacobi takes over."""
_SWEEPS = 30


@njit(cache=True, nogil=True)
@no_type_check
def pelvis_distances(predicted, target, predicted_pelvis, target_pelvis, present, out):
    """Fill ``out`` (people, points) with distances, m, NaN where a point is not ``present``."""
    for i in range(predicted.shape[0]):
        ox = np.float64(predicted_pelvis[i, 0]) - np.float64(target_pelvis[i, 0])
        oy = np.float64(predicted_pelvis[i, 1]) - np.float64(target_pelvis[i, 1])
        oz = np.float64(predicted_pelvis[i, 2]) - np.float64(target_pelvis[i, 2])
        for j in range(predicted.shape[1]):
            if not present[i, j]:
                out[i, j] = math.nan
                continue
            x = np.float64(predicted[i, j, 0]) - np.float64(target[i, j, 0]) - ox
            y = np.float64(predicted[i, j, 1]) - np.float64(target[i, j, 1]) - oy
            z = np.float64(predicted[i, j, 2]) - np.float64(target[i, j, 2]) - oz
            out[i, j] = math.sqrt(x * x + y * y + z * z)


@njit(cache=True, nogil=True)
@no_type_check
def _jacobi(a, b, c, d, e, f, g, h, k, m):
    """`_largest` by Jacobi rotations: slower, and exact however close the eigenvalues lie."""
    s = np.array([[a, b, c, d], [b, e, f, g], [c, f, h, k], [d, g, k, m]])
    v = np.eye(4)
    for _ in range(_SWEEPS):
        off = 0.0
        for p in range(3):
            for q in range(p + 1, 4):
                off += s[p, q] * s[p, q]
        if off < 1e-34:
            break
        for p in range(3):
            for q in range(p + 1, 4):
                if s[p, q] == 0.0:
                    continue
                theta = (s[q, q] - s[p, p]) / (2 * s[p, q])
                t = 1 / (abs(theta) + math.sqrt(theta * theta + 1))
                if theta < 0:
                    t = -t
                cosine = 1 / math.sqrt(t * t + 1)
                sine = t * cosine
                for i in range(4):
                    x, y = s[i, p], s[i, q]
                    s[i, p], s[i, q] = cosine * x - sine * y, sine * x + cosine * y
                for i in range(4):
                    x, y = s[p, i], s[q, i]
                    s[p, i], s[q, i] = cosine * x - sine * y, sine * x + cosine * y
                for i in range(4):
                    x, y = v[i, p], v[i, q]
                    v[i, p], v[i, q] = cosine * x - sine * y, sine * x + cosine * y
    top = 0
    for i in range(1, 4):
        if s[i, i] > s[top, top]:
            top = i
    return s[top, top], v[0, top], v[1, top], v[2, top], v[3, top]


@njit(cache=True, nogil=True)
@no_type_check
def _largest(xx, xy, xz, yx, yy, yz, zx, zy, zz):
    """Largest eigenvalue of Horn's matrix of a covariance (entries of at most 1), and its unit vector."""
    a, b, c, d = xx + yy + zz, yz - zy, zx - xz, xy - yx
    e, f, g = xx - yy - zz, xy + yx, zx + xz
    h, k, m = yy - xx - zz, yz + zy, zz - xx - yy
    # characteristic polynomial x^4 + c2 x^2 + c1 x + c0; the trace is zero
    c2 = -2 * (xx * xx + xy * xy + xz * xz + yx * yx + yy * yy + yz * yz + zx * zx + zy * zy + zz * zz)
    c1 = -8 * (xx * (yy * zz - yz * zy) - xy * (yx * zz - yz * zx) + xz * (yx * zy - yy * zx))
    c0 = (
        (a * e - b * b) * (h * m - k * k)
        - (a * f - c * b) * (f * m - k * g)
        + (a * g - d * b) * (f * k - h * g)
        + (b * f - c * e) * (c * m - k * d)
        - (b * g - d * e) * (c * k - h * d)
        + (c * g - d * f) * (c * g - f * d)
    )
    x, slope = 1.0, 0.0  # no eigenvalue is larger, so Newton comes down on the largest and never passes it
    for _ in range(50):
        square = x * x
        slope = (4 * square + 2 * c2) * x + c1  # at the root: the product of its distances from the others
        if slope <= _CLOSE * square * x:
            return _jacobi(a, b, c, d, e, f, g, h, k, m)
        step = ((square + c2) * square + c1 * x + c0) / slope
        x -= step
        if abs(step) < 1e-15:
            break
    a, e, h, m = a - x, e - x, h - x, m - x
    s01, s02, s03 = c * g - f * d, c * k - h * d, c * m - k * d
    s12, s13, s23 = f * k - h * g, f * m - k * g, h * m - k * k
    t01, t02, t03 = a * e - b * b, a * f - c * b, a * g - d * b
    t12, t13, t23 = b * f - c * e, b * g - d * e, c * g - d * f
    # the adjugate is a multiple of v v': its longest column is the one of the largest diagonal entry
    d0 = abs(e * s23 - f * s13 + g * s12)
    d1 = abs(a * s23 - c * s03 + d * s02)
    d2 = abs(d * t13 - g * t03 + m * t01)
    d3 = abs(c * t12 - f * t02 + h * t01)
    if d0 >= d1 and d0 >= d2 and d0 >= d3:
        v0, v1 = e * s23 - f * s13 + g * s12, -b * s23 + f * s03 - g * s02
        v2, v3 = b * s13 - e * s03 + g * s01, -b * s12 + e * s02 - f * s01
    elif d1 >= d2 and d1 >= d3:
        v0, v1 = -b * s23 + c * s13 - d * s12, a * s23 - c * s03 + d * s02
        v2, v3 = -a * s13 + b * s03 - d * s01, a * s12 - b * s02 + c * s01
    elif d2 >= d3:
        v0, v1 = g * t23 - k * t13 + m * t12, -d * t23 + k * t03 - m * t02
        v2, v3 = d * t13 - g * t03 + m * t01, -d * t12 + g * t02 - k * t01
    else:
        v0, v1 = -f * t23 + h * t13 - k * t12, c * t23 - h * t03 + k * t02
        v2, v3 = -c * t13 + f * t03 - k * t01, c * t12 - f * t02 + h * t01
    length = math.sqrt(v0 * v0 + v1 * v1 + v2 * v2 + v3 * v3)
    return x, v0 / length, v1 / length, v2 / length, v3 / length


@njit(cache=True, nogil=True)
@no_type_check
def aligned_distances(predicted, target, present, out):
    """Fill ``out`` (people, points) with distances, m, after the similarity that brings ``predicted`` closest."""
    for i in range(predicted.shape[0]):
        n = 0
        px = py = pz = qx = qy = qz = 0.0
        for j in range(predicted.shape[1]):
            if present[i, j]:
                n += 1
                px += predicted[i, j, 0]
                py += predicted[i, j, 1]
                pz += predicted[i, j, 2]
                qx += target[i, j, 0]
                qy += target[i, j, 1]
                qz += target[i, j, 2]
        if n > 0:
            px, py, pz, qx, qy, qz = px / n, py / n, pz / n, qx / n, qy / n, qz / n
        xx = xy = xz = yx = yy = yz = zx = zy = zz = size_p = size_q = 0.0
        for j in range(predicted.shape[1]):
            if present[i, j]:
                a, b, c = predicted[i, j, 0] - px, predicted[i, j, 1] - py, predicted[i, j, 2] - pz
                u, v, w = target[i, j, 0] - qx, target[i, j, 1] - qy, target[i, j, 2] - qz
                size_p += a * a + b * b + c * c
                size_q += u * u + v * v + w * w
                xx += a * u
                xy += a * v
                xz += a * w
                yx += b * u
                yy += b * v
                yz += b * w
                zx += c * u
                zy += c * v
                zz += c * w
        scale = 1.0
        qw, q1, q2, q3 = 1.0, 0.0, 0.0, 0.0
        if not (math.isfinite(size_p) and math.isfinite(size_q)):
            scale = math.nan
        elif size_p > 0.0 and size_q > 0.0:
            unit = math.sqrt(size_p * size_q)
            value, qw, q1, q2, q3 = _largest(
                xx / unit,
                xy / unit,
                xz / unit,
                yx / unit,
                yy / unit,
                yz / unit,
                zx / unit,
                zy / unit,
                zz / unit,
            )
            scale = value * unit / size_p
        r00 = scale * (qw * qw + q1 * q1 - q2 * q2 - q3 * q3)
        r01 = scale * 2 * (q1 * q2 - qw * q3)
        r02 = scale * 2 * (q1 * q3 + qw * q2)
        r10 = scale * 2 * (q1 * q2 + qw * q3)
        r11 = scale * (qw * qw - q1 * q1 + q2 * q2 - q3 * q3)
        r12 = scale * 2 * (q2 * q3 - qw * q1)
        r20 = scale * 2 * (q1 * q3 - qw * q2)
        r21 = scale * 2 * (q2 * q3 + qw * q1)
        r22 = scale * (qw * qw - q1 * q1 - q2 * q2 + q3 * q3)
        for j in range(predicted.shape[1]):
            if not present[i, j]:
                out[i, j] = math.nan
                continue
            a, b, c = predicted[i, j, 0] - px, predicted[i, j, 1] - py, predicted[i, j, 2] - pz
            x = r00 * a + r01 * b + r02 * c - (target[i, j, 0] - qx)
            y = r10 * a + r11 * b + r12 * c - (target[i, j, 1] - qy)
            z = r20 * a + r21 * b + r22 * c - (target[i, j, 2] - qz)
            out[i, j] = math.sqrt(x * x + y * y + z * z)
