"""Places of lost limbs from 3D."""

from __future__ import annotations

import numpy as np
import pytest
from fake_people import people_rows

from ajahr.anatomy import J44
from ajahr.data.hmr.lost_limbs import place_from_3d
from ajahr.data.hmr.samples import BPAC_J44


@pytest.fixture
def rows():
    """Three people drawn by weak perspective; the second has lost the left forearm, the third the right leg."""
    rows = people_rows(3)
    rows["levels"][1:] = (2, 0, 0, 0), (0, 0, 0, 3)
    rows["keypoints_2d"][..., :2] = rows["keypoints_3d"][..., :2] * 80 + (160, 120)
    return rows


def test_projected_to_where_they_would_be(rows):
    truth = rows["keypoints_2d"][:, list(BPAC_J44), :2].copy()
    absent = J44.absent(rows["levels"].astype(np.int64))
    rows["keypoints_2d"][absent] = 0
    place_from_3d(rows)
    np.testing.assert_allclose(rows["intact_2d"][1:], truth[1:], atol=1e-3)
    assert np.isnan(rows["intact_2d"][0]).all(), "nobody asks for an intact person's"


def test_collapsed_limbs_say_nothing(rows):
    chain = [i for i, slot in enumerate(BPAC_J44) if J44.names[slot].startswith("right_") and i >= 6]
    slots = [BPAC_J44[i] for i in chain]
    rows["keypoints_3d"][2, slots] = rows["keypoints_3d"][2, slots[0]]
    place_from_3d(rows)
    assert np.isnan(rows["intact_2d"][2, chain]).all()
    assert np.isfinite(np.delete(rows["intact_2d"][2], chain, 0)).all()


@pytest.mark.parametrize("wrong", ["no fit", "no 3d", "too few"])
def test_nothing_without_a_fit(rows, wrong):
    if wrong == "no fit":
        rows["keypoints_2d"][..., :2] = np.random.default_rng(1).uniform(0, 300, (3, 44, 2))
    elif wrong == "no 3d":
        rows["keypoints_3d"][..., 3] = 0
    else:
        rows["keypoints_2d"][:, 3:, 2] = 0
    place_from_3d(rows)
    assert np.isnan(rows["intact_2d"]).all()
