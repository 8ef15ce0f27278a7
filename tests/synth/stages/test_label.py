"""Labels of what hides what."""

import numpy as np
import pytest

from ajahr.anatomy import COCO17, JOINT, LDPOSE25, Limb
from ajahr.data.record import OCCLUDED, VISIBLE, LimbStatus
from ajahr.geometry.rotations_np import rotmat_to_rotvec, rotvec_to_rotmat
from synth.config import AmputationConfig, RenderConfig
from synth.label_checks import check_limbs, check_mask
from synth.record import Cutout, Drop
from synth.stages.place import Place, person_camera
from synth.stages.props import PutOn

VISIBILITY = {name: i for i, name in enumerate(COCO17.names)}


def wall(record, x0: int, y0: int, x1: int, y1: int) -> None:
    rgba = np.full((y1 - y0, x1 - x0, 4), 255, np.uint8)
    record.people[0].cutouts.append(Cutout(rgba, x0, y0))


def pixel(record, joint: str) -> np.ndarray:
    person = record.people[0]
    return person_camera(record, person, "weak").project(person.joints_intact[JOINT[joint]].astype(float))


def test_a_whole_person_in_full_sight_is_intact_everywhere(scene, labelled):
    (person,) = labelled(scene())
    assert set(person.limb_status) == {LimbStatus.INTACT} and person.hard_cases == ()
    assert (person.coco_2d[5:, 2] == VISIBLE).all() and not any(person.occluded)


def test_an_object_before_elbow_and_wrist_makes_an_arm_occluded(scene, labelled):
    record = scene(cases=["occluded_object"])
    record.people[0].hidden_limb["occluded_object"] = int(Limb.LEFT_ARM)
    elbow, hand = pixel(record, "left_elbow"), pixel(record, "left_hand")
    left, right = sorted((int(elbow[0]), int(hand[0])))
    wall(record, left - 6, int(elbow[1]) - 12, right + 6, int(elbow[1]) + 12)
    (person,) = labelled(record)
    assert person.limb_status[Limb.LEFT_ARM] == LimbStatus.OCCLUDED and person.occluded[Limb.LEFT_ARM]
    assert person.limb_status[Limb.RIGHT_ARM] == LimbStatus.INTACT
    assert person.hard_cases == ("occluded_object",)
    assert person.coco_2d[VISIBILITY["left_wrist"], 2] == OCCLUDED
    assert list(check_limbs(person)) == [] and list(check_mask(record.mask, record.annotation)) == []


def test_an_object_that_misses_its_limb_is_a_drop(scene, labelled):
    record = scene(cases=["occluded_object"])
    record.people[0].hidden_limb["occluded_object"] = int(Limb.LEFT_ARM)
    wall(record, 0, 0, 10, 10)
    with pytest.raises(Drop) as drop:
        labelled(record)
    assert drop.value.reason == "limb_still_in_sight"


@pytest.mark.parametrize(("in_sight", "kept"), [(0.0, True), (0.5, True), (0.6, False)])
def test_a_loss_that_the_twin_does_not_show_is_a_drop(scene, labelled, in_sight, kept):
    twin = scene((2, 0, 0, 0), is_twin=True)  # elbow and wrist are lost beside it
    hand = pixel(twin, "left_wrist")
    wall(twin, int(hand[0]) - 8, int(hand[1]) - 12, int(hand[0]) + 8, int(hand[1]) + 12)
    config = {"twins": True, "amputation": AmputationConfig(in_sight=in_sight)}
    if kept:
        (person,) = labelled(twin, **config)
        assert person.coco_2d[VISIBILITY["left_wrist"], 2] == OCCLUDED
        assert person.coco_2d[VISIBILITY["left_elbow"], 2] == VISIBLE
    else:
        with pytest.raises(Drop) as drop:
            labelled(twin, **config)
        assert drop.value.reason == "loss_out_of_sight"


def test_of_a_lost_limb_nothing_has_to_be_hidden(scene, labelled):
    record = scene((2, 0, 0, 0), cases=["occluded_object"])
    record.people[0].hidden_limb["occluded_object"] = int(Limb.LEFT_ARM)
    (person,) = labelled(record)
    assert person.limb_status[Limb.LEFT_ARM] == LimbStatus.AMPUTATED


def test_a_prosthesis_is_labelled_and_the_limb_is_amputated_all_the_same(scene, fast, labelled):
    record = PutOn(fast)(scene((0, 0, 2, 1), worn=(None, None, "blade", "foot")))
    (person,) = labelled(record)
    assert person.limb_levels == (0, 0, 2, 1)
    assert person.limb_status[2:] == (LimbStatus.PROSTHESIS, LimbStatus.PROSTHESIS)
    assert person.prosthesis == (None, None, "blade", "foot") and person.hard_cases == ("prosthesis",)
    assert person.ldpose_2d[VISIBILITY["left_ankle"], 2] == 0
    # the socket hides the end of the residual limb
    assert person.ldpose_2d[LDPOSE25.index["left_above_knee_res"], 2] == OCCLUDED
    assert list(check_mask(record.mask, record.annotation)) == []


def test_a_prosthesis_is_no_part_of_the_body_in_the_mask(scene, fast, labelled):
    worn, bare = (
        scene((0, 0, 2, 0), worn=kinds) for kinds in ((None, None, "pylon_foot", None), (None,) * 4)
    )
    labelled(PutOn(fast)(worn))
    labelled(bare)
    shin = (pixel(worn, "left_knee") + pixel(worn, "left_ankle")) / 2
    x, y = int(shin[0]), int(shin[1])
    assert worn.mask[y, x] == bare.mask[y, x] == 0
    assert worn.people[0].render.alpha[y, x] > 200 > bare.people[0].render.alpha[y, x]
    assert (worn.mask > 0).sum() < (bare.mask > 0).sum()  # the socket hides a part of the thigh


@pytest.mark.parametrize("turn, far", [(np.pi / 2, Limb.LEFT_ARM), (-np.pi / 2, Limb.RIGHT_ARM)])
def test_the_far_arm_of_somebody_seen_from_the_side_is_behind_the_own_body(scene, fast, labelled, turn, far):
    record = scene()
    person = record.people[0]
    upright = np.diag([1.0, -1.0, -1.0])
    person.pose_rotvec[0] = rotmat_to_rotvec(upright @ rotvec_to_rotmat(np.array([0.0, turn, 0.0])))
    Place(fast, RenderConfig())(record)
    wrists = person.joints_intact[[JOINT["left_wrist"], JOINT["right_wrist"]], 2]
    assert wrists.argmax() == far
    (found,) = labelled(record)
    assert found.limb_status[far] == LimbStatus.OCCLUDED
    assert found.hard_cases == ("self_occlusion",) and found.occluded[far]


def test_a_limb_out_of_the_picture_is_occluded(scene, fast, labelled):
    for seed in range(4):
        record = scene(cases=["border"], seed=seed)
        (person,) = labelled(record)
        limb = record.people[0].hidden_limb["border"]
        assert person.limb_status[limb] == LimbStatus.OCCLUDED and person.hard_cases == ("border",)
