"""A wheelchair built around whoever sits in it.

Its frame has the pelvis for origin, x to the sitter's left, y up, z forwards. Seat, backrest and footrests follow
the intact skeleton, so that both twins sit in the same chair; the wheels stand where the wheelchair poses of
`ajahr.poses` put the hands.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ajahr.anatomy import JOINT
from synth.props.mesh import Colour, Mesh, across, box, join, ring, tube, unit

_AXLE_Y, _AXLE_Z = -0.17, -0.02
"""Where the wheelchair poses have the axle, m from the pelvis."""
_RADIUS_M = (0.29, 0.35)
"""Wheels are 22 to 28 inches."""
_WHEEL_M = 0.32
_FRAMES: tuple[Colour, ...] = (
    (38, 39, 42), (172, 176, 182), (30, 62, 130), (150, 28, 34), (84, 90, 96), (22, 90, 84),
)  # fmt: skip
_CUSHIONS: tuple[Colour, ...] = ((26, 26, 28), (44, 48, 60), (70, 30, 34), (58, 60, 62))
_TYRE: Colour = (40, 40, 42)
_STEEL: Colour = (186, 188, 192)


@dataclass(frozen=True)
class WheelchairLook:
    """Colours, and whether there are armrests and handles."""

    frame: Colour
    cushion: Colour
    armrests: bool
    handles: bool

    @classmethod
    def draw(cls, rng: np.random.Generator) -> WheelchairLook:
        return cls(
            _FRAMES[int(rng.integers(len(_FRAMES)))],
            _CUSHIONS[int(rng.integers(len(_CUSHIONS)))],
            bool(rng.random() < 0.45),
            bool(rng.random() < 0.7),
        )


def _by(x: float, y: float, z: float) -> Float[np.ndarray, "xyz=3"]:
    return np.array([x, y, z])


def upright_frame(up: Float[np.ndarray, "xyz=3"], root: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3 3"]:
    """Columns left, up and forwards of somebody whose root has this rotation, levelled."""
    forwards = across(up, root @ np.array([0.0, 0.0, 1.0]))
    return np.stack([np.cross(unit(up), forwards), unit(up), forwards], axis=1)


def wheelchair(
    look: WheelchairLook,
    joints: Float[np.ndarray, "joints=24 3"],
    frame: Float[np.ndarray, "3 3"],
    ground: float,
) -> Mesh:
    """The chair, in the frame of ``joints``.

    Args:
        look: its colours.
        joints: of the intact sitter, m.
        frame: `upright_frame` of the sitter.
        ground: height of the ground along the frame's up, m from the origin of ``joints``.
    """
    pelvis = joints[0].astype(np.float64)
    local = (joints - pelvis) @ frame
    floor = ground - float(pelvis @ frame[:, 1])
    hips = local[[JOINT["left_hip"], JOINT["right_hip"]]]
    knees = local[[JOINT["left_knee"], JOINT["right_knee"]]]
    half = 0.5 * float(np.abs(hips[0, 0] - hips[1, 0])) + 0.115
    seat = float(hips[:, 1].mean()) - 0.10
    depth = float(np.clip(knees[:, 2].mean() - 0.09, 0.2, 0.36))
    radius = float(np.clip(_AXLE_Y - floor, *_RADIUS_M))
    axle = np.array([0.0, floor + radius, _AXLE_Z])
    spine = local[JOINT["spine2"]]
    # the backrest leans as the back does, as far as backrests lean
    tilt = float(np.clip(np.arctan2(-spine[2], max(spine[1], 0.05)), 0.05, 0.30))
    back_foot = np.array([0.0, seat - 0.02, -0.155])
    back_top = back_foot + 0.44 * np.array([0.0, np.cos(tilt), -np.sin(tilt)])
    parts = [
        box((0, seat - 0.03, (depth - 0.14) / 2), (half - 0.012, 0.03, (depth + 0.14) / 2), look.cushion),
        box((back_foot + back_top) / 2 + _by(0, 0.03, 0), (half - 0.012, 0.19, 0.014), look.cushion,
            np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])),
        tube([(-half - 0.03, *axle[1:]), (half + 0.03, *axle[1:])], 0.012, _STEEL, 8),
    ]  # fmt: skip
    for side in (1.0, -1.0):
        parts += _side(side, look, half, seat, depth, axle, radius, floor, back_foot, back_top)
        parts += _footrest(side, look, half, seat, depth, local, floor)
    return join(parts).placed(frame, pelvis)


def _side(side, look, half, seat, depth, axle, radius, floor, back_foot, back_top) -> list[Mesh]:
    """Wheel, caster and the tubes of one side."""
    x = np.array([side, 0.0, 0.0])
    hub = axle + (half + 0.035) * x
    rail = half * x
    caster = np.array([side * (half - 0.03), floor + 0.068, depth - 0.02])
    parts = [
        _wheel(look.frame).placed(np.diag([side, 1.0, side]), hub, radius / _WHEEL_M),
        tube([back_top + rail + _by(0, 0.03, 0), back_foot + rail, back_foot + rail + _by(0, -0.12, 0.0)], 0.012,
             look.frame, 8),
        tube([back_foot + rail + _by(0, -0.035, 0), np.array([side * half, seat - 0.055, depth])], 0.012,
             look.frame, 8),
        tube([axle + rail, np.array([side * half, floor + 0.2, depth - 0.04])], 0.011, look.frame, 8),
        tube([axle + rail, np.array([side * half, seat - 0.055, axle[2] + 0.02])], 0.011, look.frame, 8),
        tube([np.array([side * half, seat - 0.05, depth - 0.04]), np.array([side * half, floor + 0.19, depth - 0.04]),
              caster + _by(0, 0.09, 0), caster], 0.010, look.frame, 8),
        ring(caster, x, 0.052, 0.016, _TYRE, 18, 6),
        box(rail + _by(0, seat + 0.05, 0.03), (0.006, 0.07, 0.13), look.frame),
    ]  # fmt: skip
    if look.armrests:
        pad = seat + 0.20
        parts += [
            box(rail + _by(0, pad, 0.05), (0.024, 0.015, 0.14), look.cushion),
            tube([rail + _by(0, seat - 0.05, 0.14), rail + _by(0, pad, 0.14)], 0.010, look.frame, 8),
        ]
    if look.handles:
        top = back_top + rail + _by(0, 0.025, 0)
        parts.append(tube([top, top + _by(0, 0.004, -0.05), top + _by(0, 0.0, -0.13)], 0.015, _TYRE, 8))
    return parts


@functools.cache
def _wheel(hub: Colour) -> Mesh:
    """A wheel of radius `_WHEEL_M` about x, its push rim on the side of +x."""
    x = np.array([1.0, 0.0, 0.0])
    spokes = [
        (_WHEEL_M - 0.03) * np.array([0.0, np.cos(turn), np.sin(turn)]) for turn in np.pi * np.arange(10) / 10
    ]
    return join(
        [
            ring((0, 0, 0), x, _WHEEL_M - 0.014, 0.014, _TYRE, 36, 7),
            ring((0, 0, 0), x, _WHEEL_M - 0.032, 0.007, _STEEL, 36, 5),
            ring(0.03 * x, x, _WHEEL_M - 0.03, 0.008, _STEEL, 36, 6),
            tube([-0.025 * x, 0.03 * x], 0.026, hub, 10),
            *(tube([-spoke, spoke], 0.0022, _STEEL, 4) for spoke in spokes),
        ]
    )


def _footrest(side, look, half, seat, depth, local, floor) -> list[Mesh]:
    """Plate under one foot and the hanger it hangs from."""
    name = "left" if side > 0 else "right"
    ankle, foot = local[JOINT[f"{name}_ankle"]], local[JOINT[f"{name}_foot"]]
    middle = (ankle + foot) / 2
    sole = max(min(float(ankle[1]) - 0.075, float(foot[1]) - 0.03) - 0.012, floor + 0.02)
    x = side * float(np.clip(side * middle[0], 0.07, half - 0.05))
    plate = np.array([x, sole, float(middle[2]) + 0.01])
    corner = np.array([side * half, seat - 0.055, depth])
    return [
        box(plate, (0.065, 0.008, 0.09), _TYRE),
        tube([corner, corner + _by(-0.01 * side, -0.03, 0.04), plate + _by(side * 0.075, 0.01, -0.03)], 0.011,
             look.frame, 8),
        tube([plate + _by(side * 0.075, 0.01, -0.03), plate + _by(0, -0.004, -0.03)], 0.010, look.frame, 8),
    ]  # fmt: skip
