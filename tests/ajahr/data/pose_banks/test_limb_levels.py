from __future__ import annotations

import itertools

import numpy as np

from ajahr.anatomy import absent_joint_mask
from ajahr.data.pose_banks.limb_levels import level_names, levels_of


def test_it_undoes_the_mask_for_all_256_people() -> None:
    levels = np.array(list(itertools.product(range(4), repeat=4)))
    assert np.array_equal(levels_of(absent_joint_mask(levels)[:, 1:22]), levels)


def test_a_joint_alone_in_the_middle_of_a_limb_is_no_level() -> None:
    absent = np.zeros((1, 21), bool)
    absent[0, 17] = True  # the left elbow, while its wrist is there
    assert levels_of(absent).tolist() == [[0, 0, 0, 0]]


def test_names() -> None:
    assert level_names([0, 0, 0, 0]) == "intact"
    assert level_names([2, 0, 0, 3]) == "left elbow, right hip"
