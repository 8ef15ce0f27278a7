"""ajahr measure limb: files, units, and what is refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from ajahr.cli.main import main


def test_millimetres_and_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["measure", "limb", "left-below-knee=0.4", "--stature", "1.7", "--lambda_sd", "0.02"]
    assert main([*argv, "--output", str(tmp_path / "a")]) == 0
    rows = list(csv.DictReader((tmp_path / "a" / "limb.csv").read_text().splitlines()))
    length = next(r for r in rows if r["quantity"] == "length")
    assert length["unit"] == "mm" and 180 < float(length["value"]) < 320 and float(length["sd"]) > 5
    rings = [r for r in rows if r["quantity"] == "circumference"]
    assert [float(r["from_distal_end_mm"]) for r in rings[:3]] == [20, 40, 60]
    assert json.loads((tmp_path / "a" / "limb.json").read_text())["scaled"] is True
    assert (tmp_path / "a" / "limb.stl").stat().st_size > 100_000
    assert "No socket" in capsys.readouterr().out


def test_unscaled_gives_ratios_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["measure", "limb", "right-above-elbow=0.4", "--output", str(tmp_path)]) == 0
    assert "mm" not in (tmp_path / "limb.csv").read_text().replace("from_distal_end_mm", "")
    assert not (tmp_path / "limb.stl").exists()
    assert "unscaled" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["left-below-knee=0.4", "--stature", "5"], "no person's"),
        (["left-below-knee=0.4", "left-above-knee=0.2"], "a limb ends once"),
        (["left-below-hip=0.4"], "choose among"),
        (["left-below-knee"], "not name=number"),
        (["left-below-knee=1.4"], "lambda is 0"),
    ],
)
def test_refused(argv: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["measure", "limb", *argv, "--output", str(tmp_path / "out")]) == 2
    assert words in capsys.readouterr().err


def test_unwritable(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["measure", "limb", "left-below-knee=0.4", "--output", str(tmp_path / "file" / "out")]) == 2
    assert "cannot write" in capsys.readouterr().err
