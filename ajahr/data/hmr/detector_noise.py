"""Keypoints as a detector would report them, for BPAC-Net.

The ground truth's keypoints of an amputated limb are absent. A classifier fed with them reads the label off the
pattern, and fails on a detector, which invents an elbow where there is none and misses one behind a back. So
training shows BPAC-Net keypoints of the second kind. Of each limb's three (shoulder or hip, elbow or knee,
wrist or ankle):

1. absent ones are reported all, only the first beyond the residual limb, or not at all; where reported, they
   are where the intact limb would have them, or short of it, or crowded at the residual limb's end;
2. of any limb, the end may be missed as a whole, as behind a body, and single ones may be missed; covered ones
   are missed more often;
3. what is left is jittered, left and right limbs change places now and then, confidences are drawn.

`pattern_leak` says how much the pattern of reported keypoints still tells of the label. Mode ``truth`` is the
paper's input; mode ``ratio`` its noise study (Table 4a: 1.5 px x sqrt(ratio), facts 6.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import ndtri

from ajahr.anatomy import BPAC_KEYPOINTS, COCO17, LIMBS, NUM_LIMBS, Limb
from ajahr.errors import UserError
from ajahr.geometry.crops import CROP_SIZE

_NAMES = [COCO17.names[i] for i in BPAC_KEYPOINTS]
_PARTS = {True: ("shoulder", "elbow", "wrist"), False: ("hip", "knee", "ankle")}
CHAINS = np.array([[_NAMES.index(f"{limb.side}_{part}") for part in _PARTS[limb.is_arm]] for limb in LIMBS])
"""(limb 4, from the trunk outwards 3): places among the twelve BPAC keypoints."""
OPPOSITE = np.array([int(limb.mirrored) for limb in LIMBS])
FLIP = np.array([COCO17.flip[i] - BPAC_KEYPOINTS[0] for i in BPAC_KEYPOINTS])
"""Order of the twelve after mirroring."""
_LENGTH = CHAINS.shape[1]
_PER_KEYPOINT, _PER_LIMB = 4, 5
NUMBERS = 12 * _PER_KEYPOINT + NUM_LIMBS * _PER_LIMB + 2
"""Uniform numbers a person takes."""
_PIXEL = 1 / CROP_SIZE


@dataclass(frozen=True)
class DetectorNoise:
    """Chances and sizes. Lengths are shares of the crop's side (crop units)."""

    mode: Literal["detector", "truth", "ratio"] = "detector"
    ratio: float = 0.0
    """Percent, for ``ratio``: the paper has 25, 50, 75 and 100."""
    hallucinate_all: float = 0.6
    """Chance that all keypoints of an amputated limb are reported."""
    hallucinate_first: float = 0.15
    """Chance that only the first one beyond the residual limb is."""
    short: float = 0.3
    """Chance that hallucinated keypoints lie short of the intact limb's (0.3 to 0.9 of the way)."""
    crowded: float = 0.15
    """Chance that they crowd at the residual limb's end (0 to 0.25 of the way)."""
    end_missed: float = 0.2
    """Chance that the end of a limb, amputated or not, is missed."""
    end_lengths: tuple[float, float, float] = (0.6, 0.3, 0.1)
    """Of a missed end: chances that it is the last, the last two, all three."""
    missed: float = 0.05
    """Chance that one keypoint is missed."""
    covered_missed: float = 0.5
    """The same for a keypoint under an occluder or outside the crop."""
    jitter: float = 0.008
    """Standard deviation of a present keypoint, x and y."""
    hallucinated_jitter: float = 0.02
    swap: float = 0.02
    """Chance that the arms, and that the legs, change sides."""
    confidence: tuple[float, float] = (0.55, 1.0)
    """Lowest and highest confidence of a present keypoint."""
    hallucinated_confidence: tuple[float, float] = (0.5, 0.9)

    def __post_init__(self) -> None:
        for name in (
            "hallucinate_all", "hallucinate_first", "short", "crowded", "end_missed", "missed",
            "covered_missed", "swap",
        ):  # fmt: skip
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"{name} is a chance, 0..1, not {getattr(self, name)}")
        if self.hallucinate_all + self.hallucinate_first > 1 or self.short + self.crowded > 1:
            raise UserError("hallucinate_all + hallucinate_first and short + crowded are at most 1")
        if abs(sum(self.end_lengths) - 1) > 1e-6 or min(self.end_lengths) < 0:
            raise UserError(f"end_lengths are three chances that sum to 1, not {self.end_lengths}")


