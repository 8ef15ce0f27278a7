"""Sampling a look: what people of an age, sex and group wear and how their hair and beards are."""

from __future__ import annotations

import dataclasses

import numpy as np

from synth.appearance.groups import (
    HAIR_COLOURS,
    Group,
    Sex,
    sample_eye_colour,
    sample_group,
    sample_hair_colour,
    sample_monk,
    sample_sex,
    weighted_choice,
)
from synth.appearance.look import Bottom, Fabric, Feet, Hair, Look, Rgb, Top

_NEUTRALS: tuple[Rgb, ...] = (
    (28, 28, 31), (46, 47, 52), (72, 74, 78), (118, 119, 121), (168, 168, 166), (212, 210, 205),
    (228, 227, 223), (34, 40, 60), (52, 58, 80), (84, 72, 60), (140, 122, 98), (190, 174, 148), (64, 68, 54),
)  # fmt: skip
_HUES: tuple[Rgb, ...] = (
    (150, 32, 38), (196, 54, 48), (206, 110, 40), (222, 176, 62), (96, 128, 62), (36, 92, 66), (30, 110, 122),
    (62, 128, 176), (44, 78, 150), (70, 62, 130), (118, 66, 128), (190, 104, 140), (224, 170, 178),
    (150, 190, 206), (120, 44, 62), (196, 206, 170),
)  # fmt: skip
_TROUSERS: tuple[Rgb, ...] = (
    (30, 30, 34), (44, 45, 52), (62, 64, 70), (36, 42, 62), (96, 88, 74), (150, 132, 104), (184, 168, 138),
    (70, 74, 56), (104, 106, 108), (206, 202, 192), (84, 60, 46),
)  # fmt: skip
_DENIM: tuple[Rgb, ...] = (
    (34, 44, 66),
    (52, 70, 102),
    (78, 102, 138),
    (112, 136, 166),
    (58, 60, 66),
    (28, 28, 32),
)
_HEADWEAR: tuple[Rgb, ...] = (
    (28, 28, 31), (46, 47, 52), (34, 40, 60), (150, 32, 38), (36, 92, 66), (30, 110, 122), (44, 78, 150),
    (70, 62, 130), (120, 44, 62), (118, 119, 121), (212, 210, 205), (150, 190, 206),
)  # fmt: skip
"""None like skin: a scarf of that colour would pass for a bare head."""
_SHOES: tuple[Rgb, ...] = (
    (28, 27, 28), (60, 44, 34), (92, 64, 44), (196, 194, 190), (130, 130, 132), (40, 52, 84), (150, 40, 44),
    (70, 84, 66),
)  # fmt: skip


def _vary(rng: np.random.Generator, colour: Rgb, amount: float = 0.07) -> Rgb:
    """A near colour: nobody wears the palette itself."""
    factor = np.exp(rng.normal(0, amount) + rng.normal(0, amount / 2.5, 3))
    r, g, b = (np.asarray(colour) * factor).clip(14, 228)
    return (float(r), float(g), float(b))


def _pick(rng: np.random.Generator, colours: tuple[Rgb, ...]) -> Rgb:
    return _vary(rng, colours[int(rng.integers(len(colours)))])


def _cloth_colour(rng: np.random.Generator, neutral: float = 0.5) -> Rgb:
    return _pick(rng, _NEUTRALS if rng.random() < neutral else _HUES)


def _contrast(rng: np.random.Generator, colour: Rgb) -> Rgb:
    """A second colour that can be told from ``colour``."""
    for _ in range(8):
        other = _cloth_colour(rng, 0.6)
        if abs(np.mean(other) - np.mean(colour)) > 45:
            return other
    return (225.0, 222.0, 216.0) if np.mean(colour) < 128 else (36.0, 36.0, 40.0)


