"""Limbs, levels, joints and keypoint layouts: the one region table.

Everything that can be derived is derived from the kinematic tree of SMPL's 24 joints. No torch here: the
generator's workers import this module and should stay small.

Words: a *joint* is one of SMPL's 24 and counts the root; ``body_pose`` does not, so its row ``k`` is joint
``k + 1`` (`body_pose_index`). A *limb* is one of four; a *level* says where it ends. Left is the person's own.

Sources: SMPL's kinematic tree; AJAHR (ICCV 2025) Sec. 3.2 and supplementary B, G for the twelve classes; the
44-joint set of HMR2.0; COCO; LDPose (ICCV 2025) for the 25 keypoints.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import numpy as np

# --------------------------------------------------------------------------------------------- the tree

JOINT_NAMES: tuple[str, ...] = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle",
    "right_ankle", "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head",
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    "left_hand", "right_hand",
)  # fmt: skip
PARENTS: tuple[int, ...] = (
    -1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21,
)  # fmt: skip
NUM_JOINTS = len(JOINT_NAMES)
NUM_TOKENIZER_JOINTS = 21
"""Joints 1..21: AMASS (SMPL-H) has no SMPL hand joints, so the pose tokenizers work on these."""

JOINT: dict[str, int] = {name: i for i, name in enumerate(JOINT_NAMES)}
"""Joint name to index: ``JOINT["left_knee"] == 4``."""


def body_pose_index(joint: int) -> int:
    """Row of ``body_pose`` (23 joints, without the root) that holds ``joint`` (24 joints, with it)."""
    if not 1 <= joint < NUM_JOINTS:
        raise ValueError(f"joint {joint} has no row in body_pose: 1..{NUM_JOINTS - 1} have")
    return joint - 1


def descendants(joint: int) -> tuple[int, ...]:
    """``joint`` and every joint below it in the tree, ascending."""
    found = {joint}
    for child, parent in enumerate(PARENTS):  # parents come before children in SMPL's order
        if parent in found:
            found.add(child)
    return tuple(sorted(found))


def mirror_name(name: str) -> str:
    """The name on the other side: ``left_knee`` <-> ``right_knee``; a name without a side is its own mirror."""
    for a, b in (("left_", "right_"), ("right_", "left_"), ("LEFT_", "RIGHT_"), ("RIGHT_", "LEFT_")):
        if name.startswith(a):
            return b + name[len(a) :]
    return name


def _flip_permutation(names: Sequence[str]) -> tuple[int, ...]:
    index = {name: i for i, name in enumerate(names)}
    return tuple(index[mirror_name(name)] for name in names)


JOINT_FLIP: tuple[int, ...] = _flip_permutation(JOINT_NAMES)
BODY_POSE_FLIP: tuple[int, ...] = tuple(body_pose_index(j) for j in JOINT_FLIP[1:])
"""Order of ``body_pose`` rows after mirroring; the y and z of every rotation vector change sign besides."""


# -------------------------------------------------------------------------------------- limbs and levels


class Limb(IntEnum):
    """The four limbs, in the order of BPAC-Net's heads in the paper (Eq. 1)."""

    LEFT_ARM = 0
    RIGHT_ARM = 1
    LEFT_LEG = 2
    RIGHT_LEG = 3

    @property
    def is_arm(self) -> bool:
        return self in (Limb.LEFT_ARM, Limb.RIGHT_ARM)

    @property
    def side(self) -> str:
        """``"left"`` or ``"right"``, the person's own."""
        return self.name.split("_")[0].lower()

    @property
    def mirrored(self) -> Limb:
        return Limb[mirror_name(self.name)]


class Level(IntEnum):
    """Where a limb ends, by the names of the AJAHR-Index. 0 is intact everywhere inside this project.

    A higher level has lost more. Arms and legs share the numbers, so a level alone names no limb.
    """

    INTACT = 0
    HAND = 1
    ELBOW = 2
    SHOULDER = 3
    # the same numbers on a leg
    FOOT = 1
    KNEE = 2
    HIP = 3


