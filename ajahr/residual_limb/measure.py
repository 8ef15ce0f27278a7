"""A residual limb in numbers, by ISO 8548's words: length, circumferences, widths, volume, shape class.

Everything is measured on the rest mesh, along the bone, from the distal end of the residual limb. One picture
tells no size: without a stature or a known segment only ratios are given, marked unscaled.
"""

from __future__ import annotations

import struct
import typing
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float
from numba import njit

from ajahr.errors import UserError
from ajahr.residual_limb.segments import Segment
from ajahr.residual_limb.skin import SkinnedMesh, loops_of
from ajahr.residual_limb.surface import ResidualLimb

ShapeClass = Literal["conical", "cylindrical", "bulbous", "too short to tell"]
STATURES = (0.5, 2.6)
STEP = 0.02
LIMITS = (
    "Measured on a body model fitted to a picture: several times less exact than a tape (about 5 mm) or a scanner. "
    "Joint centres are the model's, not palpated levels. No socket may be made from these numbers; not diagnostic."
)
_SHAPE_SLOPE = 0.12
"""Change of diameter per length that makes a limb conical or bulbous."""


@dataclass(frozen=True)
class Section:
    """Across the residual limb at one level. Metres of the mesh."""

    from_distal_end: float
    circumference: float
    area: float
    ap: float
    """Anterior-posterior width."""
    ml: float
    """Medial-lateral width."""

    @property
    def diameter(self) -> float:
        """Of the circle of the same area."""
        return 2 * float(np.sqrt(self.area / np.pi))


@dataclass(frozen=True)
class LimbMeasures:
    """Of one residual limb, in units of the mesh times ``scale``."""

    segment: Segment
    scaled: bool
    scale: float
    length: float
    """m, from the proximal joint centre to the distal end."""
    length_sd: float
    length_ratio: float
    """Of the intact bone's length on the other side."""
    volume: float
    """m³, from the distal end to the reference level, the proximal joint centre or where the trunk begins."""
    volume_level: float
    """m from the distal end, of that level."""
    shape: ShapeClass
    sections: tuple[Section, ...]
    flags: tuple[str, ...]
    scale_sd: float = 0.0
    """Relative, of the scale."""
    end_sd: float = 0.0
    """m, of the distal end's place along the bone."""
    length_ratio_sd: float = 0.0

    @property
    def volume_sd(self) -> float:
        """m³: of the scale, and of a slice as thick as the end is uncertain."""
        slab = self.volume / self.volume_level * self.end_sd if self.volume_level > 0 else 0.0
        return float(np.hypot(3 * self.scale_sd * self.volume, slab))

    def section_sd(self, section: Section) -> float:
        """m, of a circumference: of the scale, and of the level, which is counted from an uncertain end."""
        at = [s.from_distal_end for s in self.sections]
        slope = 0.0
        if len(at) > 1:
            slopes = np.gradient([s.circumference for s in self.sections], at)
            slope = float(slopes[self.sections.index(section)])
        return float(np.hypot(self.scale_sd * section.circumference, slope * self.end_sd))


def scale_of(
    mesh: SkinnedMesh,
    *,
    stature_m: float | None = None,
    segment_name: Segment | None = None,
    segment_m: float | None = None,
) -> float | None:
    """Factor from the intact mesh to the person; None when nothing is known.

    Raises:
        UserError: a stature or a length that no person has.
    """
    if stature_m is not None:
        if not STATURES[0] <= stature_m <= STATURES[1]:
            raise UserError(
                f"a stature of {stature_m} m is no person's; give metres, {STATURES[0]} to {STATURES[1]}"
            )
        return stature_m / float(np.ptp(mesh.vertices[:, 1]))
    if segment_name is None or segment_m is None:
        return None
    if not 0.05 <= segment_m <= 0.8:
        raise UserError(
            f"a {segment_name.bone} of {segment_m} m is no person's; give metres between joint centres"
        )
    bone = mesh.joints[segment_name.anchor] - mesh.joints[segment_name.upstream]
    return segment_m / float(np.linalg.norm(bone))


