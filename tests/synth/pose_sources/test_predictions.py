"""Predictions in our JSON: rows as written, strict about the format, lenient about a person."""

import json

import numpy as np
import pytest
from pose_files import SMPL_PELVIS, prediction, stander, write_predictions

from ajahr.errors import UserError
from ajahr.geometry.rotations_np import rotvec_to_rotmat
from synth.pose_sources.predictions import read_predictions

ONE, TWO = stander(seed=1), stander(420, seed=2)


def test_vectors_and_matrices_give_the_same_rows(tmp_path):
    rotmat = rotvec_to_rotmat(TWO.pose)
    entries = [
        prediction(ONE, "a.jpg", person="7"),
        prediction(TWO, "b.jpg", global_orient=rotmat[0].tolist(), body_pose=rotmat[1:].tolist()),
    ]
    found = read_predictions(write_predictions(tmp_path / "p.json", entries))
    assert list(found.images) == ["a.jpg", "b.jpg"] and list(found.people) == ["7", ""]
    expected = rotvec_to_rotmat(np.array([ONE.pose, TWO.pose]))
    assert rotvec_to_rotmat(found.pose_rotvec) == pytest.approx(expected, abs=1e-5)
    assert found.translation[0] == pytest.approx(ONE.translation(5000.0), rel=1e-5)
    assert not found.dropped


def test_cameras_of_a_crop_and_none(tmp_path):
    crop = {"kind": "crop", "cam": ONE.crop_camera((210.0, 230.0), 300.0), "center": [210, 230], "size": 300}
    entries = [prediction(ONE, "a.jpg", camera=crop), prediction(ONE, "a.jpg", camera=None)]
    found = read_predictions(write_predictions(tmp_path / "p.json", entries))
    scale, x, y = found.crop_camera[0]
    assert scale == pytest.approx(ONE.px_per_m, rel=1e-5)
    # SMPL's origin lies where its pelvis is not: .2233 m above
    assert (x, y) == pytest.approx(
        (ONE.pelvis_px[0] + 0.0018 * scale, ONE.pelvis_px[1] + 0.2233 * scale), abs=0.01
    )
    assert np.isnan(found.crop_camera[1]).all() and np.isnan(found.translation).all()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"betas": [float("nan")] + [0.0] * 9}, "not_finite"),
        ({"body_pose": [[0.0, 0.0, None]] * 23}, "not_finite"),
        ({"global_orient": [float("inf"), 0, 0]}, "not_finite"),
        ({"global_orient": [[0.0] * 3] * 3}, "no_rotation"),
        ({"global_orient": [[-1.0, 0, 0], [0, 1, 0], [0, 0, 1]]}, "no_rotation"),
    ],
)
def test_a_person_that_is_none_is_counted_and_the_others_stay(tmp_path, changes, reason):
    entries = [prediction(ONE, "a.jpg", **changes), prediction(TWO, "b.jpg")]
    found = read_predictions(write_predictions(tmp_path / "p.json", entries))
    assert list(found.images) == ["b.jpg"] and found.dropped == {reason: 1}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"imgae": "x"}, "key 'imgae' is not in the schema"),
        ({"betas": [0.0] * 9}, r"people\[0\]: key 'betas' has shape \(9,\)"),
        ({"body_pose": [[0.0] * 3] * 21}, "key 'body_pose' has shape"),
        ({"camera": {"kind": "ortho"}}, "key 'kind' is 'ortho'"),
        ({"camera": {"kind": "full", "translation": [0, 0, -1], "focal_length": 1}}, "behind the camera"),
        ({"bbox_xyxy": "all"}, "key 'bbox_xyxy' is"),
        ({"image": 7}, "key 'image' is 7"),
    ],
)
def test_another_format_is_an_error_that_names_the_key(tmp_path, changes, said):
    path = write_predictions(tmp_path / "p.json", [prediction(ONE, "a.jpg") | changes])
    with pytest.raises(UserError, match=said) as error:
        read_predictions(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"format": "coco"}, "not predictions"), ({"version": 2}, "version 2"), ({"extra": 1}, "extra")],
)
def test_another_head_is_refused(tmp_path, changes, said):
    with pytest.raises(UserError, match=said):
        read_predictions(write_predictions(tmp_path / "p.json", [], **changes))


def test_no_json(tmp_path):
    (tmp_path / "p.json").write_text("{")
    with pytest.raises(UserError, match="not a JSON"):
        read_predictions(tmp_path / "p.json")
    with pytest.raises(UserError, match="no such file"):
        read_predictions(tmp_path / "q.json")


def result(source: str, *people: dict, body: str = "smpl") -> dict:
    """What ``ajahr predict`` writes for a picture, as far as it matters here."""
    return {
        "version": 1, "source": source, "width": 640, "height": 480, "body": body,
        "camera": {"focal_length": 5000.0, "principal_point": [320.0, 240.0]}, "people": list(people),
    }  # fmt: skip


def predicted(someone, absent: list[str], offset=0.0) -> dict:
    return {
        "number": 0, "bbox_xyxy": someone.box.tolist(), "score": 0.9,
        "smpl": {
            "betas": [0.5] * 10, "global_orient": someone.pose[0].tolist(),
            "body_pose": someone.pose[1:].tolist(), "absent_joints": absent,
        },
        "camera": {"translation": (someone.translation(5000.0) + offset).tolist(), "crop": {}},
    }  # fmt: skip


def test_the_results_of_ajahr_predict(tmp_path):
    embedded = "ajahr-default-body"
    trees = {
        "a.json": result("a.jpg", predicted(ONE, []), predicted(TWO, ["left_wrist", "left_hand"])),
        "sub/b.json": result("b.jpg", predicted(TWO, [], SMPL_PELVIS), body=embedded),
        "run.json": {"weights": "x"},
    }
    (tmp_path / "sub").mkdir()
    for name, tree in trees.items():
        (tmp_path / name).write_text(json.dumps(tree))
    found = read_predictions(tmp_path)
    assert list(found.images) == ["a.jpg", "b.jpg"] and found.dropped == {"amputee": 1}
    for row, someone in enumerate((ONE, TWO)):
        assert found.translation[row] == pytest.approx(someone.translation(5000.0), rel=1e-5)
        assert rotvec_to_rotmat(found.pose_rotvec[row]) == pytest.approx(
            rotvec_to_rotmat(someone.pose), abs=1e-5
        )
    assert np.isfinite(found.betas[0]).all() and np.isnan(found.betas[1]).all()
    del trees["a.json"]["people"][0]["smpl"]
    (tmp_path / "a.json").write_text(json.dumps(trees["a.json"]))
    with pytest.raises(UserError, match=r"a\.json: not a result of this ajahr predict.*smpl"):
        read_predictions(tmp_path)


def test_a_folder_without_results(tmp_path):
    with pytest.raises(UserError, match="no result of ajahr predict"):
        read_predictions(tmp_path)
