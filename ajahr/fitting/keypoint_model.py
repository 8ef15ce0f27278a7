"""Keypoints of a posed body without its mesh, and their derivatives.

Under linear blend skinning a keypoint that is a weighted sum of vertices is a sum over joints,

    x_k = sum_j  w_kj t_j + G_j a_kj(betas),     w_kj = sum_v r_kv W_vj,
    a_kj(betas) = sum_v r_kv W_vj v(betas) - w_kj J_j(betas),

with joint j's global rotation G_j and posed place t_j, so thousands of vertices fold into a few (keypoint,
joint) pairs once, and what is left is exact and costs O(joints). Kinematic joints are the pair (k, j) with w
= 1, a = 0. Pose-dependent offsets (SMPL's posedirs) fold likewise, into `posedirs`, and are evaluated
exactly; in the derivatives they are held, which costs Gauss-Newton steps a little and its fixed points
nothing that matters.

Everything is float64 and on the CPU: normal equations square the condition number, and problems are small.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ajahr.anatomy import (
    J44_FROM_SMPL45,
    NUM_JOINTS,
    PARENTS,
    KeypointLayout,
    descendants,
)
from ajahr.body.data import BodyData
from ajahr.body.keypoints import joint_or_vertex
from ajahr.geometry.rotations import rotvec_to_rotmat

NUM_POSE = 3 * (NUM_JOINTS - 1)
"""Numbers of a body pose as rotation vectors, root not counted."""


def _levels() -> list[tuple[list[int], list[int]]]:
    """Joints by depth in the tree, with their parents: forward kinematics takes one product per depth."""
    depth = [0] * NUM_JOINTS
    for j, parent in enumerate(PARENTS[1:], start=1):
        depth[j] = depth[parent] + 1
    by_depth = [[j for j in range(NUM_JOINTS) if depth[j] == d] for d in range(1, max(depth) + 1)]
    return [(joints, [PARENTS[j] for j in joints]) for joints in by_depth]


_LEVELS = _levels()
_PARENT = [max(p, 0) for p in PARENTS]
_BELOW = torch.zeros(NUM_JOINTS, NUM_JOINTS, dtype=torch.float64)
"""(i, j): 1 where joint j is i or below it."""
for _i in range(NUM_JOINTS):
    _BELOW[_i, list(descendants(_i))] = 1


class Posed(NamedTuple):
    """Keypoints and joints relative to the pelvis, in the frame the root rotation maps to."""

    keypoints: Float[Tensor, "batch keypoints 3"]
    joints: Float[Tensor, "batch 24 3"]
    rotations: Float[Tensor, "batch 24 3 3"]
    shares: Float[Tensor, "batch pairs 3"]
    joint_betas: Float[Tensor, "24 3 betas"]


class KeypointModel:
    """Chosen keypoints of one body as functions of pose and shape.

    Args:
        body: the body.
        layout: which keypoints, one of `ajahr.anatomy.LAYOUTS`.
        num_betas: how many of the body's shape directions to use, at most.
    """

    def __init__(self, body: BodyData, layout: KeypointLayout, num_betas: int = 10) -> None:
        self.layout = layout
        self.num_betas = min(num_betas, body.shapedirs.shape[2])
        joint_regressor = body.J_regressor.astype(np.float64)
        template = body.v_template.astype(np.float64)
        shapes = body.shapedirs[..., : self.num_betas].astype(np.float64)
        rest = joint_regressor @ template
        rest_betas = np.einsum("jv,vcb->jcb", joint_regressor, shapes)
        offset, offset_betas = rest.copy(), rest_betas.copy()
        for j, parent in enumerate(PARENTS[1:], start=1):
            offset[j] -= rest[parent]
            offset_betas[j] -= rest_betas[parent]
        offset[0], offset_betas[0] = 0, 0  # the pelvis is the origin
        self.pelvis, self.pelvis_betas = torch.from_numpy(rest[0]), torch.from_numpy(rest_betas[0])
        self._offset, self._offset_betas = torch.from_numpy(offset), torch.from_numpy(offset_betas)

        rows = [_source(layout, k, body) for k in range(len(layout))]
        pair_keypoint: list[int] = []
        pair_joint: list[int] = []
        weight: list[float] = []
        arms: list[np.ndarray] = []
        arms_betas: list[np.ndarray] = []
        arms_pose: list[np.ndarray] = []
        for k, source in enumerate(rows):
            if isinstance(source, int):
                pair_keypoint.append(k)
                pair_joint.append(source)
                weight.append(1.0)
                arms.append(np.zeros(3))
                arms_betas.append(np.zeros((3, self.num_betas)))
                arms_pose.append(np.zeros((0, 3)))
                continue
            vertices, coefficients = source
            share = coefficients[:, None] * body.weights[vertices].astype(np.float64)  # (v, 24)
            for j in np.flatnonzero(np.abs(share).max(0) > 0):
                w = share[:, j]
                pair_keypoint.append(k)
                pair_joint.append(int(j))
                weight.append(float(w.sum()))
                arms.append(w @ template[vertices] - w.sum() * rest[j])
                arms_betas.append(np.einsum("v,vcb->cb", w, shapes[vertices]) - w.sum() * rest_betas[j])
                if body.posedirs is None:
                    arms_pose.append(np.zeros((0, 3)))
                else:
                    columns = (3 * vertices[:, None] + np.arange(3)).reshape(-1)
                    dirs = body.posedirs[:, columns].astype(np.float64).reshape(-1, len(vertices), 3)
                    arms_pose.append(np.einsum("v,fvc->fc", w, dirs))
        self._pair_joint = torch.tensor(pair_joint)
        self._weight = torch.tensor(weight, dtype=torch.float64)
        self._arm = torch.from_numpy(np.stack(arms))
        self._arm_betas = torch.from_numpy(np.stack(arms_betas))
        self._arm_pose: Tensor | None = None
        if body.posedirs is not None:
            zeros = np.zeros((body.posedirs.shape[0], 3))
            self._arm_pose = torch.from_numpy(np.stack([a if len(a) else zeros for a in arms_pose]))

        member = torch.zeros(len(layout), len(pair_joint), dtype=torch.float64)
        member[pair_keypoint, range(len(pair_joint))] = 1
        self._member = member
        below = member[:, None, :] * _BELOW[:, pair_joint]  # (keypoint, joint, pair)
        self._below = below.reshape(-1, len(pair_joint))
        self._weight_below = below @ self._weight  # (keypoint, joint)
        self.total_weight = member @ self._weight
        """(keypoints,) what a keypoint takes of a translation: 1 unless a regressor's row sums to another."""

    def rest_joints(self, betas: Float[Tensor, "batch betas"]) -> Float[Tensor, "batch 3"]:
        """The pelvis at rest, metres: posed joints plus ``pelvis`` and the translation are SMPL's."""
        return self.pelvis + betas @ self.pelvis_betas.T

    def pose(
        self,
        root_rotmat: Float[Tensor, "batch 3 3"],
        body_pose: Float[Tensor, "batch 23 3"],
        betas: Float[Tensor, "batch betas"],
    ) -> Posed:
        """Keypoints (m) of people with these root rotations, body poses (rotation vectors) and shapes."""
        local = rotvec_to_rotmat(body_pose)
        rotations = root_rotmat.new_empty(len(root_rotmat), NUM_JOINTS, 3, 3)
        rotations[:, 0] = root_rotmat
        for joints, parents in _LEVELS:
            rotations[:, joints] = rotations[:, parents] @ local[:, [j - 1 for j in joints]]
        offset = self._offset + torch.einsum("jcb,nb->njc", self._offset_betas, betas)
        steps = (rotations[:, _PARENT] @ offset[..., None])[..., 0]
        joints = _BELOW.T @ steps  # a joint lies at the sum of the bones above it
        arm = self._arm + torch.einsum("pcb,nb->npc", self._arm_betas, betas)
        if self._arm_pose is not None:
            feature = (local - torch.eye(3, dtype=local.dtype)).reshape(len(local), -1)
            arm = arm + torch.einsum("pfc,nf->npc", self._arm_pose, feature)
        at = self._pair_joint
        shares = self._weight[:, None] * joints[:, at] + (rotations[:, at] @ arm[..., None])[..., 0]
        return Posed(self._member @ shares, joints, rotations, shares, self._offset_betas)

    def jacobian(
        self, posed: Posed, body_pose: Float[Tensor, "batch 23 3"]
    ) -> Float[Tensor, "batch keypoints 3 parameters"]:
        """Derivatives of the keypoints: root (a small rotation in front of it, 3), body pose (69), betas.

        With respect to joint i's turn the sub-tree below i moves rigidly about t_i, so the derivative is a
        cross product; the exponential map's own derivative takes it to rotation vectors.
        """
        batch, keypoints = len(body_pose), len(self.layout)
        below = (self._below @ posed.shares).reshape(batch, keypoints, NUM_JOINTS, 3)
        lever = below - self._weight_below[..., None] * posed.joints[:, None]
        axes = rotvec_jacobian(body_pose)  # columns: turn of the joint per number of its vector
        axes = posed.rotations[:, _PARENT[1:]] @ axes
        root_axes = torch.eye(3, dtype=axes.dtype).expand(batch, 1, 3, 3)
        columns = torch.cat([root_axes, axes], 1).transpose(-1, -2)  # (batch, joint, number, xyz)
        turn = torch.linalg.cross(columns[:, None], lever[..., None, :], dim=-1)
        turn = turn.reshape(batch, keypoints, 3 * NUM_JOINTS, 3).transpose(-1, -2)
        steps = posed.rotations[:, _PARENT] @ posed.joint_betas
        joints = torch.einsum("ij,nicb->njcb", _BELOW, steps)
        at = self._pair_joint
        pairs = self._weight[:, None, None] * joints[:, at] + posed.rotations[:, at] @ self._arm_betas
        shape = torch.einsum("kp,npcb->nkcb", self._member, pairs)
        return torch.cat([turn, shape], -1)


