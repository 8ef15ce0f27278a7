"""Eyes, eyebrows, beard, hair, headscarf and beanie."""

from __future__ import annotations

import numpy as np

from synth.appearance.atlas import Atlas
from synth.appearance.canvas import Canvas, bump, smoothstep
from synth.appearance.fabrics import cloth_colours
from synth.appearance.groups import EYE_COLOURS
from synth.appearance.look import Hair, Look
from synth.appearance.noise import fractal_noise


def _azimuth_deg(points: np.ndarray, atlas: Atlas) -> np.ndarray:
    """0 in front, 90 at the ears, 180 behind."""
    return np.degrees(np.abs(np.arctan2(points[:, 0], points[:, 2] - atlas.landmarks.ear[2])))


def paint_face(canvas: Canvas, look: Look) -> None:
    """Eyes, lashes and eyebrows."""
    atlas = canvas.atlas
    _paint_eyes(canvas, look)
    lm = atlas.landmarks
    s = lm.scale
    face = np.flatnonzero(
        (atlas.weight[:, 4] > 0.5) & ~atlas.eyeball & (atlas.xyz[:, 2] > lm.ear[2] + 0.02 * s)
    )
    p = atlas.xyz[face]
    x, y = np.abs(p[:, 0]), p[:, 1]
    eye = lm.eyes[0]
    away = np.sqrt((x - eye[0]) ** 2 + (y - eye[1]) ** 2 + (p[:, 2] - eye[2]) ** 2) / lm.eye_radius
    rim = smoothstep(1.32, 1.08, away) * np.where(y > eye[1], 1.0, 0.45)
    female = look.lipstick > 0
    canvas.blend_at(face, rim * (0.75 if female else 0.5), (26, 18, 16))
    lids = atlas.regions["eyelids"][face]
    canvas.blend_at(face, lids * (0.12 + 0.3 * max(0.0, look.lipstick - 0.4)), (74, 44, 42))

    along = (x - eye[0]) / s
    arch = eye[1] + s * (0.0205 + 0.0042 * (1 - ((along - 0.007) / 0.02) ** 2))
    thick = s * (0.0024 + 0.0026 * look.brow) * (1 - 0.62 * ((along + 0.016) / 0.042).clip(0, 1))
    hairs = 0.75 + 0.4 * fractal_noise(
        np.stack([p[:, 0] * 3 + y, y, p[:, 2]], 1), 260.0, look.seed + 5, octaves=1
    )
    brow = smoothstep(1.15, 0.5, np.abs(y - arch) / thick)
    brow = brow * smoothstep(-0.0195, -0.0145, along) * smoothstep(0.027, 0.021, along) * hairs
    colour = np.minimum(np.asarray(look.hair.colour), 150) * 0.78
    canvas.blend_at(face, (brow * (0.45 + 0.5 * look.brow)).clip(0, 0.95), colour)


def _paint_eyes(canvas: Canvas, look: Look) -> None:
    atlas = canvas.atlas
    lm = atlas.landmarks
    at = np.flatnonzero(atlas.eyeball)
    if not len(at):  # a body without eyeballs: the disc about the eye's place stands for one
        away = np.minimum(*(np.linalg.norm(atlas.xyz - eye, axis=1) for eye in lm.eyes))
        at = np.flatnonzero((away < 1.08 * lm.eye_radius) & (atlas.normal[:, 2] > 0))
    p = atlas.xyz[at]
    centre = np.where(p[:, :1] > 0, lm.eyes[0], lm.eyes[1])
    d = (p - centre) / lm.eye_radius
    from_axis = np.degrees(np.arctan2(np.hypot(d[:, 0], d[:, 1]), d[:, 2]))
    one = np.ones(len(at), np.float32)
    canvas.blend_at(at, one, (216, 208, 202))
    canvas.blend_at(at, 0.35 * smoothstep(35, 65, from_axis), (176, 120, 108))
    iris = np.asarray(EYE_COLOURS[look.eye_colour], np.float32)
    canvas.blend_at(at, smoothstep(29, 25, from_axis), iris * 0.5)
    canvas.blend_at(at, smoothstep(25, 21, from_axis), iris)
    canvas.blend_at(at, smoothstep(12, 9, from_axis), (10, 9, 9))
    glint = np.hypot(d[:, 0] + 0.13, d[:, 1] - 0.16)
    canvas.blend_at(at, 0.75 * smoothstep(0.1, 0.05, glint) * (d[:, 2] > 0), (250, 250, 250))
    canvas.blend_at(at, 0.4 * smoothstep(0.12, 0.42, d[:, 1]), (60, 40, 36))  # the upper lid's shadow


# ------------------------------------------------------------------------------------------------- hair


