"""The record's JSON: stable bytes, strict reading."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from fake_dataset import changed, make_person, make_record

from ajahr.anatomy import INTACT_INDEX, LIMBS
from ajahr.data.record import LimbStatus, decode_record, encode_record
from ajahr.errors import UserError

LEVELS = [tuple(level if limb == one else 0 for limb in LIMBS) for one in LIMBS for level in range(4)]


def tree_of(*people) -> dict:
    return json.loads(encode_record(make_record("k", *people)))


def decode_tree(tree: dict):
    return decode_record(json.dumps(tree).encode(), "000000.tar: k.json")


# law


@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("weak", [False, True])
def test_writing_what_was_read_gives_the_same_bytes(levels, weak):
    record = make_record("k", make_person(levels, weak=weak), make_person(seed=3), intact_twin="t")
    data = encode_record(record)
    again = decode_record(data, "k.json")
    assert encode_record(again) == data
    assert again.people[0].limb_levels == levels
    assert again.intact_twin == "t"
    assert (again.people[0].camera.weak_depth is None) == (not weak)


@pytest.mark.parametrize("weak", [False, True])
def test_rounding_keeps_every_keypoint_within_a_hundredth_of_a_pixel(weak):
    people = [make_person((2, 0, 0, 1), seed=s, weak=weak, centre=(0.3, 0.1, 0.8 + s)) for s in range(5)]
    for person in decode_record(encode_record(make_record("k", *people)), "k.json").people:
        labelled = person.keypoints_2d[:, 2] > 0
        error = person.camera.project(person.keypoints_3d)[labelled] - person.keypoints_2d[labelled, :2]
        assert np.abs(error).max() < 0.01


def test_single_and_double_precision_give_the_same_bytes():
    person = make_person()
    single = changed(person, pose_rotvec=np.round(person.pose_rotvec, 3).astype(np.float32))
    double = changed(person, pose_rotvec=np.round(person.pose_rotvec, 3))
    assert encode_record(make_record("k", single)) == encode_record(make_record("k", double))


def test_zero_has_one_sign():
    plus, minus = (changed(make_person(), transl=np.array([zero, 0.0, 1.0])) for zero in (0.0, -0.0))
    assert encode_record(make_record("k", plus)) == encode_record(make_record("k", minus))


def test_root_pose_takes_the_body_frame_to_the_camera():
    person = changed(make_person(), pose_rotvec=np.concatenate([[[np.pi, 0, 0]], np.zeros((23, 3))]))
    T = person.T_cam_root
    np.testing.assert_allclose(T[:3, 3], person.joints_3d[0])
    np.testing.assert_allclose(T[:3, :3] @ [0, 1, 0], [0, -1, 0], atol=1e-12)  # up in the body is -y


def test_every_limb_status_survives():
    person = changed(
        make_person((0, 0, 1, 2)),
        limb_status=(LimbStatus.INTACT, LimbStatus.OCCLUDED, LimbStatus.AMPUTATED, LimbStatus.PROSTHESIS),
        occluded=(False, True, False, True),
    )
    found = decode_record(encode_record(make_record("k", person)), "k.json").people[0]
    assert (found.limb_status, found.occluded) == (person.limb_status, person.occluded)


# edge


def test_a_picture_without_people_has_a_record():
    record = replace(make_record("k"), people=())
    assert decode_record(encode_record(record), "k.json").people == ()


def test_all_limbs_absent_is_a_record():
    person = make_person((3, 3, 3, 3))
    assert decode_record(encode_record(make_record("k", person)), "k.json").people[0].ajahr_index == (
        2,
        5,
        8,
        11,
    )


def test_intact_people_have_the_index_of_intact():
    assert make_person().ajahr_index == (INTACT_INDEX,)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_not_written(bad):
    with pytest.raises(ValueError, match="finite"):
        encode_record(make_record("k", changed(make_person(), transl=np.array([bad, 0, 1]))))


@pytest.mark.parametrize("key", ["a.b", "a/b", "", ".a"])
def test_a_key_that_webdataset_would_split_is_refused(key):
    with pytest.raises(ValueError, match="key"):
        encode_record(replace(make_record("k"), key=key))


def test_a_camera_of_another_picture_is_refused():
    with pytest.raises(ValueError, match="camera"):
        encode_record(replace(make_record("k"), width=20))


def every_key(tree: dict, path: tuple = ()):
    for key, value in tree.items():
        yield (*path, key)
        if isinstance(value, dict) and key not in ("config",):
            yield from every_key(value, (*path, key))
        if key == "people":
            yield from every_key(value[0], (*path, key, 0))


KEYS = list(every_key(tree_of()))


@pytest.mark.parametrize("path", KEYS, ids=str)
def test_a_missing_key_is_named(path):
    tree = tree_of()
    node = tree
    for part in path[:-1]:
        node = node[part]
    del node[path[-1]]
    with pytest.raises(UserError, match=rf"000000\.tar: k\.json.*'{path[-1]}' is missing") as error:
        decode_tree(tree)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("path", KEYS, ids=str)
def test_a_value_of_another_type_is_named(path):
    tree = tree_of()
    node = tree
    for part in path[:-1]:
        node = node[part]
    node[path[-1]] = True  # no key is a boolean
    with pytest.raises(UserError, match=rf"key '{path[-1]}'"):
        decode_tree(tree)


@pytest.mark.parametrize("place", [(), ("people", 0), ("people", 0, "camera"), ("photo",)])
def test_an_unknown_key_is_named(place):
    tree = tree_of()
    node = tree
    for part in place:
        node = node[part]
    node["surprise"] = 1
    with pytest.raises(UserError, match="'surprise' is not in the schema"):
        decode_tree(tree)


@pytest.mark.parametrize(
    "key, value, message",
    [
        ("limb_levels", [0, 0, 0, 4], "limb levels are 0..3"),
        ("limb_levels", [0, 0, 0], "3 entries, expected 4"),
        ("limb_levels", [0, 2, 0, 0], "does not follow"),
        ("limb_levels", [0, 0.5, 0, 0], "expected int"),
        ("limb_status", ["intact", "intact", "gone", "intact"], "gone"),
        ("betas", [0.0] * 9, "shape"),
        ("betas", ["a"] * 10, "not an array of numbers"),
        ("betas", [[0.0], 1.0], "not an array of numbers"),
        ("keypoints_2d", [[0, 0, 0]] * 43, r"\(43, 3\)"),
        ("transl", [0, 0, 1e999], "not finite"),
        ("body_gender", "none", "expected one of"),
        ("camera", {"focal_length": -1.0, "principal_point": [0, 0], "weak_depth": None}, "positive"),
        ("residual_length", [None, "x", None, None], "expected float or null"),
        ("hard_cases", ["raining"], "expected names out of"),
        ("hard_cases", ["prosthesis", "border"], "expected names out of"),
        ("prosthesis", [None, None, "wheel", None], "does not know"),
        ("prosthesis", [None, None, "blade"], "3 entries, expected 4"),
    ],
)
def test_a_wrong_value_is_refused(key, value, message):
    tree = tree_of()
    tree["people"][0][key] = value
    with pytest.raises(UserError, match=message):
        decode_tree(tree)


def test_another_schema_version_is_refused():
    tree = {**tree_of(), "schema_version": 4}
    with pytest.raises(UserError, match=r"schema version 4 is not one this ajahr reads \(1, 2, 3\)"):
        decode_tree(tree)


def test_version_1_which_knew_no_hard_cases_is_read():
    tree = {**tree_of(make_person((0, 2, 0, 0))), "schema_version": 1}
    with pytest.raises(UserError, match="'hard_cases' is not in the schema"):
        decode_tree(tree)
    for key in ("hard_cases", "prosthesis", "residual_limbs"):
        del tree["people"][0][key]
    person = decode_tree(tree).people[0]
    assert person.hard_cases == () and person.prosthesis == (None,) * 4
    assert person.limb_levels == (0, 2, 0, 0)


def test_version_2_which_knew_no_residual_limbs_is_read():
    tree = {**tree_of(make_person((0, 2, 0, 0))), "schema_version": 2}
    with pytest.raises(UserError, match="'residual_limbs' is not in the schema"):
        decode_tree(tree)
    del tree["people"][0]["residual_limbs"]
    person = decode_tree(tree).people[0]
    assert person.residual_limbs == (None,) * 4
    # at joint level: lambda 0 of the upper arm, whose end is the elbow
    assert person.residual_lambda.tolist() == pytest.approx([np.nan, 0, *[np.nan] * 6], nan_ok=True)


def test_hard_cases_and_prostheses_come_back():
    worn = changed(
        make_person((0, 0, 2, 0)),
        limb_status=(LimbStatus.INTACT, LimbStatus.OCCLUDED, LimbStatus.PROSTHESIS, LimbStatus.INTACT),
        occluded=(False, True, False, False),
        prosthesis=(None, None, "blade", None),
        hard_cases=("border", "prosthesis"),
    )
    person = decode_tree(tree_of(worn)).people[0]
    assert person.prosthesis == worn.prosthesis and person.hard_cases == worn.hard_cases


def test_whole_numbers_are_numbers():
    tree = tree_of(make_person((0, 2, 0, 0), weak=True))
    tree["people"][0]["camera"].update(weak_depth=3, focal_length=240)
    tree["people"][0]["residual_length"][1] = 1
    person = decode_tree(tree).people[0]
    assert isinstance(person.camera.weak_depth, float) and isinstance(person.residual_length[1], float)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100000])
def test_what_is_no_record_is_refused_in_one_line(data):
    with pytest.raises(UserError, match=r"^k\.json: ") as error:
        decode_record(data, "k.json")
    assert "\n" not in str(error.value)


# pin


def test_the_bytes_of_one_record_do_not_change():
    """Made by the test itself; a change here is a change of the schema and needs another version."""
    data = encode_record(make_record("k", changed(make_person(), betas=np.arange(10) / 7)))
    tree = json.loads(data)
    assert list(tree) == [
        "schema_version", "key", "scene_id", "intact_twin", "split", "width", "height", "photo", "people",
    ]  # fmt: skip
    assert tree["people"][0]["betas"] == [
        0.0, 0.142857, 0.285714, 0.428571, 0.571429, 0.714286, 0.857143, 1.0, 1.142857, 1.285714,
    ]  # fmt: skip
    assert data.startswith(b'{"schema_version":3,"key":"k","scene_id":"scene-k","intact_twin":null,')
    assert data.endswith(b"]}\n")
