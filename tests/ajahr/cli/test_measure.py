"""ajahr measure hka: from marked points and from a model to CSV, JSON, pictures and agreement."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from ajahr.anatomy import LDPOSE25
from ajahr.cli.main import main
from ajahr.keypoints.config import KeypointConfig
from ajahr.keypoints.model import KeypointModel, save_keypoints

INDEX = LDPOSE25.index


def person(left: float, right: float) -> list[list[float]]:
    """Deviations in degrees, varus negative, of somebody upright in a picture of 800 x 1200 px."""
    points = np.zeros((25, 3))
    points[:17, 2] = 0.9
    for side, sign, deviation in (("left", 1, left), ("right", -1, right)):
        points[INDEX[f"{side}_shoulder"], :2] = (400 + 100 * sign, 200)
        points[INDEX[f"{side}_hip"], :2] = (400 + 50 * sign, 480)
        points[INDEX[f"{side}_knee"], :2] = (400 + 50 * sign, 750)
        angle = np.radians(deviation)
        points[INDEX[f"{side}_ankle"], :2] = (
            400 + 50 * sign + 280 * sign * np.sin(angle),
            750 + 280 * np.cos(angle),
        )
    return points.tolist()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.jpg", "b.jpg"):
        cv2.imwrite(str(folder / name), np.full((1200, 800, 3), 120, np.uint8))
    amputee = np.array(person(4, 0))
    amputee[INDEX["right_ankle"], 2] = 0
    amputee[INDEX["right_below_knee_res"]] = (350, 900, 0.9)
    marked = {"a.jpg": [person(-5, 2)], "b.jpg": [amputee.tolist()]}
    (tmp_path / "points.json").write_text(json.dumps(marked))
    return folder


def test_marked_points(tmp_path: Path, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reference = tmp_path / "xray.csv"
    reference.write_text("image,side,hka_deg\na.jpg,left,-4\na.jpg,right,2\nb.jpg,left,4\nb.jpg,right,1\n")
    out = tmp_path / "out"
    argv = ["measure", "hka", str(photos), "--points", str(tmp_path / "points.json"), "--output", str(out)]
    assert main([*argv, "--reference", str(reference)]) == 0
    rows = list(csv.DictReader((out / "hka.csv").read_text().splitlines()))
    assert [(r["image"], r["side"]) for r in rows] == [
        (i, s) for i in ("a.jpg", "b.jpg") for s in ("left", "right")
    ]
    assert [float(r["deviation_deg"]) for r in rows[:3]] == pytest.approx([-5, 2, 4], abs=1e-3)
    assert float(rows[0]["angle_deg"]) == pytest.approx(175, abs=1e-3)
    assert rows[3]["reason"] == "limb_absent" and rows[3]["deviation_deg"] == rows[3]["angle_deg"] == ""
    assert float(rows[3]["residual_axis_deviation_deg"]) == pytest.approx(0, abs=1e-3)
    printed = capsys.readouterr().out
    assert "3 legs against the reference: bias -0.33" in printed and "not diagnostic" in printed
    assert "no angle: the limb ends above the ankle" in printed
    assert len(json.loads((out / "hka.json").read_text())["legs"]) == 4
    assert (out / "bland_altman.png").is_file()
    picture = cv2.imread(str(out / "a_hka.jpg"))
    assert picture is not None and picture.shape == (1200, 800, 3) and picture.std() > 5


def test_the_model_that_comes_with_the_package(tmp_path: Path, photos: Path) -> None:
    argv = ["measure", "hka", str(photos / "a.jpg"), "--weights", "tiny-keypoints", "--flip_test", "false"]
    assert main([*argv, "--output", str(tmp_path / "out")]) == 0
    assert len(json.loads((tmp_path / "out/hka.json").read_text())["legs"]) == 2


def test_a_model_that_knows_nothing_is_refused_a_number(tmp_path: Path, photos: Path) -> None:
    torch.manual_seed(0)
    weights = save_keypoints(KeypointModel(KeypointConfig("shufflenet_v2_x0_5")), tmp_path / "weights")
    out = tmp_path / "out"
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps({"a.jpg": [[100, 100, 700, 1100], [0, 0, 300, 900]]}))
    argv = ["measure", "hka", str(photos / "a.jpg"), "--weights", str(weights), "--people", str(boxes)]
    assert main([*argv, "--output", str(out), "--flip_test", "false"]) == 0
    legs = json.loads((out / "hka.json").read_text())["legs"]
    assert len(legs) == 4 and all(leg["deviation_deg"] is None and leg["reason"] for leg in legs)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give either --weights"),
        (["--weights", "nowhere"], "no keypoint model"),
        (["--points", "short.json"], "not 17 or 25 points"),
        (["--points", "points.json", "--reference", "bad.csv"], "cannot be used"),
        (["--points", "empty.json"], "no points of a.jpg"),
    ],
)
def test_what_is_refused_in_one_line(
    tmp_path: Path, photos: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    arguments: list[str], message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "short.json").write_text(json.dumps({"a.jpg": [[[1, 2, 3]] * 24]}))
    (tmp_path / "empty.json").write_text("{}")
    (tmp_path / "bad.csv").write_text("picture,angle\na.jpg,3\n")
    assert main(["measure", "hka", "photos/a.jpg", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and len(error.splitlines()) == 1
