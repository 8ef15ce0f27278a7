"""Where to start: the poses of a library, seen from all sides, that come closest to the keypoints.

2D keypoints alone leave a person's facing and every limb's lean away from or towards the camera in doubt, and
a descent from one guess ends in whichever basin it began in. A library pose under a view is aligned to the
keypoints in closed form (2D Procrustes: scale, roll and shift, orthographic), so tens of thousands of
combinations cost milliseconds, whatever part of the person is visible.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ajahr.fitting.energy import State, Targets
from ajahr.fitting.keypoint_model import KeypointModel
from ajahr.geometry.rotations import rotvec_to_rotmat

STATURE = 1.7
"""Metres: turns px per metre into a person's size, px."""
_FACING = torch.diag(torch.tensor([1.0, -1.0, -1.0], dtype=torch.float64))  # upright and facing the camera
_POOL = 400
_APART = 0.2  # m, root mean square over keypoints


class Start(NamedTuple):
    """Starts of one person, best first."""

    state: State
    size: float  # px
    scores: Float[Tensor, " starts"]


class Library:
    """Library poses under views, as orthographic keypoints.

    Args:
        model: keypoints of the body.
        poses: rotation vectors.
        cost: energy of each pose.
        yaws: how many facings around the vertical.
        pitches: leans towards and away from the camera, rad.
    """

    def __init__(
        self,
        model: KeypointModel,
        poses: Float[Tensor, "poses 23 3"],
        cost: Float[Tensor, " poses"],
        yaws: int = 12,
        pitches: tuple[float, ...] = (-0.7, -0.25, 0.1, 0.5),
    ) -> None:
        self.model, self.poses, self.cost = model, poses, cost
        count = len(poses)
        identity = torch.eye(3, dtype=torch.float64).expand(count, 3, 3)
        betas = torch.zeros(count, model.num_betas, dtype=torch.float64)
        self._keypoints = model.pose(identity, poses, betas).keypoints
        turns = []
        for pitch in pitches:
            for yaw in np.arange(yaws) * (2 * np.pi / yaws):
                lean = rotvec_to_rotmat(torch.tensor([pitch, 0.0, 0.0], dtype=torch.float64))
                turn = rotvec_to_rotmat(torch.tensor([0.0, float(yaw), 0.0], dtype=torch.float64))
                turns.append(_FACING @ lean @ turn)
        self._views = torch.stack(turns)
        self._seen = torch.einsum("vij,pkj->pvki", self._views, self._keypoints).flatten(0, 1)
        self._flat = torch.complex(self._seen[..., 0].contiguous(), self._seen[..., 1].contiguous())

    def starts(
        self, targets: Targets, sigma: Float[Tensor, " keypoints"], upright: float, count: int
    ) -> Start:
        """The best and sufficiently different starts for one person (``targets`` holds one problem).

        Args:
            sigma: standard deviation per keypoint, in sizes.
            upright: standard deviation of the tilt, as in `ajahr.fitting.energy.Weights`.
            count: how many, at most.
        """
        weight = targets.weights[0] / sigma**2
        weight[list(self.model.layout.residual)] = 0  # they lie anywhere along their bones
        weight = weight / weight.sum()
        used = weight > 0
        weight, sigma = weight[used], sigma[used]
        point = torch.complex(targets.points[0, used, 0], targets.points[0, used, 1])
        centre = (weight * point).sum()
        point = point - centre
        flat = self._flat[:, used]
        weight_c = weight.to(flat.dtype)
        middle = flat @ weight_c
        power = flat.abs().square() @ weight - middle.abs().square()
        # an alignment takes the scale that makes it fit best; poses far too small to be aligned are out
        match = (flat.conj() @ (weight_c * point)) / power.clamp(min=1e-6)
        match = torch.where(power > 1e-4, match, 1e-6)
        error = (point - match[:, None] * (flat - middle[:, None])).abs().square()
        scale = match.abs()
        roll = match / scale
        up = self._views[:, :, 1].repeat(len(self.poses), 1)
        up_y = roll.imag * up[:, 0] + roll.real * up[:, 1]  # of the body's axis, in the image
        tilt = (1 + up_y) / upright**2
        cost = tilt + self.cost.repeat_interleave(len(self._views))
        size = scale * STATURE
        deviation = error / (2 * (3 * sigma) ** 2)
        score = (deviation / size[:, None] ** 2).sum(-1) + cost
        common = size[score.topk(min(50, len(score)), largest=False).indices].median()
        score = (targets.weights[0, used] * (deviation / common**2)).clamp(max=8.0).sum(-1) + cost
        pool = score.topk(min(_POOL, len(score)), largest=False).indices
        turned = _roll_matrix(roll[pool]) @ self._views[pool % len(self._views)]
        body = torch.einsum("sij,skj->ski", turned, self._keypoints[pool // len(self._views)])
        chosen: list[int] = []
        for i in range(len(pool)):
            apart = (body[chosen] - body[i]).square().sum(-1).mean(-1).sqrt() if chosen else None
            if apart is None or bool((apart > _APART).all()):
                chosen.append(i)
            if len(chosen) == count:
                break
        picked = pool[chosen]
        corner = centre - match[picked] * middle[picked]  # where the pelvis falls
        depth = targets.focal[0] / scale[picked]
        place = torch.stack([corner.real / common, corner.imag / common, depth.log()], -1)
        betas = place.new_zeros(len(picked), self.model.num_betas)
        state = State(turned[chosen], self.poses[picked // len(self._views)], betas, place)
        return Start(state, float(common), score[picked])


def _roll_matrix(roll: Tensor) -> Float[Tensor, "batch 3 3"]:
    """Rotation about the viewing axis that multiplies x + iy by ``roll``."""
    zero, one = torch.zeros_like(roll.real), torch.ones_like(roll.real)
    rows = [roll.real, -roll.imag, zero, roll.imag, roll.real, zero, zero, zero, one]
    return torch.stack(rows, -1).reshape(-1, 3, 3)
