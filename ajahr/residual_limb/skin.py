"""A shaped body at rest that can be cut and still be posed: `SkinnedMesh`. Any rig of SMPL's kind. No torch."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, no_type_check

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Int32
from numba import njit
from scipy.sparse import csr_array, eye_array, vstack

from ajahr.anatomy import NUM_JOINTS
from ajahr.body.data import BodyData, load_body
from ajahr.body.smpl_file import open_npz
from ajahr.errors import UserError

_HEIGHT = 1.7


@dataclass(frozen=True, eq=False)
class Topology:
    """What makes a triangle mesh a closed surface."""

    open_edges: int
    """Directed edges without exactly one opposite partner."""
    euler_number: int
    volume: float
    """m³, positive when the faces are wound outwards."""

    @property
    def closed(self) -> bool:
        return self.open_edges == 0


def topology(vertices: Float[np.ndarray, "vertices 3"], faces: Int[np.ndarray, "faces 3"]) -> Topology:
    """Counts by which a result is judged. Vertices that no face uses are not counted."""
    count = len(vertices)
    paired, used, volume = _walk(
        np.ascontiguousarray(vertices, np.float64), np.ascontiguousarray(faces, np.int64)
    )
    if paired:
        open_edges, edges = 0, 3 * len(faces) // 2
    else:
        start = faces.astype(np.int64).ravel()
        end = np.roll(faces, -1, 1).astype(np.int64).ravel()
        keys, times = np.unique(start * count + end, return_counts=True)
        partner = np.isin(keys, end * count + start)
        open_edges = int((times > 1).sum() + (~partner).sum())
        edges = len(np.unique(np.minimum(start * count + end, end * count + start)))
    return Topology(open_edges, used - edges + len(faces), volume)


def volume_of(vertices: Float[np.ndarray, "vertices 3"], faces: Int[np.ndarray, "faces 3"]) -> float:
    """m³ within a closed surface, as `topology` tells it."""
    x, y, z = np.ascontiguousarray(vertices.astype(np.float64).T)
    a, b, c = faces.T
    crossed = x[a] * (y[b] * z[c] - z[b] * y[c]) + y[a] * (z[b] * x[c] - x[b] * z[c])
    return float((crossed + z[a] * (x[b] * y[c] - y[b] * x[c])).sum()) / 6


@njit(cache=True, nogil=True)
@no_type_check
def _walk(vertices, faces):
    """Whether every directed edge is there once and its opposite too, vertices in use, volume (m³).

    Edges are looked up among the few that start at the same vertex: no sorting.
    """
    count, rows = len(vertices), len(faces)
    first = np.zeros(count + 1, np.int64)
    for f in range(rows):
        for k in range(3):
            first[faces[f, k] + 1] += 1
    used = 0
    for i in range(count):
        used += first[i + 1] > 0
        first[i + 1] += first[i]
    ends, filled = np.empty(3 * rows, np.int64), first[:-1].copy()
    volume = 0.0
    for f in range(rows):
        for k in range(3):
            start = faces[f, k]
            ends[filled[start]] = faces[f, (k + 1) % 3]
            filled[start] += 1
        a, b, c = vertices[faces[f, 0]], vertices[faces[f, 1]], vertices[faces[f, 2]]
        volume += (
            a[0] * (b[1] * c[2] - b[2] * c[1])
            + a[1] * (b[2] * c[0] - b[0] * c[2])
            + a[2] * (b[0] * c[1] - b[1] * c[0])
        )
    paired = True
    for start in range(count):
        for i in range(first[start], first[start + 1]):
            end, forth, back = ends[i], 0, 0
            for k in range(first[start], first[start + 1]):
                forth += ends[k] == end
            for k in range(first[end], first[end + 1]):
                back += ends[k] == start
            if start == end or forth != 1 or back != 1:
                paired = False
    return paired, used, volume / 6


@dataclass(frozen=True, eq=False)
class SkinnedMesh:
    """A body in its rest pose, with what is needed to pose it.

    Metres, the body's own frame: y up, facing +z, the person's left is +x.
    """

    vertices: Float32[np.ndarray, "vertices 3"]
    faces: Int32[np.ndarray, "faces 3"]
    weights: Float32[np.ndarray, "vertices joints"]
    joints: Float32[np.ndarray, "joints 3"]
    parents: tuple[int, ...]
    posedirs: Float32[np.ndarray, "features intact3"] | None
    """Of the intact body's vertices; `carry` brings them here."""
    carry: csr_array
    """(vertices, intact vertices): what each vertex takes of the intact body's. Identity rows: unchanged."""
    residual: Bool[np.ndarray, " vertices"]
    """Vertices that a cut made: rims, caps and tips."""
    uv: Float32[np.ndarray, "texels 2"] | None = None
    uv_faces: Int32[np.ndarray, "faces 3"] | None = None
    absent: frozenset[int] = frozenset()
    """Joints that a cut took; they stay at rest in every pose."""
    stature: float = _HEIGHT
    """Height of the whole body at rest, m: a cut changes nothing of it."""

    @classmethod
    def read(
        cls,
        path: str | Path | None = None,
        betas: Float[np.ndarray, " betas"] | None = None,
        *,
        gender: str = "neutral",
    ) -> SkinnedMesh:
        """The embedded body (no path), an SMPL file or folder as `load_body` takes it, or an SMPL-X ``.npz``.

        Raises:
            UserError: the file is missing, damaged or of another kind, or has fewer betas.
        """
        file = None if path is None else Path(path)
        try:
            if file is not None and file.suffix == ".npz" and file.is_file():
                arrays = open_npz(file)
                if "kintree_table" in arrays.files and arrays["kintree_table"].shape[-1] != NUM_JOINTS:
                    return cls.of_model(arrays, betas)
            return cls.of_body(load_body(file, gender=gender), betas)
        except ValueError as error:
            raise UserError(f"{error}; give fewer betas") from error

    @classmethod
    def of_body(cls, body: BodyData, betas: Float[np.ndarray, " betas"] | None = None) -> SkinnedMesh:
        """The default body or SMPL with these betas (the mean shape by default)."""
        vertices = rest_vertices(body, betas)
        joints = rest_joints(csr_array(body.J_regressor, dtype=np.float64), vertices)
        return cls.build(
            vertices, body.faces, body.weights, joints, body.parents, body.posedirs, body.uv, body.uv_faces
        )

    @classmethod
    def of_model(
        cls, model: Mapping[str, Any], betas: Float[np.ndarray, " betas"] | None = None
    ) -> SkinnedMesh:
        """Arrays by the keys of a published SMPL, SMPL-H or SMPL-X file (an opened ``.npz``).

        Raises:
            UserError: an array is missing or does not fit the others.
        """
        try:
            vertices = np.asarray(model["v_template"], np.float64)
            if betas is not None:
                if len(betas) > np.shape(model["shapedirs"])[-1]:
                    raise UserError(f"{len(betas)} betas are more than this body has; give fewer betas")
                vertices = vertices + np.asarray(model["shapedirs"])[..., : len(betas)] @ betas
            joints = np.asarray(model["J_regressor"], np.float64) @ vertices
            weights = np.asarray(model["weights"], np.float32)
            parents = tuple(int(p) if 0 <= int(p) < len(joints) else -1 for p in model["kintree_table"][0])
            posedirs = np.asarray(model["posedirs"], np.float32) if "posedirs" in model else None
            faces = np.asarray(model["f"]).astype(np.int32)
            uv = np.asarray(model["vt"], np.float32) * (1, -1) + (0, 1) if "vt" in model else None
            uv_faces = np.asarray(model["ft"]).astype(np.int32) if "ft" in model else None
        except (KeyError, ValueError, TypeError, IndexError) as error:
            raise UserError(f"not a body of SMPL's kind ({error}); give an SMPL or SMPL-X .npz") from error
        if posedirs is not None:
            posedirs = np.ascontiguousarray(posedirs.reshape(len(vertices) * 3, -1).T)
        uv = None if uv is None else uv.astype(np.float32)
        vertices, joints = vertices.astype(np.float32), joints.astype(np.float32)
        return cls.build(vertices, faces, weights, joints, parents, posedirs, uv, uv_faces)

    @classmethod
    def build(
        cls, vertices, faces, weights, joints, parents, posedirs=None, uv=None, uv_faces=None
    ) -> SkinnedMesh:
        """A mesh whose holes are closed (SMPL-X ships with open eye sockets), checked.

        Raises:
            UserError: the arrays do not fit each other, or the surface is no manifold.
        """
        if weights.shape != (len(vertices), len(joints)) or len(parents) != len(joints) or len(joints) < 22:
            raise UserError(
                f"{len(vertices)} vertices, skin weights {weights.shape} and {len(joints)} joints are not one body "
                "of SMPL's kind; give a mesh with its own rig"
            )
        if not (np.isfinite(vertices).all() and np.isfinite(joints).all()):
            raise UserError("the mesh has places that are not finite; fit the body again")
        if len(faces) == 0 or faces.min() < 0 or faces.max() >= len(vertices):
            raise UserError("the faces name vertices that are not there; give a mesh of the body's topology")
        mesh = cls(
            np.ascontiguousarray(vertices, np.float32),
            np.ascontiguousarray(faces, np.int32),
            np.ascontiguousarray(weights, np.float32),
            joints,
            tuple(parents),
            posedirs,
            csr_array(eye_array(len(vertices)), dtype=np.float32),
            np.zeros(len(vertices), bool),
            uv,
            uv_faces,
            stature=float(np.ptp(vertices[:, 1])),
        )
        found = topology(mesh.vertices, mesh.faces)
        if not found.closed:
            mesh = _holes_closed(mesh)
            found = topology(mesh.vertices, mesh.faces)
        if not found.closed or not found.volume > 0:
            raise UserError(
                f"the mesh is no closed surface ({found.open_edges} open edges, volume {found.volume:.4f} m³); "
                "give a body mesh of SMPL's, SMPL-X's or the default body's topology"
            )
        return mesh

    @cached_property
    def topology(self) -> Topology:
        return topology(self.vertices, self.faces)

    @cached_property
    def memory(self) -> dict[Any, Any]:
        """What was found out about this mesh once, by whom it concerns."""
        return {}

    def descendants(self, joint: int) -> tuple[int, ...]:
        """``joint`` and the joints below it in this rig."""
        found = {joint}
        for child, parent in enumerate(self.parents):
            if parent in found:
                found.add(child)
        return tuple(sorted(found))

    def pose_joints(
        self, rotmats: Float[np.ndarray, "joints 3 3"], collapsed: Collection[int] = ()
    ) -> tuple[Float[np.ndarray, "joints 3 3"], Float[np.ndarray, "joints 3"]]:
        """Global rotations and places (m) of the joints; absent ones follow their parent.

        Args:
            collapsed: joints with the zero matrix instead of a rotation: lost at joint level (AJAHR, Sec. 3.1).
        """
        rotations, places = np.empty((len(self.joints), 3, 3)), np.empty((len(self.joints), 3))
        rest = self.joints.astype(np.float64)
        for j, parent in enumerate(self.parents):
            local = np.eye(3) if j in self.absent else rotmats[j] * (j not in collapsed)
            if parent < 0:
                rotations[j], places[j] = local, rest[j]
            else:
                rotations[j] = rotations[parent] @ local
                places[j] = places[parent] + rotations[parent] @ (rest[j] - rest[parent])
        return rotations, places

    def pose(
        self,
        rotmats: Float[np.ndarray, "joints 3 3"],
        translation: Float[np.ndarray, " 3"] | None = None,
        collapsed: Collection[int] = (),
    ) -> Float32[np.ndarray, "vertices 3"]:
        """Vertices (m) in a pose: rotations relative to the parent, the root's to the output frame.

        Args:
            collapsed: as in `pose_joints`; the vertices of a joint lost so shrink onto the one that stays.
        """
        rotations, places = self.pose_joints(rotmats, collapsed)
        rest = self.vertices
        if self.posedirs is not None:
            local = np.array(rotmats[1:], np.float32)
            local[[j - 1 for j in collapsed]] = 0
            local -= np.eye(3, dtype=np.float32)
            local[[j - 1 for j in self.absent]] = 0
            feature = local.reshape(-1)[: len(self.posedirs)]
            offsets = (feature @ self.posedirs[: len(feature)]).reshape(-1, 3)
            rest = rest + self.carry @ offsets
        shift = places - np.einsum("jab,jb->ja", rotations, self.joints)
        if translation is not None:
            shift = shift + translation
        moved = self.weights @ np.concatenate([rotations.reshape(-1, 9), shift], 1).astype(np.float32)
        turned = np.einsum("vab,vb->va", moved[:, :9].reshape(-1, 3, 3), rest)
        return np.asarray(turned + moved[:, 9:], np.float32)


