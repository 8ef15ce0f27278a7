"""SMPLify: body pose, shape and place from 2D keypoints, for people with limb loss too.

After Bogo et al. (ECCV 2016): Geman-McClure data term, pose prior, joint limits, shape prior, camera first,
then pose, then shape. Departures: the prior and the limits need no licensed file (`ajahr.poses`); starts come
from a pose library under many views instead of one mean pose; Gauss-Newton steps with analytic derivatives
instead of L-BFGS, so each person of a batch is its own problem; and a keypoint that an amputation has taken
has no weight, so that the pose of absent joints follows the prior alone.

The same input gives the same bytes on the same machine with ``torch.set_num_threads(1)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np
import torch
from jaxtyping import Bool, Float, Num
from torch import Tensor

from ajahr.anatomy import (
    COCO17,
    JOINT,
    JOINT_LIMB,
    NUM_JOINTS,
    NUM_LIMBS,
    KeypointLayout,
    absent_joint_mask,
    check_levels,
    descendants,
)
from ajahr.body.data import BodyData, load_body
from ajahr.errors import UserError
from ajahr.fitting import pose_prior
from ajahr.fitting.energy import POSE, ROOT, Energy, State, Targets, UprightPrior, Weights, pelvis_place
from ajahr.fitting.keypoint_model import KeypointModel
from ajahr.fitting.solver import minimise
from ajahr.fitting.starts import PoseLibrary, Starts
from ajahr.geometry.cameras import Camera
from ajahr.geometry.rotations_np import rotvec_to_rotmat

OKS_SIGMAS: dict[str, float] = {
    "nose": 0.026, "eye": 0.025, "ear": 0.035, "shoulder": 0.079, "elbow": 0.072, "wrist": 0.062, "hip":
    0.107, "knee": 0.087, "ankle": 0.089,
}  # fmt: skip
"""COCO's spread of annotators per keypoint; others take `_OTHER_SIGMA`."""
_OTHER_SIGMA = 0.08
_SIGMA_SCALE = 0.2  # from OKS's unit, twice the root of the person's area, to statures
_SIGMA_FLOOR = 0.010  # a face is fitted no closer than faces differ

MIN_KEYPOINTS = 4
MIN_EXTENT_PX = 4.0
_CHUNK = 32  # people at a time, so that memory does not grow with the crowd


class FitStatus(Enum):
    """How a person's fit ended."""

    OK = "ok"
    TOO_FEW_KEYPOINTS = "too few keypoints"
    POOR_FIT = "poor fit"
    """The body does not explain the keypoints: wrong joints, more than one person, or a pose out of reach."""


@dataclass(frozen=True)
class FitOptions:
    """Settings of `Smplify`.

    Attributes:
        weak_perspective: every point of a person is seen at the pelvis's depth.
        starts: library poses tried per person.
        kept: starts that go on to the full fit.
        iterations: at most, in the full fit.
        poor_fit: reprojection error, as a share of the person's size, above which a fit is called poor.
        weights: strengths of the terms in the full fit.
    """

    weak_perspective: bool = False
    starts: int = 8
    kept: int = 3
    iterations: int = 40
    poor_fit: float = 0.05
    weights: Weights = field(default_factory=Weights)


