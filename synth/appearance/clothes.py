"""Footwear, trousers and tops: signed distances on the body that `Canvas.layer` lays over what is beneath."""

from __future__ import annotations

import numpy as np

from synth.appearance.atlas import Atlas, Texels
from synth.appearance.canvas import Canvas, bump, smoothstep
from synth.appearance.fabrics import cloth_colours, fold_shading
from synth.appearance.look import Bottom, Feet, Look, Rgb, Top

_FONT = {
    "0": (7, 5, 5, 5, 7), "1": (2, 6, 2, 2, 7), "2": (7, 1, 7, 4, 7), "3": (7, 1, 7, 1, 7),
    "4": (5, 5, 7, 1, 1), "5": (7, 4, 7, 1, 7), "6": (7, 4, 7, 5, 7), "7": (7, 1, 1, 2, 2),
    "8": (7, 5, 7, 5, 7), "9": (7, 5, 7, 1, 7),
}  # fmt: skip
"""Rows of three bits, top first."""


def leg_height(atlas: Atlas, share: float) -> float:
    """y at a share of the leg: 0 at the hip, 1 at the ankle."""
    hip, ankle = atlas.landmarks.joint("left_hip")[1], atlas.landmarks.joint("left_ankle")[1]
    return float(hip + share * (ankle - hip))


def arm_reach(atlas: Atlas, share: float) -> float:
    """|x| at a share of the arm: 0 at the shoulder, 1 at the wrist."""
    shoulder, wrist = atlas.landmarks.joint("left_shoulder")[0], atlas.landmarks.joint("left_wrist")[0]
    return float(shoulder + share * (wrist - shoulder))


def waist_height(atlas: Atlas) -> float:
    """y of the trousers' upper edge."""
    pelvis, spine = atlas.landmarks.joint("pelvis")[1], atlas.landmarks.joint("spine1")[1]
    return float(pelvis + 0.55 * (spine - pelvis))


def top_hem_height(atlas: Atlas, top: Top) -> float:
    """y of a top's lower edge: tucked in it ends under the belt, else between waist and crotch."""
    waist = waist_height(atlas)
    return waist - 0.004 if top.tucked else waist + top.hem * (leg_height(atlas, 0.12) - waist)


# ------------------------------------------------------------------------------------------------- feet


def paint_feet(canvas: Canvas, feet: Feet) -> None:
    """Socks and shoes."""
    if feet.kind == "barefoot":
        return
    atlas = canvas.atlas
    lm = atlas.landmarks
    s, ankle = lm.scale, float(lm.joint("left_ankle")[1])
    y, z = atlas.xyz[:, 1], atlas.xyz[:, 2]
    forward = (z - lm.joint("left_ankle")[2]) / s
    colour = np.asarray(feet.colour, np.float32)
    if feet.sock_height_m:
        ribs = 1 + 0.05 * np.sin(atlas.angle * 30)
        canvas.layer((ankle + feet.sock_height_m * s - y), np.asarray(feet.sock)[None] * ribs[:, None])
    if feet.kind == "sandals":
        sole = lm.ground + 0.012 * s - y
        straps = np.maximum(0.012 * s - np.abs(forward - 0.12) * s, 0.01 * s - np.abs(y - ankle - 0.012 * s))
        straps = np.minimum(np.maximum(straps, 0.007 * s - np.abs(forward - 0.055) * s), ankle + 0.03 * s - y)
        canvas.layer(np.maximum(sole, straps), colour)
        return
    rim = {"sneakers": 0.006, "shoes": -0.004, "boots": 0.15}[feet.kind] * s
    tongue = 0.022 * s * smoothstep(0.01, 0.05, forward) if feet.kind != "boots" else 0.0
    upper = ankle + rim + tongue - y
    shading = 1 - 0.1 * atlas.cavity.clip(-0.5, 1)
    seam = bump(forward, 0.115, 0.0025) + bump(y, float(lm.ground) + 0.055 * s, 0.002 * s) * (forward < 0.04)
    canvas.layer(upper, colour[None] * (shading * (1 - 0.3 * seam.clip(0, 1)))[:, None], shadow=0.4)
    side = np.abs(np.abs(atlas.xyz[:, 0]) - lm.joint("left_foot")[0]) / s
    if feet.kind != "boots":  # laces across the instep
        on_instep = np.minimum(0.02 - side, np.minimum(forward - 0.03, 0.105 - forward)) * s
        rows = np.abs(forward / 0.018 - np.round(forward / 0.018)) * 0.018
        lace = np.where(atlas.normal[:, 1] > 0.2, np.minimum(on_instep, (0.0045 - rows) * s), -1)
        pale = feet.sole if feet.kind == "sneakers" else tuple(0.6 * c for c in feet.colour)
        canvas.blend(canvas.edge(lace) * (upper > 0) * 0.9, pale)
    sole_height = {"sneakers": 0.026, "shoes": 0.014, "boots": 0.022}[feet.kind] * s
    # toes are low: in front of the ball the sole shows only where the foot turns downwards
    side_wall = lm.ground + sole_height * (1 - 0.75 * smoothstep(0.09, 0.12, forward)) - y
    canvas.layer(side_wall, feet.sole, shadow=0.35, shadow_width=0.006)


