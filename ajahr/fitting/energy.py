"""What SMPLify minimises, as energies (negative log likelihoods) with their Gauss-Newton normal equations.

    E = sum_k w_k rho(|project(x_k) - y_k| / sigma_k) + pose prior + joint limits + shape + upright + held
    joints

A `State` is a batch of independent problems. Parameters, in the order of the normal equations: a turn in
front of the root rotation (3), body pose as rotation vectors (69), betas, and where the pelvis is: its place
in the image in units of the person's size (2) and the logarithm of its depth (1). These three stay well
scaled from a face that fills the image to a person in the distance, and hold the person in place while the
shape changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ajahr.anatomy import JOINT_NAMES, NUM_JOINTS
from ajahr.fitting.keypoint_model import NUM_POSE, KeypointModel, Posed
from ajahr.geometry.rotations import rotvec_to_rotmat
from ajahr.poses import limits

ROOT = slice(0, 3)
POSE = slice(3, 3 + NUM_POSE)
SHORTEST = 0.1
"""Least share of its bone that a residual limb keeps."""
NEAREST = 0.1
"""Points nearer than this share of the pelvis's depth count as behind the camera."""


class UprightPrior(NamedTuple):
    """A Gaussian mixture over body poses as rotation vectors, and which way is up for the pelvis of each."""

    means: Float[Tensor, "components 69"]
    precisions: Float[Tensor, "components 69 69"]
    offsets: Float[Tensor, " components"]  # energy at the mean: minus log of weight times peak
    up: Float[Tensor, "components 3"]  # mean direction of up in the pelvis's frame
    up_sigma: Float[Tensor, " components"]  # standard deviation about it, per axis


class State(NamedTuple):
    """A batch of bodies before a camera."""

    root: Float[Tensor, "batch 3 3"]  # body to camera frame
    pose: Float[Tensor, "batch 23 3"]
    betas: Float[Tensor, "batch betas"]
    place: Float[Tensor, "batch 3"]  # (x, y) of the pelvis from the principal point, in sizes; log depth (m)

    def take(self, index: Tensor) -> State:
        return State(*(x[index] for x in self))

    def put(self, index: Tensor, other: State) -> State:
        """A copy with the problems at ``index`` replaced."""
        return State(*(x.index_copy(0, index, y) for x, y in zip(self, other, strict=True)))

    def stepped(self, step: Float[Tensor, "batch parameters"]) -> State:
        n = step.shape[1] - 3
        return State(
            rotvec_to_rotmat(step[:, ROOT]) @ self.root,
            self.pose + step[:, POSE].reshape(-1, NUM_JOINTS - 1, 3),
            self.betas + step[:, 3 + NUM_POSE : n],
            self.place + step[:, n:],
        )


class Targets(NamedTuple):
    """What each problem is fitted to."""

    points: Float[Tensor, "batch keypoints 2"]  # px from the principal point
    weights: Float[Tensor, "batch keypoints"]  # 0 where nothing is known
    focal: Float[Tensor, " batch"]
    weak: Bool[Tensor, " batch"]  # weak perspective: all points have the pelvis's depth
    size: Float[Tensor, " batch"]  # px: how tall the person would stand in the image
    held: Float[Tensor, "batch 23"]  # 1 where nothing shows the joint, so that it keeps to `Energy.relaxed`

    def take(self, index: Tensor) -> Targets:
        return Targets(*(x[index] for x in self))


@dataclass(frozen=True)
class Weights:
    """How strongly each term counts; energies are in units of half a squared standard deviation."""

    noise: float = 0.6  # multiplies the keypoints' standard deviations
    robust: float = 6.0  # Geman-McClure's constant, in those standard deviations
    pose: float = 1.0
    limits: float = 0.05  # rad: standard deviation of leaving the range of motion
    shape: float = 1.0
    upright: float = 0.15  # standard deviation (rad) of the camera's tilt, on top of the poses' own
    held: float = 0.15  # rad


