"""EMDB: sequence files and TokenHMR's .npz."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ajahr.anatomy import J44
from ajahr.data.readers.emdb import read_emdb
from ajahr.errors import UserError

FRAMES = 6


def sequence(**changes) -> dict:
    """Facts 3.12."""
    rng = np.random.default_rng(0)
    extrinsics = np.tile(np.eye(4), (FRAMES, 1, 1))
    extrinsics[:, :3, :3] = Rotation.from_rotvec(rng.normal(0, 1, (FRAMES, 3))).as_matrix()
    corner = rng.uniform(100, 200, (FRAMES, 2))
    boxes = np.concatenate([corner, corner + np.array([90, 260])], 1)
    found = {
        "gender": "female", "name": "P0_09_outdoor_walk", "emdb1": True, "emdb2": False, "n_frames": FRAMES,
        "good_frames_mask": np.array([1, 1, 1, 0, 1, 1], bool),
        "camera": {
            "intrinsics": np.array([[1400.0, 0, 720], [0, 1400, 960], [0, 0, 1]]), "extrinsics": extrinsics,
            "width": 1440, "height": 1920,
        },
        "smpl": {
            "poses_root": rng.normal(0, 1, (FRAMES, 3)), "poses_body": rng.normal(0, 0.3, (FRAMES, 69)),
            "trans": rng.normal(0, 1, (FRAMES, 3)), "betas": rng.normal(0, 1, 10),
        },
        "kp2d": rng.uniform(100, 400, (FRAMES, 24, 2)),
        "bboxes": {"bboxes": boxes, "invalid_idxs": np.array([1])},
    }  # fmt: skip
    return {**found, **changes}


def write(folder, content, name: str = "P0/09_outdoor_walk") -> None:
    path = folder / name / f"{name.replace('/', '_')}_data.pkl"
    path.parent.mkdir(parents=True)
    path.write_bytes(pickle.dumps(content))


def test_good_frames(tmp_path):
    truth = sequence()
    write(tmp_path, truth)
    write(tmp_path, sequence(emdb1=False, emdb2=True), "P1/14_outdoor_climb")
    table = read_emdb(tmp_path)
    assert [table.rows["key"][n] for n in range(len(table))] == [
        b"P0/09_outdoor_walk/%05d" % f for f in (0, 2, 4, 5)
    ]
    assert table.dropped == {"bad_frame": 1, "no_box": 1}
    row = table.rows[1]
    assert table.pictures.where(row) == str(tmp_path / "P0/09_outdoor_walk/images/00002.jpg")
    assert row["side"] == pytest.approx(260 * 1.2 * 4 / 3, rel=1e-5)
    expected = (
        truth["camera"]["extrinsics"][2, :3, :3]
        @ Rotation.from_rotvec(truth["smpl"]["poses_root"][2]).as_matrix()
    )
    np.testing.assert_allclose(Rotation.from_rotvec(row["pose"][0]).as_matrix(), expected, atol=1e-6)
    np.testing.assert_allclose(
        row["keypoints_2d"][J44.index["right_knee"], :2], truth["kp2d"][2, 5], rtol=1e-6
    )
    assert row["gender"] == 2 and row["focal_length"] == 1400 and row["image_size"].tolist() == [1440, 1920]
    assert len(read_emdb(tmp_path, part="")) == 8 and len(read_emdb(tmp_path, part="emdb2")) == 4


def test_tokenhmrs_file_is_divided_by_200(tmp_path):
    np.savez(
        tmp_path / "emdb.npz", imgname=np.array(["a.jpg"]), center=np.ones((1, 2)), scale=np.full((1, 2), 1.5),
        body_pose=np.ones((1, 72)), betas=np.ones((1, 10)), gender=np.array(["male"]),
        keypoints_2d=np.ones((1, 24, 3)),
    )  # fmt: skip
    row = read_emdb(tmp_path / "emdb.npz", tmp_path).rows[0]
    assert row["side"] == pytest.approx(400) and row["gender"] == 1 and not row["levels"].any()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (sequence(kp2d=np.ones((3, 24, 2))), "get the file again"),
        ({name: value for name, value in sequence().items() if name != "smpl"}, "no key 'smpl'"),
        (sequence(emdb1=False), "not one good frame of emdb1"),
        (sequence(good_frames_mask=np.zeros(FRAMES, bool)), "not one good frame"),
    ],
)
def test_other_files(tmp_path, content, said):
    write(tmp_path, content)
    with pytest.raises(UserError, match=said):
        read_emdb(tmp_path)


def test_no_sequences(tmp_path):
    with pytest.raises(UserError, match="give EMDB's folder"):
        read_emdb(tmp_path)