def _fabric(rng: np.random.Generator, weights: dict[str, float], colour: Rgb | None = None) -> Fabric:
    pattern = weighted_choice(rng, weights)
    colour = _cloth_colour(rng) if colour is None else colour
    if pattern == "denim":
        colour = _pick(rng, _DENIM)
    period = {
        "stripes": rng.uniform(0.03, 0.09), "pinstripes": rng.uniform(0.02, 0.035),
        "check": rng.uniform(0.04, 0.1), "dots": rng.uniform(0.035, 0.07),
        "camouflage": rng.uniform(0.08, 0.14), "floral": rng.uniform(0.05, 0.09),
    }.get(pattern, 0.05)  # fmt: skip
    wrinkles = float(rng.uniform(0.35, 0.9))
    return Fabric(
        pattern, colour, _contrast(rng, colour), float(period), wrinkles, int(rng.integers(1 << 30))
    )


_TOP_PATTERNS = {
    "plain": 0.44, "stripes": 0.14, "pinstripes": 0.04, "check": 0.12, "dots": 0.06, "heather": 0.12,
    "floral": 0.05, "camouflage": 0.03,
}  # fmt: skip


def _sample_top(rng: np.random.Generator, sex: Sex) -> Top | None:
    female = sex is Sex.FEMALE
    if not female and rng.random() < 0.025:
        return None  # a bare chest
    kinds = {
        "tshirt": 0.36,
        "long": 0.14,
        "shirt": 0.16,
        "jacket": 0.12,
        "hoodie": 0.08,
        "tank": 0.09,
        "polo": 0.05,
    }
    kind = weighted_choice(rng, kinds)
    fabric = _fabric(rng, _TOP_PATTERNS)
    sleeve, neckline, buttons, inner = 0.0, "crew", False, None
    tucked = bool(rng.random() < (0.3 if female else 0.2))
    if kind == "tshirt":
        sleeve = rng.uniform(0.24, 0.42) if rng.random() < 0.85 else rng.uniform(0.42, 0.56)
        neckline = weighted_choice(rng, {"crew": 0.62, "v": 0.2, "scoop": 0.3 if female else 0.06})
    elif kind == "long":
        sleeve = rng.uniform(0.94, 1.01) if rng.random() < 0.75 else rng.uniform(0.62, 0.82)
        neckline = weighted_choice(
            rng, {"crew": 0.55, "v": 0.2, "turtleneck": 0.15, "scoop": 0.15 if female else 0.02}
        )
    elif kind == "shirt":
        sleeve = rng.uniform(0.95, 1.0) if rng.random() < 0.55 else rng.uniform(0.3, 0.6)
        neckline, buttons = "collar", True
        fabric = _fabric(
            rng,
            {"plain": 0.4, "check": 0.25, "pinstripes": 0.12, "stripes": 0.08, "denim": 0.08, "floral": 0.07},
        )
    elif kind == "polo":
        sleeve, neckline = rng.uniform(0.26, 0.4), "collar"
    elif kind in ("jacket", "hoodie"):
        sleeve, tucked = rng.uniform(0.96, 1.02), False
        fabric = _fabric(
            rng, {"plain": 0.7, "heather": 0.15, "denim": 0.1, "camouflage": 0.05}, _cloth_colour(rng, 0.7)
        )
        neckline = "collar" if kind == "jacket" else "crew"
        if rng.random() < 0.6:
            inner = _fabric(rng, _TOP_PATTERNS, _contrast(rng, fabric.colour))
    elif kind == "tank":
        neckline = weighted_choice(rng, {"tank": 0.55, "crew": 0.2, "scoop": 0.15, "v": 0.1})
    prints = {"none": 0.62, "block": 0.1, "text": 0.14, "number": 0.07, "band": 0.07}
    plain = fabric.pattern in ("plain", "heather") and not buttons and inner is None and neckline != "collar"
    print_ = weighted_choice(rng, prints) if plain else "none"
    hem = float(rng.uniform(0.0, 0.05) if tucked else rng.uniform(0.35, 0.8))
    return Top(
        fabric, float(sleeve), neckline, hem, tucked, inner, buttons, print_, _contrast(rng, fabric.colour)
    )


