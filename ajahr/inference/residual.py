"""Residual limbs of predicted people: where each ends, how long it is, and the surface that ends there."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from ajahr.anatomy import LDPOSE25, LIMBS
from ajahr.body.data import BodyData
from ajahr.errors import UserError
from ajahr.inference.limb_ends import LimbEnd
from ajahr.inference.person import Person
from ajahr.inference.surfaces import surface_of
from ajahr.residual_limb.cutter import LimbCutter
from ajahr.residual_limb.decide import ANY_SD, Ends, Known, Method, decide
from ajahr.residual_limb.measure import STATURES
from ajahr.residual_limb.rafo import Gates
from ajahr.residual_limb.segments import SEGMENTS, Segment, of_level

_RESIDUAL = list(LDPOSE25.residual)
LEAST_PEAK = 0.1
"""Of an end's map, where the levels say that there is an end. On held-out people 100 of 104 ends are above it, half of
them nearer than 5 px of a 256 x 192 crop; of scores above 0.3, which also ask whether there is an end, 33 are."""


def with_residual_limbs(
    person: Person, cutter: LimbCutter, *, refine: bool = False, stature: float | None = None
) -> Person:
    """The person with the ends of residual limbs and the surface that ends there; as before where none is known.

    A surface that cannot be cut is left out, the reason among the ends' flags.

    Args:
        cutter: of the body.
        refine, stature: as in `ends_of`.
    """
    ends = ends_of(person, refine=refine, body=cutter.body, stature=stature)
    surface = None
    if any(end is not None for end in ends):
        try:
            surface = surface_of(person, ends, cutter)
        except UserError as error:
            ends = flagged(ends, {}, f"not_cut: {error}")
        else:
            assert surface is not None
            ends = flagged(ends, {cut.segment: cut.flags for cut in surface.ends})
    return replace(person, residual_limbs=ends, surface=surface)


def flagged(
    ends: tuple[LimbEnd | None, ...], flags: dict[Segment, tuple[str, ...]], *more: str
) -> tuple[LimbEnd | None, ...]:
    """Ends with what is to be told of their cuts."""
    return tuple(None if e is None else replace(e, flags=(*flags.get(e.segment, ()), *more)) for e in ends)


@dataclass(frozen=True, eq=False)
class SeenEnds:
    """What one picture tells of where a person's limbs would end, in every segment."""

    method: Method
    ends: Ends
    """Of one person."""

    @property
    def known(self) -> Bool[np.ndarray, "8"]:
        """Whether more than a class is known of a segment."""
        return np.ones(len(SEGMENTS), bool) if self.method.startswith("head") else self.ends.fitted[0]


def seen_ends(person: Person, *, refine: bool = False) -> SeenEnds | None:
    """By the regressor's residual head, the ends that are seen, or both; None where there is neither.

    Args:
        refine: fit the ends to the points.
    """
    points = point_sd = None
    if person.keypoints_ldpose25 is not None:
        points, point_sd = told_ends(person), person.keypoints_ldpose25[_RESIDUAL, 3]
    fits = refine and points is not None and bool((points[:, 2] > 0).any())
    head = person.residual_lambda
    if head is None and not fits:
        return None
    method: Method = "rafo" if head is None else "head+rafo" if fits else "head"
    known = _known(person, points, point_sd)
    height = np.array([float(person.bbox_xyxy[3] - person.bbox_xyxy[1])])
    gates = end_gates(by_peak=person.end_peaks is not None)
    return SeenEnds(method, decide(method, known, gates=gates, heights_px=height))


def end_gates(*, by_peak: bool) -> Gates:
    """Of fits to ends as `told_ends` has them: scored by peaks where a level has answered whether there is one."""
    return Gates(error_of_height=0.02, least_score=LEAST_PEAK if by_peak else Gates.least_score)


def told_ends(person: Person) -> Float[np.ndarray, "8 xys=3"]:
    """Ends as they are seen or given, scored by what the limb levels say.

    Where the levels have decided that a limb ends in a segment, the detector's doubt whether there is an end has
    been answered: what counts is how sure its place is. The other end of such a limb is none.
    """
    assert person.keypoints_ldpose25 is not None
    points = person.keypoints_ldpose25[_RESIDUAL, :3].astype(np.float64)
    return points if person.end_peaks is None else by_level(points, person.end_peaks, person.limb_levels)


