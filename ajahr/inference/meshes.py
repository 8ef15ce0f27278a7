"""Meshes of people as they are: what a limb loss took is cut away, the hole is closed, the rim is shared.

The regressor's body keeps every vertex: those of absent parts are collapsed onto the amputation joint, a heap
of faces without area (paper, Sec. 3.1). Here the faces of collapsed parts go, and each hole gets a small fan
about the middle of its rim. Vertices that hang on both sides of the joint stay; they are what rounds the end.
Where the body is a closed surface, so is the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float32, Int, Int32, UInt8
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from ajahr.anatomy import JOINT_LIMB, absent_joint_mask, check_levels
from ajahr.render.normals import unit_normals
from ajahr.render.overlay import LIMB_COLOURS, RESIDUAL_COLOUR

COLLAPSED = 0.9
"""A vertex with more of its skin weight than this on absent joints lies in the heap: within a tenth of its
rest distance from the amputation joint."""
_PALE = 0.25
"""How much white is mixed into the limbs' colours, so that shading shows."""


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles, counter-clockwise seen from outside, with a colour per vertex."""

    vertices: Float32[np.ndarray, "vertices 3"]
    """m."""
    faces: Int32[np.ndarray, "faces 3"]
    colours: UInt8[np.ndarray, "vertices rgb=3"]

    @cached_property
    def normals(self) -> Float32[np.ndarray, "vertices 3"]:
        """Unit normals: means of the faces around a vertex, weighted by their area."""
        return unit_normals(np.ascontiguousarray(self.vertices), np.ascontiguousarray(self.faces))


@dataclass(frozen=True, eq=False)
class Cut:
    """How a body's mesh is cut for one set of limb levels; the same for every pose and shape."""

    kept: Int32[np.ndarray, " kept"]
    """Vertices of the body that stay, ascending. The ends' middles follow them."""
    faces: Int32[np.ndarray, "faces 3"]
    rims: tuple[Int32[np.ndarray, " _"], ...]
    """Vertices (new numbers) around each closed hole, in the order of its boundary."""
    colours: UInt8[np.ndarray, "vertices rgb=3"]


class JointCutter:
    """Takes limbs off meshes of one body at joints. Cuts are made when needed and kept. Safe to share between threads.

    Args:
        weights: the body's skin weights.
        faces: its triangles. Where they leave it open, it stays open.
    """

    def __init__(
        self, weights: Float32[np.ndarray, "vertices joints=24"], faces: Int32[np.ndarray, "faces 3"]
    ) -> None:
        self._weights = weights
        self._faces = np.ascontiguousarray(faces, np.int32)
        self._open = _boundary(self._faces, len(weights))
        self._colours = limb_colours(weights)
        self._cuts: dict[tuple[int, ...], Cut] = {}
        self._tinted: dict[tuple[int, ...], np.ndarray] = {}

    def __call__(
        self, vertices: Float32[np.ndarray, "vertices 3"], limb_levels: Sequence[int] | Int[np.ndarray, " 4"]
    ) -> Mesh:
        """The mesh of a posed person.

        Args:
            vertices: of the whole body, absent parts collapsed.
            limb_levels: what is lost, in `Limb` order.
        """
        cut = self.cut(limb_levels)
        middles = [vertices[cut.kept[rim]].mean(0) for rim in cut.rims]
        points = np.concatenate([vertices[cut.kept], np.array(middles, np.float32).reshape(-1, 3)])
        return Mesh(points, cut.faces, cut.colours)

    def cut(self, limb_levels: Sequence[int] | Int[np.ndarray, " 4"]) -> Cut:
        """What stays and how the holes are closed."""
        key = tuple(int(level) for level in check_levels(np.asarray(limb_levels)))
        found = self._cuts.get(key)
        if found is None:
            found = self._cuts[key] = self._make(key)
        return found

    def colours(self, limb_levels: Sequence[int] | Int[np.ndarray, " 4"]) -> UInt8[np.ndarray, "vertices 3"]:
        """Colour of every vertex of the uncut body: limbs by their colours, ends of residual limbs magenta."""
        key = tuple(int(level) for level in limb_levels)
        found = self._tinted.get(key)
        if found is None:
            found = self._tinted[key] = self._tint(key)
        return found

    def _tint(self, levels: tuple[int, ...]) -> np.ndarray:
        share = self._absent_share(levels)[:, None]
        blend = np.clip((share - 0.1) / 0.4, 0, 1)
        blend = blend * blend * (3 - 2 * blend)
        mixed = self._colours * (1 - blend) + np.array(RESIDUAL_COLOUR, np.float32) * blend
        return np.rint(mixed).astype(np.uint8)

    def _absent_share(self, levels: tuple[int, ...]) -> np.ndarray:
        return self._weights[:, absent_joint_mask(levels)].sum(1)

    def _make(self, levels: tuple[int, ...]) -> Cut:
        count = len(self._weights)
        removed = self._absent_share(levels) > COLLAPSED
        while True:
            faces = self._faces[~removed[self._faces].any(1)]
            rim = _boundary(faces, count, self._open)
            starts = np.bincount(rim[:, 0], minlength=count)
            pinched = starts > 1  # two holes that touch in a vertex would share it
            if not pinched.any():
                faces, rim, dropped = _without_crumbs(faces, rim, count)
                if not dropped:
                    break
            removed |= pinched
            if not pinched.any():
                removed |= ~np.isin(np.arange(count), faces)
        used = np.zeros(count, bool)
        used[faces] = True
        kept = np.flatnonzero(used).astype(np.int32)
        number = np.full(count, -1, np.int32)
        number[kept] = np.arange(len(kept))
        rims = [number[loop] for loop in _loops(rim)]
        fans = []
        for k, loop in enumerate(rims):
            middle = np.full(len(loop), len(kept) + k, np.int32)
            fans.append(np.stack([np.roll(loop, -1), loop, middle], 1))
        all_colours = self.colours(levels)
        colours = [all_colours[kept]] + [np.array([RESIDUAL_COLOUR], np.uint8)] * len(rims)
        return Cut(
            kept,
            np.concatenate([number[faces], *fans]).astype(np.int32),
            tuple(rims),
            np.ascontiguousarray(np.concatenate(colours)),
        )


