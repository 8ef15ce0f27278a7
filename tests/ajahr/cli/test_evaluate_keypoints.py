"""ajahr evaluate keypoints, from files to tables."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from keypoint_files import people_document, results_document, write_json

from ajahr.cli.main import main


def files(folder: Path, points: int = 25) -> list[str]:
    rng = np.random.default_rng(0)
    document = people_document(rng, points=points)
    people = write_json(folder / "people.json", document)
    found = write_json(folder / "mine.json", results_document(rng, document))
    return ["--annotations", str(people), "--detections", str(found), "--output", str(folder / "out")]


def test_tables_of_25_points(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "keypoints", *files(tmp_path), "--threshold", "0.4"]) == 0
    printed = capsys.readouterr().out
    assert "LD symmetric, 0.4" in printed and "ViTPose ViT-L, fine-tuned, LDLoss" in printed
    (found,) = json.loads((tmp_path / "out/keypoints.json").read_text())
    assert found["modes"]["symmetric"]["AP"] <= found["modes"]["text"]["AP"] <= found["modes"]["coco"]["AP"]
    assert set(found["sweep"]) == {"0.1", "0.2", "0.3", "0.4", "0.5", "0.6"} and found["licc"]["paired"] > 0
    assert "| mine | LD pattern, 0.4 |" in (tmp_path / "out/keypoints.md").read_text()


def test_coco_has_one_line(tmp_path: Path) -> None:
    assert main(["evaluate", "keypoints", *files(tmp_path, 17)]) == 0
    (found,) = json.loads((tmp_path / "out/keypoints.json").read_text())
    assert list(found["modes"]) == ["coco"] and found["licc"] is None


def test_contradictions_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = files(tmp_path)
    document = json.loads((tmp_path / "people.json").read_text())
    points = document["annotations"][0]["keypoints"]
    points[21 * 3 : 21 * 3 + 3] = points[23 * 3 : 23 * 3 + 3] = [300.0, 200.0, 2]
    write_json(tmp_path / "people.json", document)
    assert main(["evaluate", "keypoints", *argv]) == 0
    assert "annotation 1 contradicts itself about its left_leg" in capsys.readouterr().err


def test_an_empty_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = files(tmp_path)
    write_json(tmp_path / "mine.json", [])
    assert main(["evaluate", "keypoints", *argv]) == 2
    error = capsys.readouterr().err
    assert "nobody was detected" in error and len(error.splitlines()) == 1
    assert main(["evaluate", "keypoints", *argv, "--sigmas", "[0.1]"]) == 2
    assert "25 numbers above 0" in capsys.readouterr().err