# ---------------------------------------------------------------------------------------------- bottoms


def paint_bottom(canvas: Canvas, bottom: Bottom) -> None:
    """Trousers, shorts or leggings with their seams, pockets, hem and belt."""
    atlas = canvas.atlas
    lm = atlas.landmarks
    s, y = lm.scale, atlas.xyz[:, 1]
    waist, end = waist_height(atlas), leg_height(atlas, bottom.length)
    distance = np.minimum(waist - y, y - end)
    distance = np.where(atlas.arm > 0.5, -1, distance)  # hanging arms of another rest pose
    colours = (
        cloth_colours(atlas, bottom.fabric, legs=True)
        * fold_shading(atlas, bottom.fabric, bottom.length)[:, None]
    )
    pale = 0.55 * np.asarray(bottom.fabric.colour) + 0.45 * np.array([190, 170, 130])
    denim = bottom.fabric.pattern == "denim"
    leg_line = np.stack([lm.joint(f"left_{name}") for name in ("ankle", "knee", "hip")])
    outside = np.abs(atlas.xyz[:, 2] - np.interp(y, leg_line[:, 1], leg_line[:, 2]))
    outer = atlas.normal[:, 0] * np.sign(atlas.xyz[:, 0]) > 0.3
    seam = bump(outside, 0, 0.0022 * s) * outer
    hem = bump(y - end, 0.022 * s, 0.0018 * s)
    lines = (0.55 * seam + 0.6 * hem + 0.7 * bump(waist - y, 0.038 * s, 0.0018 * s)).clip(0, 1)
    front = atlas.normal[:, 2] > 0.15
    fly = (
        bump(np.abs(atlas.xyz[:, 0]), 0.012 * s, 0.0016 * s)
        * front
        * (waist - y > 0.038 * s)
        * (waist - y < 0.13 * s)
    )
    pocket = np.hypot(np.abs(atlas.xyz[:, 0]) - 0.155 * s, waist - 0.03 * s - y)
    lines = np.maximum(
        lines, 0.6 * bump(pocket, 0.085 * s, 0.0018 * s) * front * (np.abs(atlas.xyz[:, 0]) > 0.05 * s)
    )
    if bottom.fabric.wrinkles > 0.2:
        lines = np.maximum(lines, 0.4 * fly + _back_pockets(atlas, waist))
        colours = (
            colours
            + ((pale if denim else 0.72 * colours) - colours) * (lines * (0.55 if denim else 0.6))[:, None]
        )
    if bottom.side_stripe is not None:
        stripe = canvas.edge(0.012 * s - outside) * outer
        colours = colours + (np.asarray(bottom.side_stripe) - colours) * stripe[:, None]
    rim = 1 - 0.22 * bump(y - end, 0, 0.004 * s)
    canvas.layer(distance, colours * rim[:, None], shadow=0.45, shadow_width=0.02 * s)
    if bottom.belt is not None:
        paint_belt(canvas, bottom.belt)


def _back_pockets(atlas: Atlas, waist: float) -> np.ndarray:
    """Outlines of two patch pockets behind."""
    s = atlas.landmarks.scale
    a = np.abs(np.abs(atlas.xyz[:, 0]) - 0.078 * s) - 0.052 * s
    b = np.abs(waist - 0.13 * s - atlas.xyz[:, 1]) - 0.06 * s
    return 0.5 * bump(np.maximum(a, b), 0, 0.0018 * s) * (atlas.normal[:, 2] < -0.2)


def paint_belt(canvas: Canvas, colour: Rgb) -> None:
    """A belt at the trousers' upper edge, with a buckle."""
    atlas = canvas.atlas
    s, waist = atlas.landmarks.scale, waist_height(atlas)
    band = 0.017 * s - np.abs(atlas.xyz[:, 1] - (waist - 0.017 * s))
    band = np.where(atlas.arm > 0.5, -1, band)
    canvas.layer(band, colour, shadow=0.3)
    buckle = np.minimum(band + 0.003 * s, 0.024 * s - np.abs(atlas.xyz[:, 0]))
    canvas.blend(canvas.edge(buckle) * (atlas.normal[:, 2] > 0), (176, 172, 160))


