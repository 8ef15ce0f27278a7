"""Clips a triangle mesh by a scalar field on its vertices, and keeps every per-vertex quantity's origin."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Int32
from scipy.sparse import csr_array

from ajahr.errors import UserError
from ajahr.residual_limb.skin import SkinnedMesh, loops_of

_ROUNDS = 4
_SHORTEST, _FEWEST = 0.75, 8
_TURN, _SLIVER = 0.5, 0.1


@dataclass(frozen=True, eq=False)
class Clip:
    """What is left, open along one loop. Kept vertices come first, in their old order; the loop's follow."""

    vertices: Float[np.ndarray, "vertices 3"]
    faces: Int32[np.ndarray, "faces 3"]
    blend: csr_array
    """(vertices, old vertices)."""
    vertex_map: Int[np.ndarray, " old"]
    residual: Bool[np.ndarray, " vertices"]
    loop: Int[np.ndarray, " rim"]
    """Its vertices in the direction of the kept faces' edges."""
    uv: Float32[np.ndarray, "texels 2"] | None
    uv_faces: Int32[np.ndarray, "faces 3"] | None
    loop_uv: Float[np.ndarray, "rim ends=2 uv=2"] | None
    """Texture coordinates of both ends of each loop edge, in the chart of its face."""
    uv_slope: Float[np.ndarray, "rim ends=2 uv=2"] | None
    """How they go on beyond the loop, per metre of the field."""
    spacing: float
    """Mean length of the edges that the loop crosses, m."""

    def radius(self, normal: Float[np.ndarray, "3"]) -> float:
        """Of the disc as large as the loop seen along ``normal``, m."""
        at = self.vertices[self.loop]
        area = 0.5 * np.cross(at - at.mean(0), np.roll(at, -1, 0) - at.mean(0)).sum(0) @ normal
        return float(np.sqrt(abs(area) / np.pi))


