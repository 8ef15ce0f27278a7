import json

import numpy as np
import pytest
from least_regressor import save_least_regressor
from PIL import Image

from ajahr.cli.main import main


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return str(save_least_regressor(tmp_path_factory.mktemp("weights") / "least"))


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "photos"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (90, 70, 3)).astype(np.uint8)
    for name in ("a.jpg", "b.jpg"):
        Image.fromarray(pixels).save(folder / name)
    return folder


def test_a_folder_with_a_bad_picture(photos, weights, capsys):
    (photos / "c.jpg").write_bytes(b"no")
    code = main(["predict", "photos", "--weights", weights, "--batch_size", "1", "--mesh", "ply"])
    out, err = capsys.readouterr()
    assert code == 1
    assert "2 pictures predicted: 2 people" in out and "1 could not be read:" in out and "c.jpg" in out
    assert "left out:" in err and "c.jpg" in err
    assert out.splitlines()[-1].endswith("contact_sheet.png")
    person = json.loads((photos.parent / "predictions" / "a.json").read_text())["people"][0]
    assert all(abs(sum(limb["probabilities"].values()) - 1) < 1e-3 for limb in person["limbs"].values())


def test_nobody_is_no_error(photos, weights, capsys):
    (photos / "none.json").write_text('{"a.jpg": [], "b.jpg": []}')
    code = main(["predict", "photos", "--weights", weights, "--people", "photos/none.json"])
    assert code == 0 and "nobody in 2" in capsys.readouterr().out


@pytest.mark.parametrize(
    "argv, message",
    [
        (["predict", "gone.jpg"], "no such file or folder"),
        (["predict", "photos", "--weights", "small"], "no weights 'small' come with this version"),
        (["predict", "photos", "--messh", "obj"], "did you mean --mesh?"),
        (["predict", "photos", "--precision", "fp8"], "fp8"),
        (["predict"], "source is missing"),
        (["predict", "photos", "--weights", "photos"], "no such weights"),
    ],
)
def test_errors_are_one_line(photos, capsys, argv, message):
    assert main(argv) == 2
    err = capsys.readouterr().err.strip()
    assert message in err and "\n" not in err


def test_options_from_a_file(photos, weights, tmp_path, capsys):
    (tmp_path / "predict.yaml").write_text(f"weights: {weights}\nmesh: none\noutput: elsewhere\n")
    assert main(["predict", "photos/a.jpg", "--config", "predict.yaml", "--picture", "false"]) == 0
    assert sorted(p.name for p in (tmp_path / "elsewhere").iterdir()) == ["a.json", "run.json"]
    assert "1 picture predicted: 1 person" in capsys.readouterr().out
