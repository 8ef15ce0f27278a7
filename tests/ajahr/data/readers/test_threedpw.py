"""3DPW: sequence files and the packages' .npz."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ajahr.anatomy import J44
from ajahr.data.readers.threedpw import read_3dpw
from ajahr.errors import UserError

FRAMES = 5


def sequence(seed: int = 0) -> dict:
    """Two people, as the files have them (facts 3.11)."""
    rng = np.random.default_rng(seed)
    poses2d = rng.uniform(100, 400, (2, FRAMES, 3, 18))
    poses2d[:, :, 2] = 1
    poses2d[0, 3] = 0  # nothing seen
    poses2d[1, 1, 2, 5:] = 0
    cameras = np.tile(np.eye(4), (FRAMES, 1, 1))
    cameras[:, :3, :3] = Rotation.from_rotvec(rng.normal(0, 1, (FRAMES, 3))).as_matrix()
    cameras[:, :3, 3] = (0, 0, 4)
    return {
        "sequence": "downtown_walk_00",
        "poses": [rng.normal(0, 0.3, (FRAMES, 72)) for _ in range(2)],
        "betas": [rng.normal(0, 1, 300), rng.normal(0, 1, 10)],
        "trans": [rng.normal(0, 1, (FRAMES, 3)) for _ in range(2)],
        "poses2d": list(poses2d),
        "cam_poses": cameras,
        "cam_intrinsics": np.array([[1961.0, 0, 540], [0, 1969, 960], [0, 0, 1]]),
        "campose_valid": [np.array([1, 1, 1, 1, 0]), np.array([1, 1, 0, 1, 1])],
        "genders": ["m", "f"],
        "texture_maps": [],
    }


def write(path, content) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol=2))


def test_frames_with_a_valid_camera(tmp_path):
    truth = sequence()
    write(tmp_path / "test" / "downtown_walk_00.pkl", truth)
    table = read_3dpw(tmp_path / "test", tmp_path)
    keys = [table.rows["key"][n].decode() for n in range(len(table))]
    assert keys == [f"downtown_walk_00/{f:05d}/0" for f in (0, 1, 2)] + [
        f"downtown_walk_00/{f:05d}/1" for f in (0, 1, 3, 4)
    ]
    assert table.dropped == {"no_camera": 2, "no_keypoints": 1}
    row = table.rows[4]
    assert row["image"] == b"imageFiles/downtown_walk_00/image_00001.jpg" and row["gender"] == 2
    np.testing.assert_allclose(row["betas"], truth["betas"][1], rtol=1e-6)
    seen = truth["poses2d"][1][1][:2, :5].T
    size = 1.2 * (seen.max(0) - seen.min(0)).max()
    assert row["side"] == pytest.approx(size * 4 / 3, rel=1e-5)
    assert row["keypoints_2d"][J44.index["left_shoulder"], 2] == 0 < row["keypoints_2d"][J44.index["neck"], 2]
    camera = Rotation.from_matrix(truth["cam_poses"][1, :3, :3])
    expected = (camera * Rotation.from_rotvec(truth["poses"][1][1, :3])).as_matrix()
    np.testing.assert_allclose(Rotation.from_rotvec(row["pose"][0]).as_matrix(), expected, atol=1e-6)
    np.testing.assert_allclose(row["pose"][1:].reshape(-1), truth["poses"][1][1, 3:], rtol=1e-5)
    assert row["focal_length"] == 1961 and row["trusted_3d"] and not row["levels"].any()
    assert not row["keypoints_3d"].any() and np.isnan(row["transl"]).all(), "no body was given"


def test_coco18_in_j44(tmp_path):
    """Neck is COCO-18's second; hips and legs come after the mid hip, which it has not."""
    write(tmp_path / "a.pkl", sequence())
    row = read_3dpw(tmp_path / "a.pkl", tmp_path).rows[0]
    points = sequence()["poses2d"][0][0]
    for name, number in (
        ("nose", 0),
        ("neck", 1),
        ("left_wrist", 7),
        ("right_hip", 8),
        ("left_ankle", 13),
        ("left_ear", 17),
    ):
        np.testing.assert_allclose(row["keypoints_2d"][J44.index[name], :2], points[:2, number], rtol=1e-6)
    assert row["keypoints_2d"][J44.index["mid_hip"], 2] == 0


def test_keypoints_of_gendered_bodies(tmp_path, monkeypatch):
    from ajahr.body.data import load_body
    from ajahr.body.fast import FastBody

    def pretend(path: str, gender: str) -> FastBody:
        return FastBody(load_body(gender=gender))

    for module in ("posed", "threedpw"):
        monkeypatch.setattr(f"ajahr.data.readers.{module}.gendered_body", pretend)
    truth = sequence()
    write(tmp_path / "a.pkl", truth)
    row = read_3dpw(tmp_path / "a.pkl", tmp_path, bodies=tmp_path).rows[0]
    from ajahr.geometry.rotations_np import rotvec_to_rotmat

    world = pretend("", "male")(
        truth["betas"][0][:10].astype(np.float32), rotvec_to_rotmat(truth["poses"][0][0].reshape(24, 3)),
        translation=truth["trans"][0][0],
    ).keypoints_44  # fmt: skip
    camera = truth["cam_poses"][0]
    np.testing.assert_allclose(
        row["keypoints_3d"][:, :3], world @ camera[:3, :3].T + camera[:3, 3], atol=1e-4
    )


def test_the_packages_npz_and_spins(tmp_path):
    columns = {
        "imgname": np.array(["a.jpg"]),
        "center": np.ones((1, 2)),
        "scale": np.full(1, 90.0),
        "body_pose": np.ones((1, 72)),
    }
    np.savez(tmp_path / "3dpw_test.npz", **columns, gender=np.array(["f"]))
    row = read_3dpw(tmp_path / "3dpw_test.npz", tmp_path).rows[0]
    assert row["side"] == pytest.approx(120) and row["gender"] == 2 and not row["levels"].any()
    np.savez(
        tmp_path / "spin.npz", imgname=np.array(["a.jpg"]), pose=np.ones((1, 72)), shape=np.ones((1, 10))
    )
    with pytest.raises(UserError, match="SPIN's file"):
        read_3dpw(tmp_path / "spin.npz", tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({**sequence(), "cam_poses": None}, "get the file again"),
        ({name: value for name, value in sequence().items() if name != "genders"}, "no key 'genders'"),
        ({**sequence(), "genders": ["x", "f"]}, "gender 'x'"),
        ([1, 2], "no dict"),
    ],
)
def test_other_files(tmp_path, content, said):
    write(tmp_path / "a.pkl", content)
    with pytest.raises(UserError, match=said):
        read_3dpw(tmp_path / "a.pkl", tmp_path)


def test_no_files(tmp_path):
    with pytest.raises(UserError, match=r"no \.pkl of 3DPW"):
        read_3dpw(tmp_path, tmp_path)
