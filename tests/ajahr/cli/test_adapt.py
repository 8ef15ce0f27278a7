"""ajahr adapt: files in, files out, errors of one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from limb_loss_people import CAMERA, person
from PIL import Image

from ajahr.body.rig import load_rig
from ajahr.cli.main import main


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """What HMR2.0 would save of one person, keypoints by a detector, and a picture."""
    folder, rig = tmp_path_factory.mktemp("adapt"), load_rig()
    truth = person(rig, {"right_below_knee_res": 0.4}, seed=3, betas=np.zeros(10))
    pelvis = (rig.J_regressor[0] @ rig.v_template).astype(float)
    np.savez(
        folder / "hmr.npz", global_orient=truth.rotmats[None, :1], body_pose=truth.rotmats[None, 1:],
        betas=np.ones((1, 10)), pred_cam_t_full=(truth.translation + pelvis - (-0.0018, -0.2233, 0.0282))[None],
        focal_length=np.array([1200.0]), img_size=np.array([[800, 800]]),
    )  # fmt: skip
    points = truth.keypoints.copy()
    points[:, :2] -= 0.5 * (points[:, 2:] > 0)
    entry = {"image_id": 1, "category_id": 1, "keypoints": points.ravel().tolist(), "score": 1.0}
    (folder / "ld25.json").write_text(json.dumps([entry]))
    Image.fromarray(np.full((CAMERA.height, CAMERA.width, 3), 120, np.uint8)).save(folder / "photo.png")
    return folder


def run(files: Path, *more: str) -> int:
    return main(["adapt", "--smpl", str(files / "hmr.npz"), "--keypoints", str(files / "ld25.json"), *more])


def test_files_and_words(files, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(files, "--image", str(files / "photo.png"), "--output", str(out)) == 0
    assert sorted(p.name for p in out.iterdir()) == ["photo.json", "photo.png", "photo_0.glb"]
    told = capsys.readouterr().out
    assert "right below knee, residual, lambda 0.4" in told and "mean shape" in told and "photo.json" in told
    document = json.loads((out / "photo.json").read_text())
    person = document["people"][0]
    limb = person["limbs"]["right_leg"]
    assert (limb["status"], limb["segment"], limb["fit"]) == ("residual", "right_below_knee_res", "accepted")
    assert (
        limb["lambda"] == pytest.approx(0.4, abs=0.05)
        and limb["length_m"] > 0.1
        and person["mesh"] == "photo_0.glb"
    )
    assert person["limbs"]["left_arm"]["status"] == "intact" and person["refined"].startswith("refined")
    assert any("No socket" in note for note in document["notes"])
    with Image.open(out / "photo.png") as picture:
        overlay = np.asarray(picture)[:, 800:1600].astype(int)
    red = (overlay[..., 0] > 120) & (overlay[..., 1] < 70) & (overlay[..., 2] < 70)
    rows, columns = np.nonzero(red)
    x, y = limb["end_2d"]
    assert red.sum() > 300 and abs(columns.mean() - x) < 40 and rows.max() < y + 15


@pytest.mark.parametrize("kind", ["stl", "obj", "ply"])
def test_meshes_other_programs_open(files, tmp_path, kind):
    trimesh = pytest.importorskip("trimesh")
    assert run(files, "--mesh", kind, "--refine", "false", "--output", str(tmp_path)) == 0
    mesh = trimesh.load(tmp_path / f"hmr_0.{kind}")
    mesh.merge_vertices()
    assert mesh.is_watertight and mesh.volume > 0
    height = 1700 if kind == "stl" else 1.7
    assert np.ptp(mesh.vertices[:, 1]) == pytest.approx(height, rel=0.15)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("--smpl", "none.npz"), "no file"),
        (("--keypoints", "none.json"), "no such file"),
        (("--image", "none.png"), "none.png"),
        (("--body", "none.pkl"), "no body file"),
        (("--mesh", "fbx"), "fbx"),
        (("--focal_length", "-3"), "positive number"),
        (("--matchh", "iou"), "did you mean"),
    ],
)
def test_what_is_wrong_is_one_line(files, tmp_path, change, words, capsys):
    out = tmp_path / "out"
    assert run(files, *change, "--output", str(out)) == 2
    told = capsys.readouterr().err.strip()
    assert words in told and told.count("ajahr: error") == 1
    assert not out.exists() or not list(out.iterdir())


def test_a_folder_that_cannot_be_written(files, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert run(files, "--refine", "false", "--output", str(tmp_path / "file" / "out")) == 2
    assert "a file is where a folder is needed" in capsys.readouterr().err
