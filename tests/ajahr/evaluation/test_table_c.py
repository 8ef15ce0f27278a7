from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from ajahr.errors import UserError
from ajahr.evaluation import table_c
from ajahr.evaluation.table_c import Entry
from ajahr.evaluation.tables import rich_tables
from ajahr.evaluation.tokenizer import BankScores, Errors, LimbErrors
from tokenizer.config import TokenizerConfig


def _scores(bank: str, mm: float, **levels: float) -> BankScores:
    by_level = {name: Errors(3, x, 2 * x, x / 2, x) for name, x in levels.items()}
    return BankScores(
        bank, Errors(9, mm, mm + 1, mm, mm), 2.0, 100.0, 0.02, {"left_arm": LimbErrors(7.0, 8.0)}, by_level
    )


ENTRIES = [
    Entry("ours", TokenizerConfig(), [_scores("A3D", 1.234, intact=1.5), _scores("MOYO", 5.0, hip=2.5)]),
    Entry("small", TokenizerConfig(num_tokens=80, num_codes=512, code_dim=64), [_scores("A3D", 9.0)]),
]


def test_all_rows_of_the_paper_stand_and_ours_beside_the_same_size() -> None:
    heading, rows = table_c.table_rows(ENTRIES)
    assert heading[3:] == ["A3D (ours)", "MOYO (ours)", "A3D (paper)", "AMASS (paper)", "MOYO (paper)"]
    assert len(rows) == 9 and rows[0][:5] == ["small", "64x512", "80", "9.00 / 10.00", "-"]
    by_size = {(row[1], row[2]): row for row in rows}
    ours = ["1.23 / 2.23", "5.00 / 6.00", "1.56 / 8.01", "1.90 / 8.08", "5.52 / 13.47"]
    assert by_size["256x2048", "320"] == ["ours", "256x2048", "320", *ours]
    assert by_size["256x2048", "20"][0] == "-" and by_size["256x2048", "20"][-1] == "23.10 / 38.87"


def test_the_paper_says_320_tokens_are_best() -> None:
    """A slip in the table typed here would likely break its own conclusion (supplementary J)."""
    for bank in range(3):
        assert min(table_c.PAPER, key=lambda size: table_c.PAPER[size][bank][0]) == (256, 2048, 320)
        tokens = [table_c.PAPER[256, 2048, n][bank] for n in (20, 40, 80, 160, 320)]
        assert tokens == sorted(tokens, reverse=True)


def test_levels_in_columns() -> None:
    heading, rows = table_c.level_rows(ENTRIES)
    assert heading == ["tokenizer", "bank", "intact", "hip"]
    assert rows[0] == ["ours", "A3D", "1.50 / 3.00", "-"] and rows[1][2:] == ["-", "2.50 / 5.00"]
    assert table_c.present_rows(ENTRIES)[1][1][3] == "1.25 / 2.50"


def test_reports(tmp_path: Path) -> None:
    paths = table_c.write_reports(ENTRIES, tmp_path / "out")
    assert [p.name for p in paths] == ["table_c.md", "table_c.csv", "table_c.json"]
    text = paths[0].read_text()
    assert "| ours | 256x2048 | 320 | 1.23 / 2.23 |" in text and text.count("\n## ") == 4
    lines = list(csv.DictReader(paths[1].read_text().splitlines()))
    assert [line["group"] for line in lines[:3]] == ["all", "intact", "limb:left_arm"]
    assert float(lines[0]["mpjpe_mm"]) == 1.234 and lines[0]["code_dim"] == "256"
    stored = json.loads(paths[2].read_text())
    assert stored["ours"][1]["config"]["num_tokens"] == 80
    assert {"code_dim": 256, "num_codes": 2048, "num_tokens": 320}.items() <= stored["paper"][-1].items()


def test_terminal_tables_have_every_section() -> None:
    tables = rich_tables(table_c.sections(ENTRIES))
    assert [t.title for t in tables] == [title for title, _ in table_c.SECTIONS]
    assert tables[0].row_count == 9


def test_unwritable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="choose another folder"):
        table_c.write_reports(ENTRIES, tmp_path / "file")
