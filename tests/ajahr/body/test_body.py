from __future__ import annotations

import json
import math

import numpy as np
import pytest
import roma
import torch

from ajahr.anatomy import J44, absent_joint_mask
from ajahr.body.body import Body
from ajahr.body.data import load_body
from ajahr.body.fast import FastBody
from ajahr.body.regressors import VERTEX_KEYS

LEVELS = [(0, 0, 0, 0), (1, 2, 3, 0), (0, 3, 1, 2), (2, 0, 0, 3), (3, 3, 3, 3)]


def people(*batch: int, dtype=torch.float32, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    betas = torch.randn(*batch, 10, generator=generator, dtype=dtype)
    rotmats = roma.rotvec_to_rotmat(torch.randn(*batch, 24, 3, generator=generator, dtype=dtype) * 0.5)
    return betas, rotmats


def absent(levels) -> torch.Tensor:
    return torch.from_numpy(absent_joint_mask(np.array(levels, int).reshape(-1, 4)))


@pytest.fixture(scope="module")
def body(embedded):
    return Body(embedded)


# --- twin: smplx on the same file, and the one-person path


def smplx_layer(path, vertex_ids, capsys):
    import smplx

    layer = smplx.SMPLLayer(str(path), vertex_ids=vertex_ids, num_betas=10)
    capsys.readouterr()  # it prints a remark on 10 betas
    return layer


@pytest.mark.parametrize("which", ["embedded_as_smpl", "smpl_sized"])
def test_equals_smplx_on_the_same_file_intact_and_amputated(which, request, capsys):
    path = request.getfixturevalue(which)
    data = load_body(path)
    layer = smplx_layer(path, dict(data.vertex_ids), capsys)
    betas, rotmats = people(len(LEVELS))
    mask = absent(LEVELS)
    zeroed = torch.where(mask[..., None, None], 0.0, rotmats)
    with torch.no_grad():
        expected = layer(betas=betas, global_orient=zeroed[:, :1], body_pose=zeroed[:, 1:])
        found = Body(data)(betas, rotmats, mask)
    assert found.vertices.dtype == torch.float32
    torch.testing.assert_close(found.vertices, expected.vertices, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.joints, expected.joints[:, :24], atol=1e-5, rtol=0)
    # the 21 named vertices, in smplx's order
    named = found.vertices[:, [data.vertex_ids[k] for k in VERTEX_KEYS]]
    torch.testing.assert_close(named, expected.joints[:, 24:45], atol=1e-5, rtol=0)


def test_the_embedded_body_survives_being_written_as_smpl(embedded, embedded_as_smpl):
    assert json.loads((embedded_as_smpl.parent / "vertex_ids.json").read_text())["nose"] > 0
    copy = load_body(embedded_as_smpl)
    assert copy.posedirs is None
    for name in ("v_template", "shapedirs", "weights", "J_regressor", "faces", "part_labels"):
        np.testing.assert_array_equal(getattr(copy, name), getattr(embedded, name))
    np.testing.assert_allclose(copy.J19_regressor, embedded.J19_regressor, atol=1e-6)


@pytest.mark.parametrize("posedirs_from", ["zero", "identity"])
@pytest.mark.parametrize("which", ["embedded", "smpl_sized"])
def test_equals_the_one_person_path(which, posedirs_from, request):
    data = request.getfixturevalue(which)
    data = load_body(data) if which == "smpl_sized" else data
    betas, rotmats = people(len(LEVELS), seed=1)
    shift = torch.randn(len(LEVELS), 3)
    batch = Body(data)(betas, rotmats, absent(LEVELS), shift, posedirs_from)
    fast = FastBody(data, posedirs_from)
    for i, levels in enumerate(LEVELS):
        one = fast(betas[i].numpy(), rotmats[i].numpy(), absent_joint_mask(levels), shift[i].numpy())
        for name in ("vertices", "joints", "keypoints_44", "coco17", "ldpose25"):
            precision = 5e-6 if data.posedirs is None else 2e-5
            np.testing.assert_allclose(getattr(batch, name)[i], getattr(one, name), atol=precision)


# --- law


@pytest.mark.parametrize("batch", [(), (1,), (2, 3), (9,), (0,)])
def test_leading_axes_are_batch_axes(body, batch):
    betas, rotmats = people(*batch)
    mask = absent([LEVELS[1]] * math.prod(batch)).reshape(*batch, 24)
    posed = body(betas, rotmats, mask, torch.ones(*batch, 3))
    assert posed.vertices.shape == (*batch, len(body.data.v_template), 3)
    assert posed.keypoints_44.shape == (*batch, 44, 3) and posed.ldpose25.shape == (*batch, 25, 3)
    flat = body(betas.reshape(-1, 10), rotmats.reshape(-1, 24, 3, 3), mask.reshape(-1, 24), torch.ones(3))
    torch.testing.assert_close(posed.vertices.reshape(flat.vertices.shape), flat.vertices, atol=1e-6, rtol=0)


def test_one_shape_takes_many_poses_and_one_pose_many_shapes(body):
    betas, rotmats = people(4)
    expected = body(betas[:1].expand(4, 10), rotmats)
    one_shape = body.shape(betas[0]).pose(rotmats)
    torch.testing.assert_close(one_shape.vertices, expected.vertices, atol=1e-6, rtol=0)
    one_pose = body.shape(betas).pose(rotmats[0])
    expected = body(betas, rotmats[:1].expand(4, 24, 3, 3))
    torch.testing.assert_close(one_pose.vertices, expected.vertices, atol=1e-6, rtol=0)


def test_the_rest_pose_is_the_shape(body):
    betas, _ = people(3)
    shaped = body.shape(betas)
    posed = shaped.pose(torch.eye(3).expand(3, 24, 3, 3))
    torch.testing.assert_close(posed.vertices, shaped.vertices, atol=1e-6, rtol=0)
    torch.testing.assert_close(posed.joints, shaped.joints, atol=1e-6, rtol=0)
    regressed = torch.tensor(body.data.J_regressor) @ shaped.vertices
    torch.testing.assert_close(shaped.joints, regressed, atol=1e-6, rtol=0)


def test_an_intact_person_through_the_amputee_path_is_the_plain_one(body):
    betas, rotmats = people(3)
    plain = body(betas, rotmats)
    masked = body(betas, rotmats, torch.zeros(3, 24, dtype=torch.bool))
    torch.testing.assert_close(masked.vertices, plain.vertices, atol=0, rtol=0)


def test_only_the_amputees_of_a_batch_change(body):
    betas, rotmats = people(2)
    plain, mixed = body(betas, rotmats), body(betas, rotmats, absent([(0, 0, 0, 0), (0, 0, 0, 2)]))
    torch.testing.assert_close(mixed.vertices[0], plain.vertices[0], atol=0, rtol=0)
    assert (mixed.vertices[1] - plain.vertices[1]).abs().max() > 0.1


def test_fewer_betas_are_padded_and_more_refused(body):
    betas, rotmats = people(2)
    short = torch.cat([betas[:, :4], torch.zeros(2, 6)], dim=1)
    torch.testing.assert_close(
        body(betas[:, :4], rotmats).vertices, body(short, rotmats).vertices, atol=1e-6, rtol=0
    )
    with pytest.raises(ValueError, match="12 betas"):
        body.shape(torch.zeros(1, 12))


def test_no_file_array_enters_a_checkpoint(body):
    assert body.state_dict() == {}


def test_autocast_does_not_coarsen_the_mesh(body):
    betas, rotmats = people(2)
    expected = body(betas, rotmats)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = body(betas, rotmats)
    assert found.vertices.dtype == torch.float32
    torch.testing.assert_close(found.vertices, expected.vertices, atol=0, rtol=0)
    torch.testing.assert_close(found.keypoints_44, expected.keypoints_44, atol=0, rtol=0)


# --- gradients


@pytest.fixture(scope="module")
def tiny(files, tmp_path_factory):
    """Sixty vertices with large posedirs, in float64."""
    import pickle

    folder = tmp_path_factory.mktemp("tiny")
    (folder / "vertex_ids.json").write_text(json.dumps({k: i for i, k in enumerate(VERTEX_KEYS)}))
    (folder / "body.pkl").write_bytes(pickle.dumps(files.random_arrays(60, scale=0.1)))
    return Body(load_body(folder / "body.pkl"), dtype=torch.float64)


@pytest.mark.parametrize("levels", [(0, 0, 0, 0), (2, 0, 0, 1), (3, 3, 3, 3)])
@pytest.mark.parametrize("posedirs_from", ["zero", "identity"])
def test_gradients_equal_finite_differences(tiny, levels, posedirs_from):
    betas, rotmats = people(dtype=torch.float64)
    mask = absent(levels)

    def points(betas, rotmats):
        posed = tiny(betas, rotmats, mask, posedirs_from=posedirs_from)
        return posed.keypoints_44, posed.vertices[::7]

    assert torch.autograd.gradcheck(
        points, (betas.requires_grad_(), rotmats.requires_grad_()), fast_mode=True
    )


def test_gradients_with_every_limb_lost_are_finite_and_zero_for_what_is_lost(body):
    betas, rotmats = people(2)
    betas.requires_grad_()
    rotmats.requires_grad_()
    mask = absent([(3, 3, 3, 3), (1, 1, 1, 1)])
    posed = body(betas, rotmats, mask)
    loss = posed.vertices.square().sum() + posed.keypoints_44.norm(dim=-1).sum()
    loss.backward()
    assert torch.isfinite(betas.grad).all() and torch.isfinite(rotmats.grad).all()
    assert (rotmats.grad[mask] == 0).all()
    inner = ~mask
    inner[:, [10, 11, 15, 22, 23]] = False
    assert (rotmats.grad[inner].abs().sum((-1, -2)) > 0).all()


def test_matrices_that_are_already_zero_need_no_mask_and_have_gradients(body):
    betas, rotmats = people(1)
    mask = absent([(0, 2, 3, 0)])
    zeroed = torch.where(mask[..., None, None], 0.0, rotmats).requires_grad_()
    found = body(betas, zeroed)
    torch.testing.assert_close(found.vertices, body(betas, rotmats, mask).vertices, atol=0, rtol=0)
    found.vertices.square().sum().backward()
    assert torch.isfinite(zeroed.grad).all()


def test_nan_in_the_pose_of_a_lost_joint_does_not_spread(body):
    betas, rotmats = people(1)
    mask = absent([(0, 0, 2, 0)])
    spoiled = rotmats.clone()
    spoiled[mask] = math.nan
    spoiled.requires_grad_()
    found = body(betas, spoiled, mask)
    torch.testing.assert_close(found.vertices, body(betas, rotmats, mask).vertices, atol=0, rtol=0)
    found.vertices.sum().backward()
    assert torch.isfinite(spoiled.grad).all()


def test_float64_agrees_with_float32(embedded, body):
    betas, rotmats = people(2)
    double = Body(embedded, dtype=torch.float64)(betas.double(), rotmats.double())
    assert double.vertices.dtype == torch.float64
    torch.testing.assert_close(body(betas, rotmats).vertices.double(), double.vertices, atol=3e-6, rtol=0)
    assert double.keypoints_44.shape[-2] == len(J44)