def clip(mesh: SkinnedMesh, field: Float[np.ndarray, " vertices"]) -> Clip:
    """Removes what is positive; faces that the zero line crosses are split along it.

    Args:
        field: nowhere zero; the positive vertices are one connected piece of a surface without handles, and
            so are the others, so that one loop is left.

    Raises:
        UserError: more than one loop is left.
    """
    faces, kept = mesh.faces, field < 0
    inside = kept[faces].sum(1)
    whole, one, two = (np.flatnonzero(inside == k) for k in (3, 1, 2))
    # the odd vertex first, the turn kept
    odd_one = kept[faces[one]].argmax(1)
    odd_two = (~kept[faces[two]]).argmax(1)
    turn = np.arange(3)
    order_one, order_two = (odd_one[:, None] + turn) % 3, (odd_two[:, None] + turn) % 3
    tri_one = np.take_along_axis(faces[one], order_one, 1)
    tri_two = np.take_along_axis(faces[two], order_two, 1)

    old = len(field)
    ends = np.concatenate([tri_one[:, [0, 1]], tri_one[:, [0, 2]], tri_two[:, [1, 0]], tri_two[:, [2, 0]]])
    keys, crossing = np.unique(ends[:, 0].astype(np.int64) * old + ends[:, 1], return_inverse=True)
    stays, goes = keys // old, keys % old
    share = field[stays] / (field[stays] - field[goes])

    number = np.full(old, -1, np.int64)
    number[kept] = np.arange(kept.sum())
    count = int(kept.sum())
    crossing = crossing + count
    a, b = len(one), len(two)
    near_b, near_c = crossing[:a], crossing[a : 2 * a]
    near_p, near_q = crossing[2 * a : 2 * a + b], crossing[2 * a + b :]
    p, q = number[tri_two[:, 1]], number[tri_two[:, 2]]
    new_faces = [
        number[faces[whole]],
        np.stack([number[tri_one[:, 0]], near_b, near_c], 1),
        np.stack([near_p, p, q], 1),
        np.stack([near_p, q, near_q], 1),
    ]
    edges = np.concatenate([np.stack([near_b, near_c], 1), np.stack([near_q, near_p], 1)])
    loops = loops_of(edges)
    if len(loops) != 1:
        raise UserError(f"the cut leaves {len(loops)} loops instead of one; move the end along the limb")
    loop = loops[0]

    stay_numbers = np.flatnonzero(kept)
    rows = np.concatenate([np.arange(count), np.repeat(count + np.arange(len(keys)), 2)])
    columns = np.concatenate([stay_numbers, np.stack([stays, goes], 1).ravel()])
    values = np.concatenate([np.ones(count), np.stack([1 - share, share], 1).ravel()]).astype(np.float32)
    blend = csr_array((values, (rows, columns)), shape=(count + len(keys), old))
    rim = mesh.vertices[stays] * (1 - share)[:, None] + mesh.vertices[goes] * share[:, None]
    residual = np.concatenate([mesh.residual[kept], np.ones(len(keys), bool)])

    uv = uv_faces = loop_uv = uv_slope = None
    if mesh.uv is not None and mesh.uv_faces is not None:
        own = mesh.uv_faces
        uv_one = np.take_along_axis(own[one], order_one, 1)
        uv_two = np.take_along_axis(own[two], order_two, 1)
        pairs = np.concatenate([uv_one[:, [0, 1]], uv_one[:, [0, 2]], uv_two[:, [1, 0]], uv_two[:, [2, 0]]])
        t = share[crossing - count][:, None]
        texels = mesh.uv[pairs[:, 0]] * (1 - t) + mesh.uv[pairs[:, 1]] * t
        step = field[ends[:, 1]] - field[ends[:, 0]]
        slope = (mesh.uv[pairs[:, 1]] - mesh.uv[pairs[:, 0]]) / step[:, None]
        at = np.arange(len(pairs)) + len(mesh.uv)
        one_b, one_c, two_p, two_q = at[:a], at[a : 2 * a], at[2 * a : 2 * a + b], at[2 * a + b :]
        uv = np.concatenate([mesh.uv, texels]).astype(np.float32)
        uv_faces = np.concatenate(
            [
                own[whole],
                np.stack([uv_one[:, 0], one_b, one_c], 1),
                np.stack([two_p, uv_two[:, 1], uv_two[:, 2]], 1),
                np.stack([two_p, uv_two[:, 2], two_q], 1),
            ]
        ).astype(np.int32)
        sides = np.concatenate([np.stack([one_b, one_c], 1), np.stack([two_q, two_p], 1)]) - len(mesh.uv)
        where = np.empty(count + len(keys), np.int64)
        where[edges[:, 0]] = np.arange(len(edges))
        sides = sides[where[loop]]
        # an edge almost along the loop tells little of the way beyond it
        size = np.linalg.norm(slope, axis=1, keepdims=True)
        slope = slope * np.minimum(1, 1.5 * np.median(size) / np.maximum(size, 1e-12))
        loop_uv, uv_slope = texels[sides], slope[sides]
    return Clip(
        np.concatenate([mesh.vertices[kept].astype(np.float64), rim]),
        np.concatenate(new_faces).astype(np.int32),
        blend,
        number,
        residual,
        loop,
        uv,
        uv_faces,
        loop_uv,
        uv_slope,
        float(np.linalg.norm(mesh.vertices[stays] - mesh.vertices[goes], axis=1).mean()),
    )


