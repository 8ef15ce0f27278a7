from __future__ import annotations

import numpy as np
import pytest
import torch

from ajahr.anatomy import (
    BODY25,
    COCO17,
    J44,
    JOINT,
    LDPOSE25,
    LIMBS,
    NUM_JOINTS,
    SMPL24,
    amputation_joint,
    residual_end,
)
from ajahr.body import keypoints


@pytest.mark.parametrize("limb", LIMBS)
@pytest.mark.parametrize("level", [1, 2])
def test_a_residual_end_lies_at_its_amputation_joint(limb, level):
    joints, points = np.random.default_rng(0).normal(size=(2, 50, 3))
    found = keypoints.ldpose25(points[:44], joints[:NUM_JOINTS], np.concatenate)
    end = LDPOSE25.index[residual_end(limb, level)]
    np.testing.assert_array_equal(found[end], joints[amputation_joint(limb, level)])


def test_coco_is_picked_by_name_and_leads_ldpose():
    points = np.arange(2 * 44 * 3.0).reshape(2, 44, 3)
    coco = keypoints.coco17(points)
    assert coco.shape == (2, 17, 3)
    for i, name in enumerate(COCO17.names):
        np.testing.assert_array_equal(coco[:, i], points[:, J44.index[name]])
    ld = keypoints.ldpose25(points, np.zeros((2, 24, 3)), np.concatenate)
    np.testing.assert_array_equal(ld[:, :17], coco)


def test_numpy_and_torch_agree():
    points, joints = np.random.default_rng(0).normal(size=(2, 3, 44, 3))
    expected = keypoints.ldpose25(points, joints[:, :24], np.concatenate)
    found = keypoints.ldpose25(torch.tensor(points), torch.tensor(joints[:, :24]), torch.cat)
    np.testing.assert_array_equal(found.numpy(), expected)


def test_a_keypoint_is_a_joint_or_a_named_vertex():
    def of(layout, name):
        return keypoints.joint_or_vertex(layout, layout.index[name])

    for layout in (COCO17, LDPOSE25):
        assert of(layout, "left_knee") == JOINT["left_knee"] and of(layout, "nose") == "nose"
    assert of(LDPOSE25, "right_above_elbow_res") == JOINT["right_elbow"]
    assert of(LDPOSE25, "right_below_elbow_res") == JOINT["right_wrist"]
    assert of(BODY25, "left_heel") == of(J44, "left_heel") == "LHeel"
    for layout, keypoint in ((SMPL24, 0), (J44, 25)):
        with pytest.raises(ValueError, match=layout.name):
            keypoints.joint_or_vertex(layout, keypoint)
