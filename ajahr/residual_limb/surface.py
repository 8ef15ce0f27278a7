"""Cuts a limb anywhere along a bone and closes the end with a dome. The result is a body that can be posed.

    body = SkinnedMesh.of_body(load_body(), betas)
    cut = cut_limb(body, segment_of("left below knee"), 0.4)
    vertices = cut.mesh.pose(rotmats)

The cut is made at rest and the skin weights travel with it, because a plane through a bent body meets more
than one limb. Where ResiHMR deletes vertices and mends the border, the mesh here is clipped by one scalar
field, positive on what goes: the smaller of the distance beyond the plane and of the limb's own region. The
zero line of such a field is a clean curve, so that one connected piece goes and one loop is left, whatever
the plane meets; high on a limb the region bounds the cut instead of the plane (flag ``oblique``).

Departures from the paper: the tip lies at the annotated endpoint, not a dome's height beyond it; both rings of
the dome are distal of the plane (its ± pair would fold inwards).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Float32, Int
from scipy.sparse import csr_array, vstack
from scipy.sparse.csgraph import connected_components

from ajahr.anatomy import JOINT, PARENTS
from ajahr.errors import UserError
from ajahr.residual_limb.clip import Clip, clip, relaxed, thinned
from ajahr.residual_limb.segments import Segment
from ajahr.residual_limb.skin import SkinnedMesh, boundary, loops_of

DOME = 0.5
"""Height of the end as a share of the section's radius."""
OBLIQUE = 0.002
"""Metres the rim may leave the plane before the cut counts as oblique."""
HIGHEST = {"thigh": 0.9, "upper arm": 0.92}
"""Largest lambda of the plane: beyond it the trunk would be cut, so the end stays here (``clamped``)."""
_REACH = {"thigh": 0.14, "shank": 0.12, "upper arm": 0.10, "forearm": 0.09}
"""Metres about the bone that belong to it beyond the skin weights' border, on somebody 1.7 m tall."""
_HEIGHT, _WEIGHT_SCALE, _LEAST, _PASSES = 1.7, 0.2, 1e-5, 5
_RINGS = np.radians([30.0, 60.0])


@dataclass(frozen=True, eq=False)
class ResidualLimb:
    """Where a limb of a mesh ends. Rest pose, metres."""

    segment: Segment
    fraction: float
    """Lambda of the tip along the bone, as asked."""
    tip: int
    """Vertex at the end."""
    rim: Int[np.ndarray, " rim"]
    """Vertices around the cut, in order."""
    plane_point: Float[np.ndarray, "3"]
    normal: Float[np.ndarray, "3"]
    """Along the bone, distally, unit length."""
    rim_height: float
    """How far the rim leaves the plane, m."""
    clamped: bool
    """The end was asked for higher than a limb can be cut; the surface ends lower than asked."""

    @property
    def oblique(self) -> bool:
        return self.rim_height > OBLIQUE

    @property
    def disarticulated(self) -> bool:
        """Nothing of the bone was to be left. Of a thigh or an upper arm the surface shows a little all the same."""
        return self.fraction >= 1

    @property
    def flags(self) -> tuple[str, ...]:
        """What to tell with the result: ``clamped`` is a residual limb shorter than its surface, ``disarticulation``
        none at all."""
        high = ("disarticulation",) if self.disarticulated else ("clamped",) * self.clamped
        return ("oblique_cut",) * self.oblique + high


@dataclass(frozen=True, eq=False)
class CutBody:
    mesh: SkinnedMesh
    ends: tuple[ResidualLimb, ...]
    vertex_map: Int[np.ndarray, " before"]
    """New number of each vertex of the mesh that was cut, -1 where it went."""


def cut_limbs(mesh: SkinnedMesh, ends: Mapping[Segment, float], *, dome: float = DOME) -> CutBody:
    """Several limbs, one after the other.

    Raises:
        UserError: two ends on one limb, or as `cut_limb`.
    """
    limbs = [segment.limb for segment in ends]
    if len(set(limbs)) < len(limbs):
        words = ", ".join(segment.words for segment in ends)
        raise UserError(f"a limb ends once, but two ends of one limb are given ({words}); leave one out")
    found: list[ResidualLimb] = []
    numbers = np.arange(len(mesh.vertices))
    for segment, fraction in ends.items():
        cut = cut_limb(mesh, segment, fraction, dome=dome)
        went = cut.vertex_map
        found = [replace(e, tip=int(went[e.tip]), rim=went[e.rim]) for e in found] + list(cut.ends)
        numbers = np.where(numbers < 0, -1, went[numbers])
        mesh = cut.mesh
    return CutBody(mesh, tuple(found), numbers)


