"""Cuts one body in many shapes, fast: what the generator renders and what prediction cuts. The numbers are
`surface.cut_limbs`'s to the bit.

A cut concerns a limb and its surroundings, a fifth of the body, and all of that but the shape is the same for
everybody: it is picked out once per bone. A `CutShape` is without the check that the result is closed, which is a law
of the clipping (`clip`) and is tested over shapes, bones and lengths; `LimbCutter.cut_body` makes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Int32, UInt8
from scipy.sparse import csr_array, eye_array, vstack

from ajahr.body.data import BodyData
from ajahr.body.fast import FastBody
from ajahr.errors import UserError
from ajahr.residual_limb.measure import QuickMeasures, quick_measures
from ajahr.residual_limb.segments import Segment
from ajahr.residual_limb.skin import SkinnedMesh, rest_joints, rest_vertices, topology, volume_of
from ajahr.residual_limb.surface import (
    DOME,
    CutBody,
    ResidualLimb,
    cut_limbs,
    cut_open,
    limb_region,
    surroundings,
    top_joint,
)


@dataclass(frozen=True, eq=False)
class CutShape:
    """A body with one or more limbs cut, at rest. Kept vertices come first, in their old order."""

    kept: Bool[np.ndarray, " intact"]
    faces: Int32[np.ndarray, "faces 3"]
    uv: Float32[np.ndarray, "texels 2"] | None
    uv_faces: Int32[np.ndarray, "faces 3"] | None
    added: Float32[np.ndarray, "added 3"]
    """What the cuts made, m: rims, rings and tips."""
    added_weights: Float32[np.ndarray, "added joints=24"]
    added_carry: csr_array
    """(added, intact vertices): what each takes of the intact body's, as `SkinnedMesh.carry`."""
    added_to: Int[np.ndarray, " added"]
    """Which of ``ends`` a vertex belongs to."""
    ends: tuple[ResidualLimb, ...]
    """Vertex numbers are those of the cut body."""
    measures: tuple[QuickMeasures, ...]
    at_rest: frozenset[int]
    """Joints that went with the cuts."""
    rim_uv: tuple[Float32[np.ndarray, "_ 2"], ...] = ()
    """Texture coordinates of each end's rim; none without a texture."""

    def rings(self, end: int) -> tuple[Int[np.ndarray, " rim"], Int[np.ndarray, " rim"]]:
        """Vertices of the dome's two rings, from the rim to the tip, in the order of the rim."""
        rows, tip = np.arange(len(self.ends[end].rim)), self.ends[end].tip
        return tip - 2 * len(rows) + rows, tip - len(rows) + rows

    @property
    def num_kept(self) -> int:
        return int(np.count_nonzero(self.kept))

    def labels(self, part_labels: UInt8[np.ndarray, " intact"]) -> UInt8[np.ndarray, " vertices"]:
        """Part of each vertex: what a cut made is of the part it ends."""
        own = np.array([end.segment.upstream for end in self.ends], np.uint8)
        return np.concatenate([part_labels[self.kept], own[self.added_to]])


@dataclass(frozen=True, eq=False)
class CutPose:
    """A cut body in a pose, m, in the output frame."""

    shape: CutShape
    vertices: Float32[np.ndarray, "vertices 3"]

    @property
    def tips(self) -> Float32[np.ndarray, "ends 3"]:
        """The ends of the residual limbs."""
        return self.vertices[[end.tip for end in self.shape.ends]]

    @property
    def middles(self) -> Float32[np.ndarray, "ends 3"]:
        """The middle of the rim on which each end's dome stands."""
        return np.stack([self.vertices[end.rim].mean(0) for end in self.shape.ends])


@dataclass(frozen=True, eq=False)
class _Patch:
    """A bone's surroundings on one body."""

    vertices: Int[np.ndarray, " near"]
    faces: Int[np.ndarray, " near_faces"]
    mesh: SkinnedMesh
    """Its vertices and joints are filled in for each shape."""


