"""Forearm crutches, in the hands of somebody who stands in one of the crutch poses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ajahr.anatomy import JOINT, Limb
from synth.props.mesh import Colour, Mesh, across, bar, join, tube, unit

_SHAFTS: tuple[Colour, ...] = ((190, 193, 198), (60, 62, 66), (130, 136, 144), (38, 60, 110), (196, 190, 176))
_GRIPS: tuple[Colour, ...] = ((30, 30, 32), (70, 72, 76), (44, 70, 120))
_TIP: Colour = (46, 46, 48)
_GRIP_HALF_M, _SHAFT_M = 0.062, 0.0105


@dataclass(frozen=True)
class CrutchLook:
    """Colours, the same of both crutches."""

    shaft: Colour
    grip: Colour

    @classmethod
    def draw(cls, rng: np.random.Generator) -> CrutchLook:
        return cls(_SHAFTS[int(rng.integers(len(_SHAFTS)))], _GRIPS[int(rng.integers(len(_GRIPS)))])


def crutch(
    look: CrutchLook,
    limb: Limb,
    joints: Float[np.ndarray, "joints=24 3"],
    rotations: Float[np.ndarray, "joints=24 3 3"],
    frame: Float[np.ndarray, "3 3"],
    ground: float,
) -> Mesh:
    """One crutch: a grip through the fist, a shaft to the ground, a cuff round the forearm.

    Args:
        look: its colours.
        limb: the arm that holds it.
        joints: of the intact person, m.
        rotations: from the rest pose to their frame.
        frame: `synth.props.wheelchair.upright_frame` of the person.
        ground: height of the ground along the frame's up, m.
    """
    side = limb.side
    elbow, wrist, hand = (
        joints[JOINT[f"{side}_{name}"]].astype(np.float64) for name in ("elbow", "wrist", "hand")
    )
    up, forwards = frame[:, 1], frame[:, 2]
    outwards = frame[:, 0] * (1 if side == "left" else -1)
    # in the rest pose palms face down: the fist closes around what lies there
    palm = rotations[JOINT[f"{side}_wrist"]] @ np.array([0.0, -1.0, 0.0])
    grip = wrist + 0.85 * (hand - wrist) + 0.026 * palm
    forearm = unit(elbow - wrist)
    along = across(forearm, forwards)  # the handle lies across the forearm, as fists hold
    back = grip - _GRIP_HALF_M * along
    tip = back + 0.05 * outwards + 0.02 * forwards
    tip -= (float(tip @ up) - ground) * up
    cuff = wrist + 0.78 * (elbow - wrist)
    behind = cuff - 0.052 * along
    side_ways = np.cross(forearm, along)
    turns = np.linspace(-0.75 * np.pi, 0.75 * np.pi, 13)[:, None]
    bow = cuff - 0.05 * (np.cos(turns) * along + np.sin(turns) * side_ways)
    return join(
        [
            tube([back + 0.03 * unit(back - tip), tip], _SHAFT_M, look.shaft, 10),
            tube([back, back + 0.4 * (behind - back), behind], _SHAFT_M * 0.95, look.shaft, 10),
            tube([back - 0.008 * along, grip + _GRIP_HALF_M * along], 0.0165, look.grip, 10),
            bar(bow, forearm, np.full(len(bow), 0.03), 0.004, look.grip),
            tube([tip + 0.06 * unit(back - tip), tip], [0.013, 0.02], _TIP, 10),
        ]
    )
