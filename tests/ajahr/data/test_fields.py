"""Strict reading of JSON objects."""

from __future__ import annotations

import pytest

from ajahr.data.fields import FieldReader, parse_json
from ajahr.errors import UserError


def reader(**tree) -> FieldReader:
    return FieldReader(tree, "f.json")


@pytest.mark.parametrize("value, kinds, fits", [
    (1, (int,), True), (True, (int,), False), (True, (bool,), True), (1, (bool,), False),
    (1, (float,), True), (1.5, (int,), False), (True, (float,), False), (None, (float, type(None)), True),
    ("a", (int,), False), (None, (str,), False),
])  # fmt: skip
def test_kinds(value, kinds, fits):
    if fits:
        assert reader(k=value).take("k", *kinds) is value
    else:
        with pytest.raises(UserError, match=r"f\.json: key 'k' is .*, expected"):
            reader(k=value).take("k", *kinds)


def test_a_key_is_taken_once_and_leaves_nothing():
    fields = reader(a=1, b=2)
    fields.take("a", int)
    with pytest.raises(UserError, match="'b' is not in the schema"):
        fields.done()
    fields.take("b", int)
    fields.done()
    with pytest.raises(UserError, match="'a' is missing"):
        fields.take("a", int)


def test_the_place_of_a_nested_key_is_told():
    with pytest.raises(UserError, match=r"^f\.json: outer: key 'inner' is missing"):
        reader(outer={}).object("outer").take("inner", int)


def test_reading_leaves_the_tree_as_it_was():
    tree = {"a": 1}
    FieldReader(tree, "f.json").take("a", int)
    assert tree == {"a": 1}


@pytest.mark.parametrize("data", [b"{'a': 1}", b"\x80", b""])
def test_text_that_is_not_json(data):
    with pytest.raises(UserError, match=r"^f\.json: not JSON"):
        parse_json(data, "f.json")
