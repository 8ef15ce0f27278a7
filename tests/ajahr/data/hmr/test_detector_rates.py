"""Rates drawn, measured, and the same again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ajahr.anatomy import BPAC_KEYPOINTS, COCO17, J44
from ajahr.data.hmr.chance import uniform
from ajahr.data.hmr.detector_noise import NUMBERS, DetectorNoise, detector_like
from ajahr.data.hmr.detector_rates import measured_rates
from ajahr.data.hmr.samples import BPAC_J44
from ajahr.errors import UserError

NAMES = [COCO17.names[i] for i in BPAC_KEYPOINTS]


def people(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, what is absent, what is covered; half the people have lost one limb."""
    rng = np.random.default_rng(0)
    height = {"shoulder": -0.3, "elbow": -0.15, "wrist": 0.0, "hip": 0.02, "knee": 0.2, "ankle": 0.4}
    one = np.array([((0.15 if n.startswith("left") else -0.15), height[n.split("_")[1]], 1.0) for n in NAMES])
    truth = np.tile(one, (count, 1, 1)) + rng.normal(0, 0.03, (count, 12, 3)) * (1, 1, 0)
    levels = np.zeros((count, 4), np.int64)
    half = np.arange(count // 2)
    levels[half, rng.integers(0, 4, len(half))] = rng.integers(1, 4, len(half))
    return truth, J44.absent(levels)[:, list(BPAC_J44)], rng.random((count, 12)) < 0.03


def test_measures_what_was_drawn():
    config = replace(
        DetectorNoise(), hallucinate_all=0.3, hallucinate_first=0.4, end_missed=0.08, missed=0.15, swap=0.06,
        jitter=0.02, covered_missed=0.8, end_lengths=(0.2, 0.2, 0.6),
    )  # fmt: skip
    truth, absent, covered = people(3000)
    chance = uniform([(7, n) for n in range(len(truth))], NUMBERS)
    shown = np.where(absent[..., None], 0.0, truth)
    found = detector_like(shown, absent, truth[..., :2], covered, chance, config)
    measured = measured_rates(found, shown, absent, covered)
    for name in ("hallucinate_all", "hallucinate_first", "end_missed", "missed"):
        assert getattr(measured, name) == pytest.approx(getattr(config, name), abs=0.05), name
    np.testing.assert_allclose(measured.end_lengths, config.end_lengths, atol=0.12)
    assert measured.jitter == pytest.approx(config.jitter, rel=0.06)
    assert measured.swap == pytest.approx(config.swap, rel=0.3)
    ends = 1 - (1 - config.covered_missed) * (1 - config.end_missed)
    assert config.covered_missed - 0.05 < measured.covered_missed < ends + 0.05
    np.testing.assert_allclose(measured.confidence, config.confidence, atol=0.04)
    np.testing.assert_allclose(measured.hallucinated_confidence, config.hallucinated_confidence, atol=0.04)


def test_too_few_limbs():
    truth, absent, covered = people(20)
    with pytest.raises(UserError, match="rates need 30 of each"):
        measured_rates(truth, truth, absent, covered)
