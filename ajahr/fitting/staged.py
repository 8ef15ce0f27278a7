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
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Num
from torch import Tensor

from ajahr.anatomy import LDPOSE25, NUM_JOINTS, PARENTS, KeypointLayout
from ajahr.body.rig import RigData
from ajahr.fitting.energy import geman_mcclure
from ajahr.fitting.lbfgs import minimise, of_energy
from ajahr.fitting.rig_model import NUM_HAND_POINTS, Points
from ajahr.fitting.smplify import FitStatus, keypoint_sigmas
from ajahr.fitting.staged_body import StagedBody
from ajahr.fitting.staged_priors import CodebookPrior, MixturePrior, PoseTerm, VPoser
from ajahr.fitting.staged_problem import TURNS, BodyStart, Problem, project, read_points, torso_points
from ajahr.geometry.cameras import Camera
from ajahr.poses import limits_torch

_DOUBLE = torch.float64
_FINE_SIGMA = 0.006  # hands and face, in statures


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
        self._mixture = MixturePrior.shipped()
        if isinstance(prior, CodebookPrior):
            prior, codebook = None, prior
        self.prior: PoseTerm | VPoser = self._mixture if prior is None else prior
        self.codebook = codebook
        self.body = StagedBody(rig, layout, self.prior, self.options.hand_components)
        self.model = self.body.model
        self._sigma = keypoint_sigmas(layout)
        self._ends = list(layout.residual)
        self._stems = [a for end in self._ends for a, b in layout.edges if b == end]
        self._torso = torso_points(layout)

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
        points = read_points(keypoints_2d, len(self.layout), "keypoint")
        points[..., 2] *= ~absent[:, list(self.layout.anchors)]
        if not self.options.ends_turn_bones:
            points[:, self._ends, 2] = 0
        others = [
            np.zeros((people, 0, 3))
            if given is None or not self.rig.is_smplx
            else read_points(given, count, what)
            for given, count, what in (
                (hands_2d, 2 * NUM_HAND_POINTS, "hand point"),
                (face_2d, 51, "landmark"),
            )
        ]
        if others[0].size:
            gone = np.repeat(absent[:, [20, 21]], NUM_HAND_POINTS, 1)
            others[0][..., 2] *= ~gone
        problem = Problem.build(self.body, points, others[0], others[1], cameras, absent, start)
        return self._solve(problem, advance or (lambda: None))

    def _solve(self, problem: Problem, advance: Callable[[], None]) -> StagedResult:
        fitted = torch.nonzero(problem.usable)[:, 0]
        owner, work, x = fitted, problem.take(fitted), problem.start[fitted]
        slices = self.body.slices
        if not problem.given:
            # both ways round; only where the shoulders do not tell them apart are both carried on
            owner = torch.cat([fitted, fitted])
            turn = torch.arange(2).repeat_interleave(len(fitted))
            work = replace(problem.take(owner), root=TURNS[turn])
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
                self.codebook.choose(self.body.pose(x[:, slices["pose"]], work.kept))
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
        self, work: Problem, x: Tensor, stage: Stage, free: tuple[str, ...], torso: bool = False
    ) -> Tensor:
        if not len(x):
            return x
        chosen = torch.cat([torch.arange(x.shape[1])[self.body.slices[name]] for name in free])

        def energy(part: Tensor, index: Tensor) -> Tensor:
            whole = x[index].index_copy(1, chosen, part)
            return self._energy(work.take(index), whole, stage, index, torso)

        found = minimise(
            of_energy(energy), x[:, chosen], iterations=stage.iterations, gradient_tolerance=1e-4,
            change_tolerance=1e-6,
        )  # fmt: skip
        return x.index_copy(1, chosen, found.point)

    # ------------------------------------------------------------------------------------ energies

    def _points(self, work: Problem, x: Tensor) -> tuple[Tensor, Points]:
        pose, rotmats = self.body.rotmats(x, work.root, work.kept)
        return pose, self.model(rotmats, self.body.shape(x), self.body.translation(x, work.size, work.focal))

    def _energy(self, work: Problem, x: Tensor, stage: Stage, rows: Tensor, torso: bool) -> Tensor:
        options, slices = self.options, self.body.slices
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
                own, hidden = project(work, points)
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

    def _pixels(self, work: Problem, keypoints: Tensor) -> tuple[Tensor, Tensor]:
        """Pixels, a residual end's where its bone passes nearest to it, and what lies behind the camera."""
        pixels, behind = project(work, keypoints)
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
        ends, hidden = project(work, torch.lerp(stem, end, share[..., None]))
        index = torch.tensor(self._ends)
        return pixels.index_copy(1, index, ends), behind.index_copy(1, index, hidden)

    def _result(self, problem: Problem, x: Tensor, energy: Tensor) -> StagedResult:
        slices = self.body.slices
        with torch.no_grad():
            pose, rotmats = self.body.rotmats(x, problem.root, problem.kept)
            translation = self.body.translation(x, problem.size, problem.focal)
            found = self.model(rotmats, self.body.shape(x), translation)
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
