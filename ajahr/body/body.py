"""The body for training and fitting: shape -> pose -> mesh, batched and differentiable.

    body = Body(load_body())
    posed = body.shape(betas).pose(rotmats, absent_joints=absent)
    posed.vertices, posed.joints, posed.keypoints_44

Each stage is a value, so a shape can be posed many times. An absent joint and its descendants get the zero
matrix (AJAHR Sec. 3.1): what they move collapses onto the absent chain's top joint, and nothing is ever NaN.

Departures from smplx: joints move with the betas through a table made once (J_regressor @ shapedirs) instead
of by regressing every shaped mesh; skinning is one matrix product of all people's transforms; no file array
enters a checkpoint (buffers are not persistent), because licensed arrays would travel with weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ajahr.anatomy import J44_FROM_SMPL45, NUM_JOINTS, PARENTS, descendants
from ajahr.body import keypoints
from ajahr.body.data import BodyData
from ajahr.body.regressors import VERTEX_KEYS

PosedirsFrom = Literal["zero", "identity"]
_CPU_GROUP = 8


def _levels() -> tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]:
    """Joints by depth below the root, with their parents' places in the depth above."""
    levels, above = [], (0,)
    while True:
        joints = tuple(j for j, p in enumerate(PARENTS) if p in above)
        if not joints:
            return tuple(levels)
        levels.append((joints, tuple(above.index(PARENTS[j]) for j in joints)))
        above = joints


_LEVELS = _levels()
_IN_ORDER = (0, *(j for joints, _ in _LEVELS for j in joints))
assert list(_IN_ORDER) == list(range(NUM_JOINTS)), (
    "SMPL numbers joints by depth, so levels need no reordering"
)