def _hairline(hair: Hair, atlas: Atlas, azimuth: np.ndarray) -> np.ndarray:
    """y above which hair grows, by azimuth."""
    lm = atlas.landmarks
    s, eye, ear = lm.scale, float(lm.eyes[0, 1]), float(lm.ear[1])
    front, temple = eye + 0.06 * s, eye + 0.052 * s
    back = hair.recession * s
    nodes = [
        (0, front + 0.014 * back), (22, front + 0.02 * back), (40, temple + 0.04 * back),
        (54, eye + 0.036 * s + 0.03 * back), (62, ear + 0.022 * s), (68, ear - 0.012 * s),
        (79, ear - 0.014 * s), (83, ear + 0.036 * s), (106, ear + 0.034 * s),
        (122, ear - 0.012 * s), (140, ear - 0.048 * s), (180, ear - 0.062 * s),
    ]  # fmt: skip
    if hair.style in ("medium", "long"):
        drop = lm.chin[1] + (0.012 if hair.style == "medium" else -0.02) * s
        nape = lm.joint("neck")[1] + (0.02 if hair.style == "medium" else -0.17 + 0.05 * hair.parting) * s
        nodes = [
            *nodes[:3], (52, eye + 0.024 * s), (60, ear - 0.01 * s), (70, drop), (100, drop - 0.02 * s),
            (125, nape), (180, nape),
        ]  # fmt: skip
    elif hair.style == "tied":
        nodes = [*nodes[:4], (62, ear + 0.03 * s), (70, ear + 0.012 * s), (78, ear + 0.008 * s), *nodes[7:]]
    elif hair.style == "bald":
        top = lm.crown - 0.028 * s  # only a fringe at the sides and behind, if that
        nodes = [(0, top + s), (66, top + s), (80, ear + 0.036 * s), *nodes[8:]]
    angles, heights = np.array(nodes, np.float32).T
    return np.interp(azimuth, angles, heights).astype(np.float32)


def paint_hair(canvas: Canvas, look: Look) -> None:
    """Hair over everything painted so far: long hair lies on the shoulders' cloth."""
    hair, atlas = look.hair, canvas.atlas
    if hair.style == "headscarf":
        return _paint_headscarf(canvas, hair)
    lm = atlas.landmarks
    s = lm.scale
    _paint_beard(canvas, look)
    above = lm.joint("spine3")[1] if hair.style == "long" else lm.joint("neck")[1] - 0.02 * s
    at = np.flatnonzero((atlas.xyz[:, 1] > above) & ~atlas.eyeball & (np.abs(atlas.xyz[:, 0]) < 0.13 * s))
    p = atlas.xyz[at]
    azimuth = _azimuth_deg(p, atlas)
    radius = np.hypot(p[:, 0], p[:, 2] - lm.ear[2]) + 0.02 * s
    # streaks run from the crown outwards: fine about the vertical axis, long along it
    around = np.stack(
        [p[:, 0] / radius, (p[:, 1] - lm.ear[1]) / (0.14 * s), (p[:, 2] - lm.ear[2]) / radius], 1
    )
    strand = fractal_noise(around, (34, 3.2, 34), hair.cloth.seed, octaves=2)
    curls = fractal_noise(p, 150 / s, hair.cloth.seed + 1, octaves=2)
    grain = (1 - hair.curl) * strand + hair.curl * curls
    inside = p[:, 1] - _hairline(hair, atlas, azimuth) + s * (0.004 * strand + 0.003 * curls)
    on_head = atlas.weight[at, 4] + atlas.weight[at, 7]
    if hair.style == "long":  # on the back it ends in a rounded mass behind the shoulders
        behind = np.minimum(
            0.1 * s + 0.3 * (p[:, 1] - lm.joint("neck")[1]) - np.abs(p[:, 0]),
            lm.joint("neck")[2] - 0.012 * s - p[:, 2],
        )
        inside = np.where(on_head > 0.5, inside, np.minimum(inside, behind + 0.006 * s * strand))
    else:
        inside = np.where(on_head > 0.4, inside, -1)
    if hair.style not in ("medium", "long"):
        inside = np.where(atlas.regions["ears"][at] > 0.3, -1, inside)
    soft = {"buzz": 0.008, "short": 0.005}.get(hair.style, 0.004) * s
    cover = smoothstep(-soft, soft, inside)
    density = {"buzz": 0.78, "bald": 0.5 if look.age > 35 else 0.22}.get(hair.style, 1.0)
    if hair.style == "bald":
        cover *= smoothstep(lm.crown - 0.02 * s, lm.crown - 0.06 * s, p[:, 1]) * smoothstep(64, 88, azimuth)
    cover *= density * (1 + 0.25 * grain * (density < 1)).clip(0, 1.25)
    sheen = bump(around[:, 1], 0.55, 0.16) * (1 - hair.curl) * 0.22
    colour = np.asarray(hair.colour)[None] * (1 + 0.34 * grain + sheen)[:, None]
    if hair.parting and hair.style not in ("buzz", "bald"):
        line = (
            bump(p[:, 0], hair.parting * 0.06 * s, 0.0018 * s) * (azimuth < 80) * (atlas.normal[at, 1] > 0.2)
        )
        cover *= 1 - 0.45 * line * (1 - hair.curl)
    canvas.blend_at(at, cover.clip(0, 1), colour)
    if hair.style == "beanie":
        _paint_beanie(canvas, hair)