def _sample_bottom(rng: np.random.Generator, sex: Sex, tucked: bool) -> Bottom:
    kinds = {"jeans": 0.4, "trousers": 0.27, "shorts": 0.18, "track": 0.1, "capri": 0.03, "leggings": 0.02}
    if sex is Sex.FEMALE:
        kinds = {
            "jeans": 0.36,
            "trousers": 0.18,
            "shorts": 0.12,
            "track": 0.06,
            "capri": 0.08,
            "leggings": 0.2,
        }
    kind = weighted_choice(rng, kinds)
    full = float(rng.uniform(0.97, 1.03))
    fabric = _fabric(
        rng, {"plain": 0.85, "heather": 0.08, "pinstripes": 0.04, "check": 0.03}, _pick(rng, _TROUSERS)
    )
    length, stripe = full, None
    if kind == "jeans":
        fabric = _fabric(rng, {"denim": 1.0})
    elif kind == "shorts":
        length = float(rng.uniform(0.22, 0.52))
        pattern = {"plain": 0.55, "denim": 0.25, "check": 0.08, "camouflage": 0.05, "floral": 0.07}
        fabric = _fabric(rng, pattern, _cloth_colour(rng, 0.7))
    elif kind == "capri":
        length = float(rng.uniform(0.62, 0.84))
    elif kind == "leggings":
        fabric = dataclasses.replace(
            _fabric(rng, {"plain": 0.85, "camouflage": 0.15}, _pick(rng, _TROUSERS)), wrinkles=0.15
        )
        length = float(rng.uniform(0.9, 1.0))
    elif kind == "track" and rng.random() < 0.6:
        stripe = _contrast(rng, fabric.colour)
    belt = None
    if kind in ("jeans", "trousers") and rng.random() < (0.8 if tucked else 0.4):
        belt = _vary(rng, ((38, 28, 24), (86, 56, 36), (26, 26, 28))[int(rng.integers(3))])
    return Bottom(fabric, length, belt, stripe)


def _sample_feet(rng: np.random.Generator, sex: Sex) -> Feet:
    boots = 0.1 if sex is Sex.FEMALE else 0.07
    kind = weighted_choice(
        rng, {"sneakers": 0.52, "shoes": 0.2, "boots": boots, "sandals": 0.07, "barefoot": 0.1}
    )
    colour = _pick(rng, _SHOES)
    sole = (
        _vary(rng, (200, 198, 193)) if kind == "sneakers" and rng.random() < 0.7 else _vary(rng, (42, 38, 36))
    )
    sock = _vary(rng, ((218, 216, 212), (38, 38, 42), (120, 120, 124))[int(rng.integers(3))])
    shown = kind in ("sneakers", "shoes") and rng.random() < 0.75
    return Feet(kind, colour, sole, sock, float(rng.uniform(0.02, 0.16)) if shown else 0.0)


