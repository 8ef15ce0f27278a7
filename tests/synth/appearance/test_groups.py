from __future__ import annotations

import numpy as np
import pytest

from synth.appearance import groups
from synth.appearance.groups import GROUP_SHARES, GROUPS, MONK_RANGES, SEXES, Group


def chi_square(counts, shares) -> float:
    expected = np.sum(counts) * np.asarray(shares)
    return float(((np.asarray(counts) - expected) ** 2 / expected).sum())


def test_law_shares_are_a3ds_and_sum_to_one():
    assert sum(GROUP_SHARES.values()) == pytest.approx(1)
    twenty = {g for g, share in GROUP_SHARES.items() if share == 0.2}
    assert twenty == {Group.AFRICAN, Group.ASIAN, Group.INDIAN}
    assert all(GROUP_SHARES[g] == 0.1 for g in GROUPS if g not in twenty)


def test_law_sampled_groups_and_sexes_follow_the_shares():
    rng = np.random.default_rng(5)
    drawn = [groups.sample_group(rng) for _ in range(6_000)]
    assert (
        chi_square([drawn.count(g) for g in GROUPS], [GROUP_SHARES[g] for g in GROUPS]) < 22.46
    )  # 6 dof, 99.9 %
    sexes = [groups.sample_sex(rng) for _ in range(6_000)]
    assert chi_square([sexes.count(s) for s in SEXES], [0.5, 0.5]) < 10.83  # 1 dof, 99.9 %


@pytest.mark.parametrize("group", GROUPS)
def test_law_tones_lie_in_their_range_and_darken(group):
    rng = np.random.default_rng(0)
    low, high = MONK_RANGES[group]
    tones = [groups.sample_monk(rng, group) for _ in range(200)]
    assert low <= min(tones) < max(tones) <= high
    luminance = [float(groups.skin_albedo(m, group).mean()) for m in np.linspace(1, 10, 40)]
    assert np.all(np.diff(luminance) < 0)
    assert max(luminance) < 0.9 * 255  # no skin is white under plain light


def test_edge_weighted_choice_takes_no_zero_weight_and_survives_the_ends():
    class Fixed(np.random.Generator):
        def __init__(self, value):
            super().__init__(np.random.PCG64(0))
            self.value = value

        def random(self):
            return self.value

    weights = {"never": 0.0, "a": 1.0, "also never": 0.0, "b": 3.0, "nor this": 0.0}
    found = [groups.weighted_choice(Fixed(u), weights) for u in (0.0, 0.2499, 0.25, 0.999)]
    assert found == ["a", "a", "b", "b"]


@pytest.mark.parametrize("group", GROUPS)
def test_law_hair_and_eye_colours_are_known(group):
    rng = np.random.default_rng(1)
    for _ in range(50):
        assert groups.sample_hair_colour(rng, group) in groups.HAIR_COLOURS
        assert groups.sample_eye_colour(rng, group) in groups.EYE_COLOURS
