"""Each rule about labels: consistent people pass all of them, and the smallest breach of each is told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fake_dataset import changed, draw, make_person, make_record, stick_joints, twin_pair

from ajahr.anatomy import J44, JOINT, LDPOSE25, LIMBS
from ajahr.data.mask import decode_mask
from ajahr.data.record import LimbStatus, decode_record, encode_record
from synth.label_checks import check_backgrounds, check_mask, check_person, check_twins

LEVELS = [tuple(level if limb == one else 0 for limb in LIMBS) for one in LIMBS for level in range(4)]
RIGHT_FOREARM = (0, 2, 0, 0)


def problems(person) -> list[str]:
    return list(check_person(person))


def mask_of(record) -> np.ndarray:
    return decode_mask(draw(record)[1], "m.png")


def moved(points: np.ndarray, name: str, layout, *values: float) -> np.ndarray:
    out = points.copy()
    out[layout.index[name]] = values
    return out


# law


@pytest.mark.parametrize("levels", [*LEVELS, (1, 2, 3, 1), (3, 3, 3, 3)])
@pytest.mark.parametrize("weak", [False, True])
def test_consistent_people_have_no_problems(levels, weak):
    record = make_record("k", make_person(levels, weak=weak))
    record = decode_record(encode_record(record), "k.json")
    assert problems(record.people[0]) == []
    assert list(check_mask(mask_of(record), record)) == []


def test_consistent_twins_have_no_problems():
    record, twin = twin_pair(0, RIGHT_FOREARM, (0, 0, 3, 1))
    assert list(check_twins(record, twin)) == []


def test_a_body_that_poses_otherwise_is_told():
    person = make_person(RIGHT_FOREARM)

    class Body:
        shift = 0.0

        def __call__(self, betas, rotmats, absent_joints):
            assert rotmats.shape == (24, 3, 3)
            assert absent_joints[JOINT["right_wrist"]] and not absent_joints[JOINT["left_wrist"]]
            self.joints = person.joints_3d - person.transl + self.shift
            self.keypoints_44 = person.keypoints_3d - person.transl
            return self

    body = Body()
    assert list(check_person(person, body)) == []
    body.shift = 0.005
    assert list(check_person(person, body)) == ["joints_3d lie 5.0 mm from those of the body in this pose"]


# edge: keypoints


@pytest.mark.parametrize("shift, told", [(0.4, False), (0.6, True)])
def test_keypoints_half_a_pixel_off(shift, told):
    person = make_person()
    points = person.keypoints_2d.copy()
    points[J44.index["left_knee"], 0] += shift
    found = problems(changed(person, keypoints_2d=points))
    assert found == (["j44 left_knee lies 0.60 px from its projected 3D point"] if told else [])


def test_ldpose_keypoints_are_projected_too():
    person = make_person(RIGHT_FOREARM)
    points = person.ldpose_2d.copy()
    points[LDPOSE25.index["right_above_elbow_res"], 1] += 2
    assert problems(changed(person, ldpose_2d=points)) == [
        "ldpose25 right_above_elbow_res lies 2.00 px from its projected 3D point"
    ]


@pytest.mark.parametrize("values", [(40.0, 50.0, 2.0), (40.0, 50.0, 0.0), (0.0, 0.0, 1.0)])
@pytest.mark.parametrize("layout", [J44, LDPOSE25])
def test_an_absent_joint_that_is_labelled(values, layout):
    person = make_person(RIGHT_FOREARM)
    field = "keypoints_2d" if layout is J44 else "ldpose_2d"
    points = moved(getattr(person, field), "right_wrist", layout, *values)
    assert problems(changed(person, **{field: points})) == [
        f"{layout.name} right_wrist is absent and not (0, 0, 0)"
    ]


def test_a_residual_end_of_a_whole_limb():
    person = make_person()
    points = moved(person.ldpose_2d, "left_below_knee_res", LDPOSE25, 50, 50, 2)
    assert problems(changed(person, ldpose_2d=points)) == [
        "ldpose25 left_below_knee_res is absent and not (0, 0, 0)"
    ]


def test_an_unlabelled_keypoint_is_allowed_and_is_zero():
    person = make_person()
    assert problems(changed(person, keypoints_2d=moved(person.keypoints_2d, "nose", J44, 0, 0, 0))) == []
    half = moved(person.keypoints_2d, "nose", J44, 3, 4, 0)
    assert problems(changed(person, keypoints_2d=half)) == ["j44 nose is unlabelled and not (0, 0, 0)"]


def test_another_visibility():
    person = make_person()
    points = person.keypoints_2d.copy()
    points[J44.index["nose"], 2] = 3
    assert problems(changed(person, keypoints_2d=points)) == ["j44 nose has visibility 3"]


def test_in_sight_and_outside_the_picture():
    person = make_person(centre=(-1.0, -0.1, 3.0))
    points = person.keypoints_2d.copy()
    points[:, 2] = 2
    found = problems(changed(person, keypoints_2d=points))
    assert "j44 right_wrist is in sight and outside the picture" in found
    assert problems(person) == []  # the builder calls those occluded


def test_points_that_cannot_be_projected():
    person = make_person()
    joints = person.joints_3d - [0, 0, 3.5]  # behind the camera
    assert "a joint lies behind the camera" in problems(changed(person, joints_3d=joints))


# edge: limbs


@pytest.mark.parametrize(
    "levels, status, told",
    [
        (RIGHT_FOREARM, "intact", True),
        (RIGHT_FOREARM, "occluded", True),
        ((0, 0, 0, 0), "amputated", True),
    ],
)
def test_status_and_level_agree(levels, status, told):
    person = make_person(levels)
    statuses = list(person.limb_status)
    statuses[1] = LimbStatus(status)
    found = problems(changed(person, limb_status=tuple(statuses), occluded=(False, True, False, False)))
    assert found == ([f"right_arm has level {levels[1]} and is called {status}"] if told else [])


@pytest.mark.parametrize(
    "kind, status, cases, message",
    [
        ("cosmetic_arm", "prosthesis", ("prosthesis",), None),
        ("cosmetic_arm", "amputated", ("prosthesis",), "wears cosmetic_arm"),
        (None, "prosthesis", (), "wears no prosthesis"),
        ("cosmetic_hand", "prosthesis", ("prosthesis",), "is for another level than 2"),
        ("blade", "prosthesis", ("prosthesis",), "is for another level than 2"),
        ("cosmetic_arm", "prosthesis", (), "do not agree with its prostheses"),
        (None, "amputated", ("prosthesis",), "do not agree with its prostheses"),
    ],
)
def test_what_is_worn_fits_the_limb_its_status_and_the_hard_cases(kind, status, cases, message):
    statuses = list(make_person(RIGHT_FOREARM).limb_status)
    statuses[1] = LimbStatus(status)
    person = changed(
        make_person(RIGHT_FOREARM),
        limb_status=tuple(statuses),
        prosthesis=(None, kind, None, None),
        hard_cases=cases,
    )
    found = problems(person)
    assert found == [] if message is None else len(found) == 1 and message in found[0]


@pytest.mark.parametrize("cases", [("self_occlusion",), ("wheelchair", "crutches")])
def test_hard_cases_that_cannot_hold(cases):
    assert len(problems(changed(make_person(), hard_cases=cases))) == 1


def test_arranged_hard_cases_are_those_of_both_twins_and_a_prosthesis_is_not():
    record, twin = twin_pair(0, RIGHT_FOREARM)
    amputee, whole = record.people[0], twin.people[0]
    worn = changed(
        amputee, prosthesis=(None, "cosmetic_arm", None, None), hard_cases=("border", "prosthesis")
    )
    seated = changed(whole, hard_cases=("border", "self_occlusion"))
    assert list(check_twins(replace(record, people=(worn,)), replace(twin, people=(seated,)))) == []
    assert list(check_twins(replace(record, people=(worn,)), twin)) == [
        f"person 0 has other hard cases in the intact twin {twin.key}"
    ]


def test_an_occluded_limb_is_marked_so():
    person = changed(make_person(), limb_status=(LimbStatus.OCCLUDED, *[LimbStatus.INTACT] * 3))
    assert problems(person) == ["left_arm is called occluded and is not marked so"]
    assert problems(changed(person, occluded=(True, False, False, False))) == []


@pytest.mark.parametrize(
    "length, message",
    [(None, "has residual length None, by its level 0.27"), (0.3, "has residual length 0.300 m, its joints")],
)
def test_residual_length(length, message):
    person = changed(make_person(RIGHT_FOREARM), residual_length=(None, length, None, None))
    (found,) = problems(person)
    assert message in found
    (extra,) = problems(changed(make_person(), residual_length=(0.2, None, None, None)))
    assert "left_arm has residual length 0.2, by its level None" in extra


def test_lost_joints_lie_where_the_limb_ends():
    person = make_person(RIGHT_FOREARM)
    intact = stick_joints((0, 0, 0, 0), (0.0, -0.1, 3.0))
    found = problems(changed(person, joints_3d=intact))
    assert any("right_arm has lost joints" in problem and "right_elbow" in problem for problem in found)


def test_an_empty_box():
    person = changed(make_person(), bbox_xyxy=np.array([10.0, 10.0, 10.0, 50.0]))
    assert any("is empty" in problem for problem in problems(person))


# edge: the part mask


def test_a_lost_part_in_the_mask():
    record = make_record("k", make_person(RIGHT_FOREARM))
    whole = mask_of(make_record("k", make_person()))
    found = list(check_mask(whole, record))
    assert "person 0: the part mask shows right_wrist, which is lost" in found


def test_a_person_too_many_in_the_mask():
    record = make_record("k", make_person())
    mask = mask_of(record)
    mask[0, 0] = 32 * 3 + 1
    assert list(check_mask(mask, record)) == ["the part mask shows person 3, and there are 1"]


@pytest.mark.parametrize("value", [25, 32])
def test_values_that_are_no_part(value):
    record = make_record("k")
    mask = mask_of(record)
    mask[0, 0] = value
    assert list(check_mask(mask, record)) == ["the part mask holds values that are no part"]


def test_a_mask_of_another_size():
    record = make_record("k")
    (found,) = check_mask(mask_of(record)[1:], record)
    assert "160 x 199, the picture 160 x 200" in found


def test_a_keypoint_in_sight_away_from_the_person():
    record = make_record("k")
    mask = mask_of(record)
    x, y = record.people[0].keypoints_2d[J44.index["left_ankle"], :2].astype(int)
    mask[y - 12 :, x - 12 :] = 0
    found = list(check_mask(mask, record))
    assert "person 0: j44 left_ankle is in sight and not on the person" in found
    assert "person 0: ldpose25 left_ankle is in sight and not on the person" in found


def test_a_silhouette_out_of_the_box():
    record = make_record("k", changed(make_person(), bbox_xyxy=np.array([60.0, 10.0, 100.0, 190.0])))
    assert any("px out of the box" in problem for problem in check_mask(mask_of(record), record))


# edge: twins


@pytest.mark.parametrize("field", ["pose_rotvec", "betas", "transl"])
def test_twins_share_pose_shape_and_place(field):
    record, twin = twin_pair(0, RIGHT_FOREARM)
    other = changed(twin.people[0], **{field: getattr(twin.people[0], field) + 1e-6})
    assert list(check_twins(record, replace(twin, people=(other,)))) == [
        f"person 0 has another {field} in the intact twin {twin.key}"
    ]


@pytest.mark.parametrize("field, value", [("photo", "x"), ("scene_id", "x"), ("split", "test")])
def test_twins_share_the_scene(field, value):
    record, twin = twin_pair(0, RIGHT_FOREARM)
    value = replace(twin.photo, id="x") if field == "photo" else value
    found = list(check_twins(record, replace(twin, **{field: value})))
    assert found == [f"its intact twin {twin.key} has another {field}"]


def test_a_twin_is_intact_and_names_no_twin():
    record, twin = twin_pair(0, RIGHT_FOREARM)
    assert any("has lost limbs" in p for p in check_twins(record, replace(record, key="t", intact_twin=None)))
    assert list(check_twins(record, replace(twin, intact_twin="x"))) == [
        f"its intact twin {twin.key} names a twin of its own"
    ]
    assert any("has 0 people, not 1" in p for p in check_twins(record, replace(twin, people=())))


def test_joints_that_are_kept_stay_where_they_are():
    record, twin = twin_pair(0, RIGHT_FOREARM)
    joints = twin.people[0].joints_3d.copy()
    joints[JOINT["right_wrist"]] += 0.2  # lost in the other: no matter
    assert list(check_twins(record, replace(twin, people=(changed(twin.people[0], joints_3d=joints),)))) == []
    joints[JOINT["head"]] += 0.2
    found = check_twins(record, replace(twin, people=(changed(twin.people[0], joints_3d=joints),)))
    assert any("joints 200.0 mm elsewhere" in p for p in found)


def test_backgrounds_of_twins():
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (120, 160, 3), np.uint8)
    anybody = np.zeros((120, 160), bool)
    anybody[50:70, 70:90] = True
    beside = picture.copy()
    beside[45:75, 65:95] = 0  # the person, and what JPEG spreads around them
    assert list(check_backgrounds(picture, beside, anybody)) == []
    assert "background differs" in next(check_backgrounds(picture, picture[::-1].copy(), anybody))
    assert list(check_backgrounds(picture, picture[::-1].copy(), np.ones_like(anybody))) == []