def cut_limb(
    mesh: SkinnedMesh,
    segment: Segment,
    fraction: float,
    *,
    dome: float = DOME,
    tip_at_endpoint: bool = True,
) -> CutBody:
    """A body whose limb ends at ``fraction`` (lambda) of a bone.

    Args:
        mesh: at rest; an earlier cut's result for several limbs.
        fraction: 0 at the distal joint, 1 at the proximal one.
        dome: height of the end as a share of the section's radius, 0.3 to 0.8.
        tip_at_endpoint: the skin's tip lies at lambda; otherwise the plane does.

    Raises:
        UserError: lambda outside 0..1, a bone without length, nothing left to cut, or a result that is not
            closed.
    """
    result, piece, found = cut_open(mesh, segment, fraction, dome=dome, tip_at_endpoint=tip_at_endpoint)
    _check(mesh, result, found)
    return CutBody(result, (found,), piece.vertex_map)


def cut_open(
    mesh: SkinnedMesh,
    segment: Segment,
    fraction: float,
    *,
    dome: float = DOME,
    tip_at_endpoint: bool = True,
) -> tuple[SkinnedMesh, Clip, ResidualLimb]:
    """`cut_limb` without the check that all is closed: ``mesh`` may be no more than the limb's surroundings.

    Those are the faces that touch `surroundings`; the same numbers come out as of the whole body.
    """
    if not 0 <= fraction <= 1:
        raise UserError(
            f"lambda is 0 (distal joint) to 1 (proximal joint), got {fraction}; give one in between"
        )
    if not 0.3 <= dome <= 0.8:
        raise UserError(f"the dome is 0.3 to 0.8 of the section's radius, got {dome}")
    upstream, anchor = (mesh.joints[j].astype(np.float64) for j in (segment.upstream, segment.anchor))
    length = float(np.linalg.norm(anchor - upstream))
    if not length > 0.02:
        raise UserError(
            f"the {segment.bone} is {1000 * length:.0f} mm long: no limb can end in it; fit the body again"
        )
    normal = (anchor - upstream) / length
    end = anchor + fraction * (upstream - anchor)
    zone = _zone(mesh, segment)
    along = (mesh.vertices - end) @ normal
    shift = 0.0
    if tip_at_endpoint:
        # the section that the dome stands on decides its height, and the height moves the section
        for _ in range(_PASSES):
            shift = dome * _radius(mesh, zone, along + shift, normal)
    highest = HIGHEST.get(segment.bone, np.inf) * length
    clamped = fraction * length + shift > highest
    if clamped:
        plane_point = anchor - highest * normal
        along, shift = (mesh.vertices - plane_point) @ normal, 0.0
    else:
        plane_point = end - shift * normal
    piece = _piece(mesh, segment, along + shift, zone)
    height = shift if tip_at_endpoint and not clamped else dome * piece.radius(normal)
    places = relaxed(piece, normal)
    result, tip, rim = _capped(mesh, piece, places, plane_point + height * normal, normal, height)
    # where the bone is gone up to its joint nothing turns with that joint any more
    lost = mesh.descendants(segment.upstream if clamped or fraction >= 1 else segment.anchor)
    result = replace(result, absent=mesh.absent | set(lost))
    rim_height = float(np.abs((places - plane_point) @ normal).max())
    found = ResidualLimb(segment, float(fraction), tip, rim, plane_point, normal, rim_height, clamped)
    return result, piece, found


def surroundings(
    weights: Float32[np.ndarray, "vertices joints"], segment: Segment, descendants: Sequence[int]
) -> Bool[np.ndarray, " vertices"]:
    """Vertices that a cut of this bone can concern, whatever the shape: `_region` is negative on all others.

    Args:
        descendants: of `top_joint`.
    """
    return weights[:, list(descendants)].sum(1) > 0.05


def top_joint(segment: Segment) -> int:
    """The joint whose limb surrounds the bone: of a forearm the shoulder, of a thigh the hip itself."""
    return PARENTS[segment.upstream] if segment.bone in ("forearm", "shank") else segment.upstream


@dataclass(frozen=True, eq=False)
class _Zone:
    """A limb's surroundings: a cut looks at nothing else."""

    region: Float32[np.ndarray, " vertices"]
    """Positive on the limb."""
    faces: Int[np.ndarray, " near"]
    """Those with a corner on it."""
    edges: Int[np.ndarray, "edges 2"]
    """Theirs, each once."""
    limb: Int[np.ndarray, " own"]
    """Vertices whose skin weights are mostly the limb's."""