def rest_vertices(
    body: BodyData, betas: Float[np.ndarray, " betas"] | None = None
) -> Float32[np.ndarray, "vertices 3"]:
    """Vertices at rest (m). Every number is added up in one order, so that the same betas give the same bits."""
    if betas is None:
        return body.v_template
    if len(betas) > body.num_betas:
        raise ValueError(f"{len(betas)} betas for a body of {body.num_betas}")
    vertices = body.v_template.astype(np.float64)
    for k, beta in enumerate(np.asarray(betas, np.float64)):
        vertices += body.shapedirs[..., k].astype(np.float64) * beta
    return vertices.astype(np.float32)


def rest_joints(
    regressor: csr_array, vertices: Float32[np.ndarray, "vertices 3"]
) -> Float32[np.ndarray, "joints 3"]:
    """Joints at rest (m); the regressor in float64."""
    return np.asarray(regressor @ vertices.astype(np.float64), np.float32)


def boundary(faces: Int[np.ndarray, "faces 3"], count: int) -> Int[np.ndarray, "edges 2"]:
    """Directed edges whose opposite no face has."""
    start = faces.astype(np.int64).ravel()
    end = np.roll(faces, -1, 1).astype(np.int64).ravel()
    alone = ~np.isin(start * count + end, end * count + start)
    return np.stack([start[alone], end[alone]], 1)


