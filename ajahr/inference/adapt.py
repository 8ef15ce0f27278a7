"""Any method's body made aware of limb loss, without training: ResiHMR's stages after somebody else's HMR.

    result = adapt("hmr2_output.npz", "ld25.json", image="photo.jpg", body="SMPL_NEUTRAL.pkl")
    result.people[0].limbs, result.people[0].mesh

Per person: keypoints are found by their box; the pose may first be moved a little towards the intact keypoints
(`StagedFit` from the given body); RAFO finds each residual end; the limb is swung onto its found bone, keeping
its twist (the paper cuts the mesh where it was, beside the bone it found); the limb is cut and closed at rest and
posed. What is refused is told with its reason, and the intact limb stays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Float64, UInt8

from ajahr.anatomy import JOINT_LIMB, JOINT_NAMES, LDPOSE25, LIMBS, Limb, absent_joint_mask, descendants
from ajahr.body import smplx_file
from ajahr.body.rig import RigData, load_rig
from ajahr.data.images import load_image
from ajahr.data.ldpose import DISTAL, EXCLUDES, LIMB_POINTS
from ajahr.errors import UserError
from ajahr.fitting.rig_model import RigModel
from ajahr.fitting.smplify import FitStatus
from ajahr.fitting.staged import BodyStart, StagedFit, StagedOptions
from ajahr.fitting.staged_priors import read_pose_prior
from ajahr.geometry.cameras import Camera
from ajahr.geometry.rotations_np import rotmat_to_rotvec, rotvec_to_rotmat
from ajahr.inference.body_params import BodyParams, read_params
from ajahr.inference.ld_points import LdPoints, read_points
from ajahr.inference.meshes import Mesh
from ajahr.inference.people import iou
from ajahr.residual_limb.rafo import Gates, Reason, ResidualFit, Status, fit_residuals
from ajahr.residual_limb.segments import SEGMENTS, Segment
from ajahr.residual_limb.skin import SkinnedMesh
from ajahr.residual_limb.surface import ResidualLimb, cut_limbs

Match = Literal["auto", "index", "iou"]
SMPL_PELVIS = (-0.0018, -0.2233, 0.0282)
"""The pelvis of SMPL's mean shape at rest, m: where a translation of SMPL's puts it on another body."""
BODY_COLOUR, RESIDUAL_RED = (172, 186, 204), (226, 44, 44)
_NEAREST = 0.1


@dataclass(frozen=True)
class AdaptOptions:
    """Settings of `adapt`.

    Attributes:
        refine: move the pose towards the intact keypoints before the residual ends are sought.
        match: which keypoints are whose: "index" by their order, "iou" by the overlap of boxes, "auto" by index
            where there is one of each.
        min_iou: least overlap of a person's box and the keypoints'.
        gates: of RAFO.
        cut_low_confidence: cut limbs that are seen end on, where the length is hardly known.
        pose_prior: a file with another prior for the refinement: SMPLify's GMM, VPoser, or a pose tokenizer of
            this project.
    """

    refine: bool = True
    match: Match = "auto"
    min_iou: float = 0.3
    gates: Gates = field(default_factory=Gates)
    cut_low_confidence: bool = True
    pose_prior: Path | None = None


@dataclass(frozen=True, eq=False)
class LimbOutcome:
    """What became of a limb.

    ``status``: intact (its hand or foot is seen), unknown (nothing is), residual (it was cut), refused (an end was
    given and could not be used; the limb is left whole).
    """

    limb: Limb
    status: Literal["intact", "unknown", "residual", "refused"]
    segment: Segment | None = None
    fit: str = ""
    """RAFO's status: accepted, low_confidence, rejected, joint_level."""
    reason: str = ""
    fraction: float = float("nan")
    """lambda: 0 the whole bone is left, 1 nothing of it."""
    fraction_sd: float = float("nan")
    length: float = float("nan")
    """m of the body's own scale, from the proximal joint to the end."""
    length_sd: float = float("nan")
    end_cam: Float64[np.ndarray, "3"] | None = None
    end_px: Float64[np.ndarray, "2"] | None = None
    point_px: Float64[np.ndarray, "2"] | None = None
    error_px: float = float("nan")
    cut: ResidualLimb | None = None

    def document(self) -> dict[str, Any]:
        """Plain values; what is not known is null."""

        def number(value: float, digits: int = 4) -> float | None:
            return round(float(value), digits) if np.isfinite(value) else None

        def row(value: np.ndarray | None, digits: int) -> list[float] | None:
            return None if value is None else np.round(value, digits).tolist()

        return {
            "status": self.status,
            "segment": None if self.segment is None else self.segment.name,
            "fit": self.fit or None,
            "reason": self.reason or None,
            "lambda": number(self.fraction),
            "lambda_sd": number(self.fraction_sd),
            "residual_ratio": number(1 - self.fraction),
            "length_m": number(self.length),
            "length_sd_m": number(self.length_sd),
            "end_3d": row(self.end_cam, 4),
            "end_2d": row(self.end_px, 2),
            "keypoint_2d": row(self.point_px, 2),
            "error_px": number(self.error_px, 2),
            "flags": [] if self.cut is None else list(self.cut.flags),
        }


