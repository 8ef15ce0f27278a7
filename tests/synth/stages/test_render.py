"""What shows where a limb was cut."""

import numpy as np
import pytest

from ajahr.anatomy import ABSENT_TABLE, LIMBS, PARENTS, amputation_joint
from synth.props.mesh import box
from synth.stages.place import person_camera
from synth.stages.render import PROP_PART, kept_parts


@pytest.mark.parametrize("limb", LIMBS)
@pytest.mark.parametrize("level", [1, 2, 3])
def test_an_absent_chain_shows_as_the_part_it_was_cut_from(limb, level):
    levels = [0, 0, 0, 0]
    levels[limb] = level
    table = kept_parts(tuple(levels))
    absent = ABSENT_TABLE[limb, level]
    assert set(table[absent]) == {PARENTS[amputation_joint(limb, level)]}
    assert np.array_equal(table[~absent], np.flatnonzero(~absent))


def test_intact_people_need_no_table():
    assert kept_parts((0, 0, 0, 0)) is None


def test_several_limbs_at_once():
    table = kept_parts((3, 1, 2, 0))
    for limb, level in ((0, 3), (1, 1), (2, 2)):
        assert set(table[ABSENT_TABLE[limb, level]]) == {PARENTS[amputation_joint(limb, level)]}


@pytest.mark.parametrize("nearer", [True, False])
def test_a_prop_hides_what_is_behind_it_and_is_hidden_by_what_is_before_it(scene, labelled, nearer):
    record = scene()
    person = record.people[0]
    pelvis = person.joints_intact[0].astype(float)
    place = pelvis + np.array([0.0, -0.2, -0.5 if nearer else 0.5])
    person.props.append(box(place, (0.4, 0.03, 0.03), (250, 0, 0)))
    labelled(record)
    parts = person.render.parts
    found = (parts == PROP_PART + 1).any(axis=0)
    middle = int(person_camera(record, person, "weak").project(pelvis)[0])
    assert found[middle] == nearer  # before the belly or behind it
    assert found.sum() > (70 if nearer else 30)
    red = person.render.rgba_premultiplied[parts == PROP_PART + 1]
    assert np.median(red[:, 0]) > 60 and np.median(red[:, 1]) < 20