LEVEL_NAMES: dict[bool, tuple[str, ...]] = {
    True: ("intact", "hand", "elbow", "shoulder"),
    False: ("intact", "foot", "knee", "hip"),
}
_TOP_JOINT = {True: ("wrist", "elbow", "shoulder"), False: ("ankle", "knee", "hip")}

LIMBS: tuple[Limb, ...] = tuple(Limb)
LIMB_FLIP: tuple[int, ...] = tuple(int(limb.mirrored) for limb in LIMBS)
NUM_LIMBS, NUM_LEVELS = len(LIMBS), 4


def level_name(limb: Limb | int, level: Level | int) -> str:
    """``(LEFT_ARM, 2)`` -> ``"elbow"``; ``(LEFT_LEG, 2)`` -> ``"knee"``."""
    return LEVEL_NAMES[Limb(limb).is_arm][int(level)]


def class_name(limb: Limb | int, level: Level | int) -> str:
    """``"left_elbow"``, ``"right_hip"``; ``"intact"`` for level 0."""
    if int(level) == Level.INTACT:
        return "intact"
    return f"{Limb(limb).side}_{level_name(limb, level)}"


def amputation_joint(limb: Limb | int, level: Level | int) -> int:
    """The joint that everything lost collapses to: the top of the absent chain (paper, Sec. 3.1)."""
    if not 1 <= int(level) < NUM_LEVELS:
        raise ValueError(f"level {int(level)} has no amputation joint: levels 1..3 have")
    limb = Limb(limb)
    return JOINT[f"{limb.side}_{_TOP_JOINT[limb.is_arm][int(level) - 1]}"]


def absent_joints(limb: Limb | int, level: Level | int) -> tuple[int, ...]:
    """Joints lost at ``level`` of ``limb``: the amputation joint and its descendants. Intact: none."""
    return () if int(level) == Level.INTACT else descendants(amputation_joint(limb, level))


def _absent_table() -> np.ndarray:
    table = np.zeros((NUM_LIMBS, NUM_LEVELS, NUM_JOINTS), bool)
    for limb in LIMBS:
        for level in range(NUM_LEVELS):
            table[limb, level, list(absent_joints(limb, level))] = True
    table.setflags(write=False)
    return table


ABSENT_TABLE: np.ndarray = _absent_table()
"""(limb 4, level 4, joint 24) bool: is the joint absent. Index with torch by ``torch.from_numpy``."""

JOINT_LIMB: tuple[int, ...] = tuple(
    next((int(limb) for limb in LIMBS if ABSENT_TABLE[limb, 3, j]), -1) for j in range(NUM_JOINTS)
)
"""Limb of each joint, -1 for trunk and head."""


def check_levels(levels: Sequence[int] | np.ndarray) -> np.ndarray:
    """``levels`` as an int array (..., 4) with values 0..3; ValueError otherwise."""
    array = np.asarray(levels)
    if array.shape[-1:] != (NUM_LIMBS,) or not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"limb levels are integers of shape (..., 4), got {array.dtype} {array.shape}")
    if array.size and (array.min() < 0 or array.max() >= NUM_LEVELS):
        raise ValueError(f"limb levels are 0..3, got {array.min()}..{array.max()}")
    return array


def absent_joint_mask(levels: Sequence[int] | np.ndarray) -> np.ndarray:
    """Absent joints of people with the given limb levels.

    Args:
        levels: integers (..., 4), one level per limb in `Limb` order.

    Returns:
        bool (..., 24).
    """
    levels = check_levels(levels)
    mask = np.zeros((*levels.shape[:-1], NUM_JOINTS), bool)
    for limb in LIMBS:
        mask |= ABSENT_TABLE[limb][levels[..., limb]]
    return mask


# ------------------------------------------------------------------------------------------ AJAHR-Index

_INDEX_LIMB_ORDER = (Limb.RIGHT_ARM, Limb.LEFT_ARM, Limb.LEFT_LEG, Limb.RIGHT_LEG)
"""Arms list right before left, legs left before right: the released order, and a trap."""
INTACT_INDEX = 12
NUM_CLASSES = 12