def _sample_hair(rng: np.random.Generator, sex: Sex, group: Group, age: float, colour: Rgb) -> Hair:
    if sex is Sex.FEMALE:
        styles = {
            "short": 0.12,
            "medium": 0.26,
            "long": 0.3,
            "tied": 0.26,
            "beanie": 0.02,
            "buzz": 0.01,
            "headscarf": 0.01,
        }
        styles["headscarf"] = {
            Group.MIDDLE_EASTERN: 0.3,
            Group.SOUTHEAST_ASIAN: 0.2,
            Group.AFRICAN: 0.12,
        }.get(group, 0.02)
        if group is Group.AFRICAN:
            styles |= {"short": 0.3, "buzz": 0.06, "long": 0.14, "medium": 0.16}
    else:
        bald = 0.03 + 0.25 * max(0.0, (age - 35) / 45)
        styles = {
            "short": 0.58,
            "buzz": 0.2,
            "medium": 0.07,
            "long": 0.03,
            "tied": 0.02,
            "beanie": 0.04,
            "bald": bald,
        }
        if group is Group.AFRICAN:
            styles |= {"short": 0.32, "buzz": 0.45}
    style = weighted_choice(rng, styles)
    curl = float(rng.uniform(0.75, 1) if group is Group.AFRICAN else rng.beta(1.2, 3))
    if group in (Group.ASIAN, Group.SOUTHEAST_ASIAN):
        curl *= 0.3
    recession = float(np.clip(rng.normal((age - 25) / 60, 0.2), 0, 1)) if sex is Sex.MALE else 0.0
    parting = float(rng.uniform(-0.5, 0.5)) if rng.random() < 0.6 else 0.0
    beard = "none"
    if sex is Sex.MALE:
        thin = group in (Group.ASIAN, Group.SOUTHEAST_ASIAN)
        weights = {"none": 0.6, "stubble": 0.24, "moustache": 0.06, "goatee": 0.06, "full": 0.04}
        if not thin:
            weights = {"none": 0.36, "stubble": 0.28, "moustache": 0.06, "goatee": 0.1, "full": 0.2}
        beard = weighted_choice(rng, weights)
    cloth = _fabric(rng, {"plain": 0.75, "floral": 0.15, "heather": 0.1}, _pick(rng, _HEADWEAR))
    return Hair(style, colour, curl, recession, parting, beard, cloth)


def sample_look(seed: int, index: int, sex: Sex | None = None, group: Group | None = None) -> Look:
    """The look of texture ``index``: a pure function of its arguments.

    Args:
        seed: Of the bank.
        index: Of the texture, not negative.
        sex: Given, or sampled evenly.
        group: Given, or sampled first, in A3D's proportions.
    """
    rng = np.random.default_rng([seed, index])
    sampled_group, sampled_sex = sample_group(rng), sample_sex(rng)
    group, sex = group or sampled_group, sex or sampled_sex
    age = float(18 + 62 * rng.beta(1.3, 2.0))
    monk = sample_monk(rng, group)
    hair_colour, eye_colour = sample_hair_colour(rng, group), sample_eye_colour(rng, group)
    grey = float(np.clip(rng.normal((age - 52) / 22, 0.25), 0, 1))
    tint = np.asarray(_vary(rng, HAIR_COLOURS[hair_colour], 0.1))
    r, g, b = tint + (np.array([176.0, 174, 170]) - tint) * grey * 0.9
    female = sex is Sex.FEMALE
    hair = _sample_hair(rng, sex, group, age, (float(r), float(g), float(b)))
    top = _sample_top(rng, sex)
    bottom = _sample_bottom(rng, sex, top is not None and top.tucked)
    one_cloth = rng.random() < 0.06  # a track suit or overall
    if one_cloth and top is not None and top.fabric.pattern in ("plain", "heather", "denim", "pinstripes"):
        bottom = dataclasses.replace(bottom, fabric=dataclasses.replace(top.fabric, seed=bottom.fabric.seed))
    if hair.style == "headscarf" and top is not None:  # worn with covered arms and legs
        neckline = top.neckline if top.neckline in ("crew", "collar", "turtleneck") else "crew"
        top = dataclasses.replace(top, sleeve=max(top.sleeve, 0.97), neckline=neckline)
        bottom = dataclasses.replace(bottom, length=max(bottom.length, 0.98))
    nails = _pick(rng, _HUES) if female and rng.random() < 0.2 else None
    lipstick = float(rng.beta(1.2, 1.8)) if female else 0.0
    freckles = float(rng.beta(1, 3)) if group is Group.WHITE and monk < 3.3 else 0.0
    brow = float(rng.uniform(0.35, 0.75) if female else rng.uniform(0.6, 1.0))
    return Look(
        sex, group, age, monk, eye_colour, hair_colour, lipstick, brow, freckles, nails, hair, top, bottom,
        _sample_feet(rng, sex), int(rng.integers(1 << 30)),
    )  # fmt: skip