class LimbCutter:
    """Cuts limbs of one body. Safe to share between threads.

    Args:
        body: the body.
    """

    def __init__(self, body: BodyData) -> None:
        self.body = body
        self._regressor = csr_array(body.J_regressor, dtype=np.float64)
        self._identity = csr_array(eye_array(len(body.v_template)), dtype=np.float32)
        self._patches: dict[Segment, _Patch] = {}

    def _patch(self, segment: Segment) -> _Patch:
        known = self._patches.get(segment)
        if known is None:
            body = self.body
            descendants = _below(body.parents, top_joint(segment))
            near = surroundings(body.weights, segment, descendants)
            faces = np.flatnonzero(near[body.faces].any(1))
            vertices, local = np.unique(body.faces[faces], return_inverse=True)
            mesh = SkinnedMesh(
                body.v_template[vertices],
                local.reshape(-1, 3).astype(np.int32),
                np.ascontiguousarray(body.weights[vertices]),
                np.zeros((len(body.parents), 3), np.float32),
                body.parents,
                None,
                self._identity[vertices],
                np.zeros(len(vertices), bool),
                body.uv,
                None if body.uv_faces is None else body.uv_faces[faces],
            )
            known = self._patches[segment] = _Patch(vertices, faces, mesh)
        return known

    def __call__(
        self, betas: Float[np.ndarray, " betas"], ends: Mapping[Segment, float], *, dome: float = DOME
    ) -> CutShape:
        """A body with these betas, cut at lambda of each bone.

        Raises:
            UserError: as `surface.cut_limbs`; or two cuts meet, which only very high ones of both legs do.
        """
        return self._shaped(rest_vertices(self.body, betas), ends, dome)

    def _shaped(self, vertices: np.ndarray, ends: Mapping[Segment, float], dome: float) -> CutShape:
        if not ends:
            raise ValueError("no limb to cut")
        limbs = [segment.limb for segment in ends]
        if len(set(limbs)) < len(limbs):
            words = ", ".join(segment.words for segment in ends)
            raise UserError(f"a limb ends once, but two ends of one limb are given ({words}); leave one out")
        body = self.body
        joints = rest_joints(self._regressor, vertices)
        stature = float(np.ptp(vertices[:, 1]))
        kept = np.ones(len(vertices), bool)
        stays = np.ones(len(body.faces), bool)
        pieces: list[_Piece] = []
        for segment, fraction in ends.items():
            patch = self._patch(segment)
            mesh = replace(patch.mesh, vertices=vertices[patch.vertices], joints=joints, stature=stature)
            cut, piece, end = cut_open(mesh, segment, fraction, dome=dome)
            mine = piece.vertex_map >= 0
            whole = mine[mesh.faces].all(1)
            if not stays[patch.faces[~whole]].all():
                raise UserError(f"the cut {segment.words} meets another one; move one of them down the limb")
            kept[patch.vertices[~mine]] = False
            stays[patch.faces[~whole]] = False
            pieces.append(_Piece(patch, mesh, cut, end, mine, int(whole.sum())))
        return self._joined(kept, stays, pieces)

    def cut_body(self, betas: Float[np.ndarray, " betas"], ends: Mapping[Segment, float]) -> CutBody:
        """What `surface.cut_limbs` makes of a body with these betas, to the bit, checked as there, in less time.

        Raises:
            UserError: as `surface.cut_limbs`.
        """
        body, whole = self.body, rest_vertices(self.body, betas)
        try:
            shape = self._shaped(whole, ends, DOME)
        except UserError:  # the long way says what is wrong, or manages cuts that meet
            return cut_limbs(SkinnedMesh.of_body(body, betas), ends)
        mesh = SkinnedMesh(
            np.concatenate([whole[shape.kept], shape.added]),
            shape.faces,
            np.concatenate([body.weights[shape.kept], shape.added_weights]),
            rest_joints(self._regressor, whole),
            body.parents,
            body.posedirs,
            csr_array(vstack([self._identity[shape.kept], shape.added_carry])),
            np.arange(shape.num_kept + len(shape.added)) >= shape.num_kept,
            shape.uv,
            shape.uv_faces,
            shape.at_rest,
            float(np.ptp(whole[:, 1])),
        )
        found = mesh.topology
        same = found.closed and found.euler_number == self._euler_number
        if not same or not 0 < found.volume <= volume_of(whole, body.faces):
            return cut_limbs(SkinnedMesh.of_body(body, betas), ends)
        numbers = np.where(shape.kept, np.cumsum(shape.kept) - 1, -1)
        return CutBody(mesh, shape.ends, numbers)

    @cached_property
    def _euler_number(self) -> int:
        return topology(self.body.v_template, self.body.faces).euler_number

    def _joined(self, kept: np.ndarray, stays: np.ndarray, pieces: list[_Piece]) -> CutShape:
        """The pieces' new vertices and faces behind what stays of the body, numbered as one cut after another would."""
        body = self.body
        number = np.cumsum(kept, dtype=np.int32) - np.int32(1)
        start, texel = int(number[-1]) + 1, 0
        faces, uv_faces = [number[body.faces[stays]]], []
        uv: list[np.ndarray] = []
        if body.uv is not None and body.uv_faces is not None:
            uv.append(body.uv)
            uv_faces.append(body.uv_faces[stays])
        ends, measures, added_to, rim_uv = [], [], [], []
        for k, one in enumerate(pieces):
            old = int(one.mine.sum())
            new = len(one.cut.vertices) - old
            where = np.concatenate([number[one.patch.vertices[one.mine]], np.arange(start, start + new)])
            faces.append(where[one.cut.faces[one.whole :]].astype(np.int32))
            if uv and body.uv is not None and one.cut.uv is not None and one.cut.uv_faces is not None:
                grown = one.cut.uv_faces[one.whole :]
                uv_faces.append(np.where(grown >= len(body.uv), grown + np.int32(texel), grown))
                uv.append(one.cut.uv[len(body.uv) :])
                texel += len(uv[-1])
                texel_of = np.zeros(len(one.cut.vertices), np.int64)
                texel_of[one.cut.faces[one.whole :]] = grown
                rim_uv.append(one.cut.uv[texel_of[one.end.rim]])
            ends.append(replace(one.end, tip=int(where[one.end.tip]), rim=where[one.end.rim]))
            measures.append(self._measured(one))
            added_to.append(np.full(new, k))
            start += new
        tails = [slice(int(one.mine.sum()), None) for one in pieces]
        at_rest: set[int] = set()
        for one in pieces:
            at_rest |= one.cut.absent
        return CutShape(
            kept,
            np.concatenate(faces),
            np.concatenate(uv) if uv else None,
            np.concatenate(uv_faces) if uv_faces else None,
            np.concatenate([one.cut.vertices[tail] for one, tail in zip(pieces, tails, strict=True)]),
            np.concatenate([one.cut.weights[tail] for one, tail in zip(pieces, tails, strict=True)]),
            csr_array(vstack([one.cut.carry[tail] for one, tail in zip(pieces, tails, strict=True)])),
            np.concatenate(added_to),
            tuple(ends),
            tuple(measures),
            frozenset(at_rest),
            tuple(rim_uv),
        )

    @staticmethod
    def _measured(one: _Piece) -> QuickMeasures:
        near = limb_region(one.mesh, one.end.segment)[one.mine] > 0
        near = np.concatenate([near, np.ones(len(one.cut.vertices) - len(near), bool)])
        return quick_measures(one.cut, one.end, near)

    def pose(
        self,
        fast: FastBody,
        shape: CutShape,
        betas: Float[np.ndarray, " betas"],
        rotmats: Float[np.ndarray, "joints=24 3 3"],
        collapsed: Bool[np.ndarray, " joints=24"],
        translation: Float[np.ndarray, " 3"],
    ) -> CutPose:
        """The cut body in a pose.

        Args:
            fast: the same body.
            shape: of these betas.
            rotmats: as `FastBody` takes them.
            collapsed: joints of other limbs, lost at joint level.
            translation: m.
        """
        local = np.array(rotmats, np.float32)
        local[sorted(shape.at_rest)] = np.eye(3, dtype=np.float32)
        posed = fast.skinned(betas, local, collapsed, translation)
        added = shape.added
        if (
            posed.rest is not fast.shape(betas)[0]
        ):  # offsets of the pose, which what is new takes from its neighbours
            added = added + shape.added_carry @ (posed.rest - fast.shape(betas)[0])
        moved = (shape.added_weights @ posed.transforms).reshape(-1, 3, 4)
        new = np.einsum("vab,vb->va", moved[..., :3], added) + moved[..., 3]
        return CutPose(shape, np.concatenate([posed.vertices[shape.kept], new]).astype(np.float32))


@dataclass(frozen=True, eq=False)
class _Piece:
    """One cut of one limb, in the numbers of its patch."""

    patch: _Patch
    mesh: SkinnedMesh
    cut: SkinnedMesh
    end: ResidualLimb
    mine: np.ndarray
    """Vertices of the patch that stay."""
    whole: int
    """Faces of the patch that stay whole; they come first."""


def _below(parents: tuple[int, ...], joint: int) -> tuple[int, ...]:
    found: set[int] = {joint}
    for child, parent in enumerate(parents):
        if parent in found:
            found.add(child)
    return tuple(sorted(found))