@dataclass(frozen=True, eq=False)
class AdaptedPerson:
    """One person. Camera frame, m; px of the whole picture."""

    number: int
    points_row: int | None
    """Of the person's keypoints in their file."""
    overlap: float
    rotmats: Float64[np.ndarray, "joints 3 3"]
    betas: Float64[np.ndarray, "betas"]
    translation: Float64[np.ndarray, "3"]
    camera: Camera
    limbs: tuple[LimbOutcome, ...]
    body: SkinnedMesh
    """At rest, cut and closed; it can be posed anew."""
    vertices_cam: Float[np.ndarray, "vertices 3"]
    joints_cam: Float64[np.ndarray, "joints 3"]
    refined: str
    """How the refinement ended, or why there was none."""
    notes: tuple[str, ...] = ()

    @property
    def visible(self) -> bool:
        return bool((self.vertices_cam[:, 2] > _NEAREST).all())

    @property
    def colours(self) -> UInt8[np.ndarray, "vertices 3"]:
        """Of the mesh: residual limbs red."""
        share = np.zeros(len(self.body.vertices))
        for outcome in self.limbs:
            if outcome.cut is not None and outcome.segment is not None:
                own = self.body.weights[:, self.body.descendants(outcome.segment.upstream)].sum(1)
                share = np.maximum(share, np.clip((own - 0.3) / 0.4, 0, 1))
        blend = share[:, None]
        return np.rint(np.array(BODY_COLOUR) * (1 - blend) + np.array(RESIDUAL_RED) * blend).astype(np.uint8)

    @property
    def mesh(self) -> Mesh:
        """Camera frame, without the translation."""
        vertices = (self.vertices_cam - self.translation).astype(np.float32)
        return Mesh(vertices, self.body.faces, self.colours)

    def document(self) -> dict[str, Any]:
        """Plain values. Joints that are absent are null."""
        absent = self.body.absent
        rotvec = rotmat_to_rotvec(self.rotmats)

        def rows(values: np.ndarray, digits: int) -> list[Any]:
            return [None if j in absent else np.round(v, digits).tolist() for j, v in enumerate(values)]

        entry: dict[str, Any] = {
            "number": self.number,
            "keypoints_row": self.points_row,
            "box_overlap": round(self.overlap, 3),
            "limbs": {limb.limb.name.lower(): limb.document() for limb in self.limbs},
            "smpl": {
                "betas": np.round(self.betas, 5).tolist(),
                "global_orient": np.round(rotvec[0], 5).tolist(),
                "body_pose": np.round(rotvec[1:], 5).tolist(),
                "absent_joints": [JOINT_NAMES[j] for j in sorted(absent) if j < len(JOINT_NAMES)],
            },
            "camera": {
                "focal_length": round(float(self.camera.focal_length), 3),
                "principal_point": [float(x) for x in self.camera.principal_point],
                "translation": np.round(self.translation, 5).tolist(),
            },
            "joints_3d": rows(self.joints_cam, 4),
            "refined": self.refined,
            "notes": list(self.notes),
        }
        if self.visible:
            entry["joints_2d"] = rows(self.camera.project(self.joints_cam), 2)
        return entry


@dataclass(frozen=True, eq=False)
class Adapted:
    """The people of one picture, in the order of their parameters."""

    people: tuple[AdaptedPerson, ...]
    params: BodyParams
    points: LdPoints
    rig: RigData
    image: UInt8[np.ndarray, "height width 3"] | None = None
    notes: tuple[str, ...] = ()


