from __future__ import annotations

import dataclasses

import pytest
import torch

from tokenizer.errors import InputError
from tokenizer.losses import LossWeights, Mesh, area_vertex_weights, position_error_mm, tokenizer_loss
from tokenizer.quantizer import Quantized
from tokenizer.rotations import rot6d_to_rotmat, rotmat_to_rot6d
from tokenizer.vqvae import Reconstruction

COMMITMENT = 0.3


def _reconstruction(rotmats: torch.Tensor, scale: float = 1.0) -> Reconstruction:
    rot6d = rotmat_to_rot6d(rotmats) * scale
    loss = torch.tensor(COMMITMENT, requires_grad=True)
    nothing = torch.zeros(len(rotmats), 1, 1)
    quantized = Quantized(nothing, nothing[..., 0].long(), loss, torch.tensor(1.0))
    return Reconstruction(rot6d, rot6d_to_rotmat(rot6d), quantized)


def _meshes() -> tuple[Mesh, Mesh]:
    target = Mesh(torch.zeros(6, 4, 3), torch.zeros(6, 21, 3))
    return Mesh(target.vertices + 0.1, target.joints + 0.2), target


ONLY = LossWeights(0.0, 0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [("joints", 0.04), ("vertices", 0.01), ("codebook", COMMITMENT), ("commitment", COMMITMENT)],
)
def test_each_weight_weighs_its_own_term(rotmats: torch.Tensor, name: str, value: float) -> None:
    terms = tokenizer_loss(
        dataclasses.replace(ONLY, **{name: 7.0}), _reconstruction(rotmats), rotmats, *_meshes()
    )
    assert getattr(terms, name).item() == pytest.approx(value)
    assert terms.total.item() == pytest.approx(7 * value)


def test_pose_term_compares_what_it_is_told_to(rotmats: torch.Tensor, make_rotmats) -> None:
    """Numbers twice too long are the same rotations."""
    doubled = _reconstruction(rotmats, scale=2)
    weights = dataclasses.replace(ONLY, pose=1.0)
    assert tokenizer_loss(weights, doubled, rotmats).total.item() < 1e-12
    on_numbers = dataclasses.replace(weights, pose_representation="rot6d")
    expected = rotmat_to_rot6d(rotmats).square().mean()
    torch.testing.assert_close(tokenizer_loss(on_numbers, doubled, rotmats).total, expected)
    other = make_rotmats(6, seed=5)
    expected = (rotmats - other).square().mean()
    torch.testing.assert_close(tokenizer_loss(weights, _reconstruction(rotmats), other).total, expected)


def test_codebook_term_has_no_gradient_and_commitment_has(rotmats: torch.Tensor) -> None:
    reconstruction = _reconstruction(rotmats)
    weights = dataclasses.replace(ONLY, codebook=5.0, commitment=2.0)
    tokenizer_loss(weights, reconstruction, rotmats).total.backward()
    assert reconstruction.quantized.commitment_loss.grad == 2.0


def test_joint_and_vertex_losses_need_a_body(rotmats: torch.Tensor) -> None:
    with pytest.raises(InputError, match="mesh_fn"):
        tokenizer_loss(LossWeights(), _reconstruction(rotmats), rotmats)


def test_vertex_weights_scale_their_vertices(rotmats: torch.Tensor) -> None:
    mesh, target = _meshes()
    mesh.vertices[:, 1:] = 0  # only vertex 0 is off
    weights = dataclasses.replace(ONLY, vertices=1.0)
    plain = tokenizer_loss(weights, _reconstruction(rotmats), rotmats, mesh, target).total
    heavy = tokenizer_loss(
        weights, _reconstruction(rotmats), rotmats, mesh, target, torch.tensor([3.0, 1, 1, 1])
    ).total
    torch.testing.assert_close(heavy, 3 * plain)


def test_area_weights_of_two_triangles() -> None:
    """Areas 1/2 and 2 become 0 and 1; a vertex sums its triangles'."""
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [4, 0, 0], [0, 0, 9]])
    faces = torch.tensor([[0, 1, 2], [0, 3, 2]], dtype=torch.int32)
    assert area_vertex_weights(vertices, faces).tolist() == [1, 0, 1, 1, 0]


def test_area_weights_of_equal_triangles_are_their_number() -> None:
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    faces = torch.tensor([[0, 1, 2], [2, 1, 0]])
    assert area_vertex_weights(vertices, faces).tolist() == [2, 2, 2]


def test_position_error_is_a_mean_distance_in_millimetres() -> None:
    a = torch.zeros(2, 4, 3)
    b = a.clone()
    b[1, 0] = torch.tensor([0.003, 0.004, 0])
    assert position_error_mm(a, b).tolist() == pytest.approx([0, 1.25])
