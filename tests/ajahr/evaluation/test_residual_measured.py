from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from measured_residual import measured


def test_pooled_mean_is_not_the_mean_of_means() -> None:
    one = measured("joint", 100.0)
    assert one.interval("body_px").value == pytest.approx(float(np.nanmean(one.points_px)))
    few = replace(one, points_px=np.where(np.arange(6)[:, None] == 0, one.points_px, np.nan))
    assert few.interval("res_limb_px").people == 1


def test_only_fits_that_were_asked_for_are_accepted_or_not() -> None:
    assert measured("head+rafo", 20.0).accepted_rate == 0.5
    assert np.isnan(measured("midpoint", 60.0).accepted_rate)


def test_against_pairs_the_same_points() -> None:
    one, other = measured("midpoint", 60.0), measured("head+rafo", 20.0)
    assert one.against(other, "end_mm").difference.value == pytest.approx(-40)
    assert one.against(one, "res_limb_px").difference.value == 0
