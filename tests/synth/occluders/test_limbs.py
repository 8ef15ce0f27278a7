"""What is hidden of a limb and what must stay in sight."""

import numpy as np
import pytest

from ajahr.anatomy import ABSENT_TABLE, JOINT_LIMB, LIMBS, amputation_joint
from synth.occluders.limbs import CORE, joints_to_hide, limb_ends, points_between


@pytest.mark.parametrize("limb", LIMBS)
@pytest.mark.parametrize("level", range(4))
def test_only_what_is_below_the_cut_is_hidden(limb, level):
    hidden = joints_to_hide(limb, level)
    assert hidden and all(JOINT_LIMB[joint] == limb for joint in hidden)
    if level:
        assert amputation_joint(limb, level) not in hidden
        assert ABSENT_TABLE[limb, level][list(hidden)].all()
    else:
        assert len(hidden) == 2


def test_every_cut_stays_in_sight_and_nothing_of_whole_people_has_to():
    joints = np.random.default_rng(0).normal(0, 1, (24, 2))
    assert limb_ends(joints, (0, 0, 0, 0)).shape == (0, 2)
    levels = (1, 3, 2, 0)
    cuts = [amputation_joint(limb, levels[limb]) for limb in LIMBS[:3]]
    np.testing.assert_array_equal(limb_ends(joints, levels), joints[cuts])
    ends = limb_ends(joints, levels, (0.25, 0.0, 0.0, 0.0))  # a quarter of the way from wrist to elbow
    np.testing.assert_allclose(ends[0], 0.75 * joints[20] + 0.25 * joints[18])
    np.testing.assert_array_equal(ends[1:], joints[cuts[1:]])
    assert len(set(CORE)) == len(CORE) == 9


def test_half_way_points_lie_between():
    points = np.array([[0.0, 0], [10, 0], [10, 4]])
    assert points_between(points).tolist() == [[0, 0], [5, 0], [10, 0], [10, 2], [10, 4]]
    assert points_between(points[:1]).tolist() == [[0, 0]]