class Body(nn.Module):
    """An SMPL-format body as buffers.

    Works in the buffers' precision whatever autocast says: half precision would move vertices by millimetres.
    """

    v_template: Float[Tensor, "3 vertices"]
    shapedirs: Float[Tensor, "betas coordinates"]
    posedirs: Float[Tensor, "207 coordinates"] | None
    J_template: Float[Tensor, "24 3"]
    J_shapedirs: Float[Tensor, "betas 72"]
    weights: Float[Tensor, "24 vertices"]
    faces: Int[Tensor, "faces 3"]
    _vertex_ids: Int[Tensor, " named"]
    _J19_vertices: Int[Tensor, " used"]
    _J19: Float[Tensor, "19 used"]
    _below: Float[Tensor, "24 24"]

    def __init__(self, data: BodyData, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.data = data
        double = torch.float64

        def keep(name: str, value: Tensor | None) -> None:
            self.register_buffer(name, value, persistent=False)

        def coordinates_first(
            a,
        ) -> Tensor:  # (vertices, 3, n) -> (n, 3 * vertices), x of all, y of all, z of all
            return torch.tensor(a).permute(2, 1, 0).flatten(1)

        template, shapedirs = torch.tensor(data.v_template), torch.tensor(data.shapedirs)
        regress = torch.tensor(data.J_regressor, dtype=double)
        keep("v_template", template.T.to(dtype).contiguous())
        keep("shapedirs", coordinates_first(data.shapedirs).to(dtype))
        if data.posedirs is None:
            keep("posedirs", None)
        else:
            by_vertex = data.posedirs.reshape(len(data.posedirs), -1, 3).transpose(1, 2, 0)
            keep("posedirs", coordinates_first(by_vertex).to(dtype))
        keep("J_template", (regress @ template.to(double)).to(dtype))
        J_shapedirs = torch.einsum("jv,vcb->bjc", regress, shapedirs.to(double))
        keep("J_shapedirs", J_shapedirs.flatten(1).to(dtype))
        keep("weights", torch.tensor(data.weights).T.to(dtype).contiguous())
        keep("faces", torch.tensor(data.faces, dtype=torch.long))
        keep("_vertex_ids", torch.tensor([data.vertex_ids[k] for k in VERTEX_KEYS]))
        used = torch.tensor(np.flatnonzero(np.any(data.J19_regressor, axis=0)))
        keep("_J19_vertices", used)
        keep("_J19", torch.tensor(data.J19_regressor)[:, used].to(dtype))
        below = torch.zeros(NUM_JOINTS, NUM_JOINTS, dtype=dtype)
        for j in range(NUM_JOINTS):
            below[j, list(descendants(j))] = 1
        keep("_below", below)

    @property
    def num_vertices(self) -> int:
        return self.v_template.shape[1]

    @property
    def num_betas(self) -> int:
        return self.shapedirs.shape[0]

    def shape(self, betas: Float[Tensor, "*batch betas"]) -> ShapedBody:
        """The rest mesh of these betas; those beyond the given ones are zero.

        Raises:
            ValueError: more betas than the body has.
        """
        n = betas.shape[-1]
        if n > self.num_betas:
            raise ValueError(f"{n} betas for a body of {self.num_betas}")
        with torch.autocast(betas.device.type, enabled=False):
            b = betas.to(self.v_template)
            flat = b.reshape(-1, n)
            vertices = torch.addmm(self.v_template.flatten(), flat, self.shapedirs[:n])
            joints = torch.addmm(self.J_template.flatten(), flat, self.J_shapedirs[:n])
        lead = betas.shape[:-1]
        return ShapedBody(self, vertices.view(*lead, 3, self.num_vertices), joints.view(*lead, NUM_JOINTS, 3))

    def keypoints_44(
        self, vertices: Float[Tensor, "*batch vertices 3"], joints: Float[Tensor, "*batch 24 3"]
    ) -> Float[Tensor, "*batch 44 3"]:
        """`ajahr.anatomy.J44` of a posed mesh: BODY_25 of joints and named vertices, then the 19 regressed ones."""
        with torch.autocast(vertices.device.type, enabled=False):
            all_45 = torch.cat([joints, vertices[..., self._vertex_ids, :]], dim=-2)
            extra = self._J19 @ vertices[..., self._J19_vertices, :]
        return torch.cat([all_45[..., list(J44_FROM_SMPL45), :], extra], dim=-2)

    def forward(
        self,
        betas: Float[Tensor, "*#batch betas"],
        rotmats: Float[Tensor, "*#batch 24 3 3"],
        absent_joints: Bool[Tensor, "*#batch 24"] | None = None,
        translation: Float[Tensor, "*#batch 3"] | None = None,
        posedirs_from: PosedirsFrom = "zero",
    ) -> PosedBody:
        """`shape`, then `ShapedBody.pose`."""
        return self.shape(betas).pose(rotmats, absent_joints, translation, posedirs_from=posedirs_from)


@dataclass(frozen=True, eq=False)
class ShapedBody:
    """A body with its betas, in the rest pose."""

    body: Body
    coordinates: Float[Tensor, "*batch 3 vertices"]
    """Rest vertices, coordinate by coordinate."""
    joints: Float[Tensor, "*batch 24 3"]

    @property
    def vertices(self) -> Float[Tensor, "*batch vertices 3"]:
        return self.coordinates.transpose(-1, -2)

    def pose(
        self,
        rotmats: Float[Tensor, "*#batch 24 3 3"],
        absent_joints: Bool[Tensor, "*#batch 24"] | None = None,
        translation: Float[Tensor, "*#batch 3"] | None = None,
        *,
        posedirs_from: PosedirsFrom = "zero",
    ) -> PosedBody:
        """The mesh in a pose. Leading axes broadcast against the shape's.

        Args:
            rotmats: rotation of each joint relative to its parent; the root's maps the body to the output
            frame.
            absent_joints: joints that are lost; their descendants are lost with them. Matrices that are
                already zero need no mask.
            translation: metres, added to everything.
            posedirs_from: what the pose-dependent offsets see of an absent joint: ``"zero"`` the zero matrix,
                whose feature is -I, as AJAHR has it; ``"identity"`` nothing. No difference on a body without
                posedirs.
        """
        body = self.body
        with torch.autocast(rotmats.device.type, enabled=False):
            local, feature_of = without_lost(body, rotmats, absent_joints, posedirs_from)
            lead = torch.broadcast_shapes(local.shape[:-3], self.joints.shape[:-2])
            count = lead.numel()
            rest = self.joints.expand(*lead, NUM_JOINTS, 3).reshape(count, NUM_JOINTS, 3)
            local = local.expand(*lead, NUM_JOINTS, 3, 3).reshape(count, NUM_JOINTS, 3, 3)
            joints, transforms = joint_transforms(local, rest)

            v_rest = self.coordinates
            if body.posedirs is not None:
                feature = pose_feature(feature_of)
                offsets = feature.reshape(-1, feature.shape[-1]) @ body.posedirs
                v_rest = v_rest + offsets.view(*feature.shape[:-1], 3, body.num_vertices)
            v_rest = v_rest.expand(*lead, *v_rest.shape[-2:]).reshape(count, 3, body.num_vertices)

            if local.device.type == "cpu":  # few at a time stay in the cache: three times as fast for 64
                groups = zip(transforms.split(_CPU_GROUP), v_rest.split(_CPU_GROUP), strict=True)
                vertices = torch.cat([_skin(t, v, body.weights) for t, v in groups])
            else:
                vertices = _skin(transforms, v_rest, body.weights)
            vertices = vertices.view(*lead, body.num_vertices, 3)
            joints = joints.reshape(*lead, NUM_JOINTS, 3)
            if translation is not None:
                shift = translation.to(body.v_template)[..., None, :]
                vertices, joints = vertices + shift, joints + shift
        return PosedBody(body, vertices, joints)


@dataclass(frozen=True, eq=False)
class PosedBody:
    """A mesh and its joints, metres, in the frame the root's rotation and the translation map to."""

    body: Body
    vertices: Float[Tensor, "*batch vertices 3"]
    joints: Float[Tensor, "*batch 24 3"]

    @cached_property
    def keypoints_44(self) -> Float[Tensor, "*batch 44 3"]:
        """As `Body.keypoints_44`."""
        return self.body.keypoints_44(self.vertices, self.joints)

    @property
    def coco17(self) -> Float[Tensor, "*batch 17 3"]:
        return keypoints.coco17(self.keypoints_44)

    @property
    def ldpose25(self) -> Float[Tensor, "*batch 25 3"]:
        return keypoints.ldpose25(self.keypoints_44, self.joints, torch.cat)


def _skin(
    transforms: Float[Tensor, "people 24 3 4"],
    v_rest: Float[Tensor, "people 3 vertices"],
    weights: Float[Tensor, "24 vertices"],
) -> Float[Tensor, "people vertices 3"]:
    """Linear blend skinning: each vertex by its weighted mean of the joints' transforms."""
    blended = transforms.permute(0, 2, 3, 1).reshape(-1, NUM_JOINTS) @ weights
    blended = blended.view(len(transforms), 3, 4, weights.shape[1])
    *columns, vertices = blended.unbind(2)
    # three fused passes: a product of all nine terms would be stored first
    for column, coordinate in zip(columns, v_rest.unbind(1), strict=True):
        vertices = torch.addcmul(vertices, column, coordinate[:, None])
    return vertices.transpose(1, 2).contiguous()


def without_lost(
    body: Body,
    rotmats: Float[Tensor, "*#batch 24 3 3"],
    absent_joints: Bool[Tensor, "*#batch 24"] | None,
    posedirs_from: PosedirsFrom = "zero",
) -> tuple[Float[Tensor, "*batch 24 3 3"], Float[Tensor, "*batch 24 3 3"]]:
    """Rotations with the zero matrix for absent joints and their descendants, and what posedirs see of them."""
    local = rotmats.to(body.v_template)
    if absent_joints is None:
        return local, local
    lost = (absent_joints.to(body._below) @ body._below > 0)[..., None, None]
    identity = torch.eye(3, dtype=local.dtype, device=local.device)
    seen = torch.where(lost, identity if posedirs_from == "identity" else 0.0, local)
    return torch.where(lost, 0.0, local), seen


def pose_feature(rotmats: Float[Tensor, "*batch 24 3 3"]) -> Float[Tensor, "*batch 207"]:
    """What posedirs multiply."""
    identity = torch.eye(3, dtype=rotmats.dtype, device=rotmats.device)
    return (rotmats[..., 1:, :, :] - identity).flatten(-3)


def joint_transforms(
    local: Float[Tensor, "people 24 3 3"], rest: Float[Tensor, "people 24 3"]
) -> tuple[Float[Tensor, "people 24 3"], Float[Tensor, "people 24 3 4"]]:
    """Places of the joints, and what moves the points of each: a rest point x goes to the first three columns
    times x, plus the last."""
    rotations, joints = _chain(local, rest)
    offsets = joints - (rotations @ rest[..., None]).squeeze(-1)
    return joints, torch.cat([rotations, offsets[..., None]], dim=-1)


def _chain(
    local: Float[Tensor, "people 24 3 3"], rest: Float[Tensor, "people 24 3"]
) -> tuple[Float[Tensor, "people 24 3 3"], Float[Tensor, "people 24 3"]]:
    """Forward kinematics, one product a depth of the tree: rotations and places of the joints."""
    rotation, place, own = local[:, :1], rest[:, :1], rest[:, :1]
    rotations, places = [rotation], [place]
    for joints, parents in _LEVELS:
        first, last = joints[0], joints[-1] + 1
        above, here = rotation[:, parents], rest[:, first:last]
        place = place[:, parents] + (above @ (here - own[:, parents])[..., None]).squeeze(-1)
        rotation, own = above @ local[:, first:last], here
        rotations.append(rotation)
        places.append(place)
    return torch.cat(rotations, dim=1), torch.cat(places, dim=1)
