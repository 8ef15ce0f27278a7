"""SMPLify-X: SMPL or SMPL-X from 2D keypoints in stages, for people with limb loss; or from another method's body.

After Pavlakos et al. (CVPR 2019) as ResiHMR uses it: the camera from the torso first, facing it and turned by half
a turn, both carried to the end where the shoulders are narrow in the image; then rounds of L-BFGS with strong
Wolfe whose priors loosen, the data term robust (Geman-McClure); hands and face last. All people are one batch of
independent problems.

Only intact keypoints count: what lies at an absent joint or beyond has no weight, and those joints are frozen at
rest and leave the priors. Departures: residual-limb ends may turn their bone (they say where it points, not how
long it is); the camera stays free in every round; priors need no licensed file (`MixturePrior.shipped` and joint
limits, which also stand for the bending term); data errors are in the keypoints' own standard deviations, as in
`ajahr.fitting.energy`; no collision term.

    fit = StagedFit(load_rig()).fit(keypoints, camera, absent_joints=absent)          from nothing
    fit = StagedFit(load_rig()).fit(keypoints, camera, start=BodyStart(...))          from any method's output
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Num
from torch import Tensor

from ajahr.anatomy import LDPOSE25, NUM_JOINTS, NUM_TOKENIZER_JOINTS, PARENTS, KeypointLayout
from ajahr.body.rig import RigData
from ajahr.errors import UserError
from ajahr.fitting.energy import geman_mcclure
from ajahr.fitting.lbfgs import minimise, of_energy
from ajahr.fitting.pose_prior import relaxed_pose
from ajahr.fitting.rig_model import NUM_HAND_POINTS, Points, RigModel
from ajahr.fitting.smplify import FitResult, FitStatus, keypoint_sigmas
from ajahr.fitting.staged_priors import CodebookPrior, MixturePrior, PoseTerm, VPoser
from ajahr.geometry.cameras import Camera
from ajahr.geometry.rotations import rotvec_to_rotmat
from ajahr.poses import limits_torch

_DOUBLE = torch.float64
_TURNS = torch.stack(
    [torch.diag(torch.tensor(d, dtype=_DOUBLE)) for d in ((1.0, -1.0, -1.0), (-1.0, -1.0, 1.0))]
)
"""Upright and facing the camera; the same turned by half a turn about the vertical."""
_NARROW = 0.025  # of the image's height: shoulders closer than 25 px in 1000 do not tell front from back
_STATURE = 1.7
_FINE_SIGMA = 0.006  # hands and face, in statures
_NEAREST = 0.1
_TORSO = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")


@dataclass(frozen=True)
class Stage:
    """One round. Weights multiply energies of half a squared standard deviation: 1 is the prior as it is."""

    pose: float
    shape: float
    hands: float = 0.0
    """Weight of hand keypoints; 0 also freezes the fingers."""
    face: float = 0.0
    """Of face landmarks; 0 also freezes jaw and expression."""
    iterations: int = 60
    robust: float = 1.0
    """Multiplies Geman-McClure's constant: the first pose is far off, and far errors must still pull."""


STAGES: tuple[Stage, ...] = (
    Stage(7100, 400, robust=4), Stage(7100, 100, robust=4), Stage(144, 4, robust=4), Stage(1, 1, hands=0.1),
    Stage(1, 1, hands=1, face=1),
)  # fmt: skip
"""SMPLify-X's ladder: pose 404, 404, 57.4, 4.78, 4.78 and shape 100, 50, 10, 5, 5, squared, in units of the last."""