class Energy:
    """The sum of terms for one body, layout and prior.

    Args:
        model: keypoints of the body.
        prior: over body poses.
        sigma: standard deviation per keypoint, in units of the person's size.
        relaxed: rotation vectors that joints keep to where `Targets.held` says so.
    """

    def __init__(
        self,
        model: KeypointModel,
        prior: UprightPrior,
        sigma: Float[Tensor, " keypoints"],
        relaxed: Float[Tensor, "23 3"],
    ) -> None:
        self.model, self.prior, self.sigma, self.relaxed = model, prior, sigma, relaxed
        self._ends = list(model.layout.residual)
        self._stems = [a for end in self._ends for a, b in model.layout.edges if b == end]

    def __call__(self, state: State, targets: Targets, weights: Weights) -> Float[Tensor, " batch"]:
        """Energies; infinite where a keypoint that counts lies behind the camera."""
        posed = self.model.pose(state.root, state.pose, state.betas)
        return self._value(state, posed, targets, weights)

    def _value(self, state: State, posed: Posed, targets: Targets, weights: Weights) -> Tensor:
        points, pelvis, _ = self._camera_points(state, posed, targets)
        residual = self._residuals(points, pelvis, targets, weights)
        robust = geman_mcclure(residual.square().sum(-1), weights.robust)
        energy = (targets.weights * robust).sum(-1)
        energy = energy + self.prior_energy(state.root, state.pose, weights)
        excess = _violation(state.pose) / weights.limits
        energy = energy + 0.5 * excess.square().sum(-1)
        energy = energy + 0.5 * weights.shape * state.betas.square().sum(-1)
        drift = targets.held[..., None] * ((state.pose - self.relaxed) / weights.held).square()
        energy = energy + 0.5 * drift.sum((-1, -2))
        behind = (points[..., 2] < NEAREST * pelvis[:, None, 2]) & (targets.weights > 0)
        return torch.where(behind.any(-1), torch.inf, energy)

    def normal(
        self, state: State, targets: Targets, weights: Weights
    ) -> tuple[Float[Tensor, " batch"], Float[Tensor, "batch n"], Float[Tensor, "batch n n"]]:
        """Energies, gradients, Gauss-Newton matrices (robust weights held: reweighted least squares)."""
        posed = self.model.pose(state.root, state.pose, state.betas)
        energy = self._value(state, posed, targets, weights)
        points, pelvis, share = self._camera_points(state, posed, targets)
        residual = self._residuals(points, pelvis, targets, weights)
        batch, keypoints = residual.shape[:2]
        num_betas = state.betas.shape[1]
        n = 3 + NUM_POSE + num_betas + 3

        # keypoints: d pixel = f / z (dX - X / z dZ), and the pelvis's place and depth
        divisor = torch.where(targets.weak, pelvis[:, 2], 1.0)[:, None].expand(batch, keypoints)
        depth = torch.where(targets.weak[:, None], divisor, points[..., 2])
        scale = 1 / (targets.size[:, None] * self.sigma * weights.noise)  # px to standard deviations
        gain = scale * targets.focal[:, None] / depth
        ray = points[..., :2] / depth[..., None]
        sideways = torch.where(targets.weak[:, None, None], 0.0, ray)
        body = self.model.jacobian(posed, state.pose)
        if self._ends:
            share = share[..., None, None]
            body[:, self._ends] = (1 - share) * body[:, self._stems] + share * body[:, self._ends]
        jacobian = residual.new_empty(batch, keypoints, 2, n)
        jacobian[..., :-3] = body[..., :2, :] - sideways[..., None] * body[..., 2:, :]
        jacobian[..., -3:] = 0
        unit = (targets.size / targets.focal * pelvis[:, 2])[:, None] * self.model.total_weight
        jacobian[..., 0, -3] = unit
        jacobian[..., 1, -2] = unit
        of_depth = self.model.total_weight[:, None] * pelvis[:, None]
        of_depth = of_depth[..., :2] - ray * torch.where(
            targets.weak[:, None, None], pelvis[:, None, 2:], of_depth[..., 2:]
        )
        jacobian[..., -1] = of_depth
        jacobian = jacobian * gain[..., None, None]
        influence = _influence(residual.square().sum(-1), weights.robust) * targets.weights
        flat_jacobian = jacobian.reshape(batch, -1, n)
        weighted = flat_jacobian * influence[..., None].expand(-1, -1, 2).reshape(batch, -1, 1)
        matrix = weighted.transpose(1, 2) @ flat_jacobian
        gradient = (weighted.transpose(1, 2) @ residual.reshape(batch, -1, 1))[..., 0]

        component = self._components(state.root, state.pose, weights).argmin(1)
        precision = weights.pose * self.prior.precisions[component]
        off = state.pose.flatten(1) - self.prior.means[component]
        gradient[:, POSE] += (precision @ off[..., None])[..., 0]
        matrix[:, POSE, POSE] += precision
        inverse = state.root.transpose(1, 2)
        spread = (self.prior.up_sigma[component].square() + weights.upright**2).sqrt()
        tilt = (inverse @ _UP - self.prior.up[component]) / spread[:, None]
        turn = inverse @ _hat(_UP[None]) / spread[:, None, None]
        pull = _influence(tilt.square().sum(-1), UPRIGHT_ROBUST)[:, None, None] * turn.transpose(1, 2)
        gradient[:, ROOT] += (pull @ tilt[..., None])[..., 0]
        matrix[:, ROOT, ROOT] += pull @ turn
        excess, slope = _violation_slope(state.pose)
        slope = slope / weights.limits
        gradient[:, POSE] += (slope.transpose(1, 2) @ (excess / weights.limits)[..., None])[..., 0]
        matrix[:, POSE, POSE] += slope.transpose(1, 2) @ slope
        betas = slice(3 + NUM_POSE, n - 3)
        gradient[:, betas] += weights.shape * state.betas
        diagonal = torch.diagonal(matrix, dim1=1, dim2=2)
        diagonal[:, betas] += weights.shape
        firm = (targets.held[..., None] / weights.held**2).expand(-1, -1, 3)
        gradient[:, POSE] += (firm * (state.pose - self.relaxed)).flatten(1)
        diagonal[:, POSE] += firm.flatten(1)
        return energy, gradient, matrix

    def project(self, state: State, targets: Targets) -> Float[Tensor, "batch keypoints 2"]:
        """Keypoints in the image, px from the principal point."""
        points, pelvis, _ = self._camera_points(state, self.model.pose(*state[:3]), targets)
        return self._pixels(points, pelvis, targets)

    def _camera_points(self, state: State, posed: Posed, targets: Targets) -> tuple[Tensor, Tensor, Tensor]:
        """Keypoints and pelvis (m), and how far down its bone each residual-limb end lies.

        A residual limb ends anywhere along its bone, so its keypoint shows the bone's direction and not its
        length: the end is taken where the bone passes nearest to the keypoint.
        """
        pelvis = pelvis_place(state, targets)
        points = posed.keypoints + self.model.total_weight[:, None] * pelvis[:, None]
        if not self._ends:
            return points, pelvis, points.new_zeros(len(points), 0)
        stem, end = points[:, self._stems], points[:, self._ends]
        pixels = self._pixels(points, pelvis, targets)
        from_stem = targets.points[:, self._ends] - pixels[:, self._stems]
        bone = pixels[:, self._ends] - pixels[:, self._stems]
        along = (from_stem * bone).sum(-1) / bone.square().sum(-1).clamp(min=1e-12)
        along = along.clamp(SHORTEST, 1.0)
        # equal shares of a bone are not equal in a perspective image
        stem_depth, end_depth = (torch.where(targets.weak[:, None], 1.0, p[..., 2]) for p in (stem, end))
        share = along * stem_depth / ((1 - along) * end_depth + along * stem_depth)
        points = points.clone()
        points[:, self._ends] = torch.lerp(stem, end, share[..., None])
        return points, pelvis, share

    def _pixels(self, points: Tensor, pelvis: Tensor, targets: Targets) -> Tensor:
        depth = torch.where(targets.weak[:, None], pelvis[:, 2:], points[..., 2])
        return points[..., :2] * (targets.focal[:, None] / depth)[..., None]

    def _residuals(self, points: Tensor, pelvis: Tensor, targets: Targets, weights: Weights) -> Tensor:
        scale = 1 / (targets.size[:, None] * self.sigma * weights.noise)
        return (self._pixels(points, pelvis, targets) - targets.points) * scale[..., None]

    def prior_energy(
        self, root: Float[Tensor, "batch 3 3"], pose: Float[Tensor, "batch 23 3"], weights: Weights
    ) -> Float[Tensor, " batch"]:
        """Energy of a pose and of its tilt in an upright photograph, under the likeliest component."""
        return self._components(root, pose, weights).amin(1)

    def _components(self, root: Tensor, pose: Tensor, weights: Weights) -> Float[Tensor, "batch components"]:
        prior = self.prior
        off = pose.flatten(1)[:, None] - prior.means
        distance = (off * torch.einsum("cij,ncj->nci", prior.precisions, off)).sum(-1)
        spread = prior.up_sigma.square() + weights.upright**2
        up = (root.transpose(1, 2) @ _UP)[:, None]
        tilt = geman_mcclure((up - prior.up).square().sum(-1) / spread, UPRIGHT_ROBUST)
        # the logarithm makes it a density over the two directions of tilt
        return weights.pose * (0.5 * distance + prior.offsets) + tilt + spread.log()