def loops_of(edges: Int[np.ndarray, "edges 2"]) -> list[np.ndarray]:
    """Vertices of each closed loop, in the direction of its edges.

    Raises:
        UserError: the edges are no disjoint loops.
    """
    follow = dict(edges.tolist())
    if len(follow) != len(edges) or set(follow) != set(follow.values()):
        raise UserError("the mesh's border is not made of simple loops; give a mesh of the body's topology")
    loops = []
    while follow:
        start, at = next(iter(follow.items()))
        loop = [start]
        del follow[start]
        while at != start:
            loop.append(at)
            at = follow.pop(at)
        loops.append(np.array(loop))
    return loops


def _holes_closed(mesh: SkinnedMesh) -> SkinnedMesh:
    """Each hole gets a fan about the middle of its rim."""
    vertices, faces, weights, uv, uv_faces = (
        [mesh.vertices],
        [mesh.faces],
        [mesh.weights],
        mesh.uv,
        mesh.uv_faces,
    )
    count, texels = len(mesh.vertices), 0 if uv is None else len(uv)
    rows = [mesh.carry]
    for loop in loops_of(boundary(mesh.faces, count)):
        middle = count + len(rows) - 1
        vertices.append(mesh.vertices[loop].mean(0, keepdims=True))
        weights.append(mesh.weights[loop].mean(0, keepdims=True))
        share = np.full(len(loop), 1 / len(loop), np.float32)
        rows.append(csr_array((share, loop, [0, len(loop)]), shape=(1, count)))
        faces.append(np.stack([np.roll(loop, -1), loop, np.full(len(loop), middle)], 1).astype(np.int32))
    if uv is not None and uv_faces is not None:
        # what fills a hole has no place in the texture: it takes one texel's colour
        fill = np.zeros((sum(map(len, faces[1:])), 3), np.int32) + texels
        uv = np.concatenate([uv, uv.mean(0, keepdims=True)])
        uv_faces = np.concatenate([uv_faces, fill])
    return replace(
        mesh,
        vertices=np.concatenate(vertices),
        faces=np.concatenate(faces),
        weights=np.concatenate(weights),
        carry=csr_array(vstack(rows)),
        residual=np.zeros(count + len(rows) - 1, bool),
        uv=uv,
        uv_faces=uv_faces,
    )