def rotvec_jacobian(rotvec: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Left Jacobian of the exponential map: exp(v + d) = exp(J d) exp(v) to first order in d."""
    square = rotvec.square().sum(-1)[..., None, None]
    small = square < 1e-8
    angle = torch.where(small, 1.0, square).sqrt()
    first = torch.where(small, 0.5 - square / 24, (1 - torch.cos(angle)) / angle**2)
    second = torch.where(small, 1 / 6 - square / 120, (angle - torch.sin(angle)) / angle**3)
    x, y, z = rotvec.unbind(-1)
    zero = torch.zeros_like(x)
    hat = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*rotvec.shape, 3)
    return torch.eye(3, dtype=rotvec.dtype) + first * hat + second * (hat @ hat)


def _source(
    layout: KeypointLayout, keypoint: int, body: BodyData
) -> int | tuple[Int[np.ndarray, " vertices"], Float[np.ndarray, " vertices"]]:
    """Where a keypoint comes from: a kinematic joint, or vertices with coefficients."""
    if layout.name == "smpl24":
        return keypoint
    if layout.name == "j44" and keypoint >= len(J44_FROM_SMPL45):
        row = body.J19_regressor[keypoint - len(J44_FROM_SMPL45)]
        vertices = np.flatnonzero(row)
        return vertices, row[vertices].astype(np.float64)
    found = joint_or_vertex(layout, keypoint)
    return found if isinstance(found, int) else (np.array([body.vertex_ids[found]]), np.ones(1))
