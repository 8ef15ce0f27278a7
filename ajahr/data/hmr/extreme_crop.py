"""HMR2.0's extreme crops: boxes around a part of the body, so that the rest lies outside (facts 3.9).

The keypoints removed serve to compute the box only; the sample keeps all it has.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from ajahr.anatomy import J44
from ajahr.geometry.crops import box_from_points

BOX_SCALE = 1.2
MIN_SIDE = 4.0
"""Boxes with a side below it (px) are not taken."""
Mode = Literal["hips", "shoulders", "head", "torso", "right_arm", "left_arm", "legs", "right_leg", "left_leg"]


def _slots(spec: str) -> tuple[int, ...]:
    """``"3,6-8"`` -> (3, 6, 7, 8)."""
    found: list[int] = []
    for part in spec.split(","):
        first, _, last = part.partition("-")
        found.extend(range(int(first), int(last or first) + 1))
    return tuple(found)


REMOVED: dict[Mode, tuple[int, ...]] = {
    "hips": _slots("10,11,13,14,19-24,25,26,29,30"),
    "shoulders": _slots("3,4,6-14,19-24,25-32,35,36,39-41"),
    "head": _slots("3,4,6-14,19-24,25-36,39-41"),
    "torso": _slots("0,3,4,6,7,10,11,13-24,25,26,29-32,35,36,38,42,43"),
    "right_arm": _slots("0,1,5-24,25-30,34-43"),
    "left_arm": _slots("0-4,8-24,25-33,37-43"),
    "legs": _slots("0-7,15-18,31-38,40-43"),
    "right_leg": _slots("0-8,12-21,28-43"),
    "left_leg": _slots("0-11,15-18,22-24,25-27,31-43"),
}
"""Slots of J44 that do not count for the box of each mode."""
_ENLARGE: dict[str, float] = {"shoulders": 1.2, "head": 1.3}
_OTHERWISE = 1.1

_STEPS: dict[tuple[int, bool], tuple[tuple[float, Mode], ...]] = {
    # (level, whole body in sight): upper bounds of the uniform number that picks the mode
    (1, True): (
        (0.2, "hips"), (0.3, "shoulders"), (0.4, "head"), (0.5, "torso"), (0.6, "right_arm"),
        (0.7, "left_arm"), (0.8, "legs"), (0.9, "right_leg"), (1.0, "left_leg"),
    ),
    (1, False): (
        (0.2, "shoulders"), (0.4, "head"), (0.6, "torso"), (0.8, "right_arm"), (1.0, "left_arm"),
    ),
    (0, True): ((0.7, "hips"), (0.9, "shoulders"), (1.0, "head")),
    (0, False): ((0.9, "shoulders"), (1.0, "head")),
}  # fmt: skip


def _pairs(*parts: str) -> np.ndarray:
    """Slots (names, 2) of both sides of ``parts`` in the body block and in the extra block."""
    names = [f"{side}_{part}" for side in ("left", "right") for part in parts]
    return np.array([(J44.index[name], J44.index[f"{name}_extra"]) for name in names])


_LIMB_SLOTS = _pairs("wrist", "elbow", "shoulder", "knee", "ankle")
_LEG_SLOTS = _pairs("knee", "ankle")
_UPPER_SLOTS = np.array([0, 1, 15, 16, 17, 18, 33, 34, 37, 38, 42, 43])


def choose_mode(
    present: Bool[np.ndarray, "j44=44"], absent: Bool[np.ndarray, "j44=44"], u: float, level: int
) -> Mode | None:
    """The part to crop to, or None where neither the whole nor the upper body is in sight.

    Args:
        present: keypoints with a positive confidence.
        absent: keypoints an amputation has taken. They count as in sight: otherwise, unlike upstream's
            people, nobody with a limb loss would ever be cropped, and the crop would give the label away.
        u: uniform in 0..1.
        level: 1 aggressive, 0 mild.
    """
    seen = present | absent
    whole = bool(seen[_LIMB_SLOTS].any(1).all())
    upper = not seen[_LEG_SLOTS].any() and int(present[_UPPER_SLOTS].sum()) >= 2
    if not (whole or upper):
        return None
    return next(mode for bound, mode in _STEPS[level, whole] if u < bound or bound == 1.0)


def box_of(
    keypoints: Float[np.ndarray, "j44=44 3"], mode: Mode
) -> tuple[Float[np.ndarray, "xy=2"], float] | None:
    """Centre and side (px) of the square around what a mode keeps; None where too little is left."""
    keep = keypoints[:, 2] > 0
    keep[list(REMOVED[mode])] = False
    points = keypoints[keep]
    if points[:, 2].sum() <= 1:
        return None
    centre, size = box_from_points(points[:, :2], BOX_SCALE * _ENLARGE.get(mode, _OTHERWISE))
    if size.min() < MIN_SIDE:
        return None
    return centre, float(size.max())
