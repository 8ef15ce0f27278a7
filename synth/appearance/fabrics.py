"""Cloth: colour patterns in the cylinder coordinates of trunk and limbs, and the shading of folds."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32

from synth.appearance.atlas import Atlas, Texels
from synth.appearance.canvas import smoothstep
from synth.appearance.look import Fabric
from synth.appearance.noise import fractal_noise

_GIRTH = {"trunk": 0.84, "arm": 0.27, "leg": 0.46}
"""Metres around; patterns repeat a whole number of times in it, so that they close behind."""


def _around(atlas: Atlas, period: float, legs: bool) -> tuple[np.ndarray, np.ndarray]:
    """Repeats around the limb (periodic at 1) and the width of one, metres."""
    arm, leg = atlas.arm > 0.5, (atlas.leg > 0.5) & legs
    girth = np.where(arm, _GIRTH["arm"], np.where(leg, _GIRTH["leg"], _GIRTH["trunk"])).astype(np.float32)
    repeats = np.maximum(np.round(girth / period), 2)
    return (atlas.angle if legs else atlas.trunk_angle) / (2 * np.pi) * repeats, girth / repeats


def _bands(turns: np.ndarray, width: np.ndarray | float, share: float, atlas: Atlas) -> np.ndarray:
    """Antialiased stripes: 1 on ``share`` of each period."""
    from_middle = np.abs(turns - np.round(turns)) * width
    return (0.5 + (share / 2 * width - from_middle) / (1.3 * atlas.texel_m)).clip(0, 1)


def cloth_colours(atlas: Atlas, fabric: Fabric, legs: bool = False) -> Float32[np.ndarray, "texels 3"]:
    """Colour of ``fabric`` at every texel, without folds. sRGB, 0..255.

    ``legs``: the garment has two legs; without, it goes around both together.
    """
    xyz, seed, period = atlas.xyz, fabric.seed, fabric.period_m
    first, second = np.asarray(fabric.colour, np.float32), np.asarray(fabric.second, np.float32)
    weave = 1 + 0.035 * fractal_noise(xyz, 260.0, seed, octaves=1)
    share = np.zeros(len(xyz), np.float32)
    if fabric.pattern == "stripes":
        share = _bands(atlas.axial / period, period, (0.5, 0.3, 0.2)[seed % 3], atlas)
    elif fabric.pattern == "pinstripes":
        turns, width = _around(atlas, period, legs)
        share = 0.55 * _bands(turns, width, 0.16, atlas)
    elif fabric.pattern == "check":
        turns, width = _around(atlas, period, legs)
        along, across = _bands(atlas.axial / period, period, 0.45, atlas), _bands(turns, width, 0.45, atlas)
        share = 0.42 * (along + across)
    elif fabric.pattern == "dots":
        share = _dots(atlas, period, legs)
    elif fabric.pattern == "heather":
        weave = 1 + 0.1 * fractal_noise(xyz, 190.0, seed, octaves=2)
    elif fabric.pattern == "denim":
        fade = fractal_noise(xyz, 9.0, seed + 1, octaves=2) * 0.5 + 0.4 * _thigh_fade(atlas)
        weave = (1 + 0.08 * fractal_noise(xyz, (230, 60, 230), seed, octaves=2)) * (1 + 0.3 * fade)
    elif fabric.pattern == "camouflage":
        patches = fractal_noise(xyz, 0.9 / period, seed, octaves=3)
        share = 0.55 * smoothstep(0.05, 0.09, patches)
        dark = smoothstep(0.12, 0.16, fractal_noise(xyz, 1.1 / period, seed + 1, octaves=3))
        weave = weave * (1 - 0.45 * dark)
    elif fabric.pattern == "floral":
        share = smoothstep(0.18, 0.24, fractal_noise(xyz, 1.6 / period, seed, octaves=2))
        petals = smoothstep(0.3, 0.36, fractal_noise(xyz, 1.6 / period, seed + 1, octaves=2))
        weave = weave * (1 + 0.35 * petals)
    colours = first + (second - first) * share[:, None]
    return colours * weave[:, None].astype(np.float32)


def _dots(atlas: Atlas, period: float, legs: bool) -> np.ndarray:
    turns, width = _around(atlas, period, legs)
    row = np.round(atlas.axial / period)
    turns = turns + 0.5 * (row % 2)  # rows staggered
    away = np.hypot((turns - np.round(turns)) * width, (atlas.axial / period - row) * period)
    return (0.5 + (0.24 * period - away) / (1.3 * atlas.texel_m)).clip(0, 1)


def _thigh_fade(atlas: Atlas) -> np.ndarray:
    """Worn places of jeans: front of the thigh, seat."""
    lm = atlas.landmarks
    hip, knee = lm.joint("left_hip")[1], lm.joint("left_knee")[1]
    middle, half = 0.45 * hip + 0.55 * knee, 0.4 * (hip - knee)
    return np.exp(-0.5 * ((atlas.xyz[:, 1] - middle) / half) ** 2) * np.abs(atlas.normal[:, 2]) ** 2


def fold_shading(atlas: Atlas, fabric: Fabric, loose_end: float | None = None) -> Texels:
    """Factor about 1: folds across elbows, knees and crotch, slack ones on the trunk, the body's relief.

    ``loose_end``: share of the leg at which cloth piles up on the shoe.
    """
    lm, xyz = atlas.landmarks, atlas.xyz

    def near(name: str, width: float) -> np.ndarray:
        joint = lm.joint(f"left_{name}")
        offset = np.stack([np.abs(xyz[:, 0]) - joint[0], xyz[:, 1] - joint[1], xyz[:, 2] - joint[2]], 1)
        return np.exp(-0.5 * (offset**2).sum(1) / (width * lm.scale) ** 2)

    waist = 0.45 * lm.joint("pelvis")[1] + 0.55 * lm.joint("spine1")[1]
    mask = 0.3 + 0.75 * near("elbow", 0.07) + 0.75 * near("knee", 0.08) + 0.5 * near("shoulder", 0.08)
    mask += 0.6 * near("hip", 0.09) + 0.5 * np.exp(-0.5 * ((xyz[:, 1] - waist) / 0.07) ** 2) * (
        atlas.arm < 0.5
    )
    if loose_end is not None:
        hip, ankle = lm.joint("left_hip")[1], lm.joint("left_ankle")[1]
        end = hip + loose_end * (ankle - hip)
        mask += 0.7 * np.exp(-0.5 * ((xyz[:, 1] - end) / 0.06) ** 2) * (atlas.leg > 0.5)
    warp = 0.02 * fractal_noise(xyz, 7.0, fabric.seed + 11, octaves=2)
    rings = atlas.cylinder.copy()
    rings[:, 0] += warp + 0.012 * np.sin(atlas.angle + fabric.seed % 7)  # folds lean
    across = fractal_noise(rings, (30.0, 0.9, 0.9), fabric.seed + 12, octaves=2)
    slack = fractal_noise(xyz, (11.0, 5.0, 11.0), fabric.seed + 13, octaves=2)
    ridged = 1 - 2 * np.abs(across)
    folds = 0.3 * (0.7 * across + 0.3 * (ridged - 0.5)) * mask.clip(0, 1.2) + 0.13 * slack
    return (1 + fabric.wrinkles * folds - 0.08 * atlas.cavity.clip(-0.4, 1)).astype(np.float32)
