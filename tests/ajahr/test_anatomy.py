"""Laws of the region table, and the tables it must reproduce."""

import numpy as np
import pytest

from ajahr import anatomy as A

# AJAHR-Index table: SMPL joints, J44 and COCO-17 keypoints that go with each class. Written out here once, by
# hand from the published table, as the check on what anatomy.py derives from the tree.
PUBLISHED = {
    0: ((21, 23), (4, 31), (10,)),
    1: ((19, 21, 23), (3, 4, 31, 32), (8, 10)),
    2: ((17, 19, 21, 23), (2, 3, 4, 31, 32, 33), (6, 8, 10)),
    3: ((20, 22), (7, 36), (9,)),
    4: ((18, 20, 22), (6, 7, 35, 36), (7, 9)),
    5: ((16, 18, 20, 22), (5, 6, 7, 34, 35, 36), (5, 7, 9)),
    6: ((7, 10), (14, 19, 20, 21, 30), (15,)),
    7: ((4, 7, 10), (13, 14, 19, 20, 21, 29, 30), (13, 15)),
    8: ((1, 4, 7, 10), (12, 13, 14, 19, 20, 21, 28, 29, 30), (11, 13, 15)),
    9: ((8, 11), (11, 22, 23, 24, 25), (16,)),
    10: ((5, 8, 11), (10, 11, 22, 23, 24, 25, 26), (14, 16)),
    11: ((2, 5, 8, 11), (9, 10, 11, 22, 23, 24, 25, 26, 27), (12, 14, 16)),
}


@pytest.mark.parametrize("index", range(12))
def test_classes_equal_the_published_table(index):
    joints, j44, coco = PUBLISHED[index]
    levels = A.indices_to_levels([index])
    limb, level = A.from_ajahr_index(index)
    assert A.absent_joints(limb, level) == joints
    assert tuple(np.flatnonzero(A.absent_joint_mask(levels))) == joints
    assert tuple(np.flatnonzero(A.J44.absent(levels))) == j44
    assert tuple(np.flatnonzero(A.COCO17.absent(levels))) == coco
    assert A.to_ajahr_index(limb, level) == index


def test_names_of_the_index_follow_the_readme_of_the_release():
    names = [A.class_name(*A.from_ajahr_index(i)) for i in range(12)]
    assert names == [
        "right_hand", "right_elbow", "right_shoulder", "left_hand", "left_elbow", "left_shoulder",
        "left_foot", "left_knee", "left_hip", "right_foot", "right_knee", "right_hip",
    ]  # fmt: skip
    assert A.from_ajahr_index(A.INTACT_INDEX) is None


def test_a_higher_level_loses_more_and_mirrors():
    for limb in A.LIMBS:
        for level in range(1, 4):
            lost = set(A.absent_joints(limb, level))
            assert set(A.absent_joints(limb, level - 1)) < lost
            assert {A.JOINT_FLIP[j] for j in lost} == set(A.absent_joints(limb.mirrored, level))
            assert {A.JOINT_LIMB[j] for j in lost} == {int(limb)}


@pytest.mark.parametrize("shape", [(), (1,), (2, 3)])
def test_absent_masks_broadcast_and_flip_with_the_labels(shape):
    levels = np.random.default_rng(0).integers(0, 4, (*shape, 4))
    flipped = levels[..., list(A.LIMB_FLIP)]
    mask = A.absent_joint_mask(levels)
    assert mask.shape == (*shape, 24)
    assert np.array_equal(mask[..., list(A.JOINT_FLIP)], A.absent_joint_mask(flipped))
    for layout in A.LAYOUTS.values():
        absent = layout.absent(levels)
        assert absent.shape == (*shape, len(layout))
        assert np.array_equal(absent[..., list(layout.flip)], layout.absent(flipped))


def test_flips_are_involutions_and_equal_the_published_permutations():
    for layout in A.LAYOUTS.values():
        assert [layout.flip[i] for i in layout.flip] == list(range(len(layout)))
    assert A.J44.flip[:25] == (
        0,
        1,
        5,
        6,
        7,
        2,
        3,
        4,
        8,
        12,
        13,
        14,
        9,
        10,
        11,
        16,
        15,
        18,
        17,
        22,
        23,
        24,
        19,
        20,
        21,
    )
    assert tuple(i - 25 for i in A.J44.flip[25:]) == (
        5,
        4,
        3,
        2,
        1,
        0,
        11,
        10,
        9,
        8,
        7,
        6,
        12,
        13,
        14,
        15,
        16,
        17,
        18,
    )
    assert A.BODY_POSE_FLIP == (
        1,
        0,
        2,
        4,
        3,
        5,
        7,
        6,
        8,
        10,
        9,
        11,
        13,
        12,
        14,
        16,
        15,
        18,
        17,
        20,
        19,
        22,
        21,
    )
    assert A.J44_FROM_COCO17 == (0, 16, 15, 18, 17, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11)


def test_intact_people_lose_nothing_but_have_no_residual_ends():
    intact = [0, 0, 0, 0]
    assert not A.absent_joint_mask(intact).any()
    assert tuple(np.flatnonzero(A.LDPOSE25.absent(intact))) == A.LDPOSE25.residual
    assert A.levels_to_indices(intact) == (12,)


def test_ldpose_ends_are_contradiction_free():
    """An end is present exactly where the limb ends between its joints, never two on one limb."""
    for limb in A.LIMBS:
        for level in range(4):
            levels = np.zeros(4, int)
            levels[limb] = level
            ends = [A.LDPOSE25.names[i] for i in A.LDPOSE25.residual if not A.LDPOSE25.absent(levels)[i]]
            expected = A.residual_end(limb, level)
            assert ends == ([] if expected is None else [expected])
    assert A.residual_end(A.Limb.LEFT_ARM, A.Level.HAND) == "left_below_elbow_res"
    assert A.residual_end(A.Limb.RIGHT_LEG, A.Level.KNEE) == "right_above_knee_res"
    assert A.residual_end(A.Limb.RIGHT_LEG, A.Level.HIP) is None


def test_multi_limb_round_trip():
    levels = (1, 0, 3, 2)
    assert A.indices_to_levels(A.levels_to_indices(levels)) == levels
    with pytest.raises(ValueError, match="two levels"):
        A.indices_to_levels([0, 1])


@pytest.mark.parametrize(
    "call",
    [
        lambda: A.body_pose_index(0),
        lambda: A.amputation_joint(A.Limb.LEFT_ARM, 0),
        lambda: A.from_ajahr_index(13),
        lambda: A.to_ajahr_index(A.Limb.LEFT_ARM, 4),
        lambda: A.absent_joint_mask([0, 0, 0]),
        lambda: A.absent_joint_mask([0, 0, 0, 4]),
        lambda: A.absent_joint_mask(np.array([0.0, 0, 0, 1])),  # a list's items may be checked before
    ],
)
def test_what_is_no_limb_state_is_refused(call):
    with pytest.raises(ValueError):
        call()
