"""Who gets which hard case."""

from collections import Counter

import numpy as np
import pytest

from ajahr.anatomy import Limb
from ajahr.data.record import PROSTHESES
from ajahr.geometry.rotations_np import rotvec_to_rotmat
from synth.background_bank import Slot
from synth.config import AmputationConfig, HardCasesConfig, PoseConfig
from synth.record import Person, Record
from synth.stages.hard_cases import HardCases, TakeAids, free_hands, walks_with_crutches
from synth.stages.scene import INTACT, Amputate

SLOT = Slot((0, 0, 1, 1), 100.0, 0.0, 0.0)


def drawn(config: HardCasesConfig, seed: int, *, is_twin: bool = False, people: int = 1, intact: float = 0.3):
    record = Record(0, 0, is_twin, np.random.default_rng([seed, 5]))
    record.people = [Person(SLOT, INTACT, INTACT) for _ in range(people)]
    amputate = Amputate(AmputationConfig(intact_share=intact))
    return HardCases(config, amputate)(amputate(record))


# law


def test_shares_are_those_of_the_configuration():
    config = HardCasesConfig(0.2, 0.1, 0.15, 0.25, 0.2, 0.5)
    counts: Counter[str] = Counter()
    can_wear = wears = walkers = 0
    for seed in range(800):
        person = drawn(config, seed).people[0]
        counts.update(person.cases)
        walkers += walks_with_crutches(person)
        for limb in range(4):
            can_wear += person.levels[limb] in (1, 2)
            wears += person.worn[limb] is not None
    for case, share in (
        ("occluded_object", 0.2),
        ("occluded_person", 0.1),
        ("border", 0.15),
        ("wheelchair", 0.25),
    ):
        assert counts[case] / 800 == pytest.approx(share, abs=0.045)
    assert counts["crutches"] / walkers == pytest.approx(0.2, abs=0.045)
    assert wears / can_wear == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("case", ["occluded_object", "occluded_person", "border", "wheelchair"])
def test_cases_fall_on_intact_people_as_often_as_on_amputees(case):
    config = HardCasesConfig.none()
    setattr(config, case, 0.4)
    hits = {True: [], False: []}
    for seed in range(500):
        person = drawn(config, seed, intact=0.5).people[0]
        hits[any(person.levels)].append(case in person.cases)
    assert np.mean(hits[True]) == pytest.approx(np.mean(hits[False]), abs=0.12)


def test_twins_draw_the_same_and_the_intact_one_wears_nothing():
    config = HardCasesConfig(0.2, 0.3, 0.2, 0.3, 0.3, 0.8)
    for seed in range(60):
        amputee, twin = (drawn(config, seed, is_twin=is_twin, people=2) for is_twin in (False, True))
        assert len(amputee.people) == len(twin.people)
        for a, b in zip(amputee.people, twin.people, strict=True):
            assert (a.cases, a.worn, a.levels) == (b.cases, b.worn, b.levels)
            assert a.prosthesis == a.worn and b.prosthesis == (None,) * 4
            assert a.pose_levels == b.pose_levels


def test_the_rest_of_the_scene_does_not_hang_on_the_shares():
    after = [
        drawn(config, 3, people=2).rng.random() for config in (HardCasesConfig.none(), HardCasesConfig())
    ]
    assert after[0] == after[1]


def test_who_stands_before_somebody_is_a_person_like_the_others():
    config = HardCasesConfig.none()
    config.occluded_person, config.prosthesis = 1.0, 1.0
    lost = 0
    for seed in range(80):
        record = drawn(config, seed, intact=0.5)
        behind, front = record.people
        assert front.in_front_of is behind and behind.in_front_of is None
        assert front.rendered_levels == front.levels
        assert front.absent.any() == any(front.levels)
        lost += any(front.levels)
    assert 20 < lost < 60
    assert len(drawn(config, 0, people=7).people) == 7  # the part mask has no room for more


def test_prostheses_fit_their_limbs():
    config = HardCasesConfig.none()
    config.prosthesis = 1.0
    kinds = set()
    for seed in range(200):
        person = drawn(config, seed, intact=0.0).people[0]
        for limb in Limb:
            kind = person.worn[limb]
            if kind is None:
                assert person.levels[limb] in (0, 3)
            else:
                assert PROSTHESES[kind] == (limb.is_arm, person.levels[limb])
                kinds.add(kind)
    assert kinds == set(PROSTHESES)


def test_crutches_need_a_hand_and_a_leg():
    def person(levels, worn=(None,) * 4):
        return Person(SLOT, levels, levels, worn=worn)

    assert walks_with_crutches(person((0, 0, 3, 0)))
    assert walks_with_crutches(person((2, 0, 0, 0))) and free_hands(person((2, 0, 0, 0))) == (1,)
    assert not walks_with_crutches(person((1, 2, 0, 0)))
    assert not walks_with_crutches(person((0, 0, 2, 3)))
    assert walks_with_crutches(person((0, 0, 2, 3), (None, None, "blade", None)))


@pytest.mark.parametrize("levels", [(0, 0, 0, 0), (0, 0, 2, 0), (0, 3, 0, 1), (1, 0, 0, 0)])
@pytest.mark.parametrize("case", ["wheelchair", "crutches"])
def test_the_pose_is_one_for_the_aid(levels, case):
    for seed in range(5):
        person = Person(SLOT, levels, levels, pose_source="fitted", cases={case})
        record = Record(0, 0, False, np.random.default_rng(seed), people=[person])
        TakeAids(PoseConfig())(record)
        assert person.pose_source == "sampled" and np.isfinite(person.pose_rotvec).all()
        up = person.T_cam_world[:, 1]
        assert up[1] < -0.9  # upright in the picture, whose y points down
        trunk = rotvec_to_rotmat(person.pose_rotvec[0].astype(float)) @ [0, 1, 0]
        assert trunk @ up > 0.75
        if case == "wheelchair":
            assert person.clearance_m > 0 and person.crutch_hands == ()
            assert person.pose_rotvec[[4, 5], 0].min() > 0.3  # knees bent
        else:
            assert person.clearance_m == 0
            assert set(person.crutch_hands) <= set(free_hands(person)) and person.crutch_hands


def test_others_keep_their_pose():
    person = Person(SLOT, INTACT, INTACT, cases={"border"})
    pose = person.pose_rotvec
    TakeAids(PoseConfig())(Record(0, 0, False, np.random.default_rng(0), people=[person]))
    assert person.pose_rotvec is pose and person.T_cam_world is None