def _paint_beard(canvas: Canvas, look: Look) -> None:
    style = look.hair.beard
    if style == "none":
        return
    atlas = canvas.atlas
    lm = atlas.landmarks
    s, mouth, chin = lm.scale, float(lm.mouth[1]), float(lm.chin[1])
    at = np.flatnonzero(
        (atlas.weight[:, 4] > 0.5) & (atlas.xyz[:, 1] < lm.ear[1]) & ~atlas.eyeball & ~atlas.inner
    )
    p = atlas.xyz[at]
    x, y = np.abs(p[:, 0]), p[:, 1]
    azimuth = _azimuth_deg(p, atlas)
    hairs = fractal_noise(p, 240 / s, look.seed + 9, octaves=2)
    cheek = np.interp(
        azimuth,
        (12, 30, 50, 68, 82),
        (mouth, mouth + 0.002 * s, mouth + 0.01 * s, lm.ear[1] - 0.02 * s, lm.ear[1]),
    )
    jaw = np.minimum(cheek - y, s * 0.0006 * (90 - azimuth))
    jaw = np.minimum(
        jaw, y - np.interp(p[:, 2], (lm.ear[2], lm.chin[2]), (chin + 0.006 * s, chin - 0.012 * s))
    )
    moustache = np.minimum(
        np.minimum(0.027 * s - x, y - mouth + 0.001 * s), lm.nose[1] - 0.0165 * s - 0.3 * x - y
    )
    goatee = np.minimum(np.minimum(0.025 * s - x, mouth + 0.004 * s - y), jaw)
    shape = {
        "stubble": np.maximum(jaw, moustache), "full": np.maximum(jaw, moustache),
        "moustache": moustache, "goatee": np.maximum(goatee, moustache),
    }[style]  # fmt: skip
    soft = (0.006 if style == "stubble" else 0.003) * s
    cover = smoothstep(-soft, soft, shape + 0.002 * s * hairs) * (1 - atlas.regions["lips"][at])
    cover *= (0.34 if style == "stubble" else 0.86) * (1 + 0.3 * hairs)
    canvas.blend_at(
        at,
        cover.clip(0, 1),
        np.minimum(np.asarray(look.hair.colour), 165)[None] * (0.9 + 0.3 * hairs[:, None]),
    )


def _paint_headscarf(canvas: Canvas, hair: Hair) -> None:
    atlas = canvas.atlas
    lm = atlas.landmarks
    s = lm.scale
    p = atlas.xyz
    middle = (lm.eyes[0, 1] + 0.046 * s + lm.chin[1]) / 2
    half = (lm.eyes[0, 1] + 0.046 * s - lm.chin[1]) / 2
    oval = np.hypot(p[:, 0] / 0.058 / s, (p[:, 1] - middle) / half)
    face = np.where(p[:, 2] > lm.ear[2] + 0.012 * s, (oval - 1) * 0.06 * s, 1.0)
    folds = fractal_noise(p, (10, 34, 10), hair.cloth.seed, octaves=2)
    bottom = lm.joint("left_collar")[1] - 0.03 * s - 0.02 * s * folds + 0.35 * np.abs(p[:, 0])
    inside = np.minimum(np.minimum(face, p[:, 1] - bottom), 0.16 * s - np.abs(p[:, 0]))
    inside = np.where(atlas.eyeball | atlas.inner | (atlas.regions["mouth"] > 0.3), -1, inside).astype(
        np.float32
    )
    colour = cloth_colours(atlas, hair.cloth) * (1 + 0.16 * folds - 0.12 * atlas.cavity)[:, None]
    canvas.layer(inside, colour)


def _paint_beanie(canvas: Canvas, hair: Hair) -> None:
    atlas = canvas.atlas
    lm = atlas.landmarks
    s = lm.scale
    rim = np.interp(
        _azimuth_deg(atlas.xyz, atlas),
        (0, 80, 180),
        (lm.eyes[0, 1] + 0.04 * s, lm.ear[1] + 0.02 * s, lm.ear[1] - 0.01 * s),
    )
    inside = (atlas.xyz[:, 1] - rim).astype(np.float32)
    ribs = 0.07 * np.sin(np.arctan2(atlas.xyz[:, 0], atlas.xyz[:, 2] - lm.ear[2]) * 60)
    cuff = bump(inside, 0.042 * s, 0.002 * s) * 0.3
    canvas.layer(inside, cloth_colours(atlas, hair.cloth) * (1 + ribs - cuff)[:, None])
