"""ajahr measure detector: a detector's answers in, a config of its rates and a picture out."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from fake_dataset import write_dataset

from ajahr.anatomy import BPAC_KEYPOINTS
from ajahr.cli.main import main
from ajahr.cli.measure_detector import RATES, SHEET
from ajahr.data.hmr import detector_rates
from ajahr.data.hmr.detector_noise import DetectorNoise
from ajahr.data.hmr.samples import BPAC_J44
from ajahr.data.readers.shards import read_shards
from ajahr.inference.measure_detector import boxes_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_dataset(tmp_path / "data")
    return tmp_path / "data"


def answers(folder: Path, *, invented: bool) -> Path:
    """A detector without a fault, or one that reports every lost keypoint where the twin has it."""
    table = read_shards(folder)
    document: dict[str, list] = {}
    for row, box in zip(table.rows, boxes_of(table.rows), strict=True):
        points = np.zeros((17, 3))
        points[list(BPAC_KEYPOINTS)] = row["keypoints_2d"][list(BPAC_J44)]
        if invented:
            lost = np.isfinite(row["intact_2d"]).all(1) & (points[list(BPAC_KEYPOINTS), 2] == 0)
            points[np.array(BPAC_KEYPOINTS)[lost], :2] = row["intact_2d"][lost]
            points[np.array(BPAC_KEYPOINTS)[lost], 2] = 0.8
        person = {"bbox_xyxy": box.tolist(), "keypoints": points.tolist()}
        document.setdefault(row["image"].decode(), []).append(person)
    path = folder.parent / "found.json"
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize("invented", [False, True])
def test_rates_become_a_config(
    folder: Path, invented: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(detector_rates, "_FEWEST", 4)
    out = folder.parent / "out"
    argv = ["measure", "detector", str(folder), "--keypoints", str(answers(folder, invented=invented))]
    assert main([*argv, "--output", str(out)]) == 0
    written = yaml.safe_load((out / RATES).read_text())
    rates = DetectorNoise(**{k: tuple(v) if isinstance(v, list) else v for k, v in written.items()})
    assert rates.mode == "detector" and rates.jitter < 1e-3 and rates.missed < 0.05
    assert rates.hallucinate_all > 0.9 if invented else rates.hallucinate_all < 0.1
    picture = cv2.imread(str(out / SHEET))
    assert picture is not None and picture.shape[1] > 400
    said = capsys.readouterr().out
    assert "12 people" in said and "100 %: it is the label" in said and str(out / RATES) in said


def test_what_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answers(folder, invented=False)
    argv = ["measure", "detector", str(folder), "--keypoints", str(found)]
    assert main([*argv, "--output", str(folder.parent / "few")]) == 2
    assert "rates need 30 of each" in capsys.readouterr().err
    assert not (folder.parent / "few" / RATES).exists()
    found.write_text(json.dumps({"other.jpg": [[0, 0, 10, 10]]}))
    assert main(argv) == 2
    assert "names not one picture of data" in capsys.readouterr().err
    assert main(["measure", "detektor", str(folder)]) == 2
    assert "detector" in capsys.readouterr().err
