"""Coloured meshes and the few shapes everything here is built of.

Every shape is closed and its faces are counter-clockwise seen from outside, in a right-handed frame, so that a
rotation keeps them so and the rasteriser may leave out what faces away. A plain colour per vertex is all the
texture they have.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Float32, Int32
from numba import njit

Vector = Sequence[float] | Float[np.ndarray, "xyz=3"]
Colour = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Mesh:
    """Vertices (m), faces, and the colour of each vertex (0..255)."""

    vertices: Float32[np.ndarray, "vertices 3"]
    faces: Int32[np.ndarray, "faces 3"]
    rgb: Float32[np.ndarray, "vertices 3"]

    def placed(
        self, rotmat: Float[np.ndarray, "3 3"], translation: Float[np.ndarray, "xyz=3"], scale: float = 1.0
    ) -> Mesh:
        """Scaled, rotated, then moved. A rotation, not a mirror image: faces would turn inside out."""
        vertices = (scale * self.vertices) @ np.asarray(rotmat, np.float32).T + translation
        return Mesh(vertices.astype(np.float32), self.faces, self.rgb)

    def mirrored(self) -> Mesh:
        """The mirror image, x to -x, its faces turned with it."""
        flipped = self.vertices * np.array([-1, 1, 1], np.float32)
        return Mesh(flipped, np.ascontiguousarray(self.faces[:, ::-1]), self.rgb)

    @property
    def volume(self) -> float:
        """Enclosed volume, m^3: positive when the faces look outwards."""
        a, b, c = (self.vertices[self.faces[:, k]].astype(np.float64) for k in range(3))
        return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


def join(meshes: Sequence[Mesh]) -> Mesh:
    """Several meshes as one."""
    if not meshes:
        return Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32), np.zeros((0, 3), np.float32))
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate(
            [mesh.faces + np.int32(start) for mesh, start in zip(meshes, starts[:-1], strict=True)]
        ),
        np.concatenate([mesh.rgb for mesh in meshes]),
    )


def coloured(vertices: np.ndarray, faces: np.ndarray, colour: Colour) -> Mesh:
    """A mesh of one colour."""
    rgb = np.broadcast_to(np.asarray(colour, np.float32), (len(vertices), 3))
    return Mesh(np.asarray(vertices, np.float32), np.asarray(faces, np.int32), np.ascontiguousarray(rgb))


def unit(vector: Vector, fallback: Vector = (0.0, 1.0, 0.0)) -> Float[np.ndarray, "xyz=3"]:
    """The vector at length 1; ``fallback`` where it has none."""
    vector = np.asarray(vector, np.float64)
    length = np.linalg.norm(vector)
    return vector / length if length > 1e-9 else np.asarray(fallback, np.float64)


def across(direction: Vector, hint: Vector) -> Float[np.ndarray, "xyz=3"]:
    """The part of ``hint`` at right angles to ``direction``, at length 1; any such one where there is none."""
    direction = unit(direction)
    for candidate in (np.asarray(hint, np.float64), np.eye(3)[int(np.abs(direction).argmin())]):
        rest = candidate - (candidate @ direction) * direction
        if np.linalg.norm(rest) > 1e-6:
            return unit(rest)
    raise AssertionError("an axis at right angles exists")


def sweep(
    points: Float[np.ndarray, "rings 3"],
    radii: Float[np.ndarray, "rings 2"],
    u: Float[np.ndarray, "rings 3"],
    v: Float[np.ndarray, "rings 3"],
    colour: Colour,
    sides: int = 12,
) -> Mesh:
    """A tube of elliptical rings with flat ends.

    Args:
        points: centres of the rings.
        radii: along ``u`` and ``v``.
        u, v: axes of each ring; u x v points along the tube.
        sides: corners of a ring.
    """
    turn = 2 * np.pi * np.arange(sides) / sides
    ring = (
        np.cos(turn)[None, :, None] * (u * radii[:, :1])[:, None]
        + np.sin(turn)[None, :, None] * (v * radii[:, 1:])[:, None]
    )
    return _walled((points[:, None] + ring).reshape(-1, 3), points, sides, colour)


def _walled(wall: np.ndarray, points: np.ndarray, sides: int, colour: Colour) -> Mesh:
    """The tube with these rings and two ends, which have corners of their own, so that the edge is sharp."""
    vertices = np.concatenate([wall, points[:1], wall[:sides], points[-1:], wall[-sides:]])
    return coloured(vertices, _tube_faces(len(points), sides), colour)


@functools.cache
def _tube_faces(rings: int, sides: int) -> Int32[np.ndarray, "faces 3"]:
    k = np.arange(sides)
    after = (k + 1) % sides
    start = (sides * np.arange(rings - 1))[:, None]
    low = rings * sides
    high = low + sides + 1
    faces = np.concatenate(
        [
            np.stack([start + k, start + after, start + sides + after], -1).reshape(-1, 3),
            np.stack([start + k, start + sides + after, start + sides + k], -1).reshape(-1, 3),
            np.stack([np.full(sides, low), low + 1 + after, low + 1 + k], -1),
            np.stack([np.full(sides, high), high + 1 + k, high + 1 + after], -1),
        ]
    ).astype(np.int32)
    faces.setflags(write=False)
    return faces


def tube(points: Sequence[Vector], radius: float | Sequence[float], colour: Colour, sides: int = 10) -> Mesh:
    """A round tube along a line of points."""
    line = np.array([[float(x) for x in point] for point in points])
    radii = np.empty(len(line))
    radii[:] = radius
    return _walled(_rings(line, radii, sides), line, sides, colour)


@njit(cache=True)
@no_type_check
def _rings(line, radii, sides):
    """Corners of round rings at right angles to a line; the first is carried along, so that they do not twist."""
    count = line.shape[0]
    wall = np.empty((count * sides, 3))
    u = np.array([0.31, 0.62, 0.72])
    for i in range(count):
        t = line[min(i + 1, count - 1)] - line[max(i - 1, 0)]
        t /= max(np.sqrt((t * t).sum()), 1e-12)
        rest = u - (u * t).sum() * t
        if (rest * rest).sum() < 1e-8:  # along the hint itself: any other direction
            other = np.zeros(3)
            other[np.argmin(np.abs(t))] = 1.0
            rest = other - (other * t).sum() * t
        u = rest / np.sqrt((rest * rest).sum())
        v = np.array([t[1] * u[2] - t[2] * u[1], t[2] * u[0] - t[0] * u[2], t[0] * u[1] - t[1] * u[0]])
        for k in range(sides):
            turn = 2.0 * np.pi * k / sides
            wall[i * sides + k] = line[i] + radii[i] * (np.cos(turn) * u + np.sin(turn) * v)
    return wall


def bar(
    line: Float[np.ndarray, "points 3"],
    sideways: Vector,
    half_widths: Float[np.ndarray, " points"],
    half_thickness: float,
    colour: Colour,
) -> Mesh:
    """A flat bar with rounded edges along a line; ``sideways`` is the direction of its width."""
    direction = np.gradient(line, axis=0)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    u = np.broadcast_to(np.asarray(sideways, np.float64), line.shape)
    v = np.cross(direction, u)
    radii = np.stack([half_widths, np.full(len(line), half_thickness)], axis=1)
    return sweep(line, radii, u, v, colour, 8)


_CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float64)
_SIDES = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))


def box(centre: Vector, half: Vector, colour: Colour, axes: Float[np.ndarray, "3 3"] | None = None) -> Mesh:
    """A box with sharp edges; the rows of ``axes`` are its own directions."""
    frame = np.eye(3) if axes is None else np.asarray(axes, np.float64)
    corners = np.asarray(centre, np.float64) + (_CORNERS * np.asarray(half, np.float64)) @ frame
    vertices = corners[np.array(_SIDES).ravel()]
    start = 4 * np.arange(6)[:, None]
    faces = np.concatenate([start + np.array(half_face) for half_face in ((0, 1, 2), (0, 2, 3))])
    return coloured(vertices, faces, colour)


def ring(
    centre: Vector, axis: Vector, radius: float, thickness: float, colour: Colour,
    segments: int = 28, sides: int = 7,
) -> Mesh:  # fmt: skip
    """A torus; ``thickness`` is the radius of its tube."""
    u = across(axis, (0.31, 0.62, 0.72))
    w = unit(axis)
    v = np.cross(w, u)
    turn, around = np.meshgrid(
        2 * np.pi * np.arange(segments) / segments, 2 * np.pi * np.arange(sides) / sides, indexing="ij"
    )
    out = np.cos(turn)[..., None] * u + np.sin(turn)[..., None] * v
    vertices = (
        np.asarray(centre, np.float64)
        + (radius + thickness * np.cos(around))[..., None] * out
        + (thickness * np.sin(around))[..., None] * w
    ).reshape(-1, 3)
    i, k = (x.ravel() for x in np.meshgrid(np.arange(segments), np.arange(sides), indexing="ij"))
    a, b = i * sides + k, (i + 1) % segments * sides + k
    c, d = (i + 1) % segments * sides + (k + 1) % sides, i * sides + (k + 1) % sides
    return coloured(vertices, np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]), colour)


def ellipsoid(
    centre: Vector, radii: Vector, colour: Colour, axes: Float[np.ndarray, "3 3"] | None = None,
    rings: int = 9, sides: int = 14,
) -> Mesh:  # fmt: skip
    """An ellipsoid; the rows of ``axes`` are the directions of its radii."""
    frame = np.eye(3) if axes is None else np.asarray(axes, np.float64)
    height = np.linspace(-0.995, 0.995, rings)
    breadth = np.sqrt(1 - height**2)
    radii = np.asarray(radii, np.float64)
    mesh = sweep(
        np.stack([0 * height, 0 * height, height], 1),
        np.stack([breadth, breadth], 1),
        np.tile(np.eye(3)[0], (rings, 1)),
        np.tile(np.eye(3)[1], (rings, 1)),
        colour,
        sides,
    )
    vertices = (mesh.vertices * radii) @ frame + np.asarray(centre, np.float64)
    return coloured(vertices, mesh.faces, colour)
