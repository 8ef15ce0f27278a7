"""Bodies in SMPL's and SMPL-X's file formats and sizes, made of the embedded one: what licensed files are like.

python scripts/stand_in_bodies.py FOLDER

``SMPL_NEUTRAL.npz``: 6890 vertices and 13776 faces, one closed surface, 24 joints. ``SMPLX_NEUTRAL.npz``: 10475
vertices, 55 joints, finger joints with weights, two separate eyeballs and two open eye sockets. Shapes of
people are the embedded body's; nothing of a licensed file is in them.
"""

from __future__ import annotations

import argparse
import heapq
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ajahr.body.data import BodyData, load_body

_FINGERS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    body = load_body()
    for name, model in (("SMPL", smpl_like(body)), ("SMPLX", smplx_like(body))):
        path = folder / f"{name}_NEUTRAL.npz"
        np.savez(path, **model)
        print(f"{path}: {len(model['v_template'])} vertices, {len(model['f'])} faces")


def smpl_like(body: BodyData, count: int = 6890) -> dict[str, Any]:
    """Arrays by SMPL's keys."""
    parts = _parts(body)
    kept, faces, target = _thinned(body, parts == np.bincount(parts).argmax(), count)
    model = _common(body, kept, faces, target, body.weights, body.J_regressor)
    return model | {
        "kintree_table": np.array([[2**32 - 1, *body.parents[1:]], range(24)], np.int64),
        "posedirs": np.zeros((count, 3, 207)),
    }


def smplx_like(body: BodyData, count: int = 10475) -> dict[str, Any]:
    """Arrays by SMPL-X's keys."""
    parts = _parts(body)
    sizes = np.bincount(parts)
    trunk = int(sizes.argmax())
    middles = np.array([body.v_template[parts == k].mean(0) for k in range(len(sizes))])
    # the eyes are the two pieces that mirror each other
    apart = np.abs(middles[:, None] * (-1, 1, 1) - middles[None]).sum(2) + 9 * (np.abs(middles[:, :1]) < 0.01)
    apart[trunk] = apart[:, trunk] = np.inf
    pair = np.unravel_index(apart.argmin(), apart.shape)
    left, right = sorted((int(pair[0]), int(pair[1])), key=lambda k: -middles[k, 0])
    kept, faces, target = _thinned(body, np.isin(parts, (trunk, left, right)), count)
    weights, regress = _fifty_five(body, parts, left, right)
    model = _common(body, kept, faces, target, weights, regress)
    places, own = body.v_template[kept], parts[kept]
    holes = []
    for eye in (left, right):
        behind = np.where(own == trunk, np.linalg.norm(places - middles[eye] + (0, 0, 0.012), axis=1), np.inf)
        holes.append(int(behind.argmin()))
    model["f"] = model["f"][~np.isin(model["f"], holes).any(1)]
    parents = [*body.parents[:22], 15, 15, 15]
    for wrist in (20, 21):
        for _ in range(_FINGERS):
            first = len(parents)
            parents += [wrist, first, first + 1]
    rng = np.random.default_rng(0)
    # as in the file, every vertex stays, also those that no face uses
    return model | {
        "kintree_table": np.array([[2**32 - 1, *parents[1:]], range(55)], np.int64),
        "posedirs": rng.normal(0, 1e-5, (count, 3, 486)),
    }


def _parts(body: BodyData) -> np.ndarray:
    """Connected piece of each vertex."""
    start, end = body.faces.ravel(), np.roll(body.faces, -1, 1).ravel()
    shape = (len(body.v_template),) * 2
    return connected_components(coo_array((np.ones(len(start)), (start, end)), shape=shape), directed=False)[
        1
    ]


def _common(body: BodyData, kept, faces, target, weights, regress) -> dict[str, Any]:
    number = np.full(len(body.v_template), -1)
    number[kept] = np.arange(len(kept))
    # what a joint takes of a vertex that went it takes of the one it went into; of other pieces, nothing
    moved = np.zeros((len(regress), len(kept)))
    usable = target >= 0
    np.add.at(moved.T, number[target[usable]], regress[:, usable].T)
    moved /= moved.sum(1, keepdims=True)
    return {
        "v_template": body.v_template[kept].astype(np.float64),
        "shapedirs": body.shapedirs[kept].astype(np.float64),
        "J_regressor": moved,
        "weights": weights[kept].astype(np.float64),
        "f": number[faces].astype(np.uint32),
    }