@dataclass(frozen=True)
class StagedOptions:
    """Settings of `StagedFit`.

    Attributes:
        stages: the rounds; a fit from another method's body takes the last two.
        noise: multiplies the keypoints' standard deviations.
        robust: Geman-McClure's constant, in those standard deviations.
        limits: standard deviation (rad) of leaving the range of motion.
        depth: standard deviation of the logarithm of the depth about its first guess.
        near: standard deviation (rad) of a joint about the pose a fit starts from, where one is given.
        near_shape: the same of shape components.
        ends_turn_bones: residual-limb ends pull their bone's line onto them.
        hand_components: PCA components of each hand.
        poor_fit: mean error, as a share of the person's size, above which a fit is called poor.
    """

    stages: tuple[Stage, ...] = STAGES
    noise: float = 0.6
    robust: float = 6.0
    limits: float = 0.05
    depth: float = 0.2
    near: float = 0.25
    near_shape: float = 1.0
    ends_turn_bones: bool = True
    hand_components: int = 12
    poor_fit: float = 0.05


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
class StagedResult:
    """Fitted people, in the order given. Metres, radians, pixels; camera frame.

    A person whose status is ``TOO_FEW_KEYPOINTS`` was not fitted: the start, or a pose at ease with NaN for a
    place.
    """

    status: tuple[FitStatus, ...]
    rotmats: Float[np.ndarray, "people joints 3 3"]
    """All rotations of the rig, the root first; absent joints at rest."""
    body_pose_rotvec: Float[np.ndarray, "people 23 3"]
    betas: Float[np.ndarray, "people betas"]
    expression: Float[np.ndarray, "people expressions"]
    translation: Float[np.ndarray, "people 3"]
    joints: Float[np.ndarray, "people joints 3"]
    keypoints_2d: Float[np.ndarray, "people keypoints 2"]
    reprojection_px: Float[np.ndarray, " people"]
    """Mean distance (px) of the keypoints used, weighted by confidence; residual ends to their bone."""
    energy: Float[np.ndarray, " people"]

    @property
    def ok(self) -> Bool[np.ndarray, " people"]:
        return np.array([s is FitStatus.OK for s in self.status], bool)