def by_level(
    points: Float[np.ndarray, "8 xys=3"],
    peaks: Float[np.ndarray, "8"],
    levels: Int[np.ndarray, "limbs=4"],
) -> Float[np.ndarray, "8 xys=3"]:
    """Ends of lost segments with their peaks as scores, those of the same limbs' other segments with none."""
    points = points.copy()
    for segment in lost_segments(levels):
        if segment is not None:
            own = SEGMENTS.index(segment)
            rivals = [k for k, one in enumerate(SEGMENTS) if one.limb == segment.limb and k != own]
            points[own, 2], points[rivals, 2] = peaks[own], 0
    return points


def ends_of(
    person: Person, *, refine: bool = False, body: BodyData, stature: float | None = None
) -> tuple[LimbEnd | None, ...]:
    """Ends of a person's limbs in `Limb` order; None of those that are whole, lost at shoulder or hip, or unknown.

    Args:
        refine: fit the ends to the points that are seen or given.
        stature: of the person, m, which scales lengths.
    """
    lost = lost_segments(person.limb_levels)
    seen = seen_ends(person, refine=refine) if any(lost) else None
    if seen is None:
        return (None,) * len(LIMBS)
    lengths = bone_lengths(body, person.betas, stature)
    found: list[LimbEnd | None] = []
    for segment in lost:
        k = None if segment is None else SEGMENTS.index(segment)
        if k is None or not seen.known[k]:  # nothing but the class is known of it
            found.append(None)
        else:
            found.append(_limb_end(seen, k, float(lengths[k]), stature is not None, refine))
    return tuple(found)


def lost_segments(levels: np.ndarray) -> tuple[Segment | None, ...]:
    """The bone in which each limb ends, in `Limb` order; None: it is whole, or lost at shoulder or hip."""
    places = [of_level(limb, int(levels[limb])) if levels[limb] in (1, 2) else None for limb in LIMBS]
    return tuple(None if place is None else place[0] for place in places)


def bone_lengths(
    body: BodyData, betas: Float[np.ndarray, " betas"], stature: float | None = None
) -> Float[np.ndarray, "8"]:
    """Of whole bones by `SEGMENTS`, m: of the body's own size, or scaled to a stature."""
    vertices = body.v_template + body.shapedirs[..., : len(betas)] @ betas
    joints = body.J_regressor.astype(np.float64) @ vertices
    scale = 1.0 if stature is None else stature / float(np.ptp(vertices[:, 1]))
    return scale * np.array([np.linalg.norm(joints[s.anchor] - joints[s.upstream]) for s in SEGMENTS])


def _known(person: Person, points: np.ndarray | None, point_sd: np.ndarray | None) -> Known:
    sd = np.full((1, 8), 2.0)
    if point_sd is not None:
        sd = np.where(np.isfinite(point_sd), np.maximum(point_sd, 1), 2.0)[None]
    head, head_sd = person.residual_lambda, person.residual_std
    if head is not None and head_sd is None:
        head_sd = np.full(8, ANY_SD)

    def row(values: np.ndarray | None) -> np.ndarray | None:
        return None if values is None else np.asarray(values, np.float64)[None]

    joints = (person.joints + person.translation).astype(np.float64)[None]
    return Known(joints, person.camera, row(head), row(head_sd), row(points), sd)


def _limb_end(seen: SeenEnds, k: int, bone: float, scaled: bool, refine: bool) -> LimbEnd:
    ends, fraction = seen.ends, float(seen.ends.fraction[0, k])
    own: Method = seen.method if ends.fitted[0, k] or seen.method == "head" else "head"
    return LimbEnd(
        SEGMENTS[k], fraction, float(ends.sd[0, k]), own, (1 - fraction) * bone, bone, scaled, ends.end[0, k],
        ends.anchor[0, k], str(ends.status[0, k]) if refine else "", str(ends.reason[0, k]) if refine else "",
    )  # fmt: skip


def check_stature(stature: float | None) -> None:
    """UserError for one that nobody has."""
    if stature is not None and not STATURES[0] <= stature <= STATURES[1]:
        raise UserError(
            f"a stature of {stature} m is no person's; give metres, {STATURES[0]} to {STATURES[1]}"
        )
