"""Where a surface runs through itself: pairs of its triangles that pierce each other (exact), and the curves they make.

A pair counts when an edge of one triangle passes through the inside of the other; touching (neighbours, shared
vertices) and lying flat upon each other do not. Signs are those of determinants in double precision where a
bound on the rounding error decides (Shewchuk's filter for orient3d), else of fractions of integers.
"""

from __future__ import annotations

from fractions import Fraction
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int
from numba import njit
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

_LEAF = 4
_UNSURE = 2
_BOUND = (7 + 56 * 2.0**-53) * 2.0**-53
"""Rounding error of `_orient` relative to the sum of its terms' sizes."""


def self_intersections(
    vertices: Float[np.ndarray, "vertices 3"], faces: Int[np.ndarray, "faces 3"]
) -> Int[np.ndarray, "pairs 2"]:
    """Pairs of faces that pierce each other, the lower number first, in order.

    Args:
        vertices: finite; any unit.
    """
    if len(faces) < 2:
        return np.empty((0, 2), np.int64)
    places = np.ascontiguousarray(vertices, np.float64)
    corners = np.ascontiguousarray(faces, np.int64)
    order = _z_order(places, corners)
    sure, unsure = _pairs(places, corners, order)
    settled = [pair for pair in unsure if _pierce_exactly(places, corners[pair[0]], corners[pair[1]])]
    found = np.concatenate([sure, np.array(settled, np.int64).reshape(-1, 2)])
    return found[np.lexsort((found[:, 1], found[:, 0]))]


def intersection_curves(
    vertices: Float[np.ndarray, "vertices 3"],
    faces: Int[np.ndarray, "faces 3"],
    pairs: Int[np.ndarray, "pairs 2"],
) -> tuple[Float[np.ndarray, " pairs"], Int[np.ndarray, " pairs"]]:
    """What `self_intersections` found as curves, which do not depend on how finely the surface is cut into faces.

    Args:
        pairs: of `self_intersections`.

    Returns:
        Length of the line along which each pair meets, in the unit of the vertices, and the number of the curve
        that it is a piece of: pieces that meet at an edge are of one curve.
    """
    count = len(pairs)
    if not count:
        return np.zeros(0), np.zeros(0, np.int64)
    places, corners = np.asarray(vertices, np.float64), np.asarray(faces, np.int64)
    ends = np.full((count, 9, 3), np.nan)
    hits: list[
        tuple[np.ndarray, np.ndarray]
    ] = []  # pairs, and the name of the point where an edge meets a face
    vertex_count = len(places)
    for turn in range(2):
        face, other = pairs[:, turn], corners[pairs[:, 1 - turn]]
        plane = places[corners[face]]
        for k in range(3):
            p, q = other[:, k], other[:, (k + 1) % 3]
            here, there = places[p], places[q]
            normal = np.cross(plane[:, 1] - plane[:, 0], plane[:, 2] - plane[:, 0])
            above, below = (np.einsum("ij,ij->i", normal, x - plane[:, 0]) for x in (here, there))
            way = there - here
            sides = [
                np.einsum("ij,ij->i", way, np.cross(plane[:, m] - here, plane[:, (m + 1) % 3] - here))
                for m in range(3)
            ]
            inside = (np.stack(sides) > 0).all(0) | (np.stack(sides) < 0).all(0)
            met = np.flatnonzero((above * below < 0) & inside)
            ends[met, 3 * turn + k] = here[met] + (above[met] / (above[met] - below[met]))[:, None] * way[met]
            edge = np.minimum(p, q) * vertex_count + np.maximum(p, q)
            hits.append((met, np.stack([edge[met], face[met]], 1)))
    # faces that share a corner meet from there on
    for k in range(3):
        corner = corners[pairs[:, 0], k]
        met = np.flatnonzero((corners[pairs[:, 1]] == corner[:, None]).any(1))
        ends[met, 6 + k] = places[corner[met]]
        hits.append((met, np.stack([corner[met], np.full(len(met), -1)], 1)))
    apart = np.linalg.norm(ends[:, :, None] - ends[:, None], axis=-1)
    lengths = np.nan_to_num(apart).reshape(count, -1).max(1)
    rows = np.concatenate([met for met, _ in hits])
    names, points = np.unique(np.concatenate([name for _, name in hits]), axis=0, return_inverse=True)
    graph = coo_array(
        (np.ones(len(rows), np.int8), (rows, count + points.reshape(-1))), shape=(count + len(names),) * 2
    )
    return lengths, connected_components(graph, directed=False)[1][:count]


