"""Limb levels in every form annotation files have them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ajahr.anatomy import INTACT_INDEX, NUM_CLASSES, indices_to_levels
from ajahr.data.readers.limb_labels import limb_labels
from ajahr.errors import UserError

FILE = Path("a.npz")
NAMES = ["a.jpg", "b.jpg"]


@pytest.mark.parametrize("index", range(NUM_CLASSES))
def test_every_class_in_every_form(index):
    expected = [list(indices_to_levels([index])), [0, 0, 0, 0]]
    hot = np.zeros((2, 12), np.int64)
    hot[0, index] = 1
    lists = np.empty(2, object)
    lists[:] = [[index], [INTACT_INDEX]]
    for columns in (
        {"ajahr_conf": hot},
        {"labels": np.array([[index, 12, 12, 12], [12] * 4])},
        {"labels": np.array([[index], [12]], np.float32)},
        {"labels": lists},
        {"limb_levels": np.array(expected)},
    ):
        assert limb_labels(columns, NAMES, FILE).tolist() == expected
    assert limb_labels({}, [f"x/amp_{index}_1.png", "b.png"], FILE).tolist() == expected


def test_several_limbs():
    hot = np.zeros((2, 12), np.int64)
    hot[1, [0, 3, 8, 11]] = 1
    assert limb_labels({"ajahr_conf": hot}, NAMES, FILE)[1].tolist() == [1, 1, 3, 3]
    assert limb_labels({"labels": np.array([[2, 5, 6, 12], [12] * 4])}, NAMES, FILE)[0].tolist() == [
        3,
        3,
        1,
        0,
    ]


def test_the_surest_form_counts():
    columns = {"limb_levels": np.array([[0, 0, 0, 1], [-1] * 4]), "labels": np.array([[12], [12]])}
    assert limb_labels(columns, ["amp_3_a.png", "b"], FILE).tolist() == [[0, 0, 0, 1], [-1] * 4]


def test_a_file_that_says_nothing_is_unknown():
    assert (limb_labels({}, NAMES, FILE) == -1).all()


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"limb_levels": np.array([[0, 0, 0, 0], [0, 4, 0, 0]])}, r"b\.jpg has 4"),
        ({"limb_levels": np.array([[0, -2, 0, 0], [0] * 4])}, r"a\.jpg has -2"),
        ({"limb_levels": np.zeros((2, 3), int)}, "limb_levels is"),
        ({"labels": np.array([[13], [12]])}, r"a\.jpg: an AJAHR-Index is 0\.\.12, got 13"),
        ({"labels": np.array([[1.5], [12]])}, "whole number"),
        ({"labels": np.array([[0, 1], [12, 12]])}, "two levels to RIGHT_ARM"),
        ({"labels": np.array([[0]])}, "1 labels for 2 people"),
        ({"ajahr_conf": np.full((2, 12), 2)}, r"ajahr_conf is 0 or 1, but a\.jpg has 2"),
        ({"ajahr_conf": np.ones((2, 12), int)}, r"a limb ends once, but a\.jpg has 3"),
        ({"ajahr_conf": np.zeros((2, 11), int)}, "ajahr_conf is"),
    ],
)
def test_labels_outside_their_range_name_the_person(columns, said):
    with pytest.raises(UserError, match=said) as caught:
        limb_labels(columns, NAMES, FILE)
    assert str(caught.value).startswith("a.npz") and "\n" not in str(caught.value)
    with pytest.raises(UserError, match="got 44"):
        limb_labels({}, ["amp_44_x.png"], FILE)