def limb_colours(
    weights: Float32[np.ndarray, "vertices joints=24"],
) -> Float32[np.ndarray, "vertices 3"]:
    """RGB of each vertex by the limbs its joints belong to, blended as the skin weights are."""
    joints = np.array([LIMB_COLOURS[limb] for limb in JOINT_LIMB], np.float32)
    return (weights @ joints * (1 - _PALE) + 255 * _PALE).astype(np.float32)


def _boundary(faces: np.ndarray, count: int, known: np.ndarray | None = None) -> np.ndarray:
    """Directed edges (a, b) of faces that no other face runs through as (b, a), without the ``known`` ones."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64)
    there, back = edges[:, 0] * count + edges[:, 1], edges[:, 1] * count + edges[:, 0]
    alone = ~np.isin(there, back)
    if known is not None and len(known):
        alone &= ~np.isin(there, known[:, 0].astype(np.int64) * count + known[:, 1])
    return edges[alone]


def _without_crumbs(faces: np.ndarray, rim: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, bool]:
    """Of the pieces a cut has made, the largest; pieces without a rim (eyes) are untouched."""
    if not len(rim):
        return faces, rim, False
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    graph = csr_array((np.ones(len(edges), np.int8), (edges[:, 0], edges[:, 1])), shape=(count, count))
    _, piece = connected_components(graph, directed=False)
    cut_pieces = np.unique(piece[rim[:, 0]])
    if len(cut_pieces) == 1:
        return faces, rim, False
    size = np.bincount(piece[faces[:, 0]])
    crumbs = np.setdiff1d(cut_pieces, cut_pieces[np.argmax(size[cut_pieces])])
    return faces[~np.isin(piece[faces[:, 0]], crumbs)], rim, True


def _loops(rim: np.ndarray) -> list[np.ndarray]:
    """Directed boundary edges, one out of each vertex, as closed loops of vertices.

    A cut through a place where the body was open already leaves a chain that does not close: it stays open.
    """
    after: dict[int, int] = dict(rim.tolist())
    loops = []
    while after:
        first, here = after.popitem()
        loop = [first]
        while here != first and here in after:
            loop.append(here)
            here = after.pop(here)
        if here == first:
            loops.append(np.array(loop))
    return loops