class StagedFit:
    """Fits a rig to 2D keypoints in stages.

    Args:
        rig: SMPL, SMPL-X or the embedded body.
        layout: coco17, body25 or ldpose25.
        prior: over body poses; the shipped mixture if None. A `VPoser` is fitted in its latent space; a
            `CodebookPrior` stands beside the mixture, its codes chosen anew before every stage.
        codebook: a pose tokenizer's codes beside the prior.
    """

    def __init__(
        self,
        rig: RigData,
        layout: KeypointLayout = LDPOSE25,
        options: StagedOptions | None = None,
        *,
        prior: PoseTerm | VPoser | CodebookPrior | None = None,
        codebook: CodebookPrior | None = None,
    ) -> None:
        self.rig, self.layout, self.options = rig, layout, options or StagedOptions()
        self.model = RigModel(rig, layout)
        self._mixture = MixturePrior.shipped()
        if isinstance(prior, CodebookPrior):
            prior, codebook = None, prior
        self.prior: PoseTerm | VPoser = self._mixture if prior is None else prior
        self.codebook = codebook
        self._sigma = keypoint_sigmas(layout)
        self._ends = list(layout.residual)
        self._stems = [a for end in self._ends for a, b in layout.edges if b == end]
        self._torso = [layout.index[name] for name in _TORSO]
        self._hands = None
        if rig.hands is not None:
            count = self.options.hand_components
            self._hands = [torch.from_numpy(x) for x in rig.hands]
            self._hands[2:] = [x[:count] for x in self._hands[2:]]

    # ------------------------------------------------------------------------------------ the vector

    @property
    def _pose_size(self) -> int:
        return self.prior.latent_size if isinstance(self.prior, VPoser) else 3 * (NUM_JOINTS - 1)

    @property
    def _slices(self) -> dict[str, slice]:
        sizes = {
            "root": 3,
            "place": 3,
            "pose": self._pose_size,
            "betas": self.rig.num_betas,
            "expression": self.rig.num_expressions,
            "hands": 0 if self._hands is None else 2 * len(self._hands[2]),
            "jaw": 3 if self.rig.is_smplx else 0,
        }
        slices, first = {}, 0
        for name, size in sizes.items():
            slices[name] = slice(first, first + size)
            first += size
        return slices

    def fit(
        self,
        keypoints_2d: Num[np.ndarray, "people keypoints xyc=3"],
        cameras: Camera | Sequence[Camera],
        *,
        absent_joints: Bool[np.ndarray, "people 24"] | None = None,
        start: BodyStart | None = None,
        hands_2d: Num[np.ndarray, "people 42 xyc=3"] | None = None,
        face_2d: Num[np.ndarray, "people 51 xyc=3"] | None = None,
        advance: Callable[[], None] | None = None,
    ) -> StagedResult:
        """Fit every person.

        Args:
            keypoints_2d: x, y (px), confidence 0..1 in the order of the layout; 0 is not known.
            cameras: one for all, or one per person.
            absent_joints: of SMPL's 24, with everything below them.
            start: of every person; otherwise from the torso.
            hands_2d: wrist and fingers, thumb to little finger from the palm to the tip, left hand first; used on
                SMPL-X.
            face_2d: 51 landmarks without the contour; used on SMPL-X.
            advance: called after the camera step and after every stage.

        Raises:
            UserError: a keypoint that counts is not a number, or a confidence is not in 0..1.
        """
        people = len(keypoints_2d)
        cameras = [cameras] * people if isinstance(cameras, Camera) else list(cameras)
        if len(cameras) != people:
            raise ValueError(f"{len(cameras)} cameras for {people} people")
        absent = np.zeros((people, NUM_JOINTS), bool) if absent_joints is None else absent_joints.copy()
        for joint, parent in enumerate(PARENTS[1:], start=1):
            absent[:, joint] |= absent[:, parent]
        points = _read(keypoints_2d, len(self.layout), "keypoint")
        points[..., 2] *= ~absent[:, list(self.layout.anchors)]
        if not self.options.ends_turn_bones:
            points[:, self._ends, 2] = 0
        others = [
            np.zeros((people, 0, 3)) if given is None or not self.rig.is_smplx else _read(given, count, what)
            for given, count, what in (
                (hands_2d, 2 * NUM_HAND_POINTS, "hand point"),
                (face_2d, 51, "landmark"),
            )
        ]
        if others[0].size:
            gone = np.repeat(absent[:, [20, 21]], NUM_HAND_POINTS, 1)
            others[0][..., 2] *= ~gone
        problem = _Problem.build(self, points, others[0], others[1], cameras, absent, start)
        return self._solve(problem, advance or (lambda: None))

    def _solve(self, problem: _Problem, advance: Callable[[], None]) -> StagedResult:
        fitted = torch.nonzero(problem.usable)[:, 0]
        owner, work, x = fitted, problem.take(fitted), problem.start[fitted]
        slices = self._slices
        if not problem.given:
            # both ways round; only where the shoulders do not tell them apart are both carried on
            owner = torch.cat([fitted, fitted])
            turn = torch.arange(2).repeat_interleave(len(fitted))
            work = replace(problem.take(owner), root=_TURNS[turn])
            camera = Stage(0, 0, iterations=40, robust=4)
            x = self._minimise(work, work.start, camera, ("root", "place"), torso=True)
            value = self._energy(work, x, camera, torch.arange(len(owner)), True).view(2, -1)
            lower = torch.stack([value[0] <= value[1], value[1] < value[0]])
            both = torch.nonzero((lower | problem.narrow[fitted]).flatten())[:, 0]
            owner, work, x = owner[both], work.take(both), x[both]
        advance()
        stages = self.options.stages[-2:] if problem.given else self.options.stages
        value = x.new_zeros(len(owner))
        for stage in stages:
            free = ["root", "place", "pose", "betas"]
            free += ["hands"] * bool(stage.hands and work.hands.shape[1])
            free += ["jaw", "expression"] * bool(stage.face and work.face.shape[1])
            if self.codebook is not None:
                self.codebook.choose(self._pose(x[:, slices["pose"]], work))
            x = self._minimise(work, x, stage, tuple(free))
            advance()
        if len(owner):
            value = self._energy(work, x, stages[-1], torch.arange(len(owner)), False)
        best = []
        for person in fitted.tolist():
            mine = torch.nonzero(owner == person)[:, 0]
            best.append(int(mine[value[mine].argmin()]))
        everyone, energy = problem.start.clone(), torch.full((len(problem.root),), torch.nan, dtype=_DOUBLE)
        root = problem.root.clone()
        everyone[fitted], energy[fitted], root[fitted] = x[best], value[best], work.root[best]
        return self._result(replace(problem, root=root), everyone, energy)

    def _minimise(
        self, work: _Problem, x: Tensor, stage: Stage, free: tuple[str, ...], torso: bool = False
    ) -> Tensor:
        if not len(x):
            return x
        chosen = torch.cat([torch.arange(x.shape[1])[self._slices[name]] for name in free])

        def energy(part: Tensor, index: Tensor) -> Tensor:
            whole = x[index].index_copy(1, chosen, part)
            return self._energy(work.take(index), whole, stage, index, torso)

        found = minimise(
            of_energy(energy), x[:, chosen], iterations=stage.iterations, gradient_tolerance=1e-4,
            change_tolerance=1e-6,
        )  # fmt: skip
        return x.index_copy(1, chosen, found.point)

    # ------------------------------------------------------------------------------------ energies

    def _pose(self, latent: Tensor, work: _Problem) -> Tensor:
        """Rotation vectors of joints 1..23, absent ones at rest."""
        prior = self.prior
        pose = (
            prior.decode(latent) if isinstance(prior, VPoser) else latent.view(len(latent), NUM_JOINTS - 1, 3)
        )
        return pose * work.kept[..., None]

    def _rotmats(self, work: _Problem, x: Tensor) -> tuple[Tensor, Tensor]:
        """Body pose (rotation vectors) and all of the rig's rotations."""
        slices = self._slices
        pose = self._pose(x[:, slices["pose"]], work)
        root = rotvec_to_rotmat(x[:, slices["root"]]) @ work.root
        body = rotvec_to_rotmat(pose)
        if not self.rig.is_smplx:
            return pose, torch.cat([root[:, None], body], 1)
        people = len(x)
        rest = torch.eye(3, dtype=x.dtype).expand(people, 1, 3, 3)
        parts = [
            root[:, None],
            body[:, :NUM_TOKENIZER_JOINTS],
            rotvec_to_rotmat(x[:, None, slices["jaw"]]),
            rest,
            rest,
        ]
        for k, wrist in enumerate((20, 21)):
            if self._hands is None:
                parts.append(rest.expand(people, 15, 3, 3))
                continue
            own = x[:, slices["hands"]].view(people, 2, len(self._hands[2]))[:, k]
            fingers = (self._hands[k] + own @ self._hands[2 + k]).view(people, 15, 3)
            parts.append(rotvec_to_rotmat(fingers * work.kept[:, wrist - 1, None, None]))
        return pose, torch.cat(parts, 1)

    def _translation(self, work: _Problem, x: Tensor, shape: Tensor) -> Tensor:
        place = x[:, self._slices["place"]]
        depth = place[:, 2].exp()
        across = place[:, :2] * (work.size / work.focal * depth)[:, None]
        pelvis = torch.cat([across, depth[:, None]], 1)
        return pelvis - self.model.rest_joints(shape)[:, 0]

    def _points(self, work: _Problem, x: Tensor) -> tuple[Tensor, Points]:
        slices = self._slices
        pose, rotmats = self._rotmats(work, x)
        shape = x[:, slices["betas"].start : slices["expression"].stop]
        return pose, self.model(rotmats, shape, self._translation(work, x, shape))

    def _energy(self, work: _Problem, x: Tensor, stage: Stage, rows: Tensor, torso: bool) -> Tensor:
        options, slices = self.options, self._slices
        pose, found = self._points(work, x)
        weights = work.confidence
        if torso:
            mask = torch.zeros(len(self.layout), dtype=_DOUBLE)
            mask[self._torso] = 1
            # without a torso everything that is known places the person
            some = (weights[:, self._torso] > 0).sum(1) >= 3
            weights = torch.where(some[:, None], weights * mask, weights)
        pixels, behind = self._pixels(work, found.keypoints)
        sigma = self._sigma * options.noise * work.size[:, None]
        square = ((pixels - work.points).square().sum(-1)) / sigma**2
        energy = (weights * geman_mcclure(square, stage.robust * options.robust)).sum(1)
        behind = (behind & (weights > 0)).any(1)
        place = x[:, slices["place"].stop - 1]
        energy = energy + 0.5 * ((place - work.log_depth) / options.depth).square()
        if torso:
            return torch.where(behind, torch.inf, energy)
        for weight, points, given in (
            (stage.hands, found.hands, work.hands),
            (stage.face, found.face, work.face),
        ):
            if weight and given.shape[1]:
                own, hidden = _project(work, points)
                fine = _FINE_SIGMA * work.size[:, None]
                off = (own - given[..., :2]).square().sum(-1) / fine**2
                energy = energy + weight**2 * (given[..., 2] ** 2 * geman_mcclure(off, options.robust)).sum(1)
                behind = behind | (hidden & (given[..., 2] > 0)).any(1)
        if isinstance(self.prior, VPoser):
            energy = energy + 0.5 * stage.pose * x[:, slices["pose"]].square().sum(1)
        else:
            energy = energy + stage.pose * self.prior.energy(pose, work.kept)
        if self.codebook is not None:
            energy = energy + self.codebook.energy(pose, work.kept, rows)
        energy = energy + 0.5 * limits_torch.penalty(pose, work.kept.to(pose)) / options.limits**2
        if work.given:
            off = (pose - work.first_pose) * work.kept[..., None]
            energy = energy + 0.5 * off.square().sum((1, 2)) / options.near**2
            shift = x[:, slices["betas"]] - work.start[:, slices["betas"]]
            energy = energy + 0.5 * shift.square().sum(1) / options.near_shape**2
        else:
            energy = energy + 0.5 * stage.shape * x[:, slices["betas"]].square().sum(1)
        energy = energy + 0.5 * stage.shape * x[:, slices["expression"]].square().sum(1)
        energy = energy + 0.5 * stage.pose * x[:, slices["hands"]].square().sum(1)
        if self.rig.is_smplx:  # the jaw opens about x; its other turns are a hundredth as likely
            energy = energy + 0.5 * stage.pose * (
                x[:, slices["jaw"]] * x.new_tensor([5.0, 50.0, 50.0])
            ).square().sum(1)
        return torch.where(behind, torch.inf, energy)

    def _pixels(self, work: _Problem, keypoints: Tensor) -> tuple[Tensor, Tensor]:
        """Pixels, a residual end's where its bone passes nearest to it, and what lies behind the camera."""
        pixels, behind = _project(work, keypoints)
        if not self._ends:
            return pixels, behind
        stem, end = keypoints[:, self._stems], keypoints[:, self._ends]
        with torch.no_grad():  # at the nearest place the error does not change along the bone
            bone = pixels[:, self._ends] - pixels[:, self._stems]
            along = ((work.points[:, self._ends] - pixels[:, self._stems]) * bone).sum(-1)
            along = (along / bone.square().sum(-1).clamp(min=1e-12)).clamp(0.1, 1.0)
            # equal shares of a bone are not equal in a perspective image
            near, far = (torch.where(work.weak[:, None], 1.0, p[..., 2]) for p in (stem, end))
            share = along * near / ((1 - along) * far + along * near)
        ends, hidden = _project(work, torch.lerp(stem, end, share[..., None]))
        index = torch.tensor(self._ends)
        return pixels.index_copy(1, index, ends), behind.index_copy(1, index, hidden)

    def _result(self, problem: _Problem, x: Tensor, energy: Tensor) -> StagedResult:
        slices = self._slices
        with torch.no_grad():
            pose, rotmats = self._rotmats(problem, x)
            shape = x[:, slices["betas"].start : slices["expression"].stop]
            translation = self._translation(problem, x, shape)
            found = self.model(rotmats, shape, translation)
            pixels, _ = self._pixels(problem, found.keypoints)
        confidence = problem.confidence.sqrt().numpy()
        distance = np.linalg.norm((pixels - problem.points).numpy(), axis=-1)
        total = confidence.sum(1)
        error = (confidence * distance).sum(1) / np.where(total > 0, total, 1)
        usable = problem.usable.numpy()
        lost = ~usable & (not problem.given)
        place, joints, shown = (
            translation.numpy(),
            found.joints.numpy(),
            pixels.numpy() + problem.centre[:, None].numpy(),
        )
        for array in (place, joints, shown):
            array[lost] = np.nan
        error[~usable] = np.nan
        status = tuple(
            FitStatus.TOO_FEW_KEYPOINTS
            if not usable[k]
            else FitStatus.POOR_FIT
            if error[k] > self.options.poor_fit * float(problem.size[k])
            else FitStatus.OK
            for k in range(len(x))
        )
        return StagedResult(
            status, rotmats.numpy(), pose.numpy(), x[:, slices["betas"]].numpy(), x[:, slices["expression"]].numpy(),
            place, joints, shown, error, energy.numpy(),
        )  # fmt: skip