def _fifty_five(body: BodyData, parts, left: int, right: int) -> tuple[np.ndarray, np.ndarray]:
    """Skin weights and joint regressors of SMPL-X's 55 joints."""
    count = len(body.v_template)
    weights, regress = np.zeros((count, 55), np.float32), np.zeros((55, count), np.float32)
    weights[:, :22] = body.weights[:, :22]
    regress[:22] = body.J_regressor[:22]
    regress[22] = body.J_regressor[15]
    for joint, part in ((23, left), (24, right)):
        weights[parts == part] = 0
        weights[parts == part, joint] = 1
        regress[joint] = (parts == part) / (parts == part).sum()
    for hand, first in ((22, 25), (23, 40)):
        share = body.weights[:, hand]
        own = np.flatnonzero(share > 0.5)
        reach, across = np.abs(body.v_template[:, 0]), body.v_template[:, 2]
        edges = np.quantile(across[own], np.linspace(0, 1, _FINGERS + 1)[1:-1])
        finger = np.searchsorted(edges, across)
        steps = np.quantile(reach[own], (0.35, 0.7))
        for k in range(3 * _FINGERS):
            mine = (finger == k // 3) & (np.searchsorted(steps, reach) == k % 3)
            weights[mine, first + k] += share[mine]
            chosen = mine & (share > 0.5)
            regress[first + k] = chosen / chosen.sum() if chosen.any() else body.J_regressor[hand]
    return weights, regress


def _thinned(body: BodyData, use: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices that stay, faces, and where each vertex went (-1: not used): edges collapse, the shortest first."""
    places = body.v_template.astype(np.float64)
    corners = {k: f for k, f in enumerate(body.faces.tolist()) if use[f[0]]}
    around: list[set[int]] = [set() for _ in places]
    for k, face in corners.items():
        for v in face:
            around[v].add(k)
    pairs = {(min(a, b), max(a, b)) for f in corners.values() for a, b in zip(f, (*f[1:], f[0]), strict=True)}
    heap = [(float(np.linalg.norm(places[a] - places[b])), a, b) for a, b in pairs]
    heapq.heapify(heap)
    target = np.where(use, np.arange(len(places)), -1)
    left = int(use.sum())

    def cross(face: list[int]) -> np.ndarray:
        (ax, ay, az), (bx, by, bz), (cx, cy, cz) = (places[v].tolist() for v in face)
        ux, uy, uz, vx, vy, vz = bx - ax, by - ay, bz - az, cx - ax, cy - ay, cz - az
        return np.array([uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx])

    def ring(v: int) -> set[int]:
        return {w for k in around[v] for w in corners[k]} - {v}

    while left > count:
        _, u, v = heapq.heappop(heap)  # v goes into u
        if target[u] != u or target[v] != v:
            continue
        shared = around[u] & around[v]
        if len(shared) != 2 or len(ring(u) & ring(v)) != 2:
            continue
        moved = [(k, [u if w == v else w for w in corners[k]]) for k in around[v] - shared]
        turns = [(cross(corners[k]), cross(face)) for k, face in moved]
        if any(a @ b <= 0.3 * np.sqrt((a @ a) * (b @ b)) for a, b in turns):
            continue
        for k in shared:
            for w in corners.pop(k):
                around[w].discard(k)
        for k, face in moved:
            corners[k] = face
            around[u].add(k)
        around[v].clear()
        target[v], left = u, left - 1
        for w in ring(u):
            heapq.heappush(heap, (float(np.linalg.norm(places[u] - places[w])), min(u, w), max(u, w)))
    for v in np.flatnonzero(use):
        while target[v] != target[target[v]]:
            target[v] = target[target[v]]
    kept = np.flatnonzero(target == np.arange(len(places)))
    return kept, np.array(list(corners.values())), target


if __name__ == "__main__":
    main()
