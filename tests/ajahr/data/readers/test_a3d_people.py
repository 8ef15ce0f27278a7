"""Released A3D, both styles, as people."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ajahr.anatomy import J44, absent_joint_mask
from ajahr.data.hmr.samples import BPAC_J44
from ajahr.data.readers.a3d_people import read_a3d_people
from ajahr.errors import UserError

LEVELS = np.array([[0, 2, 0, 0], [0, 0, 1, 0]])
ABSENT = J44.absent(LEVELS)


def drawn(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """3D (2, 44, 3), its weak-perspective 2D, and the same with lost keypoints at (0, 0)."""
    rng = np.random.default_rng(seed)
    world = rng.normal(0, 0.5, (2, 44, 3))
    pixels = world[..., :2] * 90 + (200, 150)
    return world, pixels, np.where(ABSENT[..., None], 0, pixels)


def coco_style() -> dict[str, np.ndarray]:
    """Shapes and types of the README's table (facts 3.2)."""
    world, _, pixels = drawn()
    rng = np.random.default_rng(1)
    conf_2d = np.concatenate([pixels, np.ones((2, 44, 1))], 2)
    conf_3d = np.concatenate([world, np.ones((2, 44, 1))], 2)
    return {
        "center": np.array([[[200.0, 150.0]], [[210.0, 140.0]]]), "scale": np.array([[180.0], [190.0]]),
        "imgname": np.array(["amp_1_a.png", "amp_6_b.png"], object),
        "global_orient": np.tile(np.eye(3, dtype=np.float32), (2, 1, 1, 1)),
        "body_pose": rng.normal(0, 0.3, (2, 72)).astype(np.float32), "has_body_pose": np.ones(2, np.float32),
        "betas": rng.normal(0, 1, (2, 10)).astype(np.float32), "has_betas": np.ones(2, np.float32),
        "body_keypoints_2d": conf_2d[:, :25], "extra_keypoints_2d": conf_2d[:, 25:],
        "body_keypoints_3d": conf_3d[:, :25], "extra_keypoints_3d": conf_3d[:, 25:],
        "body_opt_3d_joints": np.ones((2, 25, 1)), "extra_opt_3d_joints": np.ones((2, 19, 1)),
    }  # fmt: skip


def h36m_style(zeroed: bool) -> dict[str, np.ndarray]:
    """Facts 3.3."""
    world, _, pixels = drawn()
    rotmats = Rotation.from_rotvec(np.random.default_rng(1).normal(0, 0.3, (46, 3))).as_matrix()
    rotmats = rotmats.reshape(2, 1, 23, 3, 3)
    if zeroed:
        rotmats[:, 0][absent_joint_mask(LEVELS)[:, 1:]] = 0
    hot = np.zeros((2, 12), np.int64)
    hot[[0, 1], [1, 6]] = 1
    return {
        "imgname": np.array(["S11/amp_1_a.png", "S11/amp_6_b.png"]), "ajahr_conf": hot,
        "scale": np.array([[180.0], [190.0]]), "center": np.array([[[200.0, 150.0]], [[210.0, 140.0]]]),
        "global_orient": np.tile(Rotation.from_rotvec([np.pi, 0, 0]).as_matrix(), (2, 1, 1, 1, 1)),
        "gt_2d_kpts": np.concatenate([pixels, ~ABSENT[..., None]], 2)[:, None],
        "gt_3d_kpts": np.concatenate([world, np.ones((2, 44, 2))], 2)[:, None],
        "smpl_pose": rotmats, "smpl_shape": np.zeros((2, 1, 10)), "cam_t": np.tile([0.1, 0.2, 30.0], (2, 1, 1)),
    }  # fmt: skip


@pytest.mark.parametrize("style", ["coco", "h36m"])
def test_both_styles_say_the_same(tmp_path, style):
    columns = coco_style() if style == "coco" else h36m_style(zeroed=False)
    np.savez(tmp_path / "S11.npz", **columns)
    table = read_a3d_people(tmp_path / "S11.npz", tmp_path)
    rows = table.rows
    assert rows["levels"].tolist() == LEVELS.tolist()
    world, pixels, _ = drawn()
    assert not rows["keypoints_2d"][ABSENT].any(), "hidden, although the file's confidence is 1"
    np.testing.assert_allclose(rows["keypoints_2d"][~ABSENT][:, :2], pixels[~ABSENT], rtol=1e-5)
    np.testing.assert_allclose(rows["keypoints_3d"][..., :3], world, atol=1e-6)
    assert (rows["keypoints_3d"][..., 3] == 1).all(), "3D of lost joints stays"
    np.testing.assert_allclose(rows["side"], [240, 190 * 4 / 3], rtol=1e-6)
    assert rows["has_pose"].all() and rows["has_betas"].all() and rows["trusted_3d"].all()
    lost = ABSENT[:, list(BPAC_J44)]
    np.testing.assert_allclose(rows["intact_2d"][lost], pixels[:, list(BPAC_J44)][lost], atol=0.01)


def test_h36m_style_matrices(tmp_path):
    columns = h36m_style(zeroed=False)
    np.savez(tmp_path / "a.npz", **columns)
    rows = read_a3d_people(tmp_path / "a.npz", tmp_path).rows
    found = Rotation.from_rotvec(rows["pose"][:, 1:].reshape(-1, 3)).as_matrix()
    np.testing.assert_allclose(found, columns["smpl_pose"].reshape(-1, 3, 3), atol=1e-6)
    np.testing.assert_allclose(np.abs(rows["pose"][:, 0]), [[np.pi, 0, 0]] * 2, atol=1e-6)
    np.testing.assert_allclose(rows["transl"], [[0.1, 0.2, 30]] * 2, rtol=1e-6)


def test_zeroed_poses_of_lost_joints_are_no_label(tmp_path):
    np.savez(tmp_path / "h36m.npz", **h36m_style(zeroed=True))
    coco = coco_style()
    coco["body_pose"].reshape(2, 24, 3)[absent_joint_mask(LEVELS)] = 0
    np.savez(tmp_path / "coco.npz", **coco)
    for name in ("h36m", "coco"):
        rows = read_a3d_people(tmp_path / f"{name}.npz", tmp_path).rows
        np.testing.assert_array_equal(rows["has_pose"], ~absent_joint_mask(LEVELS))
        assert np.isfinite(rows["pose"]).all()


def test_what_is_no_rotation(tmp_path):
    columns = h36m_style(zeroed=False)
    columns["smpl_pose"][1, 0, 4] *= 2
    np.savez(tmp_path / "a.npz", **columns)
    with pytest.raises(UserError, match=r"joint 5 of S11/amp_6_b\.png is no rotation"):
        read_a3d_people(tmp_path / "a.npz", tmp_path)


def test_a_missing_key(tmp_path):
    columns = h36m_style(zeroed=False)
    del columns["smpl_shape"]
    np.savez(tmp_path / "a.npz", **columns)
    with pytest.raises(UserError, match="no key 'smpl_shape'"):
        read_a3d_people(tmp_path / "a.npz", tmp_path)