def to_ajahr_index(limb: Limb | int, level: Level | int) -> int:
    """AJAHR-Index 0..11 of an amputation, 12 for an intact limb."""
    if int(level) == Level.INTACT:
        return INTACT_INDEX
    if not 1 <= int(level) < NUM_LEVELS:
        raise ValueError(f"level {int(level)} is not 0..3")
    return 3 * _INDEX_LIMB_ORDER.index(Limb(limb)) + int(level) - 1


def from_ajahr_index(index: int) -> tuple[Limb, Level] | None:
    """Limb and level of an AJAHR-Index 0..11; None for 12, an intact person."""
    if not 0 <= index <= INTACT_INDEX:
        raise ValueError(f"an AJAHR-Index is 0..12, got {index}")
    return None if index == INTACT_INDEX else (_INDEX_LIMB_ORDER[index // 3], Level(index % 3 + 1))


def levels_to_indices(levels: Sequence[int]) -> tuple[int, ...]:
    """All AJAHR-Indices of a person, ascending; ``(12,)`` when every limb is intact."""
    array = check_levels(levels)
    found = sorted(to_ajahr_index(limb, int(array[limb])) for limb in LIMBS if array[limb])
    return tuple(found) or (INTACT_INDEX,)


def indices_to_levels(indices: Iterable[int]) -> tuple[int, int, int, int]:
    """Limb levels of a person with these AJAHR-Indices. Two of one limb are an error: a limb ends once."""
    levels = [0] * NUM_LIMBS
    for index in indices:
        found = from_ajahr_index(int(index))
        if found is None:
            continue
        limb, level = found
        if levels[limb] not in (0, int(level)):
            raise ValueError(f"AJAHR-Indices {tuple(indices)} give two levels to {limb.name}")
        levels[limb] = int(level)
    return (levels[0], levels[1], levels[2], levels[3])


# ------------------------------------------------------------------------------------- keypoint layouts


@dataclass(frozen=True)
class KeypointLayout:
    """An ordered set of keypoints.

    ``anchors`` gives, per keypoint, the SMPL joint whose loss makes the keypoint absent; the trunk's joints are
    never lost. For the layouts with residual-limb ends, ``residual`` marks those, and whether they exist is
    asked of `residual_end_present`.
    """

    name: str
    names: tuple[str, ...]
    anchors: tuple[int, ...]
    edges: tuple[tuple[int, int], ...]
    residual: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def index(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.names)}

    @cached_property
    def flip(self) -> tuple[int, ...]:
        """Permutation that puts a mirrored person's keypoints back in order; an involution."""
        return _flip_permutation(self.names)

    def absent(self, levels: Sequence[int] | np.ndarray) -> np.ndarray:
        """Keypoints that do not exist on people with these limb levels: (..., 4) -> bool (..., K).

        A residual-limb end is absent unless the limb ends between its joints (see `residual_end`).
        """
        levels = check_levels(levels)
        mask = absent_joint_mask(levels)[..., list(self.anchors)]
        if self.residual:
            mask[..., list(self.residual)] = True
            for limb in LIMBS:
                for level in range(1, NUM_LEVELS):
                    end = residual_end(limb, level)
                    if end is not None:
                        mask[..., self.index[end]] &= levels[..., limb] != level
        return mask


def residual_end(limb: Limb | int, level: Level | int) -> str | None:
    """LDPose name of the residual-limb end of a joint-level amputation, None where 25 points have none.

    Losing a hand leaves a full forearm, so the below-elbow end lies at the wrist; losing the forearm leaves a
    full upper arm, whose above-elbow end lies at the elbow; a shoulder disarticulation leaves no residual limb,
    which LDPose cannot express. Legs likewise.
    """
    limb, level = Limb(limb), int(level)
    if level == 1:
        return f"{limb.side}_below_{_TOP_JOINT[limb.is_arm][1]}_res"
    if level == 2:
        return f"{limb.side}_above_{_TOP_JOINT[limb.is_arm][1]}_res"
    return None


_COCO_NAMES = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder",
    "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee",
    "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip
_RES_NAMES = tuple(
    f"{side}_{where}_{joint}_res"
    for joint in ("elbow", "knee")
    for where in ("above", "below")
    for side in ("left", "right")
)
_COCO_EDGES = (
    (0, 1), (1, 3), (0, 2), (2, 4), (3, 5), (4, 6), (5, 7), (6, 8), (7, 9), (8, 10), (5, 11), (6, 12),
    (12, 14), (11, 13), (13, 15), (14, 16),
)  # fmt: skip


def _anchor(name: str) -> int:
    """SMPL joint a keypoint hangs on; head and trunk keypoints hang on joints that are never lost."""
    if name in JOINT:
        return JOINT[name]
    for part, joint in (("big_toe", "ankle"), ("small_toe", "ankle"), ("heel", "ankle")):
        if name.endswith(part):  # the foot goes with the ankle
            return JOINT[f"{name.split('_')[0]}_{joint}"]
    if name.endswith("_res"):
        side, where, joint, _ = name.split("_")
        parent = {"elbow": "shoulder", "knee": "hip"}[joint] if where == "above" else joint
        return JOINT[f"{side}_{parent}"]
    return JOINT["pelvis"] if "pelvis" in name or "hip" in name else JOINT["head"]


def _layout(name: str, names: tuple[str, ...], edges: Iterable[tuple[int, int]]) -> KeypointLayout:
    residual = tuple(i for i, n in enumerate(names) if n.endswith("_res"))
    anchors = tuple(_anchor(n.removesuffix("_extra")) for n in names)
    return KeypointLayout(name, names, anchors, tuple(edges), residual)


COCO17 = _layout("coco17", _COCO_NAMES, _COCO_EDGES)
LDPOSE25 = _layout(
    "ldpose25",
    _COCO_NAMES + _RES_NAMES,
    # the page prints the fourth residual edge as (7, 20); the right elbow's end hangs on the right elbow, 8
    (*_COCO_EDGES, (5, 17), (6, 18), (7, 19), (8, 20), (11, 21), (12, 22), (13, 23), (14, 24)),
)

_BODY25_NAMES = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow",
    "left_wrist", "mid_hip", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee",
    "left_ankle", "right_eye", "left_eye", "right_ear", "left_ear", "left_big_toe", "left_small_toe",
    "left_heel", "right_big_toe", "right_small_toe", "right_heel",
)  # fmt: skip
_EXTRA_NAMES = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "right_wrist",
    "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist", "neck_lsp",
    "head_top_lsp", "pelvis_mpii", "thorax_mpii", "spine_h36m", "jaw_h36m", "head_h36m",
)  # fmt: skip
_BODY25_EDGES = (
    (0, 1), (1, 2), (2, 3), (3, 4), (1, 5), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (10, 11), (8, 12),
    (12, 13), (13, 14), (0, 15), (0, 16), (15, 17), (16, 18), (14, 19), (19, 20), (14, 21), (11, 22),
    (22, 23), (11, 24),
)  # fmt: skip

