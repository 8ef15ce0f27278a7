"""Part masks."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ajahr.data.mask import MAX_PEOPLE, decode_mask, encode_mask, person_values, split_mask
from ajahr.errors import UserError

# law


def test_every_person_and_joint_comes_back():
    parts = np.arange(25, dtype=np.uint8).reshape(5, 5)  # background, then joints 0..23
    for person in range(MAX_PEOPLE):
        mask = person_values(parts, person)
        who, joint = split_mask(decode_mask(encode_mask(mask), "m.png"))
        np.testing.assert_array_equal(joint, parts.astype(int) - 1)
        np.testing.assert_array_equal(who, np.where(parts > 0, person, -1))


def test_values_of_two_people_do_not_meet():
    parts = np.arange(25, dtype=np.uint8).reshape(5, 5)
    values = [set(person_values(parts, person).ravel().tolist()) - {0} for person in range(MAX_PEOPLE)]
    assert len(set().union(*values)) == 24 * MAX_PEOPLE


def test_pin_left_knee_of_the_third_person():
    parts = np.full((1, 1), 4 + 1, np.uint8)
    assert person_values(parts, 2)[0, 0] == 32 * 2 + 4 + 1


# edge


def test_an_empty_mask_has_nobody():
    person, joint = split_mask(decode_mask(encode_mask(np.zeros((3, 4), np.uint8)), "m.png"))
    assert (person == -1).all() and (joint == -1).all()


@pytest.mark.parametrize("person", [-1, MAX_PEOPLE])
def test_there_is_no_room_for_more_people(person):
    with pytest.raises(ValueError, match="room"):
        person_values(np.ones((1, 1), np.uint8), person)


@pytest.mark.parametrize("value", [25, 31, 32, 32 * 7, 255])
def test_a_value_that_is_no_part_is_not_written(value):
    with pytest.raises(ValueError, match="no person's part"):
        encode_mask(np.full((2, 2), value, np.uint8))


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n", b"text"])
def test_bytes_that_are_no_picture_are_refused(data):
    with pytest.raises(UserError, match=r"^000000\.tar: k\.mask\.png"):
        decode_mask(data, "000000.tar: k.mask.png")


@pytest.mark.parametrize("array", [np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2), np.uint16)])
def test_another_kind_of_picture_is_refused(array):
    data = cv2.imencode(".png", array)[1].tobytes()
    with pytest.raises(UserError, match="8-bit grey"):
        decode_mask(data, "m.png")
