"""Any method's body made aware of limb loss, without training: ResiHMR's stages after somebody else's HMR.

    result = adapt("hmr2_output.npz", "ld25.json", image="photo.jpg", body="SMPL_NEUTRAL.pkl")
    result.people[0].limbs, result.people[0].mesh

Per person: keypoints are found by their box; the pose may first be moved a little towards the intact keypoints
(`StagedFit` from the given body); RAFO finds each residual end; the limb is swung onto its found bone, keeping
its twist (the paper cuts the mesh where it was, beside the bone it found); the limb is cut and closed at rest and
posed (`ajahr.inference.adapt_limbs`). What is refused is told with its reason, and the intact limb stays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float64

from ajahr.anatomy import LDPOSE25, absent_joint_mask, descendants
from ajahr.body import smplx_file
from ajahr.body.rig import RigData, load_rig
from ajahr.data.images import load_image
from ajahr.errors import UserError
from ajahr.fitting.rig_model import RigModel
from ajahr.fitting.smplify import FitStatus
from ajahr.fitting.staged import StagedFit, StagedOptions
from ajahr.fitting.staged_priors import read_pose_prior
from ajahr.fitting.staged_problem import BodyStart
from ajahr.geometry.rotations_np import rotmat_to_rotvec, rotvec_to_rotmat
from ajahr.inference.adapt_limbs import adapted_person, given_ends
from ajahr.inference.adapted import NEAREST, Adapted, AdaptedPerson
from ajahr.inference.body_params import BodyParams, read_params
from ajahr.inference.ld_points import LdPoints, read_points
from ajahr.inference.people import iou
from ajahr.residual_limb.rafo import Gates, fit_residuals
from ajahr.residual_limb.segments import SEGMENTS

Match = Literal["auto", "index", "iou"]
SMPL_PELVIS = (-0.0018, -0.2233, 0.0282)
"""The pelvis of SMPL's mean shape at rest, m: where a translation of SMPL's puts it on another body."""


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
    ends, outdone = given_ends(marked, options.gates.least_score)
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
        if (joints[k, :22, 2] <= NEAREST).any():
            own.append("the body lies behind the camera or reaches it")
        people.append(
            adapted_person(
                k, rig, options.cut_low_confidence, rotmats[k], shape[k], translation[k], params.cameras[k], found,
                marked[k], ends[k], outdone[k], joints[k], rows[k], overlaps[k], refined[k], tuple(own),
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
        if (points[:, 2] > NEAREST).all():
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
    front = (joints[:, :22, 2] > NEAREST).all(1)
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
