"""Who is shown: two sexes and seven groups in A3D's proportions, colours of skin, hair and eyes.

The group is sampled first and a texture of that group afterwards, so that the proportions hold however many
textures a group has. Shares: AJAHR supplementary C (African, Asian, Indian 20 % each; Hispanic, Middle
Eastern, South-East Asian, White 10 % each). Ranges of skin tone, on the Monk scale, are a choice of
this project.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from jaxtyping import Float32


class Sex(StrEnum):
    """Sex of an appearance; BEDLAM's file names have its first letter."""

    FEMALE = "female"
    MALE = "male"


class Group(StrEnum):
    """The seven groups of BEDLAM's skin textures, which A3D keeps."""

    AFRICAN = "african"
    ASIAN = "asian"
    INDIAN = "indian"
    HISPANIC = "hispanic"
    MIDDLE_EASTERN = "middle_eastern"
    SOUTHEAST_ASIAN = "southeast_asian"
    WHITE = "white"


SEXES: tuple[Sex, ...] = tuple(Sex)
GROUPS: tuple[Group, ...] = tuple(Group)

GROUP_SHARES: dict[Group, float] = {
    Group.AFRICAN: 0.2,
    Group.ASIAN: 0.2,
    Group.INDIAN: 0.2,
    Group.HISPANIC: 0.1,
    Group.MIDDLE_EASTERN: 0.1,
    Group.SOUTHEAST_ASIAN: 0.1,
    Group.WHITE: 0.1,
}

MONK_RANGES: dict[Group, tuple[float, float]] = {
    Group.AFRICAN: (7.0, 10.0),
    Group.ASIAN: (3.0, 5.5),
    Group.INDIAN: (5.0, 8.0),
    Group.HISPANIC: (4.0, 7.0),
    Group.MIDDLE_EASTERN: (3.5, 6.0),
    Group.SOUTHEAST_ASIAN: (4.0, 6.7),
    Group.WHITE: (1.5, 4.5),
}
"""Lightest and darkest Monk tone of each group."""

_SKIN_ALBEDO = np.array(
    [
        (238, 207, 188), (231, 197, 175), (224, 188, 162), (214, 175, 145), (197, 156, 120),
        (168, 124, 90), (136, 95, 67), (105, 71, 52), (80, 55, 42), (60, 43, 35),
    ],
    np.float32,
)  # fmt: skip
# The Monk swatches themselves are colours on a chart: as an albedo the lightest three come out as white under
# any light that is not dim. These rows keep the order and the steps between tones, with a lower albedo.

_UNDERTONE: dict[Group, tuple[float, float, float]] = {
    Group.AFRICAN: (1.0, 1.0, 1.0),
    Group.ASIAN: (1.0, 1.005, 0.965),
    Group.INDIAN: (1.0, 0.985, 0.95),
    Group.HISPANIC: (1.01, 0.99, 0.965),
    Group.MIDDLE_EASTERN: (1.0, 0.985, 0.96),
    Group.SOUTHEAST_ASIAN: (0.995, 0.99, 0.93),
    Group.WHITE: (1.01, 0.985, 0.985),
}

HAIR_COLOURS: dict[str, tuple[int, int, int]] = {
    "black": (24, 20, 20),
    "dark_brown": (46, 33, 26),
    "brown": (84, 58, 40),
    "light_brown": (124, 92, 64),
    "blond": (186, 152, 104),
    "red": (142, 74, 42),
}
_HAIR_WEIGHTS: dict[Group, dict[str, float]] = {
    Group.AFRICAN: {"black": 0.85, "dark_brown": 0.15},
    Group.ASIAN: {"black": 0.85, "dark_brown": 0.13, "brown": 0.02},
    Group.INDIAN: {"black": 0.85, "dark_brown": 0.15},
    Group.HISPANIC: {"black": 0.45, "dark_brown": 0.4, "brown": 0.12, "light_brown": 0.03},
    Group.MIDDLE_EASTERN: {"black": 0.55, "dark_brown": 0.37, "brown": 0.08},
    Group.SOUTHEAST_ASIAN: {"black": 0.88, "dark_brown": 0.12},
    Group.WHITE: {
        "black": 0.08,
        "dark_brown": 0.25,
        "brown": 0.27,
        "light_brown": 0.18,
        "blond": 0.17,
        "red": 0.05,
    },
}

EYE_COLOURS: dict[str, tuple[int, int, int]] = {
    "dark_brown": (48, 30, 20),
    "brown": (88, 56, 32),
    "hazel": (112, 92, 52),
    "green": (94, 112, 76),
    "blue": (98, 128, 152),
    "grey": (118, 126, 130),
}
_LIGHT_EYE_WEIGHTS: dict[Group, dict[str, float]] = {
    Group.HISPANIC: {"dark_brown": 0.55, "brown": 0.35, "hazel": 0.1},
    Group.MIDDLE_EASTERN: {"dark_brown": 0.45, "brown": 0.4, "hazel": 0.1, "green": 0.05},
    Group.WHITE: {"brown": 0.3, "hazel": 0.15, "green": 0.12, "blue": 0.33, "grey": 0.1},
}
_DARK_EYE_WEIGHTS = {"dark_brown": 0.8, "brown": 0.2}


def weighted_choice(rng: np.random.Generator, weights: dict[str, float]) -> str:
    """A key of ``weights``, with probability in proportion to its value."""
    keys = list(weights)
    shares = np.fromiter(weights.values(), float, len(keys))
    return keys[
        int(
            np.searchsorted(np.cumsum(shares) / shares.sum(), rng.random(), side="right").clip(
                max=len(keys) - 1
            )
        )
    ]


def sample_group(rng: np.random.Generator) -> Group:
    """A group in A3D's proportions."""
    return Group(weighted_choice(rng, {str(group): share for group, share in GROUP_SHARES.items()}))


def sample_sex(rng: np.random.Generator) -> Sex:
    """Either sex, evenly."""
    return SEXES[int(rng.integers(len(SEXES)))]


def sample_monk(rng: np.random.Generator, group: Group) -> float:
    """A skin tone of ``group`` on the Monk scale, 1 (lightest) to 10; the middle of its range is likelier."""
    low, high = MONK_RANGES[group]
    return float(low + (high - low) * rng.beta(1.6, 1.6))


def skin_albedo(monk: float, group: Group) -> Float32[np.ndarray, "rgb=3"]:
    """Mean skin colour, sRGB 0..255, of a Monk tone 1..10 with the group's undertone."""
    tones = np.arange(1, 11)
    rgb = [np.interp(monk, tones, _SKIN_ALBEDO[:, channel]) for channel in range(3)]
    return np.asarray(rgb, np.float32) * np.asarray(_UNDERTONE[group], np.float32)


def sample_hair_colour(rng: np.random.Generator, group: Group) -> str:
    """A key of `HAIR_COLOURS`, before greying."""
    return weighted_choice(rng, _HAIR_WEIGHTS[group])


def sample_eye_colour(rng: np.random.Generator, group: Group) -> str:
    """A key of `EYE_COLOURS`."""
    return weighted_choice(rng, _LIGHT_EYE_WEIGHTS.get(group, _DARK_EYE_WEIGHTS))
