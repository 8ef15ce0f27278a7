"""Residual limbs of predicted people: where each ends, how long it is, and a closed surface that ends there.

The body is cut at rest (`ajahr.residual_limb.surface`), then posed. Where a fit to the image has moved a limb's
distal joint, the bone is swung after it, by the smallest rotation, so that the surface follows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from ajahr.anatomy import LDPOSE25, LIMBS, absent_joints
from ajahr.body.data import BodyData
from ajahr.errors import UserError
from ajahr.inference.limb_ends import LimbEnd, Surface
from ajahr.inference.meshes import LimbCutter, Mesh, limb_colours
from ajahr.inference.person import Person
from ajahr.residual_limb.decide import ANY_SD, Ends, Known, Method, decide
from ajahr.residual_limb.measure import STATURES
from ajahr.residual_limb.segments import SEGMENTS, Segment, of_level
from ajahr.residual_limb.skin import SkinnedMesh
from ajahr.residual_limb.surface import cut_limbs

RESIDUAL_RED = (214, 40, 40)
_RESIDUAL = list(LDPOSE25.residual)


def with_residual_limbs(
    person: Person,
    head: Float[np.ndarray, "8"] | None,
    head_sd: Float[np.ndarray, "8"] | None,
    body: BodyData,
    *,
    refine: bool = False,
    stature: float | None = None,
) -> Person:
    """The person with the ends of residual limbs and the surface that ends there; as before where none is known.

    A surface that cannot be cut is left out, the reason among the ends' flags.

    Args:
        head, head_sd, refine, stature: as in `ends_of`.
    """
    points = point_sd = None
    if person.keypoints_ldpose25 is not None:
        points, point_sd = np.split(person.keypoints_ldpose25[_RESIDUAL], [3], -1)
        point_sd = point_sd[:, 0]
    ends = ends_of(
        person, head, head_sd, points, point_sd=point_sd, refine=refine, body=body, stature=stature
    )
    surface = None
    if any(end is not None for end in ends):
        try:
            surface = surface_of(person, ends, body)
        except UserError as error:
            reason = f"not_cut: {error}"
            ends = tuple(None if e is None else replace(e, flags=(*e.flags, reason)) for e in ends)
        else:
            assert surface is not None
            told = {cut.segment: cut.flags for cut in surface.ends}
            ends = tuple(None if e is None else replace(e, flags=told[e.segment]) for e in ends)
    return replace(person, residual_limbs=ends, surface=surface)


def ends_of(
    person: Person,
    head: Float[np.ndarray, "8"] | None,
    head_sd: Float[np.ndarray, "8"] | None,
    points: Float[np.ndarray, "8 3"] | None,
    *,
    point_sd: Float[np.ndarray, "8"] | None = None,
    refine: bool = False,
    body: BodyData,
    stature: float | None = None,
) -> tuple[LimbEnd | None, ...]:
    """Ends of a person's limbs in `Limb` order; None of those that are whole, lost at shoulder or hip, or unknown.

    Args:
        head: lambda of the regressor's residual head; None without one.
        points: the ends as they are seen, px and score.
        refine: fit the ends to the points.
        stature: of the person, m, which scales lengths.
    """
    levels = person.limb_levels
    lost = [limb for limb in LIMBS if levels[limb] in (1, 2)]
    seen = points is not None and bool((points[:, 2] > 0).any())
    fits = refine and seen
    if not lost or (head is None and not fits):
        return (None,) * len(LIMBS)
    method: Method = "rafo" if head is None else "head+rafo" if fits else "head"
    ends = decide(method, _known(person, head, head_sd, points, point_sd), heights_px=_height(person))
    vertices = body.v_template + body.shapedirs[..., : len(person.betas)] @ person.betas
    joints = body.J_regressor.astype(np.float64) @ vertices
    scale = 1.0 if stature is None else stature / float(np.ptp(vertices[:, 1]))
    found: list[LimbEnd | None] = [None] * len(LIMBS)
    for limb in lost:
        place = of_level(limb, int(levels[limb]))
        assert place is not None
        k = SEGMENTS.index(place[0])
        if method == "rafo" and not ends.fitted[0, k]:
            continue  # nothing but the class is known of it
        found[limb] = _limb_end(ends, k, method, scale * joints, stature is not None, refine)
    return tuple(found)


def _known(
    person: Person,
    head: np.ndarray | None,
    head_sd: np.ndarray | None,
    points: np.ndarray | None,
    point_sd: np.ndarray | None,
) -> Known:
    sd = np.full((1, 8), 2.0)
    if point_sd is not None:
        sd = np.where(np.isfinite(point_sd), np.maximum(point_sd, 1), 2.0)[None]
    if head is not None and head_sd is None:
        head_sd = np.full(8, ANY_SD)

    def row(values: np.ndarray | None) -> np.ndarray | None:
        return None if values is None else np.asarray(values, np.float64)[None]

    joints = (person.joints + person.translation).astype(np.float64)[None]
    return Known(joints, person.camera, row(head), row(head_sd), row(points), sd)


def _height(person: Person) -> Float[np.ndarray, " people"]:
    return np.array([float(person.bbox_xyxy[3] - person.bbox_xyxy[1])])


def _limb_end(
    ends: Ends,
    k: int,
    method: Method,
    joints: Float[np.ndarray, "joints 3"],
    scaled: bool,
    refine: bool,
) -> LimbEnd:
    segment, fraction = SEGMENTS[k], float(ends.fraction[0, k])
    bone = float(np.linalg.norm(joints[segment.anchor] - joints[segment.upstream]))
    fitted = bool(ends.fitted[0, k])
    own: Method = method if fitted or method == "head" else "head"
    return LimbEnd(
        segment, fraction, float(ends.sd[0, k]), own, (1 - fraction) * bone, bone, scaled, ends.end[0, k],
        ends.anchor[0, k], str(ends.status[0, k]) if refine else "", str(ends.reason[0, k]) if refine else "",
    )  # fmt: skip


def check_stature(stature: float | None) -> None:
    """UserError for one that nobody has."""
    if stature is not None and not STATURES[0] <= stature <= STATURES[1]:
        raise UserError(
            f"a stature of {stature} m is no person's; give metres, {STATURES[0]} to {STATURES[1]}"
        )


# ------------------------------------------------------------------------------------------- surfaces


def cut_surface(
    body: BodyData,
    betas: Float[np.ndarray, " betas"],
    rotmats: Float[np.ndarray, "joints=24 3 3"],
    levels: Int[np.ndarray, "limbs=4"],
    ends: Mapping[Segment, float],
    anchors: Mapping[Segment, Float[np.ndarray, "3"]] | None = None,
) -> Surface:
    """A body cut at lambda of some bones, in pose; limbs lost at a joint are taken off there.

    Args:
        rotmats: as regressed; the root's maps to the camera frame.
        levels: what is lost; limbs without an entry in ``ends`` are cut at the joint that theirs names.
        anchors: where a fit has moved distal joints, without the person's translation.

    Raises:
        UserError: as `cut_limbs`.
    """
    cut = cut_limbs(SkinnedMesh.of_body(body, betas[: body.num_betas]), ends)
    rotmats = np.array(rotmats, np.float64)
    for segment, anchor in (anchors or {}).items():
        rotmats = _swung(cut.mesh, rotmats, segment, anchor)
    ended = {segment.limb for segment in ends}
    at_joints = np.array([0 if limb in ended else int(levels[limb]) for limb in LIMBS])
    for limb in LIMBS:
        rotmats[list(absent_joints(limb, int(at_joints[limb])))] = 0
    vertices = cut.mesh.pose(rotmats)
    mesh = _taken_off(cut.mesh, vertices, at_joints, [segment.upstream for segment in ends])
    return Surface(mesh.vertices, mesh.faces, mesh.colours, cut.mesh, cut.ends)


def surface_of(person: Person, limb_ends: tuple[LimbEnd | None, ...], body: BodyData) -> Surface | None:
    """The surface of a person with residual limbs; None of somebody without.

    Raises:
        UserError: as `cut_limbs`.
    """
    found = [end for end in limb_ends if end is not None]
    if not found:
        return None
    ends = {end.segment: end.fraction for end in found}
    moved = {end.segment: end.anchor - person.translation for end in found if end.method.endswith("rafo")}
    return cut_surface(body, person.betas, person.pose_rotmat, person.limb_levels, ends, moved)


def _swung(
    mesh: SkinnedMesh, rotmats: np.ndarray, segment: Segment, anchor: np.ndarray
) -> Float[np.ndarray, "joints=24 3 3"]:
    """The pose with the bone turned towards where its distal joint was moved: the smallest rotation, no twist."""
    rotations, places = mesh.pose_joints(rotmats)
    pivot = places[segment.upstream]
    rest = (mesh.joints[segment.anchor] - mesh.joints[segment.upstream]).astype(np.float64)
    before, after = rotations[segment.upstream] @ rest, anchor - pivot
    before, after = before / np.linalg.norm(before), after / max(float(np.linalg.norm(after)), 1e-9)
    axis, cosine = np.cross(before, after), float(before @ after)
    if cosine < -0.999999:
        return rotmats
    across = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    swing = np.eye(3) + across + across @ across / (1 + cosine)
    parent = mesh.parents[segment.upstream]
    above = rotations[parent] if parent >= 0 else np.eye(3)
    turned = rotmats.copy()
    turned[segment.upstream] = above.T @ swing @ above @ rotmats[segment.upstream]
    return turned


def _taken_off(
    mesh: SkinnedMesh, vertices: np.ndarray, levels: np.ndarray, residual_joints: list[int]
) -> Mesh:
    """Without the heaps of what was lost at joints; residual limbs red."""
    if levels.any():
        cutter = LimbCutter(mesh.weights, mesh.faces)
        whole, kept = cutter(vertices, levels), cutter.cut(levels).kept
    else:  # nothing to take off: the mesh as it is
        colours = np.rint(limb_colours(mesh.weights)).astype(np.uint8)
        whole, kept = Mesh(vertices, mesh.faces, colours), np.arange(len(vertices))
    share = mesh.weights[:, residual_joints].sum(1)
    share = np.where(mesh.residual, 1, np.clip((share - 0.3) / 0.4, 0, 1))[kept]
    colours = whole.colours.astype(np.float32)
    colours[: len(kept)] += share[:, None] * (np.array(RESIDUAL_RED, np.float32) - colours[: len(kept)])
    return replace(whole, colours=np.rint(colours).astype(np.uint8))
