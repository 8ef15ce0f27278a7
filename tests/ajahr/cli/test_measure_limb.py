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


def _residual(**changes: object) -> dict[str, object]:
    told = {
        "segment": "left_below_knee_res",
        "lambda": 0.35,
        "lambda_sd": 0.05,
        "bone_mm": 400.0,
        "scaled": False,
    }
    return told | {"method": "head"} | changes


def _with_residual(path: Path, **changes: object) -> Path:
    """A prediction of a picture with a residual shank and a hip that is gone."""
    document = json.loads(_prediction(path).read_text())
    document["people"][0]["limbs"] = {
        "left_leg": {"status": "foot", "amputation": "transtibial", "residual": _residual(**changes)},
        "right_leg": {"status": "hip", "amputation": "hip disarticulation"},
    }
    path.write_text(json.dumps(document))
    return path


def _rows(folder: Path) -> dict[str, dict[str, str]]:
    rows = csv.DictReader((folder / "limb.csv").read_text().splitlines())
    return {row["quantity"]: row for row in rows if not row["from_distal_end_mm"]}


def test_a_predicted_residual_limb_with_its_uncertainty(tmp_path: Path) -> None:
    path = _with_residual(tmp_path / "a.json")
    argv = ["measure", "limb", "--prediction", str(path), "--viewer", "false", "--scale_sd", "0"]
    assert main([*argv, "--output", str(tmp_path / "plain")]) == 0
    plain = _rows(tmp_path / "plain")
    assert plain["lambda"]["value"] == "0.35" and "length" not in plain, "unscaled: ratios only"
    assert float(plain["length to contralateral segment"]["sd"]) == pytest.approx(0.05, abs=1e-3)
    assert main([*argv, "--stature", "1.8", "--output", str(tmp_path / "tall")]) == 0
    length = _rows(tmp_path / "tall")["length"]
    assert float(length["sd"]) / float(length["value"]) == pytest.approx(0.05 / 0.65, rel=0.02)
    assert main([*argv, "--stature", "1.8", "--lambda_sd", "0", "--output", str(tmp_path / "sure")]) == 0
    assert float(_rows(tmp_path / "sure")["length"]["sd"]) == 0


def test_the_stature_of_the_prediction_scales(tmp_path: Path) -> None:
    path = _with_residual(tmp_path / "a.json", scaled=True)
    argv = ["measure", "limb", "--prediction", str(path), "--viewer", "false"]
    assert main([*argv, "--output", str(tmp_path / "out")]) == 0
    assert float(_rows(tmp_path / "out")["length"]["value"]) == pytest.approx(0.65 * 400, abs=0.5)


def test_a_track_of_a_video(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    leg = {"status": "foot", "amputation": "transtibial", "residual": _residual(frames=9)}
    track = {"number": 4, "betas": [0.1] * 10, "limbs": {"left_leg": leg}}
    (tmp_path / "a.json").write_text(json.dumps({"tracks": [track]}))
    argv = ["measure", "limb", "--prediction", str(tmp_path / "a.json"), "--viewer", "false"]
    argv += ["--output", str(tmp_path / "out")]
    assert main([*argv, "--person", "4"]) == 0
    assert _rows(tmp_path / "out")["amputation level"]["value"] == "transtibial"
    assert main(argv) == 2 and "has 1 tracks, none is number 0" in capsys.readouterr().err
    assert main([*argv, "--person", "4", "--photo", "a.png"]) == 2
    assert "this is a video's" in capsys.readouterr().err


def test_a_bone_that_a_fit_has_moved_is_drawn_there(tmp_path: Path) -> None:
    from ajahr.cli.measure_limb import _pose
    from ajahr.inference.predicted import read_prediction
    from ajahr.residual_limb.segments import SEGMENT
    from ajahr.residual_limb.skin import SkinnedMesh
    from ajahr.residual_limb.surface import cut_limb

    shank = SEGMENT["left_below_knee_res"]
    person = read_prediction(_prediction(tmp_path / "plain.json"), 0)
    mesh = SkinnedMesh.read(None, person.betas)
    rotmats = person.rotmats(24)
    assert rotmats is not None and person.translation is not None
    places = mesh.pose_joints(rotmats)[1] + person.translation
    bone = np.linalg.norm(places[shank.anchor] - places[shank.upstream])
    aside = places[shank.upstream] + bone * np.array([1.0, 0, 0])
    path = _with_residual(tmp_path / "a.json", method="head+rafo", anchor_3d=aside.tolist())
    person = read_prediction(path, 0)
    cut = cut_limb(mesh, shank, 0.35)
    turned = _pose(person, person.ends, cut)
    assert turned is not None
    moved = cut.mesh.pose_joints(turned)[1] + person.translation
    np.testing.assert_allclose(moved[shank.anchor], aside, atol=1e-3)


def test_a_prediction_without_residual_limbs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(_with_residual(tmp_path / "a.json").read_text())
    del document["people"][0]["limbs"]["left_leg"]["residual"]
    (tmp_path / "b.json").write_text(json.dumps(document))
    argv = ["measure", "limb", "--prediction"]
    assert main([*argv, str(tmp_path / "b.json"), "--output", str(tmp_path / "out")]) == 2
    err = capsys.readouterr().err
    assert "tells no end" in err and "right leg hip disarticulation" in err
    (tmp_path / "c.json").write_text(json.dumps(document | {"body": "SMPL_NEUTRAL.pkl"}))
    assert main([*argv, str(tmp_path / "c.json"), "--output", str(tmp_path / "out")]) == 2
    assert "give that file as --body" in capsys.readouterr().err
    assert main(["measure", "limb", "--output", str(tmp_path / "out")]) == 2
    assert "no end of a limb is given" in capsys.readouterr().err


def test_a_limb_that_is_gone_is_no_short_one(tmp_path: Path) -> None:
    words = {}
    for fraction in ("0.97", "1.0"):
        folder = tmp_path / fraction
        argv = ["measure", "limb", f"left-above-knee={fraction}", "--stature", "1.7", "--viewer", "false"]
        assert main([*argv, "--output", str(folder)]) == 0
        rows = _rows(folder)
        words[fraction] = rows["amputation level"]["value"]
        assert "volume" not in rows and rows["shape"]["value"] == "too short to tell"
        flags = json.loads((folder / "limb.json").read_text())["flags"]["left above knee"]
        assert ("clamped" in flags) == (fraction == "0.97") and ("disarticulation" in flags) == (
            fraction == "1.0"
        )
        assert float(rows["length"]["value"]) == pytest.approx(0 if fraction == "1.0" else 11, abs=3)
    assert words == {"0.97": "transfemoral", "1.0": "hip disarticulation"}


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
