"""Intervals of angles that hold what they say."""

from __future__ import annotations

import numpy as np
import pytest

from ajahr.errors import UserError
from ajahr.keypoints.calibration import HkaCalibration
from ajahr.keypoints.hka_calibration import MeasuredLegs, fit_hka


def legs(count: int, seed: int, slope: float = 0.7, scale: float = 1.8, floor: float = 0.5) -> MeasuredLegs:
    """Of a model that shows 0.7 of an angle, and is 1.8 times as uncertain as its maps say."""
    rng = np.random.default_rng(seed)
    truth, sd = rng.uniform(-10, 10, count), rng.uniform(0.3, 3, count)
    view = rng.uniform(0, 0.3, count)
    noise = rng.standard_normal(count) * np.sqrt((scale * sd) ** 2 + floor**2 + view**2)
    return MeasuredLegs(slope * truth + 1.2 + noise, sd, view, truth)


def test_held_out_intervals_hold_the_truth_and_bias_is_gone() -> None:
    found = fit_hka(legs(600, 0))
    assert found.slope == pytest.approx(1 / 0.7, rel=0.1) and found.sd_scale == pytest.approx(1.8, rel=0.2)
    fresh = legs(4000, 1)
    assert 0.92 <= fresh.coverage(found) <= 0.98
    value, _ = fresh.calibrated(found)
    assert np.mean(value - fresh.truth) == pytest.approx(0, abs=0.3)
    assert fresh.coverage(HkaCalibration()) < 0.7


def test_errors_that_are_not_normal_are_covered_too() -> None:
    def heavy(seed: int) -> MeasuredLegs:
        rng = np.random.default_rng(seed)
        truth, sd = rng.uniform(-10, 10, 1500), rng.uniform(0.5, 2, 1500)
        return MeasuredLegs(truth + sd * rng.standard_t(2.5, 1500), sd, np.zeros(1500), truth)

    assert heavy(1).coverage(fit_hka(heavy(0))) == pytest.approx(0.95, abs=0.03)


def test_maps_without_spread_leave_the_floor() -> None:
    rng = np.random.default_rng(3)
    truth = rng.uniform(-10, 10, 800)
    blind = MeasuredLegs(truth + rng.normal(0, 2, 800), np.zeros(800), np.zeros(800), truth)
    assert fit_hka(blind).sd_floor_deg == pytest.approx(2, rel=0.15)


def test_refusals() -> None:
    with pytest.raises(UserError, match="too few"):
        fit_hka(legs(10, 0))
    with pytest.raises(UserError, match=r"hardly follow the true ones \(slope -?0\.0"):
        fit_hka(legs(500, 0, slope=0.0))