def adapt(
    smpl: str | Path | BodyParams,
    keypoints: str | Path | LdPoints,
    *,
    image: str | Path | None = None,
    body: str | Path | RigData | None = None,
    gender: str = "neutral",
    options: AdaptOptions | None = None,
    focal_length: float | None = None,
    image_size: tuple[int, int] | None = None,
    image_name: str | None = None,
    advance: Callable[[], None] | None = None,
) -> Adapted:
    """Make bodies of any method aware of limb loss.

    Args:
        smpl: their parameters (`read_params`).
        keypoints: LDPose's 25 points (`read_points`).
        image: the picture, for its size and for pictures of the result.
        body: an SMPL or SMPL-X file or folder, the one the parameters belong to; the embedded body if None.
        focal_length: px, where the file has none.
        image_size: (width, height), where neither picture nor file tells.
        image_name: of several pictures in the files, the one meant; the image's name if None.
        advance: called once a person and once a stage of the refinement.

    Raises:
        UserError: a file is missing, damaged or of no form that is read.
    """
    options = options or AdaptOptions()
    pixels = None
    if image is not None:
        loaded = load_image(image)
        pixels, image_size = loaded.pixels, loaded.full_size
    name = image_name or (None if image is None else Path(image).name)
    points = keypoints if isinstance(keypoints, LdPoints) else read_points(keypoints, image_name=name)
    if image_size is None:
        image_size = points.image_size
    params = smpl
    if not isinstance(params, BodyParams):
        params = read_params(params, image_size=image_size, focal_length=focal_length, image_name=name)
    rig = (
        body if isinstance(body, RigData) else load_rig(body, gender=gender, num_betas=params.betas.shape[1])
    )
    people, notes = _adapted(params, points, rig, options, advance or (lambda: None))
    return Adapted(people, params, points, rig, pixels, (*params.notes, *notes))


def _adapted(
    params: BodyParams, points: LdPoints, rig: RigData, options: AdaptOptions, advance: Callable[[], None]
) -> tuple[tuple[AdaptedPerson, ...], list[str]]:
    notes: list[str] = []
    count = len(params)
    if not count:
        return (), notes
    betas, translation = _shapes(params, rig, notes)
    rotmats = _rotmats(params, rig)
    model = RigModel(rig)
    expression = params.expression
    shape = np.zeros((count, model.num_shape))
    shape[:, : rig.num_betas] = betas
    if expression is not None:
        n = min(expression.shape[1], rig.num_expressions)
        shape[:, rig.num_betas : rig.num_betas + n] = expression[:, :n]
    joints, shown = _posed(model, rotmats, shape, translation)
    boxes = _boxes(shown, params)
    rows, overlaps = _matched(boxes, points, options)
    marked = np.zeros((count, len(LDPOSE25), 3))
    for k, row in enumerate(rows):
        if row is not None:
            marked[k] = points.keypoints[row]
    ends, outdone = _ends(marked, options.gates.least_score)
    levels = np.zeros((count, 4), np.int64) if params.limb_levels is None else params.limb_levels
    refined = ["not asked for"] * count
    if options.refine:
        rotmats, shape, translation, refined = _refined(
            params, rig, options, marked, ends, levels, rotmats, shape, translation, joints, advance
        )
        joints, shown = _posed(model, rotmats, shape, translation)
    heights = np.maximum(boxes[:, 3] - boxes[:, 1], 1.0)
    found = fit_residuals(
        joints[:, :22], ends, params.cameras, gates=options.gates, heights_px=heights, levels=levels
    )
    people = []
    for k in range(count):
        own: list[str] = []
        if rows[k] is None:
            own.append("no keypoints lie on this person")
        if (joints[k, :22, 2] <= _NEAREST).any():
            own.append("the body lies behind the camera or reaches it")
        people.append(
            _person(
                k, rig, options, rotmats[k], shape[k], translation[k], params.cameras[k], found, marked[k], ends[k],
                outdone[k], joints[k], rows[k], overlaps[k], refined[k], tuple(own),
            )
        )  # fmt: skip
        advance()
    return tuple(people), notes