def detector_like(
    keypoints: Float[np.ndarray, "people coco12=12 3"],
    absent: Bool[np.ndarray, "people coco12=12"],
    intact: Float[np.ndarray, "people coco12=12 2"],
    covered: Bool[np.ndarray, "people coco12=12"],
    chance: Float[np.ndarray, "people numbers"],
    config: DetectorNoise,
) -> Float[np.ndarray, "people coco12=12 3"]:
    """What BPAC-Net is shown.

    Args:
        keypoints: ground truth, crop units and confidence; confidence 0: no label.
        absent: taken by an amputation.
        intact: where they would be on the intact body, crop units; NaN where that is not known, then the
            opposite limb says it.
        covered: behind an occluder.
        chance: uniform numbers, `NUMBERS` per person.
        config: chances and sizes.

    Returns:
        Crop units and confidence; (0, 0, 0) where nothing is reported.
    """
    present = (keypoints[..., 2] > 0) & ~absent
    if config.mode != "detector":
        found = np.where(present[..., None], keypoints, 0.0)
        if config.mode == "ratio":
            normal = _normal(chance[:, :24].reshape(-1, 12, 2))
            sigma = 1.5 * _PIXEL * np.sqrt(config.ratio / 100)
            found[..., :2] = np.clip(found[..., :2] + sigma * normal, -0.5, 0.5) * present[..., None]
        return found

    single = chance[:, : 12 * _PER_KEYPOINT].reshape(-1, 12, _PER_KEYPOINT)
    limb = chance[:, 12 * _PER_KEYPOINT : -2].reshape(-1, NUM_LIMBS, _PER_LIMB)
    invented = np.zeros_like(present)
    invented[:, CHAINS] = _invented(absent[:, CHAINS], limb[..., 0], config)
    places = np.where(
        present[..., None], keypoints[..., :2], _places(keypoints, present, intact, limb, config)
    )
    reported = (present | invented) & np.isfinite(places).all(-1)

    kept = np.ones_like(reported)
    kept[:, CHAINS] = _ends_kept(limb[..., 3], limb[..., 4], config)
    outside = (np.abs(np.nan_to_num(places)) > 0.5).any(-1)
    kept &= single[..., 0] >= np.where(covered | outside, config.covered_missed, config.missed)
    reported &= kept

    sigma = np.where(invented, config.hallucinated_jitter, config.jitter)
    places = places + sigma[..., None] * _normal(single[..., 1:3])
    low, high = np.where(invented[..., None], config.hallucinated_confidence, config.confidence).transpose(
        2, 0, 1
    )
    confidence = low + (high - low) * single[..., 3]
    found = np.where(reported[..., None], np.concatenate([places, confidence[..., None]], -1), 0.0)
    return _swapped(found, chance[:, -2:] < config.swap)


def _normal(uniform: np.ndarray) -> np.ndarray:
    return ndtri(np.clip(uniform, 1e-4, 1 - 1e-4))


def _invented(absent: np.ndarray, u: np.ndarray, config: DetectorNoise) -> np.ndarray:
    """(people, limbs, 3): which absent keypoints are reported."""
    everything = u < config.hallucinate_all
    first = u < config.hallucinate_all + config.hallucinate_first
    is_first = absent & (np.cumsum(absent, -1) == 1)
    return (absent & everything[..., None]) | (is_first & first[..., None])


def _ends_kept(u: np.ndarray, which: np.ndarray, config: DetectorNoise) -> np.ndarray:
    """(people, limbs, 3): False on ends that are missed."""
    lost = 1 + (which[..., None] >= np.cumsum(config.end_lengths)[:-1]).sum(-1)
    lost = np.where(u < config.end_missed, lost, 0)
    return np.arange(_LENGTH) < (_LENGTH - lost)[..., None]