def _z_order(places: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Faces in the order of a Z-curve through their middles, so that neighbours in space are near in the list."""
    middles = places[corners].mean(1)
    low = middles.min(0)
    size = max(float((middles.max(0) - low).max()), 1e-300)
    cells = ((middles - low) / size * 1023).astype(np.int64)
    code = np.zeros(len(corners), np.int64)
    for bit in range(10):
        for axis in range(3):
            code |= (cells[:, axis] >> bit & 1) << (3 * bit + axis)
    return np.argsort(code, kind="stable")


@njit(cache=True, nogil=True)
@no_type_check
def _pairs(places, faces, order):
    """Piercing pairs, and pairs that rounding leaves open, by a tree of boxes over the faces in ``order``."""
    count = len(order)
    leaves = 1
    while leaves * _LEAF < count:
        leaves *= 2
    low, high = np.full((2 * leaves, 3), np.inf), np.full((2 * leaves, 3), -np.inf)
    face_low, face_high = np.empty((count, 3)), np.empty((count, 3))
    for i in range(count):
        node = leaves + i // _LEAF
        for axis in range(3):
            a, b, c = (
                places[faces[order[i], 0], axis],
                places[faces[order[i], 1], axis],
                places[faces[order[i], 2], axis],
            )
            face_low[i, axis], face_high[i, axis] = min(a, b, c), max(a, b, c)
            low[node, axis] = min(low[node, axis], face_low[i, axis])
            high[node, axis] = max(high[node, axis], face_high[i, axis])
    for node in range(leaves - 1, 0, -1):
        for axis in range(3):
            low[node, axis] = min(low[2 * node, axis], low[2 * node + 1, axis])
            high[node, axis] = max(high[2 * node, axis], high[2 * node + 1, axis])
    sure, unsure = [(0, 0) for _ in range(0)], [(0, 0) for _ in range(0)]
    stack = np.empty(128, np.int64)
    for i in range(count):
        first, top = order[i], 1
        stack[0] = 1
        while top:
            top -= 1
            node = stack[top]
            # the last leaf below this node: pairs are looked for later in the list only
            last = node
            while last < leaves:
                last = 2 * last + 1
            if (last - leaves + 1) * _LEAF <= i + 1:
                continue
            if (
                low[node, 0] > face_high[i, 0] or high[node, 0] < face_low[i, 0]
                or low[node, 1] > face_high[i, 1] or high[node, 1] < face_low[i, 1]
                or low[node, 2] > face_high[i, 2] or high[node, 2] < face_low[i, 2]
            ):  # fmt: skip
                continue
            if node < leaves:
                stack[top], stack[top + 1] = 2 * node, 2 * node + 1
                top += 2
                continue
            start = (node - leaves) * _LEAF
            for j in range(max(start, i + 1), min(start + _LEAF, count)):
                if (
                    face_low[j, 0] > face_high[i, 0] or face_high[j, 0] < face_low[i, 0]
                    or face_low[j, 1] > face_high[i, 1] or face_high[j, 1] < face_low[i, 1]
                    or face_low[j, 2] > face_high[i, 2] or face_high[j, 2] < face_low[i, 2]
                ):  # fmt: skip
                    continue
                other = order[j]
                told = _pierce(places, faces[first], faces[other])
                if told == 1:
                    sure.append((min(first, other), max(first, other)))
                elif told == _UNSURE:
                    unsure.append((min(first, other), max(first, other)))
    found, open_ = np.empty((len(sure), 2), np.int64), np.empty((len(unsure), 2), np.int64)
    for k, (a, b) in enumerate(sure):
        found[k, 0], found[k, 1] = a, b
    for k, (a, b) in enumerate(unsure):
        open_[k, 0], open_[k, 1] = a, b
    return found, open_


@njit(cache=True, nogil=True)
@no_type_check
def _orient(places, a, b, c, d):
    """Sign of the volume of a tetrahedron; `_UNSURE` where rounding could turn it."""
    if a in (b, c, d) or b in (c, d) or c == d:
        return 0
    ax, ay, az = places[a, 0] - places[d, 0], places[a, 1] - places[d, 1], places[a, 2] - places[d, 2]
    bx, by, bz = places[b, 0] - places[d, 0], places[b, 1] - places[d, 1], places[b, 2] - places[d, 2]
    cx, cy, cz = places[c, 0] - places[d, 0], places[c, 1] - places[d, 1], places[c, 2] - places[d, 2]
    p, q = bx * cy, cx * by
    r, s = cx * ay, ax * cy
    t, u = ax * by, bx * ay
    value = az * (p - q) + bz * (r - s) + cz * (t - u)
    size = (abs(p) + abs(q)) * abs(az) + (abs(r) + abs(s)) * abs(bz) + (abs(t) + abs(u)) * abs(cz)
    if value > _BOUND * size:
        return 1
    if value < -_BOUND * size:
        return -1
    return 0 if size == 0 else _UNSURE


@njit(cache=True, nogil=True)
@no_type_check
def _pierce(places, one, two):
    """1: an edge of one face passes through the other's inside; 0: none does; `_UNSURE`."""
    answer = 0
    for turn in range(2):
        face, other = (one, two) if turn == 0 else (two, one)
        s0 = _orient(places, face[0], face[1], face[2], other[0])
        s1 = _orient(places, face[0], face[1], face[2], other[1])
        s2 = _orient(places, face[0], face[1], face[2], other[2])
        if s0 != _UNSURE and s1 != _UNSURE and s2 != _UNSURE and min(s0, s1, s2) * max(s0, s1, s2) >= 0:
            return 0  # all on one side of the face's plane
        for k in range(3):
            p, q = other[k], other[(k + 1) % 3]
            sp, sq = (s0, s1) if k == 0 else ((s1, s2) if k == 1 else (s2, s0))
            if sp == 0 or sq == 0 or (sp != _UNSURE and sp == sq):
                continue
            a = _orient(places, p, q, face[0], face[1])
            b = _orient(places, p, q, face[1], face[2])
            c = _orient(places, p, q, face[2], face[0])
            if a == 0 or b == 0 or c == 0:
                continue
            if (a * b == -1) or (b * c == -1) or (a * c == -1):
                continue
            if max(sp, sq, a, b, c) == _UNSURE:
                answer = _UNSURE
            else:
                return 1
    return answer


def _pierce_exactly(places: np.ndarray, one: np.ndarray, two: np.ndarray) -> bool:
    """`_pierce` in fractions."""
    one, two = one.tolist(), two.tolist()
    exact = {v: [Fraction(float(x)) for x in places[v]] for v in (*one, *two)}

    def sign(*four: int) -> int:
        if len(set(four)) < 4:
            return 0
        *rows, last = (exact[v] for v in four)
        (ax, ay, az), (bx, by, bz), (cx, cy, cz) = (
            [x - y for x, y in zip(row, last, strict=True)] for row in rows
        )
        value = az * (bx * cy - cx * by) + bz * (cx * ay - ax * cy) + cz * (ax * by - bx * ay)
        return (value > 0) - (value < 0)

    for face, other in ((one, two), (two, one)):
        sides = [sign(*face, v) for v in other]
        for k in range(3):
            p, q = other[k], other[(k + 1) % 3]
            if sides[k] * sides[(k + 1) % 3] != -1:
                continue
            turns = {sign(p, q, face[i], face[(i + 1) % 3]) for i in range(3)}
            if turns in ({1}, {-1}):
                return True
    return False
