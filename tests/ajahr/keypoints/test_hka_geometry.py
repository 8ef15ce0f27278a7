"""Angles in the picture, their spread, and which way people face."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ajahr.anatomy import LDPOSE25
from ajahr.keypoints.hka_geometry import facing, turn_sd_deg


def trunk() -> np.ndarray:
    """Shoulders and hips of somebody who faces the camera."""
    points = np.zeros((25, 2))
    for side, sign in (("left", 1), ("right", -1)):
        points[LDPOSE25.index[f"{side}_shoulder"]] = (130 * sign, 330)
        points[LDPOSE25.index[f"{side}_hip"]] = (60 * sign, 700)
    return points


@pytest.mark.parametrize("angle", [0.0, 90.0, 180.0, 270.0])
def test_facing_is_measured_against_the_body(angle: float) -> None:
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    assert facing(trunk() @ np.array([[cosine, sine], [-sine, cosine]])) == 1


def test_uncertainty_is_monte_carlo_s() -> None:
    rng = np.random.default_rng(0)
    hip, knee, ankle = np.array([0.0, 0]), np.array([20.0, 210]), np.array([-10.0, 600])
    sd = np.array([2.0, 1.0, 3.0])
    noise = rng.normal(size=(200_000, 3, 2)) * sd[None, :, None]
    h, k, a = (p + noise[:, i] for i, p in enumerate((hip, knee, ankle)))
    u, w = k - h, a - k
    angles = np.degrees(np.arctan2(u[:, 0] * w[:, 1] - u[:, 1] * w[:, 0], (u * w).sum(1)))
    assert turn_sd_deg(hip, knee, ankle, sd) == pytest.approx(angles.std(), rel=0.02)


def test_the_closed_form_for_equal_segments() -> None:
    got = turn_sd_deg(np.array([0.0, 0]), np.array([0.0, 200]), np.array([0.0, 400]), np.full(3, 2.0))
    assert got == pytest.approx(math.degrees(math.sqrt(6) * 2 / 200), rel=1e-9)


def test_facing_is_told_from_behind_and_not_from_the_side() -> None:
    assert facing(trunk() * [-1, 1]) == -1
    assert facing(trunk() * [0, 1]) == 0
