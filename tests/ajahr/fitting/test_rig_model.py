"""Points of SMPL and SMPL-X rigs: the published code and the whole mesh as twins."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from smplx_files import write_smplx

from ajahr.anatomy import BODY25, COCO17, LDPOSE25, SMPL24
from ajahr.body.body import Body
from ajahr.body.data import load_body
from ajahr.body.rig import RigData, load_rig
from ajahr.fitting.rig_model import RigModel
from ajahr.geometry.rotations import rotvec_to_rotmat


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_smpl_points_are_the_bodys():
    data = load_body()
    rotmats, betas, shift = rotvec_to_rotmat(0.4 * randn(3, 24, 3)), randn(3, 10, seed=1), randn(3, 3, seed=2)
    posed = Body(data, torch.float64).shape(betas).pose(rotmats, translation=shift)
    for layout, expected in ((LDPOSE25, posed.ldpose25), (BODY25, posed.keypoints_44[:, :25])):
        found = RigModel(RigData.of_body(data), layout)(rotmats, betas, shift)
        torch.testing.assert_close(found.joints, posed.joints, atol=1e-6, rtol=0)
        torch.testing.assert_close(found.keypoints, expected, atol=1e-5, rtol=0)
        assert found.hands.shape == (3, 0, 3) and found.face.shape == (3, 0, 3)
    with pytest.raises(ValueError, match="smpl24"):
        RigModel(RigData.of_body(data), SMPL24)


def test_smplx_points_are_those_of_the_published_code(tmp_path, capsys):
    import smplx

    file = write_smplx(tmp_path / "SMPLX_NEUTRAL.npz", bombs=False)
    layer = smplx.SMPLXLayer(
        str(tmp_path),
        num_betas=10,
        num_expression_coeffs=10,
        use_face_contour=False,
        ext="npz",
        dtype=torch.float64,
    )
    rig = load_rig(file)
    rotmats = rotvec_to_rotmat(0.3 * randn(2, 55, 3))
    shape, shift = randn(2, 20, seed=1), randn(2, 3, seed=2)
    out = layer(
        betas=shape[:, :10], expression=shape[:, 10:], global_orient=rotmats[:, :1], body_pose=rotmats[:, 1:22],
        jaw_pose=rotmats[:, 22:23], leye_pose=rotmats[:, 23:24], reye_pose=rotmats[:, 24:25],
        left_hand_pose=rotmats[:, 25:40], right_hand_pose=rotmats[:, 40:], transl=shift,
    )  # fmt: skip
    found = RigModel(rig, COCO17)(rotmats, shape, shift)
    torch.testing.assert_close(found.joints, out.joints[:, :55], atol=1e-5, rtol=0)
    assert found.hands.shape == (2, 42, 3)
    assert rig.landmarks is not None
    corners, shares = rig.landmarks
    face = np.einsum("pkcx,kc->pkx", out.vertices.numpy()[:, corners], shares)
    np.testing.assert_allclose(found.face.numpy(), face, atol=1e-5)
    nose, thumb = (rig.vertex_ids[k] for k in ("nose", "lthumb"))
    np.testing.assert_allclose(found.keypoints[:, 0].numpy(), out.vertices[:, nose].numpy(), atol=1e-5)
    np.testing.assert_allclose(found.hands[:, 4].numpy(), out.vertices[:, thumb].numpy(), atol=1e-5)
    torch.testing.assert_close(found.hands[:, 5], out.joints[:, 25], atol=1e-5, rtol=0)  # index finger's base
