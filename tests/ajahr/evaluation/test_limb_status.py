from __future__ import annotations

import numpy as np
import pytest

from ajahr.errors import UserError
from ajahr.evaluation.limb_status import Confusion, any_amputation, calibration

RNG = np.random.default_rng(0)


def people(count: int = 400) -> tuple[np.ndarray, np.ndarray]:
    true = RNG.integers(-1, 4, (count, 4))
    wrong = RNG.random((count, 4)) < 0.3
    return true, np.where(wrong, RNG.integers(0, 4, (count, 4)), np.maximum(true, 0))


def test_twin_of_the_definitions() -> None:
    true, said = people()
    confusion = Confusion.of(true, said)
    macro, weighted = [], []
    for limb in range(4):
        known = true[:, limb] >= 0
        t, s = true[known, limb], said[known, limb]
        scores, support = [], []
        for level in range(4):
            hit = ((t == level) & (s == level)).sum()
            precision, recall = hit / (s == level).sum(), hit / (t == level).sum()
            scores.append([(t == s).mean(), precision, recall, 2 * precision * recall / (precision + recall)])
            support.append((t == level).sum())
            assert confusion.counts[limb, level, level] == hit
        macro.append(np.mean(scores, 0))
        weighted.append(np.average(scores, 0, support))
    for ours, expected in ((confusion.macro, macro), (confusion.weighted, weighted)):
        values = (ours.accuracy, ours.precision, ours.recall, ours.f1)
        np.testing.assert_allclose(values, np.mean(expected, 0))
    assert confusion.limbs == (true >= 0).sum()
    np.testing.assert_allclose(confusion.by_prediction().sum(1), 1)
    np.testing.assert_allclose(confusion.by_label().sum(2), 1)


def test_what_users_see() -> None:
    true = np.array([[3, 0, 0, 0], [2, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, -1]])
    said = np.array([[3, 0, 0, 2], [1, 0, 0, 0], [0, 2, 0, 0], [0, 0, 0, 3]])
    c = Confusion.of(true, said)
    assert c.hallucinated_limb_rate == 2 / 4  # a forearm drawn, a hand drawn
    assert c.missed_amputation_rate == 1 / 4
    assert c.false_amputation_rate == 1 / 11
    binary = c.amputation
    assert (binary.precision, binary.recall) == (3 / 4, 3 / 4) and binary.accuracy == 13 / 15
    nothing = Confusion.of(true, np.zeros_like(true))
    assert nothing.hallucinated_limb_rate == 1 and nothing.false_amputation_rate == 0
    assert nothing.amputation.f1 == 0 and np.isnan(nothing.amputation.precision)


def test_confusions_add_up() -> None:
    true, said = people()
    parts = Confusion.of(true[:150], said[:150]) + Confusion.of(true[150:], said[150:])
    np.testing.assert_array_equal(parts.counts, Confusion.of(true, said).counts)


def test_any_amputation_of_a_person() -> None:
    true = np.array([[0, 0, 0, 0], [1, -1, 0, 0], [0, 0, 0, -1], [0, 2, 0, 0]])
    said = np.array([[0, 1, 0, 0], [0, 0, 3, 0], [1, 1, 1, 1], [0, 0, 0, 0]])
    scores = any_amputation(true, said)
    assert (scores.precision, scores.recall, scores.accuracy) == (1 / 2, 1 / 2, 1 / 3)


def test_all_intact_as_3doh50k() -> None:
    """Only one class has labels: the averages are over it, and nothing is divided by nothing."""
    c = Confusion.of(np.zeros((20, 4), int), np.zeros((20, 4), int))
    assert c.macro.f1 == c.weighted.f1 == c.pooled.f1 == 1
    assert np.isnan(c.hallucinated_limb_rate) and c.false_amputation_rate == 0
    empty = Confusion.of(np.full((3, 4), -1), np.zeros((3, 4), int))
    assert np.isnan([empty.macro.f1, empty.weighted.f1, empty.pooled.f1, empty.amputation.accuracy]).all()


def test_calibration() -> None:
    p = np.zeros((1000, 4, 4))
    p[..., 0], p[..., 1] = 0.8, 0.2
    true = np.zeros((1000, 4), int)
    true[:200] = 1
    fair = calibration(p, true)
    assert fair.error == pytest.approx(0, abs=1e-12) and fair.brier == pytest.approx(0.32)
    expected = -(0.8 * np.log(0.8) + 0.2 * np.log(0.2))
    assert fair.negative_log_likelihood == pytest.approx(expected)
    boastful = calibration(p, np.where(np.arange(1000)[:, None] < 500, 1, 0) + np.zeros((1, 4), int))
    assert boastful.error == boastful.largest_gap == pytest.approx(0.3)
    assert boastful.count.sum() == 4000
    assert np.isnan(calibration(p, np.full((1000, 4), -1)).error)
    with pytest.raises(UserError, match="not finite"):
        calibration(np.full((1, 4, 4), np.nan), true[:1])


@pytest.mark.parametrize(("true", "said"), [(4, 0), (-2, 0), (0, 4), (0, -1)])
def test_levels_that_are_none(true: int, said: int) -> None:
    with pytest.raises(UserError, match=r"0\.\.3"):
        Confusion.of(np.full((2, 4), true), np.full((2, 4), said))
