"""Motion capture: frames kept, roots brought upright, what is broken counted."""

import numpy as np
import pytest
from pose_files import captured, write_amass, write_moyo

from ajahr.errors import UserError
from ajahr.geometry.rotations_np import rotvec_to_rotmat
from synth.pose_sources.mocap import choose_up, read_sequences, sequences, upright


def test_amass_is_cut_and_strided_with_its_roots(tmp_path):
    poses = captured(100, z_up=True)
    path = write_amass(tmp_path / "CMU" / "01" / "01_01_poses.npz", poses)
    found = read_sequences(sequences(tmp_path, "amass"), "amass")
    kept = poses[20:80:10].reshape(-1, 22, 3)
    assert found.pose_rotvec[:, :22] == pytest.approx(kept, abs=1e-5)
    assert not found.pose_rotvec[:, 22:].any() and not found.dropped
    assert len(read_sequences([path], "amass", stride=3).pose_rotvec) == 20


def test_moyo_pickles(tmp_path):
    poses = captured(60, z_up=True)
    write_moyo(tmp_path / "train" / "tree.pkl", poses)
    found = read_sequences(sequences(tmp_path, "moyo"), "moyo")
    assert found.pose_rotvec[:, :22] == pytest.approx(poses[6:54:5].reshape(-1, 22, 3), abs=1e-5)


@pytest.mark.parametrize(("z_up", "axis"), [(True, "z"), (False, "y")])
def test_everybody_comes_to_stand_upright(tmp_path, z_up, axis):
    path = write_amass(tmp_path / "a_poses.npz", captured(200, z_up))
    found = read_sequences([path], "amass", stride=1)
    up = choose_up(found.up_sum, "auto")
    assert up == axis
    roots = rotvec_to_rotmat(upright(found.pose_rotvec[:, 0], up).astype(np.float64))
    assert roots[:, 1, 1].min() > 0.8  # the pelvis points up, along y
    turned = rotvec_to_rotmat(found.pose_rotvec[:, 0].astype(np.float64))
    between = np.swapaxes(roots[:-1], 1, 2) @ roots[1:]
    assert between == pytest.approx(np.swapaxes(turned[:-1], 1, 2) @ turned[1:], abs=1e-5)  # headings stay


def test_the_axis_may_be_told():
    assert choose_up(np.array([0.0, 0.0, 9.0]), "y") == "y"


def test_nan_frames_and_broken_files_are_counted(tmp_path):
    poses = captured(100, z_up=True)
    poses[30] = np.nan
    good = write_amass(tmp_path / "good_poses.npz", poses)
    short = tmp_path / "short_poses.npz"
    short.write_bytes(good.read_bytes()[:500])
    text = tmp_path / "text_poses.npz"
    text.write_text("no sequence")
    write_amass(tmp_path / "long_poses.npz", captured(100, True)).rename(tmp_path / "other_stageii.npz")
    np.savez(tmp_path / "narrow_poses.npz", poses=np.zeros((50, 63)))
    found = read_sequences(sequences(tmp_path, "amass"), "amass")
    assert found.dropped == {"not_finite": 1, "unreadable_sequence": 3}
    assert len(found.pose_rotvec) == 11 and np.isfinite(found.pose_rotvec).all()


def test_no_sequences(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        sequences(tmp_path / "none", "amass")
    with pytest.raises(UserError, match=r"no \*_poses\.npz"):
        sequences(tmp_path, "amass")
