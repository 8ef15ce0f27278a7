"""Parameters of other methods: every layout gives the same people; what cannot be read is named."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
from smplx_files import Bomb

from ajahr.errors import UserError
from ajahr.geometry.cameras import full_to_crop_cam, hmr_focal_length
from ajahr.geometry.rotations_np import rotvec_to_rotmat
from ajahr.inference.body_params import BodyParams, read_params

SIZE = (640, 480)
RNG = np.random.default_rng(0)
ROOT, POSE = RNG.normal(0, 1, (3, 3)), RNG.normal(0, 0.3, (3, 23, 3))
BETAS, PLACE = RNG.normal(0, 1, (3, 10)), RNG.normal(0, 0.3, (3, 3)) + np.array([0, 0, 5])
CENTRES, SIDES = RNG.uniform(100, 400, (3, 2)), RNG.uniform(100, 300, 3)


def hmr2() -> dict:
    focal = hmr_focal_length(*SIZE)
    crop = full_to_crop_cam(PLACE, CENTRES, SIDES, np.tile(np.array(SIZE, float), (3, 1)), focal)
    return {
        "global_orient": rotvec_to_rotmat(ROOT)[:, None], "body_pose": rotvec_to_rotmat(POSE), "betas": BETAS,
        "pred_cam": crop, "box_center": CENTRES, "box_size": SIDES, "img_size": np.tile(SIZE, (3, 1)),
        "scaled_focal_length": np.array(focal), "pred_cam_t": np.zeros((3, 3)),
    }  # fmt: skip


def camera_hmr() -> dict:
    focal = hmr_focal_length(*SIZE)
    matrix = np.array([[focal, 0, 320], [0, focal, 240], [0, 0, 1.0]])
    return {
        "pred_rotmat": rotvec_to_rotmat(np.concatenate([ROOT[:, None], POSE], 1)), "pred_betas": BETAS,
        "pred_cam_t": PLACE, "cam_int": np.tile(matrix, (3, 1, 1)), "img_shape": np.array([480, 640]),
    }  # fmt: skip


def wham() -> dict:
    focal = hmr_focal_length(*SIZE)
    pose = np.concatenate([ROOT, POSE.reshape(3, -1)], 1)
    return {"pose": pose, "betas": BETAS, "trans": PLACE, "focal_length": [focal], "img_size": list(SIZE)}


def flat() -> dict:
    focal = hmr_focal_length(*SIZE)
    return {
        "global_orient": ROOT, "body_pose": POSE.reshape(3, -1), "betas": BETAS, "transl": PLACE,
        "focal_length": np.tile([focal, focal], (3, 1)), "princpt": np.array([320.0, 240.0]),
    }  # fmt: skip


@pytest.mark.parametrize("layout", [hmr2, camera_hmr, wham, flat])
@pytest.mark.parametrize("suffix", [".npz", ".json", ".pkl"])
def test_every_layout_is_the_same_people(layout, suffix, tmp_path):
    path, arrays = tmp_path / f"people{suffix}", {k: np.asarray(v) for k, v in layout().items()}
    if suffix == ".npz":
        np.savez(path, **arrays, pickled=np.array(Bomb(), object))
    elif suffix == ".pkl":
        path.write_bytes(pickle.dumps(arrays))
    else:
        path.write_text(json.dumps({k: v.tolist() for k, v in arrays.items()}))
    found = read_params(path)
    np.testing.assert_allclose(found.global_orient_rotmat, rotvec_to_rotmat(ROOT), atol=1e-6)
    np.testing.assert_allclose(rotvec_to_rotmat(found.body_pose_rotvec), rotvec_to_rotmat(POSE), atol=1e-6)
    np.testing.assert_allclose(found.betas, BETAS)
    np.testing.assert_allclose(found.translation, PLACE, atol=1e-6)
    assert {(c.width, c.height, c.principal_point) for c in found.cameras} == {(*SIZE, (320.0, 240.0))}
    assert found.cameras[2].focal_length == pytest.approx(hmr_focal_length(*SIZE)) and found.body is None


def test_one_person_without_a_people_axis_and_smplx_parts(tmp_path):
    hand = np.full(45, 0.1)
    np.savez(
        tmp_path / "a.npz", global_orient=ROOT[0], body_pose=POSE[0, :21].ravel(), betas=BETAS[0], transl=PLACE[0],
        left_hand_pose=hand, jaw_pose=[0.2, 0, 0], expression=np.ones(10), vertices=np.zeros((10475, 3)),
    )  # fmt: skip
    found = read_params(tmp_path / "a.npz", image_size=SIZE, focal_length=700.0)
    assert len(found) == 1 and found.num_vertices == 10475
    np.testing.assert_allclose(found.body_pose_rotvec[0, :21], POSE[0, :21])
    assert (found.body_pose_rotvec[0, 21:] == 0).all()
    assert (
        found.face_and_hands["left_hand"].shape == (1, 15, 3) and found.face_and_hands["jaw"][0, 0, 0] == 0.2
    )
    assert found.expression is not None and found.expression.shape == (1, 10)
    assert found.cameras[0].focal_length == 700 and not found.notes
    whole = np.concatenate([ROOT[:1, None], POSE[:1, :21], np.zeros((1, 33, 3))], 1)
    np.savez(tmp_path / "b.npz", full_pose=whole, betas=BETAS[:1], transl=PLACE[:1])
    other = read_params(tmp_path / "b.npz", image_size=SIZE)
    np.testing.assert_allclose(other.body_pose_rotvec, found.body_pose_rotvec)
    assert other.face_and_hands["right_hand"].shape == (1, 15, 3)
    assert "HMR2.0's guess" in other.notes[0]


def test_people_of_the_named_picture_only(tmp_path):
    np.savez(tmp_path / "a.npz", **{**flat(), "imgname": np.array(["x/a.jpg", "x/b.jpg", "x/a.jpg"])})
    found = read_params(tmp_path / "a.npz", image_name="a.jpg")
    np.testing.assert_allclose(found.betas, BETAS[[0, 2]])
    for name, words in ((None, "people of 2 pictures"), ("c.jpg", "nobody of c.jpg")):
        with pytest.raises(UserError, match=words):
            read_params(tmp_path / "a.npz", image_name=name)


def test_our_own_result_is_read(tmp_path):
    from ajahr.anatomy import SMPL24

    person = {
        "bbox_xyxy": [1, 2, 3, 4],
        "limbs": {
            k: {"level": n} for k, n in (("left_arm", 0), ("right_arm", 2), ("left_leg", 0), ("right_leg", 0))
        },
        "smpl": {
            "betas": BETAS[0].tolist(),
            "global_orient": ROOT[0].tolist(),
            "body_pose": POSE[0].tolist(),
        },
        "camera": {"translation": PLACE[0].tolist()},
    }
    document = {
        "width": 640, "height": 480, "camera": {"focal_length": 900.0, "principal_point": [320.0, 240.0]},
        "body": "default", "joint_names": list(SMPL24.names), "people": [person],
    }  # fmt: skip
    (tmp_path / "a.json").write_text(json.dumps(document))
    found = read_params(tmp_path / "a.json")
    assert isinstance(found, BodyParams) and found.body == "default"
    assert found.limb_levels is not None and found.limb_levels.tolist() == [[0, 2, 0, 0]]
    np.testing.assert_allclose(found.translation, PLACE[:1])
    del document["people"][0]["smpl"]
    (tmp_path / "a.json").write_text(json.dumps(document))
    with pytest.raises(UserError, match="not a whole result"):
        read_params(tmp_path / "a.json")


def without(*names: str, **changed) -> dict:
    return {k: v for k, v in {**flat(), **changed}.items() if k not in names}


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        (without("global_orient"), "has no pose"),
        (without("transl"), "has no translation"),
        (without("transl", pred_cam_t=PLACE), "of the crop"),
        (without("princpt"), "does not tell the picture's size"),
        (without(body_pose=np.zeros((3, 32))), "VPoser code must be decoded"),
        (without(body_pose=np.zeros((3, 22, 3))), "expected 21 or 23 rotations"),
        (without(global_orient=2 * rotvec_to_rotmat(ROOT)), "no rotations"),
        (without(betas=np.full((3, 10), np.nan)), "no finite numbers"),
        (without(transl=np.zeros((2, 3))), "for 3 people"),
        (without(focal_length=-np.ones(3)), "focal length of -1"),
        ({"pred_smpl_params": np.array(Bomb(), object)}, "pickled dictionary"),
        (without(betas=np.array(Bomb(), object)), "never run"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_named(arrays, words, tmp_path):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(UserError, match=words):
        read_params(tmp_path / "a.npz")


def test_files_that_are_none(tmp_path):
    with pytest.raises(UserError, match="no file"):
        read_params(tmp_path / "none.npz")
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(Bomb))
    with pytest.raises(UserError):
        read_params(tmp_path / "a.pkl")
    (tmp_path / "a.npz").write_bytes(b"no zip")
    with pytest.raises(UserError, match=r"not a whole \.npz"):
        read_params(tmp_path / "a.npz")
    (tmp_path / "a.json").write_text("[1, 2]")
    with pytest.raises(UserError, match="no object of arrays"):
        read_params(tmp_path / "a.json")
