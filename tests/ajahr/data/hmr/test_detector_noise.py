"""Detector-like keypoints: rates as configured, places plausible, and no leak of the label."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ajahr.anatomy import BPAC_KEYPOINTS, COCO17, J44, LIMBS, Limb
from ajahr.data.hmr.chance import uniform
from ajahr.data.hmr.detector_noise import (
    CHAINS,
    FLIP,
    NUMBERS,
    DetectorNoise,
    detector_like,
    pattern_distribution,
    pattern_leak,
)
from ajahr.data.hmr.samples import BPAC_J44
from ajahr.errors import UserError

MAX_LEAK = 0.70
"""Accuracy nobody can exceed from the pattern of keypoints alone, at the default rates, on balanced limbs."""
NAMES = [COCO17.names[i] for i in BPAC_KEYPOINTS]
STILL = DetectorNoise(
    hallucinate_all=0, hallucinate_first=0, end_missed=0, missed=0, covered_missed=0, jitter=0,
    hallucinated_jitter=0, swap=0,
)  # fmt: skip


def person() -> np.ndarray:
    """Facing the camera: left is at the viewer's right."""
    height = {"shoulder": -0.3, "elbow": -0.15, "wrist": 0.0, "hip": 0.02, "knee": 0.2, "ankle": 0.4}
    aside = {"shoulder": 0.1, "elbow": 0.15, "wrist": 0.17, "hip": 0.06, "knee": 0.07, "ankle": 0.08}
    points = [
        ((1 if n.startswith("left") else -1) * aside[n.split("_")[1]], height[n.split("_")[1]], 1)
        for n in NAMES
    ]
    return np.array(points)


def absent_of(levels: np.ndarray) -> np.ndarray:
    return J44.absent(levels)[:, list(BPAC_J44)]


def many(levels: tuple[int, ...], count: int, config: DetectorNoise, seed: int = 0, intact: bool = True):
    """(count, 12, 3) for people of the same levels."""
    absent = absent_of(np.tile(np.array(levels), (count, 1)))
    truth = np.tile(person(), (count, 1, 1))
    truth[absent] = 0
    places = np.tile(person()[:, :2], (count, 1, 1)) if intact else np.full((count, 12, 2), np.nan)
    chance = uniform([(seed, n) for n in range(count)], NUMBERS)
    return detector_like(truth, absent, places, np.zeros((count, 12), bool), chance, config)


def test_chains_and_flip_name_the_right_keypoints():
    assert [NAMES[i] for i in CHAINS[Limb.RIGHT_LEG]] == ["right_hip", "right_knee", "right_ankle"]
    assert [NAMES[i] for i in FLIP] == [
        n.replace("left", "L").replace("right", "left").replace("L", "right") for n in NAMES
    ]


# truth and ratio


def test_truth_is_the_papers_input():
    found = many((0, 2, 0, 0), 5, DetectorNoise(mode="truth"))
    absent = absent_of(np.array([[0, 2, 0, 0]]))[0]
    assert (found[:, absent] == 0).all()
    np.testing.assert_array_equal(found[:, ~absent], np.tile(person()[~absent], (5, 1, 1)))


@pytest.mark.parametrize("ratio", [25, 50, 75, 100])
def test_ratio_is_table_4as_noise(ratio):
    found = many((0, 0, 0, 0), 4000, DetectorNoise(mode="ratio", ratio=ratio))
    moved = (found[..., :2] - person()[:, :2]) * 256
    assert moved.std() == pytest.approx(1.5 * np.sqrt(ratio / 100), rel=0.02)
    assert moved.mean() == pytest.approx(0, abs=0.03)
    absent = absent_of(np.array([[0, 0, 3, 0]]))[0]
    assert (many((0, 0, 3, 0), 50, DetectorNoise(mode="ratio", ratio=ratio))[:, absent] == 0).all()


# detector


def test_still_noise_is_the_truth_with_drawn_confidences():
    found = many((0, 1, 0, 2), 300, STILL)
    absent = absent_of(np.array([[0, 1, 0, 2]]))[0]
    np.testing.assert_allclose(found[:, ~absent, :2], np.tile(person()[~absent, :2], (300, 1, 1)))
    assert not found[:, absent].any()
    seen = found[:, ~absent, 2]
    assert seen.min() >= 0.55 and seen.max() <= 1 and seen.std() > 0.1


@pytest.mark.parametrize("level", [1, 2, 3])
@pytest.mark.parametrize("limb", LIMBS)
def test_patterns_come_as_often_as_the_rates_say(limb, level):
    config = replace(DetectorNoise(), swap=0)
    levels = tuple(level if one == limb else 0 for one in LIMBS)
    found = many(levels, 6000, config)[:, CHAINS[limb], 2] > 0
    patterns = np.bincount((found << np.arange(3)).sum(1), minlength=8) / 6000
    np.testing.assert_allclose(patterns, pattern_distribution(config, level), atol=0.025)
    other = LIMBS[(limb + 1) % 4]
    found = many(levels, 6000, config)[:, CHAINS[other], 2] > 0
    patterns = np.bincount((found << np.arange(3)).sum(1), minlength=8) / 6000
    np.testing.assert_allclose(patterns, pattern_distribution(config, 0), atol=0.025)


def test_hallucinations_lie_where_the_limb_would_be():
    config = replace(STILL, hallucinate_all=1, short=0, crowded=0)
    found = many((0, 2, 0, 0), 50, config)
    np.testing.assert_allclose(found[..., :2], np.tile(person()[:, :2], (50, 1, 1)), atol=1e-9)
    assert found[:, NAMES.index("right_wrist"), 2].max() <= 0.9


