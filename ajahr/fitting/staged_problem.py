"""What a staged fit is given: keypoints, cameras and where each person begins, checked and made into tensors.

A person begins at another method's body (`BodyStart`) or at ease, as far away as the torso in the image says. People
are rows; `Problem.take` picks some of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ajahr.anatomy import NUM_JOINTS, NUM_TOKENIZER_JOINTS, KeypointLayout
from ajahr.errors import UserError
from ajahr.fitting.pose_prior import relaxed_pose
from ajahr.fitting.smplify import FitResult
from ajahr.fitting.staged_body import StagedBody
from ajahr.fitting.staged_priors import VPoser
from ajahr.geometry.cameras import Camera
from ajahr.geometry.rotations import rotvec_to_rotmat

_DOUBLE = torch.float64
TURNS = torch.stack(
    [torch.diag(torch.tensor(d, dtype=_DOUBLE)) for d in ((1.0, -1.0, -1.0), (-1.0, -1.0, 1.0))]
)
"""Upright and facing the camera; the same turned by half a turn about the vertical."""
NEAREST = 0.1
"""What lies nearer to the camera, m, counts as behind it."""
_NARROW = 0.025  # of the image's height: shoulders closer than 25 px in 1000 do not tell front from back
_STATURE = 1.7
_TORSO = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")


def torso_points(layout: KeypointLayout) -> list[int]:
    """Left and right shoulder, left and right hip."""
    return [layout.index[name] for name in _TORSO]


@dataclass(frozen=True, eq=False)
class BodyStart:
    """Where a fit begins: what any method says of people, in SMPL's or SMPL-X's parameters. Camera frame, m."""

    global_orient_rotmat: Float[np.ndarray, "people 3 3"]
    body_pose_rotvec: Float[np.ndarray, "people joints 3"]
    """Of joints 1..21 or 1..23, rad."""
    betas: Float[np.ndarray, "people betas"]
    translation: Float[np.ndarray, "people 3"]

    @classmethod
    def of_fit(cls, fit: FitResult) -> BodyStart:
        """From `Smplify`, whose starts see a person from all sides. For its own body's betas."""
        return cls(fit.global_orient_rotmat, fit.body_pose_rotvec, fit.betas, fit.translation)


@dataclass(frozen=True, eq=False)
class Problem:
    """People to fit, and where they begin."""

    points: Float[Tensor, "people keypoints 2"]  # px from the principal point
    confidence: Float[Tensor, "people keypoints"]  # squared
    hands: Float[Tensor, "people hand_points 3"]
    face: Float[Tensor, "people landmarks 3"]
    focal: Float[Tensor, " people"]
    centre: Float[Tensor, "people 2"]
    weak: Bool[Tensor, " people"]
    weak_depth: Float[Tensor, " people"]
    size: Float[Tensor, " people"]  # px: how tall the person would stand in the image
    log_depth: Float[Tensor, " people"]
    kept: Bool[Tensor, "people 23"]  # joints that are there
    root: Float[Tensor, "people 3 3"]
    start: Float[Tensor, "people n"]
    first_pose: Float[Tensor, "people 23 3"]
    usable: Bool[Tensor, " people"]
    narrow: Bool[Tensor, " people"]
    given: bool = field(default=False)

    def take(self, index: Tensor) -> Problem:
        parts = {k: v[index] for k, v in vars(self).items() if isinstance(v, Tensor)}
        return replace(self, **parts)

    @classmethod
    def build(
        cls,
        body: StagedBody,
        points: np.ndarray,
        hands: np.ndarray,
        face: np.ndarray,
        cameras: list[Camera],
        absent: np.ndarray,
        start: BodyStart | None,
    ) -> Problem:
        """From keypoints that `read_points` gave.

        Raises:
            UserError: somebody starts behind the camera.
        """
        people, layout = len(points), body.layout
        centre = np.array([c.principal_point for c in cameras], np.float64).reshape(-1, 2)
        focal = torch.tensor([float(c.focal_length) for c in cameras], dtype=_DOUBLE)
        weak = torch.tensor([c.weak_depth is not None for c in cameras], dtype=torch.bool)
        weak_depth = torch.tensor([float(c.weak_depth or 1.0) for c in cameras], dtype=_DOUBLE)
        confidence = torch.from_numpy(points[..., 2] ** 2)
        flat = torch.from_numpy(points[..., :2] - centre[:, None])
        certain = [k for k in range(len(layout)) if k not in layout.residual]
        usable = (confidence[:, certain] > 0).sum(1) >= 4
        hidden = torch.from_numpy(~absent[:, 1:])
        slices = body.slices
        vector = torch.zeros(people, slices["jaw"].stop, dtype=_DOUBLE)
        first_pose = torch.zeros(people, NUM_JOINTS - 1, 3, dtype=_DOUBLE)
        if start is None:
            root = TURNS[:1].expand(people, 3, 3).clone()
            first_pose += relaxed_pose()
            depth, middle = _torso_place(body, flat, confidence, focal, first_pose * hidden[..., None])
            depth = torch.where(weak, weak_depth, depth)
        else:
            root = torch.from_numpy(np.asarray(start.global_orient_rotmat, np.float64).reshape(people, 3, 3))
            given = torch.from_numpy(np.asarray(start.body_pose_rotvec, np.float64).reshape(people, -1, 3))
            first_pose[:, : given.shape[1]] = given
            betas = torch.from_numpy(np.asarray(start.betas, np.float64).reshape(people, -1))
            count = min(betas.shape[1], body.rig.num_betas)
            vector[:, slices["betas"].start : slices["betas"].start + count] = betas[:, :count]
            shape = body.shape(vector)
            pelvis = (
                torch.from_numpy(np.asarray(start.translation, np.float64))
                + body.model.rest_joints(shape)[:, 0]
            )
            if bool((pelvis[:, 2] <= NEAREST).any()):
                behind = int(torch.nonzero(pelvis[:, 2] <= NEAREST)[0])
                raise UserError(f"person {behind} starts behind the camera; check the translation's frame")
            depth = pelvis[:, 2]
            middle = pelvis[:, :2] * (focal / torch.where(weak, weak_depth, depth))[:, None]
        size = focal * _STATURE / torch.where(weak, weak_depth, depth)
        vector[:, slices["place"]] = torch.cat([middle / size[:, None], depth.log()[:, None]], 1)
        if isinstance(body.prior, VPoser):
            vector[:, slices["pose"]] = body.prior.encode(first_pose)
        else:
            vector[:, slices["pose"]] = first_pose.flatten(1)
        left, right = torso_points(body.layout)[:2]
        apart = (flat[:, left] - flat[:, right]).norm(dim=1)
        heights = torch.tensor([float(c.height) for c in cameras], dtype=_DOUBLE)
        unseen = (confidence[:, [left, right]] == 0).any(1)
        extra = [
            torch.from_numpy(p - np.pad(centre[:, None], ((0, 0), (0, 0), (0, 1)))) for p in (hands, face)
        ]
        return cls(
            flat, confidence, extra[0], extra[1], focal, torch.from_numpy(centre), weak, weak_depth, size, depth.log(),
            hidden, root, vector, first_pose, usable, (apart < _NARROW * heights) | unseen, start is not None,
        )  # fmt: skip