def _places(
    keypoints: np.ndarray, present: np.ndarray, intact: np.ndarray, limb: np.ndarray, config: DetectorNoise
) -> np.ndarray:
    """(people, 12, 2): where each keypoint is reported if it is hallucinated; NaN where nobody can say."""
    here = np.where(present[..., None], keypoints[..., :2], np.nan)[:, CHAINS]
    intact = intact[:, CHAINS]
    guess = _from_opposite(here)
    target = np.where(np.isfinite(intact), intact, guess)
    # the last keypoint before the loss; a limb that is lost at the trunk starts where it would start
    count = present[:, CHAINS].cumprod(-1).sum(-1)
    last = np.take_along_axis(here, np.maximum(count - 1, 0)[..., None, None], 2)
    anchor = np.where((count > 0)[..., None, None], last, target[:, :, :1])
    kind, u = limb[..., 1], limb[..., 2]
    way = np.ones_like(u)
    way = np.where(kind < config.short + config.crowded, 0.25 * u, way)
    way = np.where(kind < config.short, 0.3 + 0.6 * u, way)
    places = np.full((*present.shape, 2), np.nan)
    places[:, CHAINS] = anchor + way[..., None, None] * (target - anchor)
    return places


def _from_opposite(here: np.ndarray) -> np.ndarray:
    """(people, limbs, 3, 2): the limb as a mirror image of the opposite one, about the body's middle."""
    mirror = np.array([-1.0, 1.0])
    other = here[:, OPPOSITE]
    known = np.isfinite(here)
    middle = np.where(known, here, 0).sum((1, 2)) / np.maximum(known.sum((1, 2)), 1)
    middle = middle[:, None, None]
    start = np.where(
        np.isfinite(here[:, :, :1]), here[:, :, :1], (other[:, :, :1] - middle) * mirror + middle
    )
    return start + (other - other[:, :, :1]) * mirror


def _swapped(found: np.ndarray, swap: np.ndarray) -> np.ndarray:
    arms = (Limb.LEFT_ARM, Limb.RIGHT_ARM)
    for column, (left, right) in enumerate((arms, (Limb.LEFT_LEG, Limb.RIGHT_LEG))):
        rows = np.flatnonzero(swap[:, column])
        a, b = CHAINS[left], CHAINS[right]
        found[rows[:, None], np.concatenate([a, b])] = found[rows[:, None], np.concatenate([b, a])]
    return found


# --------------------------------------------------------------------------------------------- the leak


def pattern_distribution(config: DetectorNoise, level: int) -> Float[np.ndarray, "patterns=8"]:
    """Chance of each pattern of reported keypoints of one uncovered limb; bit 0 is the one at the trunk."""
    if config.mode != "detector":
        return np.eye(8)[(1 << (_LENGTH - level)) - 1]
    all_, first = config.hallucinate_all, config.hallucinate_first
    extents = [(_LENGTH, 1.0)] if level == 0 else [(_LENGTH, all_), (_LENGTH - level, 1 - all_ - first)]
    if level > 0:
        extents.append((_LENGTH - level + 1, first))
    ends = [(0, 1 - config.end_missed)]
    ends += [(i + 1, config.end_missed * chance) for i, chance in enumerate(config.end_lengths)]
    chances = np.zeros(8)
    for (extent, p), (lost, q) in product(extents, ends):
        reach = min(extent, _LENGTH - lost)
        for bits in product((0, 1), repeat=reach):
            single = np.prod([1 - config.missed if bit else config.missed for bit in bits])
            chances[sum(bit << i for i, bit in enumerate(bits))] += p * q * single
    return chances


def pattern_leak(config: DetectorNoise) -> float:
    """Accuracy, over as many intact as amputated limbs of the worst level, of the best guess from the pattern.

    0.5: the pattern tells nothing; 1: it is the label. For uncovered limbs, before left and right are swapped.
    """
    intact = pattern_distribution(config, 0)
    return max(
        float(np.maximum(intact, pattern_distribution(config, level)).sum() / 2) for level in (1, 2, 3)
    )