def test_short_and_crowded_ones_lie_between_the_residual_limb_and_there():
    shoulder, elbow, wrist = person()[CHAINS[Limb.RIGHT_ARM], :2]
    for chances, low, high in (
        ({"short": 1.0, "crowded": 0.0}, 0.3, 0.9),
        ({"short": 0.0, "crowded": 1.0}, 0.0, 0.25),
    ):
        found = many((0, 2, 0, 0), 400, replace(STILL, hallucinate_all=1, **chances))
        for i, end in enumerate((elbow, wrist), 1):
            way = (
                (found[:, CHAINS[Limb.RIGHT_ARM][i], :2] - shoulder)
                @ (end - shoulder)
                / ((end - shoulder) ** 2).sum()
            )
            assert low - 1e-6 <= way.min() and way.max() <= high + 1e-6 and np.ptp(way) > 0.8 * (high - low)


def test_the_opposite_limb_says_it_where_nothing_else_does():
    config = replace(STILL, hallucinate_all=1, short=0, crowded=0)
    found = many((0, 0, 3, 0), 3, config, intact=False)
    np.testing.assert_allclose(found[..., :2], np.tile(person()[:, :2], (3, 1, 1)), atol=0.05)


def test_nobody_to_say_where_reports_nothing():
    found = many((0, 0, 3, 3), 200, replace(STILL, hallucinate_all=1), intact=False)
    legs = CHAINS[[Limb.LEFT_LEG, Limb.RIGHT_LEG]].ravel()
    assert np.isfinite(found).all() and not found[:, legs].any() and (found[:, CHAINS[0], 2] > 0).all()


def test_only_the_first_beyond_the_residual_limb():
    found = many((0, 0, 0, 2), 100, replace(STILL, hallucinate_first=1))[:, CHAINS[Limb.RIGHT_LEG], 2] > 0
    assert found[:, 0].all() and found[:, 1].all() and not found[:, 2].any()


def test_misses_jitter_and_swaps():
    found = many((0,) * 4, 8000, replace(STILL, missed=0.1))
    assert (found[..., 2] == 0).mean() == pytest.approx(0.1, abs=0.01)
    assert not found[found[..., 2] == 0].any(), "what is missed is (0, 0, 0)"
    moved = many((0,) * 4, 8000, replace(STILL, jitter=0.01))[..., :2] - person()[:, :2]
    assert moved.std() == pytest.approx(0.01, rel=0.02)
    swapped = many((0,) * 4, 8000, replace(STILL, swap=0.2))
    mirrored = swapped[..., 0] * person()[:, 0] < 0
    arms, legs = mirrored[:, CHAINS[0][0]], mirrored[:, CHAINS[2][0]]
    assert arms.mean() == pytest.approx(0.2, abs=0.02) and legs.mean() == pytest.approx(0.2, abs=0.02)
    assert (mirrored[:, CHAINS[:2].ravel()] == arms[:, None]).all(), "a limb changes sides as a whole"


def test_covered_keypoints_are_missed_more_often():
    truth = np.tile(person(), (4000, 1, 1))
    covered = np.zeros((4000, 12), bool)
    covered[:, 4] = True
    truth[:, 7, 0] = 0.7  # outside the crop
    chance = uniform([(0, n) for n in range(4000)], NUMBERS)
    config = replace(STILL, covered_missed=0.5)
    found = detector_like(truth, np.zeros((4000, 12), bool), truth[..., :2], covered, chance, config)
    missed = (found[..., 2] == 0).mean(0)
    assert missed[4] == pytest.approx(0.5, abs=0.03) and missed[7] == pytest.approx(0.5, abs=0.03)
    assert missed[[0, 5, 11]].max() == 0


def test_same_chance_same_keypoints():
    assert (many((0, 1, 0, 2), 20, DetectorNoise()) == many((0, 1, 0, 2), 20, DetectorNoise())).all()


# the leak


def classifier_accuracy(config: DetectorNoise, level: int) -> float:
    """The best guess from counted patterns, learnt on one half of 8000 balanced limbs and tested on the other."""

    def patterns(levels: tuple[int, ...], seed: int) -> np.ndarray:
        shown = many(levels, 4000, config, seed)[..., 2] > 0
        return (shown << np.arange(12)).sum(1)

    intact, lost = patterns((0,) * 4, 1), patterns((0, 0, 0, level), 2)
    votes = np.bincount(lost[:2000], minlength=4096) - np.bincount(intact[:2000], minlength=4096)
    return float(((votes[lost[2000:]] > 0).mean() + (votes[intact[2000:]] <= 0).mean()) / 2)


@pytest.mark.parametrize("level", [1, 2, 3])
def test_the_pattern_does_not_give_the_label_away(level):
    assert classifier_accuracy(DetectorNoise(mode="truth"), level) == 1.0, "ground truth does"
    assert classifier_accuracy(DetectorNoise(), level) <= MAX_LEAK
    assert pattern_leak(DetectorNoise()) <= MAX_LEAK


def test_the_leak_follows_from_the_rates():
    assert pattern_leak(DetectorNoise(mode="truth")) == 1
    assert pattern_leak(replace(STILL, hallucinate_all=1)) == pytest.approx(0.5)
    assert pattern_leak(STILL) == 1
    for level in range(4):
        assert pattern_distribution(DetectorNoise(), level).sum() == pytest.approx(1)


@pytest.mark.parametrize(
    "wrong",
    [{"missed": 1.5}, {"hallucinate_all": 0.9, "hallucinate_first": 0.2}, {"end_lengths": (0.5, 0.1, 0.1)}],
)
def test_settings_out_of_range(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        DetectorNoise(**wrong)