def measure(
    mesh: SkinnedMesh,
    end: ResidualLimb,
    *,
    scale: float | None = None,
    scale_sd: float = 0.0,
    fraction_sd: float = 0.0,
) -> LimbMeasures:
    """One residual limb of a cut mesh.

    Args:
        scale: as `scale_of` gives it, from the intact mesh; None leaves the mesh's metres, marked unscaled.
        scale_sd: relative standard deviation of the scale.
        fraction_sd: standard deviation of lambda.
    """
    segment, factor = end.segment, 1.0 if scale is None else scale
    upstream, anchor = mesh.joints[segment.upstream].astype(float), mesh.joints[segment.anchor].astype(float)
    bone = float(np.linalg.norm(anchor - upstream))
    reach = float((mesh.vertices[end.tip] - upstream) @ end.normal)
    highest = reference_level(segment, reach, bone)
    levels = np.arange(STEP / factor, max(highest, 0), STEP / factor)
    flags = list(end.flags)
    if len(levels) == 0:
        flags.append("too_short_for_sections")
    origin = mesh.vertices[end.tip].astype(float)
    sections = tuple(_section(mesh, end, origin, float(d), factor) for d in levels)
    volume, level = _volume(mesh, end, origin, max(highest, 0.0))
    other = segment.mirrored
    intact = float(np.linalg.norm(mesh.joints[other.anchor] - mesh.joints[other.upstream]))
    if end.clamped:  # the surface ends lower than the limb: its length is what was asked for
        reach = max(1 - end.fraction, 0.0) * bone
    length = reach * factor
    sd = float(np.hypot(fraction_sd * bone * factor, scale_sd * length))
    return LimbMeasures(
        segment, scale is not None, factor, length, sd, reach / intact, volume * factor**3, level * factor,
        _shape(sections), sections, tuple(flags), scale_sd, fraction_sd * bone * factor,
        fraction_sd * bone / intact,
    )  # fmt: skip


def reference_level(segment: Segment, length: float, bone: float) -> float:
    """How far from the distal end sections and volume go, m: to the proximal joint, or where a section would
    meet the trunk.

    Args:
        length: of the residual limb, m.
        bone: of the intact bone, m.
    """
    return length - (1 - {"thigh": 0.65, "upper arm": 0.75}.get(segment.bone, 1.0)) * bone


def _plane_edges(mesh: SkinnedMesh, end: ResidualLimb, origin: np.ndarray, distance: float):
    """Where a plane across the limb meets it: edges by name, the points on them, in the order of the loop."""
    height = (mesh.vertices.astype(float) - origin) @ end.normal + distance
    height = np.where(np.abs(height) < 1e-9, 1e-9, height)
    corners = mesh.faces
    above = height[corners] > 0
    crossed = above.any(1) & ~above.all(1)
    corners, above = corners[crossed].astype(np.int64), above[crossed]
    odd = np.where(above.sum(1) == 1, above.argmax(1), (~above).argmax(1))
    rows = np.arange(len(odd))
    a, b, c = (corners[rows, (odd + k) % 3] for k in range(3))
    turn = above[rows, odd]
    count = len(mesh.vertices)
    names = [np.minimum(a, x) * count + np.maximum(a, x) for x in (b, c)]
    start, stop = np.where(turn, names[0], names[1]), np.where(turn, names[1], names[0])
    loops = loops_of(np.stack([start, stop], 1))
    found = []
    for loop in loops:
        p, q = loop // count, loop % count
        t = (height[p] / (height[p] - height[q]))[:, None]
        found.append(mesh.vertices[p] * (1 - t) + mesh.vertices[q] * t)
    axis = origin - distance * end.normal
    return min(found, key=lambda loop: float(np.linalg.norm(loop.mean(0) - axis)))


def _section(
    mesh: SkinnedMesh, end: ResidualLimb, origin: np.ndarray, distance: float, factor: float
) -> Section:
    loop = _plane_edges(mesh, end, origin, distance)
    side = np.roll(loop, -1, 0) - loop
    middle = loop.mean(0)
    area = abs(0.5 * np.cross(loop - middle, np.roll(loop, -1, 0) - middle).sum(0) @ end.normal)
    front = np.array([0.0, 0, 1]) - end.normal[2] * end.normal
    front /= np.linalg.norm(front)
    across = np.cross(end.normal, front)
    return Section(
        distance * factor,
        float(np.linalg.norm(side, axis=1).sum()) * factor,
        float(area) * factor**2,
        float(np.ptp(loop @ front)) * factor,
        float(np.ptp(loop @ across)) * factor,
    )


def _volume(mesh: SkinnedMesh, end: ResidualLimb, origin: np.ndarray, top: float) -> tuple[float, float]:
    """m³ between the end and a level, by slices (Simpson's rule), and that level."""
    if top < 1e-3:
        return 0.0, 0.0
    at = np.linspace(0, top, 41)
    areas = np.array([0.0] + [_section(mesh, end, origin, float(d), 1.0).area for d in at[1:]])
    weights = np.ones(41)
    weights[1:-1:2], weights[2:-1:2] = 4, 2
    return float(weights @ areas) * top / 40 / 3, top