@dataclass(frozen=True, eq=False)
class FitResult:
    """Fitted people, in the order given. Metres, radians, pixels; OpenCV camera frame; SMPL's parameters.

    The pose is whole: absent joints keep the pose the prior gives them, and `absent_joints` says what is not
    to be drawn. A person whose status is ``TOO_FEW_KEYPOINTS`` carries the relaxed pose and NaN where a place
    in the image would be.
    """

    status: tuple[FitStatus, ...]
    global_orient_rotmat: Float[np.ndarray, "people 3 3"]
    body_pose_rotvec: Float[np.ndarray, "people 23 3"]
    betas: Float[np.ndarray, "people betas"]
    translation: Float[np.ndarray, "people 3"]  # SMPL's transl, camera frame
    cameras: tuple[Camera, ...]
    absent_joints: Bool[np.ndarray, "people 24"]
    keypoints_2d: Float[np.ndarray, "people keypoints 2"]
    reprojection_px: Float[np.ndarray, " people"]
    """Mean distance (px) of the keypoints used, weighted by confidence."""
    reprojection_relative: Float[np.ndarray, " people"]
    """`reprojection_px` as a share of the longer side of the box around the keypoints used."""
    size_px: Float[np.ndarray, " people"]
    """How tall the person would stand in the image."""
    energy: Float[np.ndarray, " people"]

    def __len__(self) -> int:
        return len(self.status)

    @property
    def ok(self) -> Bool[np.ndarray, " people"]:
        return np.array([s is FitStatus.OK for s in self.status], bool)

    @property
    def rotmats(self) -> Float[np.ndarray, "people 24 3 3"]:
        """All rotations, the root first, absent joints' included."""
        return np.concatenate(
            [self.global_orient_rotmat[:, None], rotvec_to_rotmat(self.body_pose_rotvec)], axis=1
        )

    @property
    def rotmats_drawn(self) -> Float[np.ndarray, "people 24 3 3"]:
        """`rotmats` with the zero matrix at absent joints: what is drawn (AJAHR, Sec. 3.1)."""
        return np.where(self.absent_joints[..., None, None], 0.0, self.rotmats)