def _torso_place(
    body: StagedBody, flat: Tensor, confidence: Tensor, focal: Tensor, pose: Tensor
) -> tuple[Tensor, Tensor]:
    """Depth (m) from the edges between shoulders and hips, and the pelvis's place in the image.

    Where the torso is not seen, from the spread of all that is.
    """
    people = len(flat)
    joints = body.rig.num_joints
    eye = torch.eye(3, dtype=_DOUBLE).expand(people, joints, 3, 3).clone()
    eye[:, 0] = TURNS[0]
    turns = rotvec_to_rotmat(pose)
    count = min(joints - 1, NUM_JOINTS - 1) if not body.rig.is_smplx else NUM_TOKENIZER_JOINTS
    eye[:, 1 : 1 + count] = turns[:, :count]
    shape = torch.zeros(people, body.model.num_shape, dtype=_DOUBLE)
    rest = body.model(eye, shape, -body.model.rest_joints(shape)[:, 0]).keypoints
    left_shoulder, right_shoulder, left_hip, right_hip = torso_points(body.layout)
    edges = torch.tensor([[left_shoulder, left_hip], [right_shoulder, right_hip]])
    seen = (confidence[:, edges] > 0).all(-1).to(_DOUBLE)
    long_3d = (rest[:, edges[:, 0]] - rest[:, edges[:, 1]]).norm(dim=-1)
    long_2d = (flat[:, edges[:, 0]] - flat[:, edges[:, 1]]).norm(dim=-1)
    by_torso = (long_3d * seen).sum(1) / (long_2d * seen).sum(1).clamp(min=1e-6)
    known = (confidence > 0).to(_DOUBLE)
    known[:, list(body.layout.residual)] = 0
    total = known.sum(1, keepdim=True).clamp(min=1)
    middle_2d = (flat * known[..., None]).sum(1) / total
    middle_3d = (rest[..., :2] * known[..., None]).sum(1) / total
    spread_2d = ((flat - middle_2d[:, None]).square().sum(-1) * known).sum(1).sqrt()
    spread_3d = ((rest[..., :2] - middle_3d[:, None]).square().sum(-1) * known).sum(1).sqrt()
    by_spread = spread_3d / spread_2d.clamp(min=1e-6)
    metres_a_pixel = torch.where((long_2d * seen).sum(1) > 1, by_torso, by_spread).clamp(1e-6, 10)
    depth = (focal * metres_a_pixel).clamp(min=0.3)
    return depth, middle_2d - middle_3d / metres_a_pixel[:, None]


def project(work: Problem, points: Tensor) -> tuple[Tensor, Tensor]:
    """Pixels from the principal point, and which points lie behind the camera."""
    depth = torch.where(work.weak[:, None], work.weak_depth[:, None], points[..., 2])
    behind = depth < NEAREST
    depth = torch.where(behind, 1.0, depth)
    return points[..., :2] * (work.focal[:, None] / depth)[..., None], behind


def read_points(given: np.ndarray, count: int, what: str) -> np.ndarray:
    """Float64 copies whose unknown places are zero."""
    points = np.array(given, np.float64)
    if points.shape[1:] != (count, 3):
        raise ValueError(f"{count} {what}s are needed, got {points.shape}")
    with np.errstate(invalid="ignore"):
        wrong = ~((points[..., 2] >= 0) & (points[..., 2] <= 1)).all(1)
    if wrong.any():
        person = int(np.flatnonzero(wrong)[0])
        raise UserError(f"{what}s of person {person} have confidences that are not 0..1; scale them")
    known = points[..., 2] > 0
    bad = known & ~np.isfinite(points[..., :2]).all(-1)
    if bad.any():
        person, k = (int(i[0]) for i in np.nonzero(bad))
        raise UserError(f"{what} {k} of person {person} is not a number; give it confidence 0 or a place")
    points[~known] = 0
    return points
