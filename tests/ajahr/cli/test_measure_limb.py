"""ajahr measure limb: files, units, and what is refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

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


def _prediction(path: Path, size: tuple[int, int] = (60, 80)) -> Path:
    rotvecs = np.zeros((24, 3))
    rotvecs[0] = (np.pi, 0, 0)
    rotvecs[4] = (0.6, 0, 0)
    person = {
        "smpl": {
            "betas": [0.2] * 10,
            "global_orient": rotvecs[0].tolist(),
            "body_pose": rotvecs[1:].tolist(),
        },
        "camera": {"translation": [0.0, 0.1, 3.0]},
    }
    camera = {"focal_length": 100.0, "principal_point": [size[0] / 2, size[1] / 2]}
    path.write_text(json.dumps({"width": size[0], "height": size[1], "camera": camera, "people": [person]}))
    return path


def test_photograph_sheet_page_and_every_format(tmp_path: Path) -> None:
    Image.fromarray(np.full((80, 60, 3), 90, np.uint8)).save(tmp_path / "photo.png")
    out = tmp_path / "out"
    argv = ["measure", "limb", "left-below-knee=0.3", "--stature", "1.8", "--meshes", "[glb,obj,ply]"]
    argv += [
        "--prediction",
        str(_prediction(tmp_path / "photo.json")),
        "--photo",
        str(tmp_path / "photo.png"),
    ]
    assert main([*argv, "--output", str(out)]) == 0
    heights = []
    for name in ("limb.glb", "limb.obj", "limb.ply", "limb.stl"):
        solid = trimesh.load(out / name, force="mesh")
        solid.merge_vertices()
        assert solid.is_watertight and solid.volume > 0
        heights.append(float(np.ptp(solid.bounds[:, 1])) * (1 if name != "limb.stl" else 0.001))
    assert np.ptp(heights[:3]) < 1e-3 and heights[3] == pytest.approx(
        1.8, abs=0.01
    )  # the STL is in the T-pose
    alone = trimesh.load(out / "left_below_knee_res.stl", force="mesh")
    alone.merge_vertices()
    assert alone.is_watertight and 200 < np.ptp(alone.bounds[:, 2]) < 400
    sheet = np.asarray(Image.open(out / "limb.png")).astype(int)
    assert ((sheet[..., 0] - sheet[..., 1]) > 90).sum() > 1000  # the residual limb is red in six pictures
    page = (out / "limb.html").read_text()
    assert "left below knee" in page and '"T-pose"' in page and "No socket" in page


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["--person", "3"], "has 1 people"),
        (["--prediction", "absent.json"], "cannot read"),
        (["--photo", "photo.png"], "the photograph that was predicted"),
    ],
)
def test_a_prediction_that_does_not_fit(
    change: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(np.full((60, 80, 3), 90, np.uint8)).save(tmp_path / "photo.png")
    change = [str(tmp_path / one) if one.endswith((".png", ".json")) else one for one in change]
    argv = ["measure", "limb", "left-below-knee=0.3", "--prediction", str(_prediction(tmp_path / "a.json"))]
    assert main([*argv, *change, "--output", str(tmp_path / "out")]) == 2
    assert words in capsys.readouterr().err and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["left-below-knee=0.4", "--stature", "5"], "no person's"),
        (["left-below-knee=0.4", "--stature", "0"], "no person's"),
        (["left-below-knee=0.4", "--betas", str([0.0] * 99)], "betas"),
        (["left-below-knee=0.4", "--photo", "a.png"], "needs --prediction"),
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
    assert "a file is where a folder is needed" in capsys.readouterr().err