@dataclass(frozen=True)
class QuickMeasures:
    """`measure`'s length, circumferences and volume, of a generated body: what its labels say."""

    length: float
    """m, along the bone, from the proximal joint centre to the distal end."""
    circumferences: tuple[float, ...]
    """m, every `STEP` from the distal end, as far as sections go."""
    volume: float
    """m³, up to ``volume_level``."""
    volume_level: float
    """m from the distal end."""


def quick_measures(
    mesh: SkinnedMesh, end: ResidualLimb, near: Bool[np.ndarray, " vertices"]
) -> QuickMeasures:
    """As `measure` and some hundred times faster: all sections in one pass over the limb's own faces.

    Args:
        mesh: cut; its surroundings will do.
        near: vertices on the limb: faces without any of them are not looked at.
    """
    upstream, anchor = mesh.joints[end.segment.upstream], mesh.joints[end.segment.anchor]
    bone = float(np.linalg.norm(anchor.astype(np.float64) - upstream))
    origin = mesh.vertices[end.tip].astype(np.float64)
    length = float((origin - upstream) @ end.normal)
    top = max(reference_level(end.segment, length, bone), 0.0)
    steps = np.arange(STEP, top, STEP)
    slices = np.linspace(0, top, 41)[1:] if top >= 1e-3 else np.zeros(0)
    places = mesh.vertices.astype(np.float64) - origin
    faces = mesh.faces[near[mesh.faces].any(1)]
    found = _all_sections(places, faces, places @ end.normal, end.normal, np.concatenate([steps, slices]))
    volume = 0.0
    if len(slices):
        weights = np.ones(41)
        weights[1:-1:2], weights[2:-1:2] = 4, 2
        volume = float(weights[1:] @ found[len(steps) :, 1]) * top / 40 / 3
    return QuickMeasures(length, tuple(found[: len(steps), 0].tolist()), volume, top if len(slices) else 0.0)


@njit(cache=True, nogil=True)
@typing.no_type_check
def _all_sections(places, faces, height, normal, distances):
    """Circumference (m) and area (m²) of the section at each distance below height 0: (distances, 2).

    A section's outline is the sum of what it cuts out of each face, in any order; so is the area, by Green.
    """
    out = np.zeros((len(distances), 2))
    for f in range(len(faces)):
        low = min(height[faces[f, 0]], height[faces[f, 1]], height[faces[f, 2]])
        high = max(height[faces[f, 0]], height[faces[f, 1]], height[faces[f, 2]])
        for k in range(len(distances)):
            level = -distances[k]
            if not low < level < high:
                continue
            above = 0
            for c in range(3):
                above += height[faces[f, c]] > level
            odd = 0
            for c in range(3):
                if (height[faces[f, c]] > level) == (above == 1):
                    odd = c
            a, b, c = faces[f, odd], faces[f, (odd + 1) % 3], faces[f, (odd + 2) % 3]
            p = places[a] + (level - height[a]) / (height[b] - height[a]) * (places[b] - places[a])
            q = places[a] + (level - height[a]) / (height[c] - height[a]) * (places[c] - places[a])
            d = q - p
            out[k, 0] += np.sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2])
            x = p[1] * q[2] - p[2] * q[1]
            y = p[2] * q[0] - p[0] * q[2]
            z = p[0] * q[1] - p[1] * q[0]
            turn = 0.5 if above == 1 else -0.5
            out[k, 1] += turn * (x * normal[0] + y * normal[1] + z * normal[2])
    return out


def _shape(sections: tuple[Section, ...]) -> ShapeClass:
    """From the slope of the diameter over the part above the rounded end."""
    if len(sections) < 3:
        return "too short to tell"
    part = sections[1:]
    slope = np.polyfit([s.from_distal_end for s in part], [s.diameter for s in part], 1)[0]
    if slope < -_SHAPE_SLOPE / 2:
        return "bulbous"
    return "conical" if slope > _SHAPE_SLOPE else "cylindrical"


def stl_bytes(mesh: SkinnedMesh | tuple[np.ndarray, np.ndarray], scale: float = 1.0) -> bytes:
    """Binary STL in millimetres, as printers and CAD take it, of a mesh or of vertices (m) and faces."""
    vertices, faces = mesh if isinstance(mesh, tuple) else (mesh.vertices, mesh.faces)
    corners: Float[np.ndarray, "faces 3 3"] = (vertices[faces] * (1000 * scale)).astype(np.float32)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    rows = np.zeros(len(corners), [("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("none", "<u2")])
    rows["normal"], rows["corners"] = normals, corners
    return b"ajahr; millimetres".ljust(80, b" ") + struct.pack("<I", len(rows)) + rows.tobytes()
