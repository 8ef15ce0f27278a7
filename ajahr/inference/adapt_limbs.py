"""Limbs of one body swung onto the bones that RAFO found, cut and closed; refused ones keep their reason.

`given_ends` says which marked ends count at all, `adapted_person` takes RAFO's word on them limb by limb: the limb
turns onto its bone keeping its twist, and the mesh is cut at rest and posed. What makes no closed surface is left
whole.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ajahr.anatomy import JOINT_LIMB, LDPOSE25, LIMBS, Limb
from ajahr.body.rig import RigData
from ajahr.data.ldpose import DISTAL, EXCLUDES, LIMB_POINTS
from ajahr.errors import UserError
from ajahr.geometry.cameras import Camera
from ajahr.inference.adapted import NEAREST, AdaptedPerson, LimbOutcome
from ajahr.inference.surfaces import swing
from ajahr.residual_limb.rafo import Reason, ResidualFit, Status
from ajahr.residual_limb.segments import SEGMENTS, Segment
from ajahr.residual_limb.skin import SkinnedMesh
from ajahr.residual_limb.surface import cut_limbs


def given_ends(marked: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray]:
    """Residual ends of people (x, y, score), and those that a surer joint beyond them rules out."""
    ends = marked[:, list(LDPOSE25.residual)].copy()
    intact = marked[..., 2].copy()
    intact[:, list(LDPOSE25.residual)] = 0
    outdone = np.zeros(ends.shape[:2], bool)
    for k, end in enumerate(LDPOSE25.residual):
        rivals = np.where(EXCLUDES[end], intact, 0).max(1)
        outdone[:, k] = (ends[:, k, 2] >= least) & (rivals > ends[:, k, 2])
    ends[outdone, 2] = 0
    return ends, outdone


def adapted_person(
    number: int,
    rig: RigData,
    cut_low_confidence: bool,
    rotmats: np.ndarray,
    shape: np.ndarray,
    translation: np.ndarray,
    camera: Camera,
    found: ResidualFit,
    marked: np.ndarray,
    ends: np.ndarray,
    outdone: np.ndarray,
    joints: np.ndarray,
    row: int | None,
    overlap: float,
    refined: str,
    notes: tuple[str, ...],
) -> AdaptedPerson:
    """One person with every limb cut that RAFO found an end for; the other limbs as they were.

    Args:
        number: of the person in ``found``; the other arrays are this person's own.
        cut_low_confidence: cut limbs that are seen end on too.
        marked: LDPose's 25 points.
        ends, outdone: as `given_ends` tells them.
        joints: of the body as it came, camera frame, m.
        row: of the person's keypoints in their file.
    """
    betas, expression = shape[: rig.num_betas], shape[rig.num_betas :]
    vertices = rig.shaped(betas.astype(np.float32), expression.astype(np.float32))
    rest = rig.J_regressor.astype(np.float64) @ vertices
    body = SkinnedMesh.build(
        vertices,
        rig.faces,
        rig.weights,
        rest.astype(np.float32),
        rig.parents,
        rig.posedirs,
        rig.uv,
        rig.uv_faces,
    )
    rotmats = rotmats.copy()
    outcomes = []
    for limb in LIMBS:
        outcome = _outcome(limb, number, found, marked, ends, outdone)
        usable = outcome.segment is not None and outcome.fit in (
            Status.ACCEPTED,
            Status.JOINT_LEVEL,
            *([Status.LOW_CONFIDENCE] if cut_low_confidence else []),
        )
        if outcome.status == "refused" and usable:
            assert outcome.segment is not None
            before = body
            body, outcome, rotmats, went = _cut(
                body, outcome, outcome.segment, number, found, rotmats, joints, rig
            )
            if body is not before:  # earlier ends have new vertex numbers
                outcomes = [
                    one
                    if one.cut is None
                    else replace(one, cut=replace(one.cut, tip=int(went[one.cut.tip]), rim=went[one.cut.rim]))
                    for one in outcomes
                ]
        outcomes.append(outcome)
    for joint in body.absent:
        rotmats[joint] = np.eye(3)
    posed = body.pose(rotmats, translation)
    _, places = body.pose_joints(rotmats)
    places = places + translation
    seen = tuple(_with_end(outcome, places, camera) for outcome in outcomes)
    return AdaptedPerson(
        number,
        row,
        float(overlap),
        rotmats,
        betas,
        translation,
        camera,
        seen,
        body,
        posed,
        places,
        refined,
        notes,
    )


def _outcome(
    limb: Limb, number: int, found: ResidualFit, marked: np.ndarray, ends: np.ndarray, outdone: np.ndarray
) -> LimbOutcome:
    """What RAFO says of a limb; an end that can be used is "refused" until it is cut."""
    mine = [k for k, segment in enumerate(SEGMENTS) if JOINT_LIMB[segment.anchor] == limb]
    status = found.status[number]
    ranks = {
        Status.ACCEPTED: 0, Status.LOW_CONFIDENCE: 1, Status.JOINT_LEVEL: 2, Status.REJECTED: 3, Status.ABSENT: 4,
    }  # fmt: skip
    # where both ends were given, the one that counted is told
    k = min(mine, key=lambda k: (ranks[status[k]], found.reason[number, k] == Reason.OTHER_END))
    segment = SEGMENTS[k]
    if status[k] == Status.ABSENT:
        for k in mine:
            if outdone[k]:
                return LimbOutcome(
                    limb,
                    "intact",
                    SEGMENTS[k],
                    Status.REJECTED,
                    Reason.JOINT_SEEN,
                    point_px=ends[k, :2].copy(),
                )
        seen = marked[LIMB_POINTS[limb, DISTAL], 2] > 0
        return LimbOutcome(limb, "intact" if seen else "unknown")
    fraction = float(found.fraction[number, k])
    others = [str(found.reason[number, j]) for j in mine if j != k and status[j] == Status.REJECTED]
    reason = str(found.reason[number, k]) or "; ".join(others)
    marked_here = ends[k, 2] > 0
    sd = float(found.sd[number, k])
    bone = (
        float(np.linalg.norm(found.anchor[number, k] - found.end[number, k])) / fraction
        if fraction > 0
        else np.nan
    )
    return LimbOutcome(
        limb, "refused", segment, str(status[k]), reason, fraction, sd, float(found.length[number, k]), sd * bone,
        point_px=ends[k, :2].copy() if marked_here else None, error_px=float(found.error_px[number, k]),
    )  # fmt: skip


def _cut(
    body: SkinnedMesh,
    outcome: LimbOutcome,
    segment: Segment,
    number: int,
    found: ResidualFit,
    rotmats: np.ndarray,
    joints: np.ndarray,
    rig: RigData,
) -> tuple[SkinnedMesh, LimbOutcome, np.ndarray, np.ndarray]:
    """The limb swung onto its bone and cut; as it was, with the reason, where that is no closed surface."""
    k = SEGMENTS.index(segment)
    upstream, anchor = joints[segment.upstream], joints[segment.anchor]
    bone = float(np.linalg.norm(anchor - upstream))
    fraction = float(np.clip(1 - outcome.length / bone, 0, 1)) if bone > 0 else outcome.fraction
    try:
        cut = cut_limbs(body, {segment: fraction})
    except UserError as error:
        return body, replace(outcome, reason=str(error)), rotmats, np.arange(len(body.vertices))
    swung = swing(
        rotmats, rig.parents, segment.upstream, anchor - upstream, found.anchor[number, k] - upstream
    )
    status = "disarticulated" if cut.ends[0].disarticulated else "residual"
    return cut.mesh, replace(outcome, status=status, cut=cut.ends[0]), swung, cut.vertex_map


def _with_end(outcome: LimbOutcome, places: np.ndarray, camera: Camera) -> LimbOutcome:
    """Where the end lies on the adapted body."""
    if outcome.cut is None or outcome.segment is None:
        return outcome
    upstream, anchor = places[outcome.segment.upstream], places[outcome.segment.anchor]
    end = anchor + outcome.cut.fraction * (upstream - anchor)
    pixels = camera.project(end) if end[2] > NEAREST else None
    error = outcome.error_px
    if pixels is not None and outcome.point_px is not None:
        error = float(np.linalg.norm(pixels - outcome.point_px))
    return replace(outcome, end_cam=end, end_px=pixels, error_px=error)