UPRIGHT_ROBUST = 3.0  # people do lie down and cameras do tilt
_UP = torch.tensor([0.0, -1.0, 0.0], dtype=torch.float64)  # up, in the camera frame of an upright photograph


def geman_mcclure(square: Float[Tensor, "*batch"], constant: float) -> Float[Tensor, "*batch"]:
    """Half a square that is bounded by half of ``constant`` squared (Geman and McClure 1987)."""
    return 0.5 * constant**2 * square / (constant**2 + square)


def _influence(square: Tensor, constant: float) -> Tensor:
    """Weight that makes reweighted least squares of `geman_mcclure`."""
    return (constant**2 / (constant**2 + square)).square()


def pelvis_place(state: State, targets: Targets) -> Float[Tensor, "batch 3"]:
    """The pelvis in the camera frame, metres."""
    depth = state.place[:, 2].exp()
    across = state.place[:, :2] * (targets.size / targets.focal * depth)[:, None]
    return torch.cat([across, depth[:, None]], -1)


def _hat(v: Float[Tensor, "batch 3"]) -> Float[Tensor, "batch 3 3"]:
    """[v]x, so that turning v by a small d moves it by -[v]x d."""
    x, y, z = v.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(-1, 3, 3)


def _violation(pose: Float[Tensor, "batch 23 3"]) -> Float[Tensor, "batch 23"]:
    return torch.from_numpy(limits.violation(pose.numpy()))


