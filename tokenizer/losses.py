"""The loss of the tokenizers (AJAHR Eq. 4-5): mixed reconstruction, codebook, commitment.

A body enters as a function from rotations to vertices and joints; nothing here knows which body.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from tokenizer.errors import InputError
from tokenizer.rotations import rotmat_to_rot6d
from tokenizer.vqvae import Reconstruction

PoseRepresentation = Literal["rotmat", "rot6d"]


class Mesh(NamedTuple):
    """What a body makes of a pose. Metres, root at identity."""

    vertices: Float[Tensor, "batch vertices 3"]
    joints: Float[Tensor, "batch joints 3"]
    """The pose's own joints in their order, without the root."""


MeshFn = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Rotations (batch, joints, 3, 3) to a `Mesh`'s two fields, differentiable; batch of any size.

The area-weighted vertex loss also needs ``faces``, an (F, 3) integer tensor, as an attribute. If it is an
``nn.Module`` it follows the tokenizer's module to its device and stays out of checkpoints.
"""


@dataclass(frozen=True)
class LossWeights:
    """Weights of the terms; every term is a mean of squares over all of its numbers.

    The defaults are the paper's: lambda_mix 100 on pose, joints and vertices, lambda_cb and lambda_com 1.
    TokenHMR's are 20 / 100 / 100 / 0 / 1 with ``area_weighted_vertices``.

    Args:
        pose: On rotations.
        joints: On joint positions (m).
        vertices: On vertex positions (m).
        codebook: Adds ||sg[z] - code||^2 to the reported total. Its gradient would move the codebook, which
        here
            follows the moving average instead, as in the paper's text; so it changes the total and no weight.
        commitment: On ||z - sg[code]||^2.
        pose_representation: Compare matrices or the six numbers before orthonormalisation.
        area_weighted_vertices: Weight each vertex by the areas of its triangles at rest (TokenHMR).
    """

    pose: float = 100.0
    joints: float = 100.0
    vertices: float = 100.0
    codebook: float = 1.0
    commitment: float = 1.0
    pose_representation: PoseRepresentation = "rotmat"
    area_weighted_vertices: bool = False

    @property
    def needs_mesh(self) -> bool:
        return self.joints > 0 or self.vertices > 0


class LossTerms(NamedTuple):
    """Unweighted terms and their weighted sum."""

    total: Float[Tensor, ""]
    pose: Float[Tensor, ""]
    joints: Float[Tensor, ""]
    vertices: Float[Tensor, ""]
    codebook: Float[Tensor, ""]
    commitment: Float[Tensor, ""]


def tokenizer_loss(
    weights: LossWeights,
    reconstruction: Reconstruction,
    rotmats: Float[Tensor, "batch joints 3 3"],
    mesh: Mesh | None = None,
    target_mesh: Mesh | None = None,
    vertex_weights: Float[Tensor, " vertices"] | None = None,
) -> LossTerms:
    """Loss of a reconstruction.

    Args:
        rotmats: The poses to reconstruct, absent joints with their original rotations.
        mesh, target_mesh: Of the reconstructed and of the original poses; needed where joints or vertices
        weigh. vertex_weights: Per vertex, from `area_vertex_weights`.

    Raises:
        InputError: weights ask for joints or vertices and no mesh was given.
    """
    if weights.needs_mesh and (mesh is None or target_mesh is None):
        raise InputError("joint and vertex losses need a body: give mesh_fn, or set their weights to 0")
    if weights.pose_representation == "rotmat":
        pose = F.mse_loss(reconstruction.rotmats, rotmats)
    else:
        pose = F.mse_loss(reconstruction.rot6d, rotmat_to_rot6d(rotmats))
    joints = vertices = pose.new_zeros(())
    if mesh is not None and target_mesh is not None:
        joints = F.mse_loss(mesh.joints, target_mesh.joints)
        squares = (mesh.vertices - target_mesh.vertices).square()
        vertices = (squares if vertex_weights is None else squares * vertex_weights[:, None]).mean()
    commitment = reconstruction.quantized.commitment_loss
    codebook = commitment.detach()  # the same number; only the side that receives the gradient differs
    total = (
        weights.pose * pose
        + weights.joints * joints
        + weights.vertices * vertices
        + weights.codebook * codebook
        + weights.commitment * commitment
    )
    return LossTerms(total, pose, joints, vertices, codebook, commitment)


def area_vertex_weights(
    vertices: Float[Tensor, "vertices 3"], faces: Int[Tensor, "faces 3"]
) -> Float[Tensor, " vertices"]:
    """TokenHMR's vertex weights: triangle areas, min-max normalised over faces, summed at each vertex."""
    corners = vertices[faces.long()]
    normals = torch.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0], dim=-1)
    areas = normals.norm(dim=-1) / 2
    spread = areas.max() - areas.min()
    areas = (areas - areas.min()) / spread if spread > 0 else torch.ones_like(areas)
    return areas.new_zeros(len(vertices)).index_add_(0, faces.long().flatten(), areas.repeat_interleave(3))


def position_error_mm(
    a: Float[Tensor, "batch points 3"], b: Float[Tensor, "batch points 3"]
) -> Float[Tensor, " batch"]:
    """Mean distance (mm) of matching points per pose, without alignment: MPJPE of joints, MVE of vertices."""
    return (a - b).norm(dim=-1).mean(-1) * 1000
