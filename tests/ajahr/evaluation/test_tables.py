from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from ajahr.errors import UserError
from ajahr.evaluation.tables import Section, json_text, markdown, rich_tables, write_texts

SECTION = Section("Errors", ["model", "mm"], [["a|b", "1.0"], ["c", "2.0"]], names=1, note="Held out.")


def test_words_stand_left_and_numbers_right() -> None:
    (table,) = rich_tables([SECTION])
    assert [column.justify for column in table.columns] == ["left", "right"]
    assert table.caption == "Held out." and table.row_count == 2


def test_markdown_keeps_a_bar_inside_its_cell() -> None:
    lines = markdown([SECTION]).splitlines()
    assert lines[:4] == ["## Errors", "", "Held out.", ""]
    assert lines[4:7] == ["| model | mm |", "| --- | --- |", "| a\\|b | 1.0 |"]


def test_json_has_null_where_a_number_is_none() -> None:
    assert json.loads(json_text({"a": (math.nan, 1.0), 2: [math.inf]})) == {"a": [None, 1.0], "2": [None]}


def test_a_folder_that_is_a_file_is_one_line_and_the_file_stays(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(UserError, match="file is where a folder is needed"):
        write_texts(tmp_path / "out", {"a.md": "x"})
    assert (tmp_path / "out").read_text() == "mine"
    assert [f.name for f in write_texts(tmp_path / "new", {"a.md": "x"})] == ["a.md"]
