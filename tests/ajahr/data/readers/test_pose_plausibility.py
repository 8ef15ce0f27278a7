"""The test of pseudo ground truth."""

from __future__ import annotations

import numpy as np
import pytest

from ajahr.data.readers.pose_plausibility import PosePlausibility
from ajahr.errors import UserError

BINS = 40


def histogram() -> np.ndarray:
    """Everybody's joints are within 0.15 rad of rest."""
    rng = np.random.default_rng(0)
    found = np.zeros((21, BINS, BINS, BINS), np.float32)
    bins = np.floor((rng.uniform(-0.15, 0.15, (21, 5000, 3)) + np.pi) / (2 * np.pi) * BINS).astype(int)
    for joint in range(21):
        np.add.at(found[joint], tuple(bins[joint].T), 1)
    return found


def test_rest_is_plausible_and_a_twisted_knee_is_not():
    test = PosePlausibility(histogram().astype(np.float64))
    pose = np.zeros((4, 24, 3))
    pose[1, 4] = (0, 0, 3.0)  # left knee
    pose[2, 0] = (3, 0, 0)  # the root may be anything
    pose[3, 23] = (3, 0, 0)  # hands are not tested
    assert test(pose).tolist() == [True, False, True, True]


def test_angles_are_wrapped():
    test = PosePlausibility(histogram().astype(np.float64))
    pose = np.random.default_rng(1).uniform(-0.1, 0.1, (5, 24, 3))
    angle = np.linalg.norm(pose, axis=-1, keepdims=True)
    assert test(pose).all() and test(pose * (angle + 2 * np.pi) / angle).all()
    assert test(pose * (angle - 2 * np.pi) / angle).all()


def test_density_is_smoothed_over_all_four_axes():
    """A joint nobody moved is plausible next to one that everybody did: upstream's thresholds count on it."""
    one = np.zeros((21, BINS, BINS, BINS))
    one[3, 20, 20, 20] = 1
    test = PosePlausibility(one)
    density = test._density
    assert density[3].max() > density[4].max() > density[5].max() > 0
    assert density.sum() == pytest.approx(1 / (2 * np.pi / BINS) ** 3, rel=0.1)


@pytest.mark.parametrize("array", [np.zeros((20, 5, 5, 5)), np.zeros((21, 5, 5)), np.zeros((21, 5, 5, 6))])
def test_other_files(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(UserError, match="expected"):
        PosePlausibility.read(tmp_path / "a.npy")
    with pytest.raises(UserError, match="no pose histogram"):
        PosePlausibility.read(tmp_path / "none.npy")