# ------------------------------------------------------------------------------------------------- tops


def neck_opening(atlas: Atlas, neckline: str) -> Texels:
    """Signed distance to the rim of a garment's neck hole, metres, positive on the cloth.

    The hole is what lies above a plane that falls towards the front, within a width: without that limit the
    tops of the shoulders would be bare. V and scoop cut the front deeper.
    """
    lm = atlas.landmarks
    s = lm.scale
    x, y, z = np.abs(atlas.xyz[:, 0]) / s, atlas.xyz[:, 1] / s, atlas.xyz[:, 2] / s
    nape, notch = lm.joint("neck") / s, lm.joint("left_collar")[1] / s
    head = 0.06 * (0.5 - atlas.weight[:, 4])
    fall = -0.4 * (z - nape[2])
    if neckline == "turtleneck":
        return s * np.minimum(head, nape[1] + 0.03 + fall - y)
    wide, drop = {
        "crew": (0.078, 0),
        "collar": (0.07, -0.012),
        "v": (0.08, 0),
        "scoop": (0.1, 0.01),
        "tank": (0.092, 0.015),
    }[neckline]
    rim = nape[1] - 0.026 - drop + fall + 0.028 * (x / wide) ** 3
    distance = np.maximum(rim - y, x - wide)
    front = z > nape[2]
    if neckline in ("v", "collar"):
        depth = 0.07 if neckline == "v" else 0.03
        tip = notch - depth
        slope = wide / (nape[1] - tip)
        vee = (x - slope * (y - tip)) / np.hypot(1, slope)
        distance = np.where(front, np.minimum(distance, np.maximum(vee, x - wide)), distance)
    elif neckline in ("scoop", "tank"):
        depth = 0.085 if neckline == "scoop" else 0.07
        bowl = np.hypot(x / wide, (y - nape[1]).clip(max=0) / (nape[1] - notch + depth)) - 1
        distance = np.where(front, np.minimum(distance, np.maximum(bowl * wide, x - wide)), distance)
    return (s * np.minimum(distance, head)).astype(np.float32)


def _sleeve_distance(atlas: Atlas, top: Top) -> np.ndarray:
    """Signed distance to the end of the sleeves, positive on the cloth."""
    lm = atlas.landmarks
    s = lm.scale
    x, y, _ = atlas.xyz.T
    if top.sleeve > 0:
        return arm_reach(atlas, top.sleeve) - np.abs(x)
    shoulder = lm.joint("left_shoulder")
    strap = (0.125 if top.neckline == "tank" else 0.165) * s
    armpit = shoulder[1] - 0.085 * s
    # narrow at the shoulder, out to the side of the chest under the arm
    edge = np.interp(y, (armpit - 0.05 * s, armpit, shoulder[1] - 0.02 * s, shoulder[1] + 0.05 * s),
                     (0.3 * s, 0.168 * s, strap + 0.004 * s, strap))  # fmt: skip
    return edge.astype(np.float32) - np.abs(x)


