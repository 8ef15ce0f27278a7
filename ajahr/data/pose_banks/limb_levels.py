"""Limb levels of the absent joints that a bank stores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int

from ajahr.anatomy import ABSENT_TABLE, LIMBS, NUM_LEVELS, NUM_LIMBS, NUM_TOKENIZER_JOINTS, class_name


def levels_of(absent_joints: Bool[np.ndarray, "poses 21"]) -> Int[np.ndarray, "poses 4"]:
    """Limb levels in `Limb` order: the highest level all of whose joints are absent, 0 if none."""
    levels = np.zeros((len(absent_joints), NUM_LIMBS), np.int64)
    table = ABSENT_TABLE[:, :, 1 : 1 + NUM_TOKENIZER_JOINTS]
    for limb in LIMBS:
        for level in range(1, NUM_LEVELS):
            levels[absent_joints[:, table[limb, level]].all(1), limb] = level
    return levels


def level_names(levels: Sequence[int] | Int[np.ndarray, "4"]) -> str:
    """``"left elbow, right hip"``, or ``"intact"``."""
    lost = [class_name(limb, int(levels[limb])).replace("_", " ") for limb in LIMBS if levels[limb]]
    return ", ".join(lost) or "intact"
