"""What shows where a limb was cut."""

import numpy as np
import pytest

from ajahr.anatomy import ABSENT_TABLE, LIMBS, PARENTS, amputation_joint
from synth.stages.render import kept_parts


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