BODY25 = _layout("body25", _BODY25_NAMES, _BODY25_EDGES)
J44 = _layout("j44", _BODY25_NAMES + tuple(f"{n}_extra" for n in _EXTRA_NAMES), _BODY25_EDGES)
"""HMR2.0's 44 joints: BODY_25 then 19 "extra" ones from a vertex regressor (upstream names them likewise)."""
SMPL24 = _layout("smpl24", JOINT_NAMES, ((p, j) for j, p in enumerate(PARENTS) if p >= 0))

LAYOUTS: dict[str, KeypointLayout] = {x.name: x for x in (SMPL24, COCO17, LDPOSE25, BODY25, J44)}

J44_FROM_SMPL45: tuple[int, ...] = (
    24, 12, 17, 19, 21, 16, 18, 20, 0, 2, 5, 8, 1, 4, 7, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34,
)  # fmt: skip
"""The first 25 of J44 picked from the 45 joints smplx returns (24 kinematic, 11 face and feet, 10 finger tips)."""
J44_FROM_COCO17: tuple[int, ...] = tuple(BODY25.index[n] for n in _COCO_NAMES)
"""Slot in J44 of each COCO keypoint."""
BPAC_KEYPOINTS: tuple[int, ...] = tuple(range(5, 17))
"""The 12 COCO keypoints BPAC-Net sees as heatmaps: shoulders, elbows, wrists, hips, knees, ankles."""
