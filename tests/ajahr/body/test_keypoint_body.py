"""The keypoints without the mesh are the mesh's keypoints."""

from __future__ import annotations

import numpy as np
import pytest
import roma
import torch
from torch import Tensor

from ajahr.anatomy import absent_joint_mask
from ajahr.body.body import Body
from ajahr.body.data import load_body
from ajahr.body.keypoint_body import KeypointBody

LEVELS = [(0, 0, 0, 0), (1, 2, 3, 0), (0, 3, 1, 2), (3, 3, 3, 3)]


@pytest.fixture(scope="module", params=["embedded", "smpl_sized"])
def body(request: pytest.FixtureRequest) -> Body:
    found = request.getfixturevalue(request.param)
    return Body(found if request.param == "embedded" else load_body(found), torch.float64)


def people(betas: int = 10) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    count = len(LEVELS)
    shape = torch.randn(count, betas, generator=generator, dtype=torch.float64)
    rotvecs = torch.randn(count, 24, 3, generator=generator, dtype=torch.float64) / 2
    return shape, roma.rotvec_to_rotmat(rotvecs), torch.from_numpy(absent_joint_mask(np.array(LEVELS)))


@pytest.mark.parametrize("betas", [10, 3])
def test_values_and_gradients_are_the_meshs(body: Body, betas: int) -> None:
    shape, rotmats, absent = people(betas)
    shape.requires_grad_()
    rotmats.requires_grad_()
    for lost in (absent, None):
        posed = body(shape, rotmats, lost)
        joints, keypoints = KeypointBody(body)(shape, rotmats, lost)
        torch.testing.assert_close(joints, posed.joints)
        torch.testing.assert_close(keypoints, posed.keypoints_44)
        weight = torch.randn(keypoints.shape, dtype=torch.float64)
        expected = torch.autograd.grad((weight * posed.keypoints_44).sum(), (shape, rotmats))
        torch.testing.assert_close(
            torch.autograd.grad((weight * keypoints).sum(), (shape, rotmats)), expected
        )


def test_single_precision_rounds_as_the_mesh_does(embedded) -> None:
    body = Body(embedded)
    shape, rotmats, absent = people()
    with torch.autocast("cpu", torch.bfloat16):
        _, keypoints = KeypointBody(body)(shape.float(), rotmats.float(), absent)
    expected = body(shape.float(), rotmats.float(), absent).keypoints_44
    torch.testing.assert_close(keypoints, expected, atol=2e-6, rtol=0)


def test_what_is_lost_has_no_gradient_and_no_nan_gets_out(embedded) -> None:
    body = Body(embedded)
    shape, rotmats, absent = (one.float() if one.is_floating_point() else one for one in people())
    broken = torch.where(absent[..., None, None], torch.nan, rotmats).requires_grad_()
    joints, keypoints = KeypointBody(body)(shape, broken, absent)
    (keypoints.sum() + joints.sum()).backward()
    assert keypoints.isfinite().all() and broken.grad is not None
    assert (broken.grad[absent] == 0).all() and broken.grad.isfinite().all()


def test_no_file_array_enters_a_checkpoint(embedded) -> None:
    assert not KeypointBody(Body(embedded)).state_dict()