def paint_top(canvas: Canvas, look: Look) -> None:
    """The top, if any, with its neckline, sleeves, print, buttons or open front."""
    top = look.top
    if top is None:
        return
    atlas = canvas.atlas
    lm = atlas.landmarks
    s = lm.scale
    x, y, _ = atlas.xyz.T
    hem_y, axis = top_hem_height(atlas, top), lm.joint("neck")[2]
    neck, sleeve = neck_opening(atlas, top.neckline), _sleeve_distance(atlas, top)
    hem = np.where(atlas.arm > 0.5, 1.0, y - hem_y)
    distance = np.minimum(np.minimum(neck, sleeve), hem).astype(np.float32)
    colours = cloth_colours(atlas, top.fabric) * fold_shading(atlas, top.fabric)[:, None]
    colours = _print(canvas, top, colours)
    rim = 0.2 * bump(neck, 0.016 * s, 0.0018 * s) + 0.22 * bump(sleeve, 0.02 * s, 0.0018 * s)
    rim += 0.2 * bump(hem, 0.022 * s, 0.0018 * s) + 0.2 * bump(distance, 0, 0.003 * s)
    if top.neckline == "crew":
        rim += 0.07 * (neck < 0.016 * s)
    if top.neckline == "collar":
        colours = colours * (1 + 0.05 * (neck < 0.04 * s) - 0.35 * bump(neck, 0.041 * s, 0.003 * s))[:, None]
    cap = np.abs(np.abs(x) - arm_reach(atlas, -0.02))
    rim += 0.18 * bump(cap, 0, 0.002 * s) * (top.sleeve > 0)
    front = (atlas.normal[:, 2] > 0.1) & (np.abs(x) < 0.12 * s)
    if top.buttons:
        rim += 0.2 * bump(x, 0.014 * s, 0.0016 * s) * front
        row = y / (0.085 * s)
        away = np.hypot(x, (row - np.round(row)) * 0.085 * s)
        colours = (
            colours
            + (np.array([222, 216, 204]) - colours) * (canvas.edge(0.0055 * s - away) * front)[:, None]
        )
    colours = colours * (1 - rim.clip(0, 0.6))[:, None]
    if top.open_front is None:
        canvas.layer(distance, colours, shadow=0.4, shadow_width=0.014 * s)
        return
    shirt = np.minimum(
        np.minimum(neck_opening(atlas, "crew"), arm_reach(atlas, 0.2) - np.abs(x)), y - hem_y - 0.03 * s
    )
    inner = cloth_colours(atlas, top.open_front) * fold_shading(atlas, top.open_front)[:, None]
    canvas.layer(shirt.astype(np.float32), inner, shadow=0.35)
    gap = np.interp(y, (hem_y, lm.joint("spine3")[1], lm.joint("neck")[1]), (0.085 * s, 0.05 * s, 0.068 * s))
    opening = np.where(atlas.xyz[:, 2] > axis - 0.03 * s, np.abs(x) - gap, 1.0)
    opening = np.where(atlas.weight[:, 4] > 0.5, -1, opening)
    colours = colours * (1 - 0.25 * bump(opening, 0.003 * s, 0.003 * s))[:, None]
    canvas.layer(
        np.minimum(distance, opening).astype(np.float32), colours, shadow=0.5, shadow_width=0.018 * s
    )


def _print(canvas: Canvas, top: Top, colours: np.ndarray) -> np.ndarray:
    """``colours`` with the print on the chest; a number is on the back too."""
    if top.print_ == "none":
        return colours
    atlas = canvas.atlas
    lm = atlas.landmarks
    s, seed = lm.scale, top.fabric.seed
    x, y = atlas.xyz[:, 0], atlas.xyz[:, 1]
    centre = 0.45 * lm.joint("spine2")[1] + 0.55 * lm.joint("left_collar")[1]
    flat = np.abs(atlas.normal[:, 2]) > 0.25
    front = atlas.normal[:, 2] > 0.25
    if top.print_ == "band":
        shape = (0.045 * s - np.abs(atlas.xyz[:, 1] - centre)) * np.where(atlas.arm < 0.5, 1, -1)
    elif top.print_ == "block":
        shape = np.where(front, 0.06 * s - np.hypot(x, y - centre) if seed % 2 else
                         np.minimum(0.075 * s - np.abs(x), 0.05 * s - np.abs(y - centre)), -1)  # fmt: skip
    elif top.print_ == "text":
        rng = np.random.default_rng(seed)
        shape = np.full(len(x), -1.0, np.float32)
        for row in range(int(rng.integers(1, 4))):
            left = -rng.uniform(0.06, 0.095) * s
            right = -left
            while left < right:  # words as bars of unequal length
                width = rng.uniform(0.008, 0.022) * s
                bar = np.minimum(
                    width / 2 - np.abs(x - left - width / 2), 0.0085 * s - np.abs(y - centre + row * 0.03 * s)
                )
                shape = np.maximum(shape, bar)
                left += width + 0.005 * s
        shape = np.where(front, shape, -1)
    else:
        shape = np.where(flat, _number(np.where(front, x, -x), y - centre, str(seed % 99 + 1), s), -1)
    alpha = canvas.edge(shape.astype(np.float32)) * 0.92
    shading = colours.mean(1, keepdims=True) / max(float(np.mean(top.fabric.colour)), 1.0)
    return colours + (np.asarray(top.print_colour) * shading.clip(0.6, 1.2) - colours) * alpha[:, None]


def _number(x: np.ndarray, y: np.ndarray, digits: str, s: float) -> np.ndarray:
    """Signed distance of block digits centred at the origin, metres; +x is the reader's right."""
    cell, shape = 0.021 * s, np.full(len(x), -1.0, np.float32)
    start = -(4 * len(digits) - 1) / 2 * cell
    for k, digit in enumerate(digits):
        for r, bits in enumerate(_FONT[digit]):
            for c in range(3):
                if bits >> (2 - c) & 1:
                    cx, cy = start + (4 * k + c + 0.5) * cell, (2 - r) * cell
                    shape = np.maximum(shape, cell * 0.52 - np.maximum(np.abs(x - cx), np.abs(y - cy)))
    return shape
