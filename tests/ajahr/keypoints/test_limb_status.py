"""Limb status out of 25 presences, and pooled with BPAC-Net's."""

from __future__ import annotations

import numpy as np
import pytest

from ajahr.data.ldpose import ABOVE, BELOW, DISTAL, LIMB_POINTS, presence_of_levels
from ajahr.errors import UserError
from ajahr.keypoints.calibration import LimbCalibration
from ajahr.keypoints.limb_status import (
    PATTERNS,
    FusionWeights,
    fit_fusion,
    fit_limbs,
    from_presence,
    from_scores,
    fuse_status,
    limb_evidence,
)

ALL_LEVELS = np.stack(np.meshgrid(*[np.arange(4)] * 4, indexing="ij"), -1).reshape(-1, 4)


def presence_of(levels: np.ndarray, sure: float = 0.9) -> np.ndarray:
    exists = presence_of_levels(levels)
    return np.where(exists == 1, sure, 1 - sure)


def test_every_combination_of_levels_is_read_back_from_its_points() -> None:
    status = from_presence(presence_of(ALL_LEVELS))
    assert (status.argmax(-1) == ALL_LEVELS).all()
    assert status.sum(-1) == pytest.approx(np.ones((256, 4)))


def test_patterns_exclude_what_nobody_has() -> None:
    assert PATTERNS.tolist() == [[1, 1, 0, 0], [1, 0, 0, 1], [0, 0, 1, 0], [0, 0, 0, 0]]


def test_status_is_bayes_over_the_four_points_of_each_limb() -> None:
    presence = np.random.default_rng(0).uniform(0.02, 0.98, (5, 25))
    found = from_presence(presence, LimbCalibration(0.7, (0.1, -0.2, 0.3, 0.0)))
    for person in range(5):
        for limb in range(4):
            logs = []
            for level in range(4):
                value = (0.1, -0.2, 0.3, 0.0)[level]
                for point, exists in zip(LIMB_POINTS[limb], PATTERNS[level], strict=True):
                    p = presence[person, point]
                    value += 0.7 * np.log(p if exists else 1 - p)
                logs.append(value)
            expected = np.exp(logs) / np.exp(logs).sum()
            assert found[person, limb] == pytest.approx(expected)


def test_sides_swap_with_the_points() -> None:
    from ajahr.anatomy import LDPOSE25

    presence = np.random.default_rng(1).uniform(0, 1, (3, 25))
    mirrored = from_presence(presence[:, list(LDPOSE25.flip)])
    assert mirrored == pytest.approx(from_presence(presence)[:, [1, 0, 3, 2]])


def test_unknown_presence_has_no_opinion() -> None:
    presence = presence_of(np.array([[0, 1, 2, 3]]))
    presence[0, LIMB_POINTS[1, BELOW]] = np.nan
    status = from_presence(presence)
    assert status[0, 1] == pytest.approx(np.full(4, 0.25)) and status[0, 2].argmax() == 2
    bpac = np.tile(np.array([0.1, 0.7, 0.1, 0.1]), (1, 4, 1))
    assert fuse_status(bpac, status)[0, 1] == pytest.approx(bpac[0, 1])  # type: ignore[index]


def test_scores_alone() -> None:
    scores = np.zeros((3, 25))
    scores[0, LIMB_POINTS[:, DISTAL]] = 0.9
    scores[1, LIMB_POINTS[:, BELOW]] = 0.9
    scores[2, LIMB_POINTS[2, ABOVE]] = 0.9
    status = from_scores(scores)
    assert (
        (status[0].argmax(-1) == 0).all() and (status[1].argmax(-1) == 1).all() and status[2, 2].argmax() == 2
    )
    # nothing seen is nothing said: a covered leg is no lost hip
    assert status[2, 0] == pytest.approx(np.full(4, 0.25))
    assert from_scores(np.ones((1, 25)) * 0.9)[0, 0, 3] < 0.05


def test_fusion_of_one_witness_is_that_witness() -> None:
    one = from_presence(presence_of(ALL_LEVELS[:7]))
    assert fuse_status(one, None) == pytest.approx(one) and fuse_status(None, one) == pytest.approx(one)
    assert fuse_status(None, None) is None
    assert fuse_status(one, one[:, ::-1], FusionWeights(1, 0)) == pytest.approx(one, abs=2e-3)


def test_two_who_agree_are_as_sure_as_each_and_the_surer_wins_a_quarrel() -> None:
    a = np.tile(np.array([0.2, 0.6, 0.1, 0.1]), (1, 4, 1))
    assert fuse_status(a, a) == pytest.approx(a)
    sure = np.tile(np.array([0.97, 0.01, 0.01, 0.01]), (1, 4, 1))
    for pair in ((a, sure), (sure, a)):
        fused = fuse_status(*pair)
        assert fused is not None and (fused.argmax(-1) == 0).all() and fused[0, 0, 0] < 0.97


def test_log_odds_add_with_the_weights() -> None:
    rng = np.random.default_rng(2)
    a, b = (rng.dirichlet(np.ones(4) * 5, (6, 4)) for _ in range(2))
    fused = fuse_status(a, b, FusionWeights(0.3, 0.9))
    assert fused is not None

    def odds(p: np.ndarray) -> np.ndarray:
        return np.log(p[..., 1] / p[..., 0])

    assert odds(fused) == pytest.approx(0.3 * odds(a) + 0.9 * odds(b))


def drawn(count: int, weight: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Presences, and levels that follow them under a known calibration."""
    rng = np.random.default_rng(seed)
    presence = 1 / (1 + np.exp(-2 * rng.standard_normal((count, 25))))
    truth = from_presence(presence, LimbCalibration(weight, (0.0, -1.0, -0.5, -2.0)))
    return presence, (truth.cumsum(-1) < rng.random((count, 4, 1))).sum(-1)


def test_the_fit_finds_the_calibration_that_made_the_data() -> None:
    presence, levels = drawn(4000, 0.3, 0)
    levels[:10, 0] = -1
    found = fit_limbs(presence, levels)
    assert found.weight == pytest.approx(0.3, rel=0.15)
    assert found.bias == pytest.approx((0.0, -1.0, -0.5, -2.0), abs=0.2)


def test_fitted_weights_make_the_pool_calibrated() -> None:
    presence, levels = drawn(4000, 1.0, 1)
    rng = np.random.default_rng(5)
    said = from_presence(presence, LimbCalibration(1.0, (0.0, -1.0, -0.5, -2.0)))
    noise = rng.dirichlet(np.ones(4), said.shape[:2])
    found = fit_fusion(noise, said, levels)
    assert found.keypoints == pytest.approx(1.0, abs=0.1) and found.bpac < 0.1


def test_bad_input() -> None:
    nobody = np.full((2, 4), -1)
    for fit in (
        lambda: fit_limbs(np.ones((2, 25)) / 2, nobody),
        lambda: fit_fusion(*np.ones((2, 2, 4, 4)) / 4, nobody),
    ):
        with pytest.raises(UserError, match="nobody whose limbs are known"):
            fit()
    with pytest.raises(UserError, match="0 or more"):
        FusionWeights(-1.0, 0.5)
    assert limb_evidence(np.zeros((0, 25))).shape == (0, 4, 4)
