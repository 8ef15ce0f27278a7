"""Keypoint layouts of a posed body, by index. Works on numpy arrays and torch tensors alike.

A keypoint that an amputation has taken still gets a place here: the point its limb collapsed to, or, for the
residual-limb ends of the limb's other levels, the joint they would lie at. Whether it exists is asked of
``KeypointLayout.absent(levels)``.
"""

from __future__ import annotations

from ajahr.anatomy import (
    J44_FROM_COCO17,
    J44_FROM_SMPL45,
    LDPOSE25,
    LIMBS,
    NUM_JOINTS,
    KeypointLayout,
    amputation_joint,
    residual_end,
)
from ajahr.body.regressors import VERTEX_KEYS

_LDPOSE_JOINT: dict[str, int] = {
    name: amputation_joint(limb, level)
    for limb in LIMBS
    for level in (1, 2)
    if (name := residual_end(limb, level)) is not None
}
LDPOSE_RESIDUAL_JOINTS: tuple[int, ...] = tuple(_LDPOSE_JOINT[LDPOSE25.names[i]] for i in LDPOSE25.residual)
"""SMPL joint at which each of LDPose's 8 residual-limb ends lies when the limb ends at a joint."""


def coco17(keypoints_44):
    """The 17 COCO keypoints (..., 17, 3) out of the 44 (..., 44, 3), by the joints' names."""
    return keypoints_44[..., list(J44_FROM_COCO17), :]


def ldpose25(keypoints_44, joints, concatenate):
    """LDPose's 25 (..., 25, 3): COCO's 17, then the residual-limb ends.

    An end lies at the posed amputation joint of its level: the below-elbow end at the wrist, the above-elbow
    end at the elbow, and likewise on legs (`ajahr.anatomy.residual_end`).

    Args:
        keypoints_44: (..., 44, 3).
        joints: (..., 24, 3).
        concatenate: ``np.concatenate`` or ``torch.cat``, called with a list and axis -2.
    """
    return concatenate([coco17(keypoints_44), joints[..., list(LDPOSE_RESIDUAL_JOINTS), :]], -2)


def joint_or_vertex(layout: KeypointLayout, keypoint: int) -> int | str:
    """The joint of SMPL that a keypoint is, or the name of its vertex (`regressors.VERTEX_KEYS`).

    Raises:
        ValueError: a layout other than coco17, ldpose25, body25 and j44, or one of j44's that is regressed.
    """
    if layout.name in ("coco17", "ldpose25"):
        if keypoint >= len(J44_FROM_COCO17):
            return LDPOSE_RESIDUAL_JOINTS[keypoint - len(J44_FROM_COCO17)]
        keypoint = J44_FROM_COCO17[keypoint]
    elif layout.name not in ("body25", "j44") or keypoint >= len(J44_FROM_SMPL45):
        raise ValueError(f"keypoint {keypoint} of the layout {layout.name!r} is no joint and no vertex")
    joint = J44_FROM_SMPL45[keypoint]
    return joint if joint < NUM_JOINTS else VERTEX_KEYS[joint - NUM_JOINTS]