def _project(work: _Problem, points: Tensor) -> tuple[Tensor, Tensor]:
    """Pixels from the principal point, and which points lie behind the camera."""
    depth = torch.where(work.weak[:, None], work.weak_depth[:, None], points[..., 2])
    behind = depth < _NEAREST
    depth = torch.where(behind, 1.0, depth)
    return points[..., :2] * (work.focal[:, None] / depth)[..., None], behind


def _read(given: np.ndarray, count: int, what: str) -> np.ndarray:
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


@dataclass(frozen=True, eq=False)
class _Problem:
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

    def take(self, index: Tensor) -> _Problem:
        parts = {k: v[index] for k, v in vars(self).items() if isinstance(v, Tensor)}
        return replace(self, **parts)

    @classmethod
    def build(
        cls,
        fit: StagedFit,
        points: np.ndarray,
        hands: np.ndarray,
        face: np.ndarray,
        cameras: list[Camera],
        absent: np.ndarray,
        start: BodyStart | None,
    ) -> _Problem:
        people, layout = len(points), fit.layout
        centre = np.array([c.principal_point for c in cameras], np.float64).reshape(-1, 2)
        focal = torch.tensor([float(c.focal_length) for c in cameras], dtype=_DOUBLE)
        weak = torch.tensor([c.weak_depth is not None for c in cameras], dtype=torch.bool)
        weak_depth = torch.tensor([float(c.weak_depth or 1.0) for c in cameras], dtype=_DOUBLE)
        confidence = torch.from_numpy(points[..., 2] ** 2)
        flat = torch.from_numpy(points[..., :2] - centre[:, None])
        certain = [k for k in range(len(layout)) if k not in layout.residual]
        usable = (confidence[:, certain] > 0).sum(1) >= 4
        hidden = torch.from_numpy(~absent[:, 1:])
        slices = fit._slices
        vector = torch.zeros(people, slices["jaw"].stop, dtype=_DOUBLE)
        first_pose = torch.zeros(people, NUM_JOINTS - 1, 3, dtype=_DOUBLE)
        if start is None:
            root = _TURNS[:1].expand(people, 3, 3).clone()
            first_pose += relaxed_pose()
            depth, middle = _torso_place(fit, flat, confidence, focal, first_pose * hidden[..., None])
            depth = torch.where(weak, weak_depth, depth)
        else:
            root = torch.from_numpy(np.asarray(start.global_orient_rotmat, np.float64).reshape(people, 3, 3))
            given = torch.from_numpy(np.asarray(start.body_pose_rotvec, np.float64).reshape(people, -1, 3))
            first_pose[:, : given.shape[1]] = given
            betas = torch.from_numpy(np.asarray(start.betas, np.float64).reshape(people, -1))
            count = min(betas.shape[1], fit.rig.num_betas)
            vector[:, slices["betas"].start : slices["betas"].start + count] = betas[:, :count]
            shape = vector[:, slices["betas"].start : slices["expression"].stop]
            pelvis = (
                torch.from_numpy(np.asarray(start.translation, np.float64))
                + fit.model.rest_joints(shape)[:, 0]
            )
            if bool((pelvis[:, 2] <= _NEAREST).any()):
                behind = int(torch.nonzero(pelvis[:, 2] <= _NEAREST)[0])
                raise UserError(f"person {behind} starts behind the camera; check the translation's frame")
            depth = pelvis[:, 2]
            middle = pelvis[:, :2] * (focal / torch.where(weak, weak_depth, depth))[:, None]
        size = focal * _STATURE / torch.where(weak, weak_depth, depth)
        vector[:, slices["place"]] = torch.cat([middle / size[:, None], depth.log()[:, None]], 1)
        if isinstance(fit.prior, VPoser):
            vector[:, slices["pose"]] = fit.prior.encode(first_pose)
        else:
            vector[:, slices["pose"]] = first_pose.flatten(1)
        left, right = fit._torso[:2]
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
    fit: StagedFit, flat: Tensor, confidence: Tensor, focal: Tensor, pose: Tensor
) -> tuple[Tensor, Tensor]:
    """Depth (m) from the edges between shoulders and hips, and the pelvis's place in the image.

    Where the torso is not seen, from the spread of all that is.
    """
    people = len(flat)
    joints = fit.rig.num_joints
    eye = torch.eye(3, dtype=_DOUBLE).expand(people, joints, 3, 3).clone()
    eye[:, 0] = _TURNS[0]
    body = rotvec_to_rotmat(pose)
    count = min(joints - 1, NUM_JOINTS - 1) if not fit.rig.is_smplx else NUM_TOKENIZER_JOINTS
    eye[:, 1 : 1 + count] = body[:, :count]
    shape = torch.zeros(people, fit.model.num_shape, dtype=_DOUBLE)
    rest = fit.model(eye, shape, -fit.model.rest_joints(shape)[:, 0]).keypoints
    left_shoulder, right_shoulder, left_hip, right_hip = fit._torso
    edges = torch.tensor([[left_shoulder, left_hip], [right_shoulder, right_hip]])
    seen = (confidence[:, edges] > 0).all(-1).to(_DOUBLE)
    long_3d = (rest[:, edges[:, 0]] - rest[:, edges[:, 1]]).norm(dim=-1)
    long_2d = (flat[:, edges[:, 0]] - flat[:, edges[:, 1]]).norm(dim=-1)
    by_torso = (long_3d * seen).sum(1) / (long_2d * seen).sum(1).clamp(min=1e-6)
    known = (confidence > 0).to(_DOUBLE)
    known[:, list(fit.layout.residual)] = 0
    total = known.sum(1, keepdim=True).clamp(min=1)
    middle_2d = (flat * known[..., None]).sum(1) / total
    middle_3d = (rest[..., :2] * known[..., None]).sum(1) / total
    spread_2d = ((flat - middle_2d[:, None]).square().sum(-1) * known).sum(1).sqrt()
    spread_3d = ((rest[..., :2] - middle_3d[:, None]).square().sum(-1) * known).sum(1).sqrt()
    by_spread = spread_3d / spread_2d.clamp(min=1e-6)
    metres_a_pixel = torch.where((long_2d * seen).sum(1) > 1, by_torso, by_spread).clamp(1e-6, 10)
    depth = (focal * metres_a_pixel).clamp(min=0.3)
    return depth, middle_2d - middle_3d / metres_a_pixel[:, None]
