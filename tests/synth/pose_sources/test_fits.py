"""Files of fits: every row as it was written, and one line for what is no such file."""

import pickle

import numpy as np
import pytest
from pose_files import stander, write_hmr2, write_scorehmr

from ajahr.errors import UserError
from ajahr.geometry.rotations_np import rotvec_to_rotmat
from synth.pose_sources.fits import hmr2_length, photo_key, read_hmr2, read_scorehmr

PEOPLE = [stander(seed=1), stander(400, seed=2), stander(300, seed=3)]
NAMES = ["train2014/COCO_train2014_000000000009.jpg", "a/b.jpg", "c.png"]


def test_hmr2_rows_come_back(tmp_path):
    path = write_hmr2(tmp_path / "fits.npz", PEOPLE, NAMES)
    assert hmr2_length(path) == 3
    found = read_hmr2(path)
    assert list(found.images) == NAMES and not found.dropped
    for i, person in enumerate(PEOPLE):
        assert found.pose_rotvec[i] == pytest.approx(person.pose, abs=1e-5)
        assert found.box_xyxy[i] == pytest.approx(person.box, abs=1e-2)
        assert found.keypoints_2d[i] == pytest.approx(person.keypoints, abs=1e-2)
    assert np.isnan(found.translation).all() and np.isnan(found.crop_camera).all()
    part = read_hmr2(path, slice(1, 3))
    assert list(part.images) == NAMES[1:] and np.array_equal(part.pose_rotvec, found.pose_rotvec[1:])


@pytest.mark.parametrize("scale", [np.array([240.0, 240, 240]), np.full((3, 1), 240.0)])
def test_square_boxes_and_bytes_for_names(tmp_path, scale):
    path = write_hmr2(tmp_path / "fits.npz", PEOPLE, NAMES, scale=scale, imgname=np.array(NAMES, "S"))
    found = read_hmr2(path)
    assert list(found.images) == NAMES
    assert found.box_xyxy[:, 2:] - found.box_xyxy[:, :2] == pytest.approx(200)


def test_a3ds_coco_style_is_read_too(tmp_path):
    centre = np.array([[person.box[:2] + person.box[2:]] for person in PEOPLE]) / 2
    path = write_hmr2(tmp_path / "fits.npz", PEOPLE, NAMES, center=centre, scale=np.full((3, 1), 100.0))
    assert (read_hmr2(path).box_xyxy[:, :2] + read_hmr2(path).box_xyxy[:, 2:]) / 2 == pytest.approx(
        centre[:, 0], abs=1e-3
    )


def test_people_without_a_fit_or_a_shape(tmp_path):
    path = write_hmr2(
        tmp_path / "fits.npz", PEOPLE, NAMES, has_body_pose=np.array([1, 0, 1]), has_betas=np.array([1, 1, 0])
    )
    found = read_hmr2(path)
    assert list(found.images) == [NAMES[0], NAMES[2]] and found.dropped == {"no_fit": 1}
    assert np.isfinite(found.betas[0]).all() and np.isnan(found.betas[1]).all()


def test_columns_of_different_lengths_are_another_files(tmp_path):
    path = write_hmr2(tmp_path / "fits.npz", PEOPLE, NAMES, betas=np.zeros((2, 10)))
    with pytest.raises(UserError, match=r"different lengths.*betas 2"):
        read_hmr2(path)


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "no whole"), (b"not a zip", "no whole"), (None, "no such file")]
)
def test_no_npz(tmp_path, content, said):
    path = tmp_path / "fits.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=said):
        hmr2_length(path)


def test_a_truncated_file(tmp_path):
    path = write_hmr2(tmp_path / "fits.npz", PEOPLE, NAMES)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"fits\.npz"):
        read_hmr2(path)


def test_names_that_would_run_code_are_refused(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (print, ("executed",))

    path = write_hmr2(tmp_path / "fits.npz", PEOPLE, NAMES, imgname=np.array([Bomb()] * 3, object))
    with pytest.raises(UserError, match="print"):
        read_hmr2(path)


@pytest.mark.parametrize("name", ["results.npz", "results.pkl"])
def test_scorehmr_follows_the_rows_of_its_annotations(tmp_path, name):
    annotations = write_hmr2(tmp_path / "fits.npz", PEOPLE, NAMES)
    path = write_scorehmr(tmp_path / name, PEOPLE)
    found = read_scorehmr(path, annotations)
    assert list(found.images) == NAMES
    rotmat = rotvec_to_rotmat(np.array([person.pose for person in PEOPLE]))  # near pi a vector has two signs
    assert rotvec_to_rotmat(found.pose_rotvec) == pytest.approx(rotmat, abs=1e-5)
    assert found.focal_length == pytest.approx(5000)
    assert found.translation[1] == pytest.approx(PEOPLE[1].translation(5000), rel=1e-5)
    with pytest.raises(UserError, match="names no images; set 'annotations'"):
        read_scorehmr(path)
    with pytest.raises(UserError, match="2 results for the 3 rows"):
        read_scorehmr(write_scorehmr(tmp_path / name, PEOPLE[:2]), annotations)


def test_a_joint_without_rotation_drops_its_person(tmp_path):
    annotations = write_hmr2(tmp_path / "fits.npz", PEOPLE, NAMES)
    path = write_scorehmr(tmp_path / "results.npz", PEOPLE)
    arrays = dict(np.load(path))
    arrays["pred_pose"][1, 20] = 0
    np.savez(path, **arrays)
    found = read_scorehmr(path, annotations)
    assert list(found.images) == [NAMES[0], NAMES[2]] and found.dropped == {"no_rotation": 1}


def test_a_pickle_of_something_else_is_not_executed(tmp_path, capsys):
    class Bomb:
        def __reduce__(self):
            return (print, ("executed",))

    path = tmp_path / "results.pkl"
    path.write_bytes(pickle.dumps({"pred_pose": Bomb()}))
    with pytest.raises(UserError, match="print"):
        read_scorehmr(path)
    assert "executed" not in capsys.readouterr().out
    path.write_bytes(pickle.dumps({"weights": np.zeros(3)}))
    with pytest.raises(UserError, match="is it ScoreHMR's"):
        read_scorehmr(path)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("train2014/COCO_train2014_000000000009.jpg", "000000000009"),
        ("images/051423444.jpg", "051423444"),
        ("COCO_val2017_x.png", "COCO_val2017_x"),
    ],
)
def test_what_a_photograph_is_called(name, key):
    assert photo_key(name) == key
