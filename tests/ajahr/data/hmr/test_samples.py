"""Rows, tables and the typed sample."""

from __future__ import annotations

import numpy as np
import pytest
from fake_people import people_table

from ajahr.anatomy import J44
from ajahr.data.hmr.samples import assume_limbs, empty_rows, end_at_joints, hide_absent, set_box


def test_nothing_is_known_of_a_new_row():
    row = empty_rows(1, ["ü" * 10])[0]
    assert (row["levels"] == -1).all() and row["file"] == -1
    assert not row["keypoints_2d"][:, 2].any() and not row["has_pose"].any() and not row["has_betas"]
    for name in ("intact_2d", "transl", "focal_length", "image_size"):
        assert np.isnan(row[name]).all()
    row["key"] = ("ü" * 10).encode()
    assert row["key"].decode() == "ü" * 10, "room is counted in bytes"


@pytest.mark.parametrize(("size", "side"), [((100, 100), 400 / 3), ((50, 200), 200), ((300, 200), 400)])
def test_boxes_become_upstreams_squares(size, side):
    rows = empty_rows(1)
    set_box(rows, np.array([[5.0, 6.0]]), np.array([size]))
    assert rows["side"][0] == pytest.approx(side) and rows["center"][0].tolist() == [5, 6]


def test_lost_keypoints_lose_their_label():
    rows = empty_rows(3)
    rows["keypoints_2d"] = 7
    rows["levels"][1], rows["levels"][2] = (0, 0, 2, 0), (0, 0, 0, 0)
    hide_absent(rows)
    absent = J44.absent(np.array([0, 0, 2, 0]))
    assert not rows["keypoints_2d"][1, absent].any() and (rows["keypoints_2d"][1, ~absent] == 7).all()
    assert (rows["keypoints_2d"][[0, 2]] == 7).all(), "unknown is not lost"


def test_who_is_intact_is_taken_for_granted_only_when_said():
    rows = empty_rows(2)
    rows["levels"][1] = (0, 1, 0, 0)
    assume_limbs(rows, "labels")
    assert rows["levels"][0].tolist() == [-1] * 4
    assume_limbs(rows, "intact")
    assert rows["levels"].tolist() == [[0] * 4, [0, 1, 0, 0]]


def test_sample_and_subset(tmp_path):
    table = people_table(tmp_path, 3)
    table.rows["levels"][2] = (0, 0, 0, 3)
    table.rows["gender"] = 2
    sample = table.sample(2)
    assert sample.key == "people/2.jpg" and sample.dataset == "people" and sample.gender == "female"
    assert sample.picture == (tmp_path / "2.jpg").read_bytes()
    assert sample.limb_levels.tolist() == [0, 0, 0, 3] and np.isnan(sample.transl).all()
    np.testing.assert_array_equal(sample.pose_rotvec, table.rows["pose"][2])
    assert table.known_amputee().tolist() == [False, False, True]
    assert len(table.subset(table.known_amputee())) == 1


def test_ends_at_joints_where_levels_are_known():
    rows = empty_rows(3)
    assert np.isnan(rows["residual"]).all() and not rows["residual_3d"].any()
    rows["levels"][1:] = ((0, 3, 1, 0), (0, 0, 0, 0))
    end_at_joints(rows)
    known = np.isfinite(rows["residual"])
    assert known.sum(1).tolist() == [0, 2, 0]
    assert sorted(rows["residual"][1][known[1]].tolist()) == [0, 1]