def thinned(piece: Clip) -> Clip:
    """The loop with about as many vertices as a row of the mesh has: a cut's own are twice as many and uneven.

    Edges of the loop shorter than `_SHORTEST` of the mesh's are drawn together into one of their ends, the
    shortest first, where the surface stays a manifold and no face turns over or becomes a sliver. Kept
    vertices stay as they are. A corner that moves keeps its place in the texture: half an edge at most.
    """
    faces, vertices = piece.faces, piece.vertices
    on_loop = np.zeros(len(vertices), bool)
    on_loop[piece.loop] = True
    rows = np.flatnonzero(on_loop[faces].any(1))
    around: dict[int, set[int]] = {int(v): set() for v in piece.loop}
    for row in rows.tolist():
        for v in faces[row].tolist():
            if v in around:
                around[v].add(row)
    corners = {row: faces[row].tolist() for row in rows.tolist()}
    after = dict(zip(piece.loop.tolist(), np.roll(piece.loop, -1).tolist(), strict=True))
    before = {v: u for u, v in after.items()}
    at = {v: vertices[v] for row in corners.values() for v in row}
    limit = _SHORTEST * piece.spacing
    lengths = np.linalg.norm(vertices[np.roll(piece.loop, -1)] - vertices[piece.loop], axis=1)
    gone_faces: list[int] = []
    gone_edges: set[int] = set()  # by the vertex that an edge starts at, in the loop as it came
    starts = {int(v): int(v) for v in piece.loop}
    for start in piece.loop[np.argsort(lengths, kind="stable")].tolist():
        if start not in after or len(after) <= _FEWEST:
            continue
        end = after[start]
        if np.linalg.norm(at[end] - at[start]) >= limit:
            continue
        shared = around[start] & around[end]
        ring_a = {v for row in around[start] for v in corners[row]}
        ring_b = {v for row in around[end] for v in corners[row]}
        if len(shared) != 1 or len(ring_a & ring_b) != 3:
            continue
        (row,) = shared
        for goes, stays in ((end, start), (start, end)):
            moved = around[goes] - shared
            if all(_keeps_shape(corners[r], goes, stays, at) for r in moved):
                break
        else:
            continue
        for r in moved:
            corners[r][corners[r].index(goes)] = stays
        around[stays] = (around[stays] | around[goes]) - shared
        (third,) = set(corners[row]) - {start, end}
        if third in around:
            around[third].discard(row)
        del around[goes], corners[row]
        gone_faces.append(row)
        gone_edges.add(starts[start])
        if goes == end:
            follow = after.pop(end)
            after[start], before[follow] = follow, start
            starts[start] = starts[end]
        else:
            lead = before.pop(start)
            after.pop(start)
            after[lead], before[end] = end, lead
        before.pop(goes, None)
    if not gone_faces:
        return piece
    faces = faces.copy()
    for row, three in corners.items():
        faces[row] = three
    stay_faces = np.ones(len(faces), bool)
    stay_faces[gone_faces] = False
    used = ~on_loop
    used[list(after)] = True
    number = np.cumsum(used) - 1
    first = next(iter(after))
    order = [first]
    while after[order[-1]] != first:
        order.append(after[order[-1]])
    loop = np.array(order)
    # the edge that now starts at a vertex is the one that started at `starts` of it
    place = np.empty(len(vertices), np.int64)
    place[piece.loop] = np.arange(len(piece.loop))
    edges = place[[starts[v] for v in order]]
    return replace(
        piece,
        vertices=vertices[used],
        faces=number[faces[stay_faces]].astype(np.int32),
        blend=csr_array(piece.blend[used]),
        residual=piece.residual[used],
        loop=number[loop],
        uv_faces=None if piece.uv_faces is None else piece.uv_faces[stay_faces],
        loop_uv=None if piece.loop_uv is None else piece.loop_uv[edges],
        uv_slope=None if piece.uv_slope is None else piece.uv_slope[edges],
    )


def _keeps_shape(corners: list[int], goes: int, stays: int, at: dict[int, np.ndarray]) -> bool:
    """Whether a face stays turned as it is, and no sliver, when one of its corners moves."""
    a, b, c = (at[v] for v in corners)
    p, q, r = (at[stays] if v == goes else at[v] for v in corners)
    before, now = _cross(b - a, c - a), _cross(q - p, r - p)
    size = float(now @ now) ** 0.5
    longest = max(float((x - y) @ (x - y)) for x, y in ((p, q), (q, r), (r, p)))
    return float(before @ now) > _TURN * float(before @ before) ** 0.5 * size and size > _SLIVER * longest


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.array([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])


def relaxed(piece: Clip, normal: Float[np.ndarray, "3"]) -> Float[np.ndarray, "rim 3"]:
    """The loop's places after a few Taubin steps along itself: evener, as long, in its plane if it had one.

    A vertex stays where moving it would turn a face of the rim over.
    """
    loop, start = piece.loop, piece.vertices[piece.loop]
    places = start.copy()
    for _ in range(_ROUNDS):
        for step in (0.5, -0.53):
            middle = (np.roll(places, 1, 0) + np.roll(places, -1, 0)) / 2
            places = places + step * (middle - places)
    on_loop = np.full(len(piece.vertices), -1)
    on_loop[loop] = np.arange(len(loop))
    near = piece.faces[(on_loop[piece.faces] >= 0).any(1)]
    before = _normals(piece.vertices, near)
    for _ in range(len(loop)):
        vertices = piece.vertices.copy()
        vertices[loop] = places
        after = _normals(vertices, near)
        sizes = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
        turned = np.einsum("ij,ij->i", before, after) <= 0.2 * sizes
        back = on_loop[near[turned]]
        back = np.unique(back[back >= 0])
        back = back[(places[back] != start[back]).any(1)]
        if not len(back):
            break
        places[back] = start[back]
    return places


def _normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return np.cross(b - a, c - a)
