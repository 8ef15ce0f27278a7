"""Limbs that end inside a bone: their points, their lengths, their JSON."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from fake_dataset import make_person, make_record, stick_joints

from ajahr.anatomy import COCO17, J44, LDPOSE25, LIMBS, residual_end
from ajahr.data.record import decode_record, encode_record
from ajahr.data.residual_end import ldpose_3d, residual_lengths
from ajahr.errors import UserError


@pytest.mark.parametrize("levels", list(itertools.product(range(4), repeat=2)))
def test_ldpose_ends_exist_where_the_limb_ends_between_its_joints(levels):
    levels = (levels[0], 0, levels[1], 0)
    joints = stick_joints(levels, (0, 0, 3))
    person = make_person(levels)
    points = ldpose_3d(person.keypoints_3d, joints, levels)
    exists = np.isfinite(points).all(1)
    assert exists[: len(COCO17)].all()  # 3D keypoints stay
    expected = {LDPOSE25.index[end] for limb in LIMBS if (end := residual_end(limb, levels[limb]))}
    assert {int(i) for i in np.flatnonzero(exists[17:]) + 17} == expected


def test_ldpose_points_are_the_keypoints_of_the_same_name():
    points = np.arange(44.0)[:, None] * np.ones(3)
    ldpose = ldpose_3d(points, stick_joints((0,) * 4, (0, 0, 3)), (0,) * 4)
    for name in COCO17.names:
        assert ldpose[LDPOSE25.index[name], 0] == J44.index[name]


def test_residual_length_is_the_bone_above_the_amputation_joint():
    intact = stick_joints((0,) * 4, (0, 0, 3))
    forearm = np.linalg.norm(intact[20] - intact[18])
    thigh = np.linalg.norm(intact[5] - intact[2])
    levels = (1, 3, 0, 2)  # left hand, right shoulder, intact, right knee
    lengths = residual_lengths(stick_joints(levels, (0, 0, 3)), levels)
    assert lengths[0] == pytest.approx(forearm)
    assert lengths[1:3] == (None, None)
    assert lengths[3] == pytest.approx(thigh)


ENDS = {"levels": (1, 3, 2, 1), "fractions": (0.4, 0.0, 0.25, 0.0)}


def test_limbs_that_end_inside_a_bone_come_back():
    made = make_person(**ENDS)
    found = decode_record(encode_record(make_record("k", made)), "k.json").people[0]
    assert found.residual_limbs[1] is None and found.residual_limbs[3] is None
    assert encode_record(make_record("k", found)) == encode_record(make_record("k", made))
    hand = found.residual_limbs[0]
    assert hand is not None and (hand.segment, hand.fraction) == ("left_below_elbow_res", 0.4)
    assert LDPOSE25.names[hand.point] == hand.segment
    assert found.fractions == (0.4, 0.0, 0.25, 0.0)


def test_every_end_has_its_lambda_and_its_place():
    person = make_person(**ENDS)
    by_name = dict(zip(LDPOSE25.names[17:], person.residual_lambda, strict=True))
    assert by_name["left_below_elbow_res"] == 0.4 and by_name["left_above_knee_res"] == 0.25
    assert by_name["right_below_knee_res"] == 0  # at the ankle
    assert sum(np.isfinite(x) for x in by_name.values()) == 3  # a lost shoulder has no end
    joints, points = person.joints_3d, person.ldpose_3d
    end = points[LDPOSE25.index["left_above_knee_res"]]
    np.testing.assert_allclose(end, 0.75 * joints[4] + 0.25 * joints[1], atol=1e-9)
    np.testing.assert_allclose(points[LDPOSE25.index["right_below_knee_res"]], joints[8], atol=1e-9)
    assert person.residual_length[2] == pytest.approx(0.75 * np.linalg.norm(joints[4] - joints[1]))


@pytest.mark.parametrize(
    "key, value, message",
    [
        ("segment", "left_above_elbow_res", "ends elsewhere"),
        ("segment", "nowhere", "ends elsewhere"),
        ("lambda", 1.5, "expected 0..1"),
        ("end_3d", [0, 0], "shape"),
        ("length_mm", None, "expected float"),
        ("circumferences_mm", [1.0, "x"], "expected float"),
        ("oblique", 1, "expected bool"),
    ],
)
def test_a_residual_limb_that_cannot_be_is_refused(key, value, message):
    tree = json.loads(encode_record(make_record("k", make_person(**ENDS))))
    tree["people"][0]["residual_limbs"][0][key] = value
    with pytest.raises(UserError, match=rf"people\[0\]: residual_limbs\[0\]: key '{key}'.*{message}"):
        decode_record(json.dumps(tree).encode(), "k.json")
