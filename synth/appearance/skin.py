"""Bare skin: tone, blotches, redness where blood shows, palms and soles, lips, nails."""

from __future__ import annotations

import numpy as np

from synth.appearance.atlas import Atlas
from synth.appearance.canvas import Canvas, bump, smoothstep
from synth.appearance.groups import skin_albedo
from synth.appearance.look import Look
from synth.appearance.noise import fractal_noise


def _redness(atlas: Atlas) -> np.ndarray:
    """Where blood shows through, 0..1: cheeks, nose, ears, elbows, knees, knuckles."""
    lm, xyz = atlas.landmarks, atlas.xyz
    mirrored = np.abs(xyz[:, 0])
    total = 0.7 * atlas.regions["ears"]
    face = np.flatnonzero(atlas.weight[:, 4] > 0.5)
    head = xyz[face]

    def spot(centre: np.ndarray, radius: float) -> np.ndarray:
        offset = np.stack([abs(head[:, 0]) - centre[0], head[:, 1] - centre[1], head[:, 2] - centre[2]], 1)
        return np.exp(-0.5 * (offset**2).sum(1) / (radius * lm.scale) ** 2)

    cheek = np.array([lm.eyes[0, 0] * 1.25, lm.nose[1] - 0.008 * lm.scale, lm.eyes[0, 2] - 0.012 * lm.scale])
    total[face] += 0.75 * spot(cheek, 0.02) + 0.5 * spot(lm.nose, 0.012)
    for joint, radius, axis, sign in (
        ("left_elbow", 0.035, 2, -1), ("left_knee", 0.05, 2, 1),
        ("left_hand", 0.045, 1, 1), ("left_foot", 0.04, 1, 1),
    ):  # fmt: skip
        centre = lm.joint(joint)
        offset = np.stack([mirrored - centre[0], xyz[:, 1] - centre[1], xyz[:, 2] - centre[2]], 1)
        near = np.exp(-0.5 * (offset**2).sum(1) / (radius * lm.scale) ** 2)
        total += near * (sign * atlas.normal[:, axis]).clip(0, 1)
    return total.clip(0, 1)


def paint_skin(atlas: Atlas, look: Look) -> Canvas:
    """A canvas with the whole body bare."""
    base = skin_albedo(look.monk, look.group)
    canvas = Canvas(atlas, base)
    xyz, regions = atlas.xyz, atlas.regions
    dark = float(np.interp(look.monk, (1, 10), (0, 1)))
    blotch = fractal_noise(xyz, 14.0, look.seed, octaves=3)
    pores = fractal_noise(xyz, 140.0, look.seed + 1, octaves=2)
    creases = 0.10 + 0.1 * (look.age - 18) / 62
    canvas.shade(1 + 0.045 * blotch + 0.03 * pores - creases * atlas.cavity.clip(-0.5, 1))

    red = _redness(atlas) * (1 + 0.35 * blotch)
    flush = np.stack([1 + 0.03 * red, 1 - 0.11 * red, 1 - 0.10 * red], 1)
    canvas.colours *= 1 + (flush - 1) * (1 - 0.55 * dark)
    if dark > 0.3:  # on darker skin the same places are darker rather than red
        canvas.shade(1 - 0.14 * dark * red)

    hand, foot = atlas.weight[:, 5], atlas.weight[:, 6]
    palm = smoothstep(0.25, 0.75, -atlas.normal[:, 1]) * smoothstep(0.4, 0.9, hand)
    sole = smoothstep(0.6, 0.9, -atlas.normal[:, 1]) * smoothstep(0.4, 0.9, foot)
    canvas.blend(np.maximum(palm, sole) * (0.35 + 0.35 * dark), (208, 160, 140))

    if look.freckles > 0.05:
        face_and_arms = np.maximum(atlas.weight[:, 4], np.maximum(atlas.weight[:, 0], atlas.weight[:, 1]))
        spots = smoothstep(0.32, 0.5, fractal_noise(xyz, 230.0, look.seed + 2, octaves=1))
        canvas.blend(
            spots * face_and_arms * look.freckles * 0.28 * (0.5 + 0.5 * blotch).clip(0, 1),
            base * (0.72, 0.58, 0.48),
        )

    nail = np.array([226, 184, 172]) * (1 - 0.25 * dark) if look.nails is None else np.asarray(look.nails)
    canvas.blend(regions["nails"] * (0.65 if look.nails is None else 0.95), nail)
    canvas.blend(regions["areolae"] * 0.7, base * np.array([0.72, 0.5, 0.47]))
    _paint_lips(canvas, look, base, dark)
    canvas.blend(np.maximum(regions["mouth"], atlas.inner), (92, 34, 34))
    return canvas


def _paint_lips(canvas: Canvas, look: Look, base: np.ndarray, dark: float) -> None:
    atlas = canvas.atlas
    lips = atlas.regions["lips"]
    natural = base * (np.array([0.9, 0.62, 0.62]) + dark * np.array([-0.02, 0.14, 0.16]))
    canvas.blend(lips * 0.85, natural)
    if look.lipstick > 0.3:
        shades = np.array([(150, 28, 44), (178, 58, 66), (166, 78, 84), (120, 34, 60)])
        canvas.blend(lips * 0.8 * look.lipstick, shades[look.seed % len(shades)] * (1 - 0.25 * dark))
    between = lips * bump(atlas.xyz[:, 1], float(atlas.landmarks.mouth[1]), 0.0022 * atlas.landmarks.scale)
    canvas.blend(between * 0.45, base * 0.3)
