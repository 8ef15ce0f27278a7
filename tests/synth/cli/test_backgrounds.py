"""`ajahr-synth backgrounds` as a user meets it: with every real backend, and with slips."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from tiny_models import save_lama, save_sam, save_trunk, save_vitpose, save_yolo

from synth.cli.main import main

CONFIGS = Path(__file__).parents[3] / "configs" / "synth"


@pytest.fixture
def job(tmp_path):
    """A Human3.6M folder with weights of all kinds."""
    photos = tmp_path / "S1"
    photos.mkdir()
    for camera in ("54138969", "55011271", "58860488", "60457274"):
        for frame in (1, 6):
            small = np.random.default_rng(int(camera) + frame).integers(40, 220, (6, 8, 3), dtype=np.uint8)
            picture = cv2.resize(small, (128, 96), interpolation=cv2.INTER_CUBIC)
            cv2.imwrite(str(photos / f"S1_Directions_1.{camera}_{frame:06d}.jpg"), picture)
    backgrounds = {
        "detector": "yolo",
        "detector_weights": str(save_yolo(tmp_path / "yolo.pt", ["person"])),
        "detector_confidence": 0.0,
        "detector_size": 128,
        "segmenter": "sam",
        "segmenter_weights": str(save_sam(tmp_path / "sam.pth")),
        "inpainter": "lama",
        "inpainter_weights": str(save_lama(tmp_path / "lama.pt")),
        "checker": "vitpose",
        "checker_weights": str(save_vitpose(tmp_path / "vitpose")),
        "lpips": "squeeze",
        "lpips_weights": str(save_trunk(tmp_path / "squeeze.pth", "squeezenet1_1")),
        "ssim_min": -1.0,
        "max_people": 400,
        "min_person_px": 8,
        "fit": False,
    }
    return {
        "output": str(tmp_path / "bank"),
        "photos": [{"kind": "h36m", "name": "h36m", "images": str(photos)}],
        "backgrounds": backgrounds,
        "run": {"workers": 1, "device": "cpu", "sheet": 4},
    }


def run(folder: Path, job: dict) -> int:
    (folder / "job.yaml").write_text(yaml.safe_dump(job))
    return main(["backgrounds", "--config", str(folder / "job.yaml")])


def test_every_backend_on_four_cameras(tmp_path, job, capsys, monkeypatch):
    # random boxes may cover the whole picture; the pictures are what they are
    monkeypatch.setattr("synth.photos.background.MAX_HOLE_SHARE", 1.0)
    monkeypatch.setattr(
        "synth.prepare.map_processes", lambda f, tasks, *a, **k: [f(*t, lambda: None) for t in tasks]
    )
    monkeypatch.setattr("synth.slots._BORDER_PX", -1)
    assert run(tmp_path, job) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "4 backgrounds" in printed and "0.1619" in printed and "before_after.png" in printed
    assert len(list((tmp_path / "bank" / "backgrounds").glob("*.jpg"))) == 4

    job["output"] = str(tmp_path / "left")
    job["backgrounds"]["checker_weights"] = str(save_vitpose(tmp_path / "sees", seen=True))
    assert run(tmp_path, job) == 2
    assert "person_left 4" in capsys.readouterr().err


def test_weights_are_tried_before_the_first_photograph(tmp_path, capsys):
    weights = tmp_path / "lama.pt"
    weights.write_bytes(b"no such thing")
    job = {
        "output": str(tmp_path / "bank"),
        "backgrounds": {"inpainter": "lama", "inpainter_weights": str(weights)},
    }
    assert run(tmp_path, job) == 2
    error = capsys.readouterr().err
    assert (
        "lama.pt: not LaMa" in error and "backgrounds.inpainter_weights" in error and error.count("\n") == 1
    )
    assert not (tmp_path / "bank").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"segmenter": "sma"}, "backgrounds.segmenter is sma, expected one of"),
        ({"segmenter_weight": "x"}, "did you mean backgrounds.segmenter_weights"),
        ({"checker_weights": None}, "backgrounds.checker_weights is not set"),
        ({"detector_confidence": 2.0}, "backgrounds.detector_confidence is a score"),
        ({"bank": "somewhere"}, "backgrounds.bank"),
        ({"engine": "ray"}, "'backgrounds.engine' is no key"),
    ],
)
def test_a_slip_is_told_in_one_line(tmp_path, capsys, changes, said):
    job = {"output": str(tmp_path / "bank"), "backgrounds": {"checker": "vitpose", **changes}}
    assert run(tmp_path, job) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert not (tmp_path / "bank").exists()


def test_the_papers_recipe_names_what_is_missing(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["backgrounds", "--config", str(CONFIGS / "a3d_backgrounds.yaml")]) == 2
    assert "data/coco/train2017" in capsys.readouterr().err