class Smplify:
    """Fits bodies to 2D keypoints.

    Args:
        body: the body; the embedded one if None.
        layout: which keypoints: coco17, j44, body25, smpl24 or ldpose25.
        options: settings.
        prior: over body poses; the shipped one if None.
        library: poses to start from; drawn from the sampler if None.
    """

    def __init__(
        self,
        body: BodyData | None = None,
        layout: KeypointLayout = COCO17,
        options: FitOptions | None = None,
        *,
        prior: UprightPrior | None = None,
        library: PoseLibrary | None = None,
    ) -> None:
        body = load_body() if body is None else body
        prior = pose_prior.default_prior() if prior is None else prior
        library = pose_prior.default_library() if library is None else library
        self.layout, self.options = layout, options or FitOptions()
        self.relaxed = pose_prior.relaxed_pose()
        model = KeypointModel(body, layout)
        self.model = model
        self.energy = Energy(model, prior, keypoint_sigmas(layout), self.relaxed)
        self._starts = Starts(model, library)

    def fit(
        self,
        keypoints_2d: Num[np.ndarray, "people keypoints xyc=3"],
        cameras: Camera | Sequence[Camera],
        levels: Num[np.ndarray, "people 4"] | None = None,
        limb_confidence: Float[np.ndarray, "people 4"] | None = None,
    ) -> FitResult:
        """Fit every person.

        Args:
            keypoints_2d: x, y (px) and confidence (0..1), in the order of the layout. Confidence 0: not
            known, and
                x and y do not matter.
            cameras: one for all, or one per person.
            levels: limb levels; keypoints they make absent have no weight.
            limb_confidence: multiplies the confidence of each limb's keypoints, in `Limb` order.

        Raises:
            UserError: a keypoint that counts is not a number, or a confidence is not in 0..1.
        """
        points, confidence, absent = self._read(keypoints_2d, levels, limb_confidence)
        people = len(points)
        cameras = [cameras] * people if isinstance(cameras, Camera) else list(cameras)
        if len(cameras) != people:
            raise ValueError(f"{len(cameras)} cameras for {people} people")
        targets = self._targets(points, confidence, cameras)
        certain = [k for k in range(len(self.layout)) if k not in self.layout.residual]
        counted = (confidence[:, certain] > 0).sum(1) >= MIN_KEYPOINTS
        fitted = [
            i for i in range(people) if counted[i] and _extent(points[i], confidence[i]) >= MIN_EXTENT_PX
        ]
        state, sizes, energies = self._blank(people), np.full(people, np.nan), np.full(people, np.nan)
        for first in range(0, len(fitted), _CHUNK):
            some = fitted[first : first + _CHUNK]
            index = torch.tensor(some)
            found, size, value = self._solve(targets.take(index))
            state = state.put(index, found)
            sizes[some], energies[some] = size.numpy(), value.numpy()
        return self._result(state, targets, confidence, cameras, absent, sizes, energies)

    def _read(
        self,
        keypoints_2d: np.ndarray,
        levels: np.ndarray | None,
        limb_confidence: np.ndarray | None,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Points (px), confidences after absence, absent joints."""
        keypoints = np.asarray(keypoints_2d, np.float64)
        if keypoints.shape[1:] != (len(self.layout), 3):
            raise ValueError(f"{self.layout.name} has {len(self.layout)} keypoints, got {keypoints.shape}")
        points, confidence = keypoints[..., :2], keypoints[..., 2]
        wrong = ~((confidence >= 0) & (confidence <= 1)).all(1)
        if wrong.any():
            raise UserError(
                f"confidences of person {int(wrong.argmax())} are not all in 0..1; scale them, and give 0 to "
                "keypoints that are not known"
            )
        people = len(points)
        levels = np.zeros((people, NUM_LIMBS), int) if levels is None else check_levels(levels)
        confidence = np.where(self.layout.absent(levels), 0.0, confidence)
        if limb_confidence is not None:
            limb = np.array([JOINT_LIMB[a] for a in self.layout.anchors])
            factor = np.concatenate([np.asarray(limb_confidence, np.float64), np.ones((people, 1))], 1)
            confidence = confidence * factor[:, limb]  # -1, the trunk, takes the column of ones
        unknown = (confidence > 0) & ~np.isfinite(points).all(-1)
        if unknown.any():
            person, keypoint = np.argwhere(unknown)[0]
            raise UserError(
                f"{self.layout.names[keypoint]} of person {person} is not a number; give it confidence 0"
            )
        return np.where(confidence[..., None] > 0, points, 0.0), confidence, absent_joint_mask(levels)

    def _targets(self, points: np.ndarray, confidence: np.ndarray, cameras: Sequence[Camera]) -> Targets:
        centre = np.array([c.principal_point for c in cameras], np.float64).reshape(-1, 1, 2)
        seen = confidence > 0
        shown = np.zeros((len(points), NUM_JOINTS), bool)  # some keypoint at the joint or below it
        for joint in range(NUM_JOINTS):
            at = np.isin(self.layout.anchors, descendants(joint))
            shown[:, joint] = seen[:, at].any(1)
        held = np.zeros((len(points), NUM_JOINTS - 1))
        no_legs = ~(shown[:, JOINT["left_knee"]] | shown[:, JOINT["right_knee"]])
        for side in ("left", "right"):
            for joint in descendants(JOINT[f"{side}_hip"]):
                held[:, joint - 1] = no_legs
        points = np.where(seen[..., None], points - centre, 0.0)
        focal = torch.tensor([float(c.focal_length) for c in cameras], dtype=torch.float64)
        weak = torch.full((len(points),), self.options.weak_perspective)
        return Targets(
            torch.from_numpy(points),
            torch.from_numpy(confidence**2),
            focal,
            weak,
            torch.ones(len(points), dtype=torch.float64),
            torch.from_numpy(held),
        )

    def _blank(self, people: int) -> State:
        facing = torch.diag(torch.tensor([1.0, -1.0, -1.0], dtype=torch.float64))
        zeros = torch.zeros(people, self.model.num_betas, dtype=torch.float64)
        pose = self.relaxed.expand(people, -1, -1).clone()
        return State(facing.repeat(people, 1, 1), pose, zeros, zeros[:, :3].clone())

    def _solve(self, targets: Targets) -> tuple[State, Tensor, Tensor]:
        """Starts, camera, pose, then everything; the best end of each person."""
        options, people = self.options, len(targets.focal)
        weights = options.weights
        loose = replace(weights, noise=2 * weights.noise)
        starts = [
            self._starts.of(targets.take(torch.tensor([i])), self.energy.sigma, weights, options.starts)
            for i in range(people)
        ]
        owner = torch.cat([torch.full((len(s.scores),), i) for i, s in enumerate(starts)])
        size = torch.tensor([s.size for s in starts], dtype=torch.float64)
        targets = targets._replace(size=size)
        state = State(*(torch.cat(parts) for parts in zip(*(s.state for s in starts), strict=True)))
        place = slice(state.betas.shape[1] + POSE.stop, None)
        many = targets.take(owner)
        state, _ = minimise(self.energy, state, many, loose, free=[ROOT, place], iterations=6)
        state, value = minimise(self.energy, state, many, loose, free=[ROOT, POSE, place], iterations=12)
        kept = _best_of(value, owner, people, options.kept)
        owner = owner[kept]
        state, value = minimise(
            self.energy, state.take(kept), targets.take(owner), weights, iterations=options.iterations
        )
        best = _best_of(value, owner, people, 1)
        return state.take(best), size, value[best]

    def _result(
        self,
        state: State,
        targets: Targets,
        confidence: np.ndarray,
        cameras: list[Camera],
        absent: np.ndarray,
        sizes: np.ndarray,
        energies: np.ndarray,
    ) -> FitResult:
        known = np.isfinite(sizes)
        targets = targets._replace(size=torch.from_numpy(np.where(known, sizes, 1.0)))
        pelvis = pelvis_place(state, targets)
        translation = (pelvis - self.model.rest_joints(state.betas)).numpy()
        centre = np.array([c.principal_point for c in cameras], np.float64).reshape(-1, 1, 2)
        projected = self.energy.project(state, targets).numpy() + centre
        aims = targets.points.numpy() + centre
        distance = np.linalg.norm(projected - aims, axis=-1)
        total = confidence.sum(1)
        error = (confidence * distance).sum(1) / np.where(total > 0, total, 1)
        extent = np.array(
            [_extent(p, c) if k else 1.0 for p, c, k in zip(aims, confidence, known, strict=True)]
        )
        for blank in (translation, projected, error):
            blank[~known] = np.nan
        status = tuple(
            FitStatus.TOO_FEW_KEYPOINTS
            if not known[i]
            else FitStatus.POOR_FIT
            if error[i] > self.options.poor_fit * sizes[i]
            else FitStatus.OK
            for i in range(len(sizes))
        )
        if self.options.weak_perspective:
            cameras = [
                c.weak(float(depth)) if k else c
                for c, depth, k in zip(cameras, pelvis[:, 2].tolist(), known, strict=True)
            ]
        return FitResult(
            status, state.root.numpy(), state.pose.numpy(), state.betas.numpy(), translation, tuple(cameras),
            absent, projected, error, error / extent, sizes, energies,
        )  # fmt: skip


def keypoint_sigmas(layout: KeypointLayout) -> Float[Tensor, " keypoints"]:
    """Standard deviation of each keypoint, in units of the person's size."""
    sigmas = []
    for name in layout.names:
        part = next((v for k, v in OKS_SIGMAS.items() if k in name.split("_")), _OTHER_SIGMA)
        sigmas.append(max(_SIGMA_SCALE * part, _SIGMA_FLOOR))
    return torch.tensor(sigmas, dtype=torch.float64)


def _extent(points: np.ndarray, confidence: np.ndarray) -> float:
    """Longer side (px) of the box around the keypoints that count."""
    seen = points[confidence > 0]
    return float((seen.max(0) - seen.min(0)).max())


def _best_of(value: Tensor, owner: Tensor, people: int, count: int) -> Tensor:
    """Indices of the ``count`` lowest values of each owner, grouped by owner."""
    kept = []
    for person in range(people):
        mine = (owner == person).nonzero()[:, 0]
        order = value[mine].argsort(stable=True)
        kept.append(mine[order[:count]])
    return torch.cat(kept)