_COLLARS = [JOINT_NAMES.index(f"{side}_collar") - 1 for side in ("left", "right")]
_SHOULDERS = [JOINT_NAMES.index(f"{side}_shoulder") - 1 for side in ("left", "right")]


def _violation_slope(
    pose: Float[Tensor, "batch 23 3"], step: float = 1e-5
) -> tuple[Float[Tensor, "batch 23"], Float[Tensor, "batch 23 69"]]:
    """Violations of the joint limits and their derivatives by differences.

    A violation depends on its own joint, a shoulder's on its collar too, so six evaluations serve all joints:
    three that move every joint but the collars, three that move the collars.
    """
    batch, joints = pose.shape[:2]
    moved = pose[:, None].repeat(1, 7, 1, 1)
    others = [j for j in range(joints) if j not in _COLLARS]
    for axis in range(3):
        moved[:, 1 + axis, others, axis] += step
        moved[:, 4 + axis, _COLLARS, axis] += step
    values = _violation(moved.reshape(-1, joints, 3)).reshape(batch, 7, joints)
    difference = (values[:, 1:] - values[:, :1]) / step
    slope = pose.new_zeros(batch, joints, joints, 3)
    slope[:, others, others] = difference[:, :3, others].transpose(1, 2)
    slope[:, _COLLARS, _COLLARS] = difference[:, 3:, _COLLARS].transpose(1, 2)
    slope[:, _SHOULDERS, _COLLARS] = difference[:, 3:, _SHOULDERS].transpose(1, 2)
    return values[:, 0], slope.flatten(2)