def _shapes(params: BodyParams, rig: RigData, notes: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Betas of this rig and translations for it."""
    count = len(params)
    betas = np.zeros((count, rig.num_betas))
    own = params.betas[:, : rig.num_betas]
    translation = params.translation.copy()
    if params.num_vertices not in (None, len(rig.v_template)):
        notes.append(
            f"the file's mesh has {params.num_vertices} vertices, this body {len(rig.v_template)}: another topology; "
            "--body takes the file the parameters belong to"
        )
    theirs = params.body or "SMPL"
    if rig.embedded if params.body is None else params.body != rig.name:
        notes.append(
            f"betas are of {theirs} and mean nothing on {rig.name}: its mean shape is used; --body takes the file the "
            "parameters belong to"
        )
        if params.body is None:
            translation += np.array(SMPL_PELVIS) - rig.J_regressor[0].astype(np.float64) @ rig.v_template
        return betas, translation
    betas[:, : own.shape[1]] = own
    return betas, translation


def _rotmats(params: BodyParams, rig: RigData) -> Float64[np.ndarray, "people joints 3 3"]:
    rotmats = np.tile(np.eye(3), (len(params), rig.num_joints, 1, 1))
    rotmats[:, 0] = params.global_orient_rotmat
    shared = 22 if rig.is_smplx else 24
    rotmats[:, 1:shared] = rotvec_to_rotmat(params.body_pose_rotvec[:, : shared - 1])
    if rig.is_smplx:
        places = {
            "jaw": slice(22, 23),
            "left_hand": smplx_file.LEFT_HAND,
            "right_hand": smplx_file.RIGHT_HAND,
        }
        for name, rotvec in params.face_and_hands.items():
            rotmats[:, places[name]] = rotvec_to_rotmat(rotvec)
    return rotmats


def _posed(
    model: RigModel, rotmats: np.ndarray, shape: np.ndarray, translation: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Joints and keypoints, camera frame."""
    with torch.no_grad():
        found = model(*(torch.from_numpy(np.asarray(x, np.float64)) for x in (rotmats, shape, translation)))
    return found.joints.numpy(), found.keypoints.numpy()


def _boxes(shown: np.ndarray, params: BodyParams) -> np.ndarray:
    """Around each body in the picture; of bodies behind the camera the given box, or none."""
    boxes = np.zeros((len(shown), 4)) if params.boxes_xyxy is None else params.boxes_xyxy.copy()
    for k, points in enumerate(shown):
        if (points[:, 2] > _NEAREST).all():
            pixels = params.cameras[k].project(points)
            boxes[k] = np.concatenate([pixels.min(0), pixels.max(0)])
    return boxes


def _matched(
    boxes: np.ndarray, points: LdPoints, options: AdaptOptions
) -> tuple[list[int | None], np.ndarray]:
    """Row of each person's keypoints, and the overlap of their boxes."""
    count = len(boxes)
    rows: list[int | None] = [None] * count
    overlaps = np.zeros(count)
    if not count or not len(points):
        return rows, overlaps
    table = iou(boxes, points.boxes_xyxy.astype(boxes.dtype))
    if options.match == "index" or (options.match == "auto" and count == len(points) == 1):
        if options.match == "index" and count != len(points):
            raise UserError(
                f"{count} bodies and keypoints of {len(points)} people cannot be matched by index; use --match iou"
            )
        return list(range(count)), table.diagonal().copy()
    table = table.copy()
    for _ in range(min(table.shape)):
        row, column = np.unravel_index(int(table.argmax()), table.shape)
        if table[row, column] < options.min_iou:
            break
        rows[row], overlaps[row] = int(column), table[row, column]
        table[row], table[:, column] = -1, -1
    return rows, overlaps


def _ends(marked: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray]:
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


def _refined(
    params, rig, options, marked, ends, levels, rotmats, shape, translation, joints, advance
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """Poses moved towards the intact keypoints. Residual ends play no part: a wrong one must be refused later."""
    count = len(rotmats)
    absent = absent_joint_mask(levels)
    given = ends[..., 2] >= options.gates.least_score
    for k, segment in enumerate(SEGMENTS):
        absent[np.ix_(given[:, k], list(descendants(segment.anchor)))] = True
    keypoints = marked.copy()
    keypoints[:, list(LDPOSE25.residual), 2] = 0
    with np.errstate(invalid="ignore"):
        for k, camera in enumerate(params.cameras):
            x, y = keypoints[k, :, 0], keypoints[k, :, 1]
            inside = (x >= 0) & (y >= 0) & (x <= camera.width) & (y <= camera.height)
            keypoints[k, ~inside, 2] = 0
    front = (joints[:, :22, 2] > _NEAREST).all(1)
    enough = (keypoints[..., 2] > 0).sum(1) >= 4
    words = [
        "not refined: behind the camera" if not f else "not refined: fewer than 4 intact keypoints"
        for f in front
    ]
    chosen = np.flatnonzero(front & enough)
    if not len(chosen):
        return rotmats, shape, translation, words
    prior = None if options.pose_prior is None else read_pose_prior(options.pose_prior)
    fit = StagedFit(rig, LDPOSE25, StagedOptions(ends_turn_bones=False), prior=prior)
    body_pose = np.zeros((len(chosen), 23, 3))
    shared = 22 if rig.is_smplx else 24
    body_pose[:, : shared - 1] = rotmat_to_rotvec(rotmats[chosen, 1:shared])
    start = BodyStart(rotmats[chosen, 0], body_pose, shape[chosen, : rig.num_betas], translation[chosen])
    found = fit.fit(
        keypoints[chosen], [params.cameras[k] for k in chosen], absent_joints=absent[chosen], start=start,
        advance=advance,
    )  # fmt: skip
    rotmats, shape, translation = rotmats.copy(), shape.copy(), translation.copy()
    for row, k in enumerate(chosen):
        status = found.status[row]
        if status is not FitStatus.OK or not np.isfinite(found.translation[row]).all():
            words[k] = f"not refined: {status.value}, {found.reprojection_px[row]:.0f} px from the keypoints"
            continue
        words[k] = f"refined: {found.reprojection_px[row]:.1f} px from the keypoints"
        # a limb that is gone keeps the pose it came with: RAFO starts from it
        moved = ~absent[k, :shared]
        rotmats[k, :shared][moved] = found.rotmats[row, :shared][moved]
        shape[k, : rig.num_betas], translation[k] = found.betas[row], found.translation[row]
    assert count == len(words)
    return rotmats, shape, translation, words


def _person(
    number: int,
    rig: RigData,
    options: AdaptOptions,
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
            *([Status.LOW_CONFIDENCE] if options.cut_low_confidence else []),
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
    return cut.mesh, replace(outcome, status="residual", cut=cut.ends[0]), swung, cut.vertex_map


def swing(
    rotmats: Float64[np.ndarray, "joints 3 3"],
    parents: tuple[int, ...],
    joint: int,
    now: Float64[np.ndarray, "3"],
    then: Float64[np.ndarray, "3"],
) -> Float64[np.ndarray, "joints 3 3"]:
    """Rotations with one joint turned, by the least turn, so that its bone points where it should.

    Args:
        now: the bone's direction in the camera frame, of any length.
        then: where it should point.
    """
    a, b = now / np.linalg.norm(now), then / np.linalg.norm(then)
    axis, cosine = np.cross(a, b), float(a @ b)
    sine = float(np.linalg.norm(axis))
    if sine < 1e-9:
        return rotmats
    turn = rotvec_to_rotmat(axis / sine * np.arctan2(sine, cosine))
    above = np.eye(3)
    at = parents[joint]
    chain = []
    while at >= 0:
        chain.append(at)
        at = parents[at]
    for at in reversed(chain):
        above = above @ rotmats[at]
    turned = rotmats.copy()
    turned[joint] = above.T @ turn @ above @ rotmats[joint]
    return turned


def _with_end(outcome: LimbOutcome, places: np.ndarray, camera: Camera) -> LimbOutcome:
    """Where the end lies on the adapted body."""
    if outcome.cut is None or outcome.segment is None:
        return outcome
    upstream, anchor = places[outcome.segment.upstream], places[outcome.segment.anchor]
    end = anchor + outcome.cut.fraction * (upstream - anchor)
    pixels = camera.project(end) if end[2] > _NEAREST else None
    error = outcome.error_px
    if pixels is not None and outcome.point_px is not None:
        error = float(np.linalg.norm(pixels - outcome.point_px))
    return replace(outcome, end_cam=end, end_px=pixels, error_px=error)
