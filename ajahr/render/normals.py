"""Normals of vertices: means of the faces around them, weighted by area. Compiled by numba, a plain order of sums."""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
@no_type_check
def sum_normals(vertices, faces, normals):
    """Fill ``normals`` (V, 3), not normalised: the sum over a vertex's faces of twice their area along their normal.

    A face of no area has no say and gives no NaN.
    """
    normals[:] = 0.0
    for f in range(faces.shape[0]):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ux = vertices[b, 0] - vertices[a, 0]
        uy = vertices[b, 1] - vertices[a, 1]
        uz = vertices[b, 2] - vertices[a, 2]
        vx = vertices[c, 0] - vertices[a, 0]
        vy = vertices[c, 1] - vertices[a, 1]
        vz = vertices[c, 2] - vertices[a, 2]
        nx = uy * vz - uz * vy
        ny = uz * vx - ux * vz
        nz = ux * vy - uy * vx
        for k in (a, b, c):
            normals[k, 0] += nx
            normals[k, 1] += ny
            normals[k, 2] += nz


@njit(cache=True, nogil=True)
@no_type_check
def unit_normals(vertices, faces):
    """(V, 3) float32 of length 1; a vertex that has only faces without area gets some unit vector."""
    normals = np.empty((vertices.shape[0], 3), np.float32)
    sum_normals(vertices, faces, normals)
    for i in range(normals.shape[0]):
        x, y, z = normals[i, 0], normals[i, 1], normals[i, 2]
        length = np.sqrt(x * x + y * y + z * z)
        if length > 0:
            normals[i, 0], normals[i, 1], normals[i, 2] = x / length, y / length, z / length
        else:
            normals[i, 1] = np.float32(1)
    return normals
