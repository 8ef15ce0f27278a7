"""Where to start: the poses of a library, seen from all sides, that come closest to the keypoints.

2D keypoints alone leave a person's facing and every limb's lean away from or towards the camera in doubt, and
a descent from one guess ends in whichever basin it began in. A library pose under a view is aligned to the
keypoints in closed form (2D Procrustes: scale, roll and shift, orthographic), so tens of thousands of
combinations cost milliseconds, whatever part of the person is visible.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ajahr.fitting.energy import UPRIGHT_ROBUST, State, Targets, Weights, geman_mcclure
from ajahr.fitting.keypoint_model import KeypointModel
from ajahr.geometry.rotations import rotvec_to_rotmat

STATURE = 1.7
"""Metres: turns px per metre into a person's size, px."""
_FACING = torch.diag(torch.tensor([1.0, -1.0, -1.0], dtype=torch.float64))  # upright and facing the camera
_POOL = 400
_APART = 0.2  # m, root mean square over keypoints


class PoseLibrary(NamedTuple):
    """Poses people take, and how the body stands in an upright world then."""

    poses: Float[Tensor, "poses 23 3"]  # rotation vectors
    roots: Float[Tensor, "poses 3 3"]  # from the body to a world whose y is up


class Start(NamedTuple):
    """Starts of one person, best first."""

    state: State
    size: float  # px
    scores: Float[Tensor, " starts"]


class Starts:
    """Library poses under views, as orthographic keypoints.

    Args:
        model: keypoints of the body.
        library: the poses.
        yaws: how many facings around the vertical.
        pitches: tilts of the camera, rad; positive looks down.
    """

    def __init__(
        self,
        model: KeypointModel,
        library: PoseLibrary,
        yaws: int = 12,
        pitches: tuple[float, ...] = (-0.3, 0.0, 0.35, 0.9),
    ) -> None:
        poses, roots = library
        self.model, self.poses, self.roots = model, poses, roots
        betas = torch.zeros(len(poses), model.num_betas, dtype=torch.float64)
        self._keypoints = model.pose(roots, poses, betas).keypoints
        facings = torch.arange(yaws, dtype=torch.float64) * (2 * torch.pi / yaws)
        turns = rotvec_to_rotmat(facings[:, None] * torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64))
        tilts = torch.tensor(pitches, dtype=torch.float64)
        tilts = rotvec_to_rotmat(tilts[:, None] * torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64))
        self._views = (_FACING @ tilts[:, None] @ turns).flatten(0, 1)
        across, down = (
            torch.einsum("vj,pkj->pvk", self._views[:, axis], self._keypoints).flatten(0, 1)
            for axis in (0, 1)
        )
        # orthographic keypoints as complex numbers, in which an alignment is one multiplication
        self._flat = torch.complex(across, down).to(torch.complex64)

    def of(self, targets: Targets, sigma: Float[Tensor, " keypoints"], weights: Weights, count: int) -> Start:
        """The best and sufficiently different starts for one person (``targets`` holds one problem).

        Args:
            sigma: standard deviation per keypoint, in sizes.
            weights: of the full fit; the tilt's cost is taken from them.
            count: how many, at most.
        """
        weight = targets.weights[0] / sigma**2
        weight[list(self.model.layout.residual)] = 0  # they lie anywhere along their bones
        weight = weight / weight.sum()
        used = weight > 0
        weight, sigma = weight[used], sigma[used]
        point = torch.complex(targets.points[0, used, 0], targets.points[0, used, 1])
        centre = (weight * point).sum()
        point = (point - centre).to(self._flat.dtype)
        weight, sigma = weight.float(), sigma.float()
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
        up = self._views[:, :, 1].float().repeat(len(self.poses), 1)
        up_y = roll.imag * up[:, 0] + roll.real * up[:, 1]  # of the world's vertical, in the image
        cost = geman_mcclure(2 * (1 + up_y) / (2 * weights.upright) ** 2, UPRIGHT_ROBUST)
        size = scale * STATURE
        deviation = error / (2 * (3 * sigma) ** 2)
        score = (deviation / size[:, None] ** 2).sum(-1) + cost
        common = size[score.topk(min(50, len(score)), largest=False).indices].median()
        score = (targets.weights[0, used].float() * (deviation / common**2)).clamp(max=8.0).sum(-1) + cost
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
        corner = centre - (match[picked] * middle[picked]).to(centre.dtype)  # where the pelvis falls
        depth = targets.focal[0] / scale[picked].double()
        place = torch.stack([corner.real / common, corner.imag / common, depth.log()], -1)
        betas = place.new_zeros(len(picked), self.model.num_betas)
        pose = picked // len(self._views)
        state = State(turned[chosen] @ self.roots[pose], self.poses[pose], betas, place)
        return Start(state, float(common), score[picked])


def _roll_matrix(roll: Tensor) -> Float[Tensor, "batch 3 3"]:
    """Rotation about the viewing axis that multiplies x + iy by ``roll``."""
    roll = roll.to(torch.complex128)
    roll = roll / roll.abs()
    zero, one = torch.zeros_like(roll.real), torch.ones_like(roll.real)
    rows = [roll.real, -roll.imag, zero, roll.imag, roll.real, zero, zero, zero, one]
    return torch.stack(rows, -1).reshape(-1, 3, 3)
