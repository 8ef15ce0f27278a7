"""Bootstrap intervals and paired comparison."""

from __future__ import annotations

import numpy as np
import pytest

from ajahr.evaluation.statistics import clusters_of, interval, paired

RNG = np.random.default_rng(0)


def test_width_is_that_of_the_standard_error() -> None:
    """Law: of independent people, 95 % is 1.96 standard errors each way."""
    values = RNG.normal(80, 10, 400)
    found = interval(values, np.arange(400))
    assert found.value == pytest.approx(values.mean()) and found.people == found.clusters == 400
    error = values.std() / 20
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.1)


def test_frames_of_a_sequence_are_one_witness() -> None:
    """Repeating every person fifty times within a cluster must not narrow the interval."""
    values = RNG.normal(80, 10, 40)
    once = interval(values, np.arange(40))
    often = interval(np.repeat(values, 50), np.repeat(np.arange(40), 50))
    assert (often.low, often.high) == pytest.approx((once.low, once.high))
    naive = interval(np.repeat(values, 50), np.arange(2000))
    assert naive.high - naive.low < (once.high - once.low) / 4


def test_twin_by_loop() -> None:
    values, clusters = RNG.normal(size=30), RNG.integers(0, 7, 30)
    found = interval(values, clusters, resamples=50, seed=3)
    picks = np.random.default_rng(3).integers(0, 7, (50, 7))
    means = [np.concatenate([values[clusters == c] for c in row]).mean() for row in picks]
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])))


def test_a_constant_gain_is_certain_and_noise_is_not() -> None:
    """People differ far more than models do: pairing sees what unpaired intervals would not."""
    a = RNG.normal(80, 30, 200)
    better = paired(a, a - 2 + RNG.normal(0, 1, 200), np.arange(200), np.ones(200, bool))
    assert better.p_value < 0.01 and better.difference.high < 0 and better.better > 0.9
    noise = RNG.normal(0, 1, 200)
    same = paired(a, a + noise - noise.mean(), np.arange(200), np.ones(200, bool))
    assert same.p_value > 0.5 and same.difference.low < 0 < same.difference.high


def test_people_only_one_model_has_are_counted_not_averaged() -> None:
    a, b = np.array([1.0, 2, np.nan, 4, np.nan]), np.array([2.0, np.nan, 3, 5, np.nan])
    found = paired(a, b, np.arange(5), np.array([True, True, True, True, False]))
    assert found.difference.value == 1 and found.difference.people == 2 and found.left_out == 2


def test_edges() -> None:
    nobody = interval(np.array([np.nan]), np.zeros(1, int))
    assert np.isnan([nobody.value, nobody.low, nobody.high]).all() and nobody.people == 0
    alone = interval(np.array([3.0, 5]), np.zeros(2, int))
    assert alone.value == 4 and np.isnan(alone.low), "one sequence says nothing of others"
    assert clusters_of(["b", "a", "b"]).tolist() == [1, 0, 1]