def _zone(mesh: SkinnedMesh, segment: Segment) -> _Zone:
    known = mesh.memory.get(segment)
    if known is None:
        region = _region(mesh, segment)
        near = np.flatnonzero((region > 0)[mesh.faces].any(1))
        corners = mesh.faces[near]
        edges = corners[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
        own = mesh.weights[:, mesh.descendants(segment.upstream)].sum(1) > 0.5
        used = np.unique(corners)
        known = _Zone(region, near, edges[edges[:, 0] < edges[:, 1]], used[own[used]])
        mesh.memory[segment] = known
    return known


def limb_region(mesh: SkinnedMesh, segment: Segment) -> Float32[np.ndarray, " vertices"]:
    """Positive on the limb, among its surroundings; kept with the mesh after its first cut there."""
    return _zone(mesh, segment).region


def _region(mesh: SkinnedMesh, segment: Segment) -> Float32[np.ndarray, " vertices"]:
    """Positive on the limb: by skin weights, widened about the bone, never beyond the body's middle."""
    places = mesh.vertices.astype(np.float64)
    upstream, anchor = (mesh.joints[j].astype(np.float64) for j in (segment.upstream, segment.anchor))
    bone = anchor - upstream
    own = mesh.weights[:, mesh.descendants(segment.upstream)].sum(1)
    whole = mesh.weights[:, mesh.descendants(top_joint(segment))].sum(1)
    at = np.clip((places - upstream) @ bone / (bone @ bone), 0, 1)
    distance = np.linalg.norm(places - upstream - at[:, None] * bone, axis=1)
    reach = _REACH[segment.bone] * mesh.stature / _HEIGHT
    near = np.minimum(reach - distance, (whole - 0.05) * _WEIGHT_SCALE)
    field = np.maximum((own - 0.5) * _WEIGHT_SCALE, near)
    if not segment.limb.is_arm:
        side = 1.0 if segment.limb.side == "left" else -1.0
        field = np.minimum(field, side * (places[:, 0] - mesh.joints[JOINT["pelvis"], 0]))
    return field.astype(np.float32)


def _radius(mesh: SkinnedMesh, zone: _Zone, beyond: np.ndarray, normal: np.ndarray) -> float:
    """Of the disc as large as the section, m."""
    corners = mesh.faces[zone.faces]
    field = np.minimum(beyond, zone.region)[corners]
    goes = field > 0
    crossed = goes.any(1) & ~goes.all(1)
    if not crossed.any():
        return 0.0
    corners, field, goes = corners[crossed], field[crossed], goes[crossed]
    odd = np.where(goes.sum(1) == 1, goes.argmax(1), (~goes).argmax(1))
    rows = np.arange(len(odd))
    first = mesh.vertices[corners[rows, odd]]
    ends = []
    for k in (1, 2):
        other = (odd + k) % 3
        t = field[rows, odd] / (field[rows, odd] - field[rows, other])
        ends.append(first + t[:, None] * (mesh.vertices[corners[rows, other]] - first))
    turn = np.where(goes[rows, odd], 1.0, -1.0)
    middle = ends[0].mean(0)
    area = 0.5 * turn @ (np.cross(ends[0] - middle, ends[1] - middle) @ normal)
    return float(np.sqrt(abs(area) / np.pi))


def _piece(mesh: SkinnedMesh, segment: Segment, beyond: np.ndarray, zone: _Zone) -> Clip:
    """Clips one connected piece off, so that one loop is left."""
    field = np.minimum(beyond, zone.region)
    goes = field > 0
    candidates = zone.limb[goes[zone.limb]]
    if not len(candidates):
        raise UserError(
            f"nothing is left to cut {segment.words}: the limb ends higher already; leave that end out"
        )
    seed = candidates[np.argmax(beyond[candidates])]
    pieces = _labels(zone.edges, goes)
    goes = pieces == pieces[seed]
    # islands inside the piece go too: what stays must hang together with what lies outside the limb
    pieces = _labels(zone.edges, goes)
    stays = np.unique(pieces[zone.edges[(zone.region[zone.edges] <= 0).any(1)].ravel()])
    near = np.unique(zone.edges)
    goes[near] |= ~np.isin(pieces[near], stays)
    field = np.where(goes, np.maximum(field, _LEAST), np.minimum(field, -_LEAST))
    return thinned(clip(mesh, field))


def _labels(edges: np.ndarray, goes: np.ndarray) -> np.ndarray:
    """Connected pieces of the mesh that go, or stay."""
    inside = edges[goes[edges[:, 0]] == goes[edges[:, 1]]]
    ones = np.ones(len(inside), np.int8)
    graph = csr_array((ones, (inside[:, 0], inside[:, 1])), shape=(len(goes),) * 2)
    return connected_components(graph, directed=False)[1]


def _capped(
    mesh: SkinnedMesh,
    piece: Clip,
    places: Float[np.ndarray, "rim 3"],
    apex: np.ndarray,
    normal: np.ndarray,
    height: float,
) -> tuple[SkinnedMesh, int, np.ndarray]:
    """Closes the loop by two rings and an apex."""
    rim, n, base = piece.loop, len(piece.loop), len(piece.vertices)
    centre = places.mean(0)
    rings = [centre + np.cos(a) * (places - centre) + np.sin(a) * (apex - centre) for a in _RINGS]
    vertices = piece.vertices.copy()
    vertices[rim] = places
    rows = np.arange(n)
    after = np.roll(rows, -1)
    levels = [rim, base + rows, base + n + rows]
    tip = base + 2 * n
    # the loop runs as the kept faces leave it open; the cap's faces run against it
    faces = [
        np.concatenate([np.stack([low[after], low, up], 1), np.stack([low[after], up, up[after]], 1)])
        for low, up in pairwise(levels)
    ]
    faces.append(np.stack([levels[2][after], levels[2], np.full(n, tip)], 1))
    mean = csr_array(np.full((1, n), 1 / n, np.float32)) @ piece.blend[rim]
    # the end moves as one stiff piece: rings that followed their own rim vertex would fold in a bent joint
    blend = csr_array(vstack([piece.blend, csr_array(np.ones((2 * n + 1, 1), np.float32)) @ mean]))
    uv, uv_faces = piece.uv, piece.uv_faces
    if uv is not None and uv_faces is not None and piece.loop_uv is not None and piece.uv_slope is not None:
        # skin goes on over the dome as it would have gone on along the limb
        arc = height * np.pi / 2
        first, second = piece.loop_uv, piece.uv_slope  # (rim, 2 ends, uv), (rim, 2 ends, uv per m)
        texels = [np.clip(first + s * arc * second, 0, 1) for s in (0, 1 / 3, 2 / 3)]
        point = np.clip((first + arc * second).mean(1), 0, 1)
        number = len(uv) + np.arange(6 * n).reshape(3, n, 2)
        point_number = len(uv) + 6 * n + rows
        uv = np.concatenate([uv, *(t.reshape(-1, 2) for t in texels), point]).astype(np.float32)
        corners = []
        for k in (0, 1):
            low, up = number[k], number[k + 1]
            corners.append(np.stack([low[:, 1], low[:, 0], up[:, 0]], 1))
            corners.append(np.stack([low[:, 1], up[:, 0], up[:, 1]], 1))
        corners.append(np.stack([number[2][:, 1], number[2][:, 0], point_number], 1))
        uv_faces = np.concatenate([uv_faces, *corners]).astype(np.int32)
    residual = np.concatenate([piece.residual, np.ones(2 * n + 1, bool)])
    result = replace(
        mesh,
        vertices=np.concatenate([vertices, *rings, apex[None]]).astype(np.float32),
        faces=np.concatenate([piece.faces, *faces]).astype(np.int32),
        weights=np.asarray(blend @ mesh.weights, np.float32),
        carry=csr_array(blend @ mesh.carry),
        residual=residual,
        uv=uv,
        uv_faces=uv_faces,
    )
    return result, tip, rim


def _check(before: SkinnedMesh, after: SkinnedMesh, end: ResidualLimb) -> None:
    """Refuses what is no closed surface of the same kind."""
    old, new = before.topology, after.topology
    reasons = []
    if not new.closed:
        loops = len(loops_of(boundary(after.faces, len(after.vertices))))
        reasons.append(f"{new.open_edges} open edges in {loops} loops")
    if new.euler_number != old.euler_number:
        reasons.append(f"Euler number {new.euler_number} instead of {old.euler_number}")
    if not 0 < new.volume <= old.volume:
        reasons.append(f"volume {new.volume:.5f} m³ of {old.volume:.5f} m³")
    if reasons:
        raise UserError(
            f"the cut {end.segment.words} at lambda {end.fraction:.3f} is no closed surface "
            f"({'; '.join(reasons)}); move the end or fit the body again"
        )
