"""The `ajahr-synth` command as a user meets it: one clear line, exit code 2, nothing half-written."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from synth.cli.main import main


@pytest.fixture
def photos(tmp_path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    small = np.random.default_rng(0).integers(40, 220, (9, 12, 3), dtype=np.uint8)
    cv2.imwrite(str(folder / "a.png"), cv2.resize(small, (240, 180), interpolation=cv2.INTER_CUBIC))
    return folder


def small_job(output: Path, photos: Path) -> list[str]:
    config = output.parent / "job.yaml"
    config.write_text(
        f"output: {output}\nnum_images: 2\nshard_size: 2\n"
        f"photos: [{{kind: clean, images: {photos}}}]\n"
        "appearance: {per_group: 1, size: 64}\nrender: {samples: 1}\nrun: {workers: 1, sheet: 4}\n"
    )
    return ["generate", "--config", str(config)]


def refused(capsys, *argv: str) -> str:
    """The one line a refused call prints."""
    assert main(argv) == 2
    printed = capsys.readouterr()
    line = printed.err.strip()
    assert "\n" not in line and "Traceback" not in line
    return line


def test_generate_preview_verify(tmp_path, photos, capsys):
    output = tmp_path / "out"
    assert main(small_job(output, photos)) == 0
    assert "contact sheet" in capsys.readouterr().out
    sheet = cv2.imread(str(output / "contact_sheet.png"))
    assert sheet is not None and min(sheet.shape[:2]) > 100
    assert main(["verify", str(output)]) == 0
    assert "1 shards, 2 pictures, 2 people, 0 twin pairs: all good" in capsys.readouterr().out
    assert main(["preview", str(output), "--layout", "j44"]) == 0
    assert cv2.imread(str(output / "preview.png")) is not None


def test_verify_says_what_is_broken_and_exits_with_1(tmp_path, photos, capsys):
    output = tmp_path / "out"
    assert main(small_job(output, photos)) == 0
    shard = output / "shards" / "000000.tar"
    data = bytearray(shard.read_bytes())
    data[700] ^= 255
    shard.write_bytes(data)
    capsys.readouterr()
    assert main(["verify", str(output)]) == 1
    assert "SHA-256" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["generat"], "did you mean generate"),
        (["generate", "--sede", "1"], "did you mean --seed"),
        (["generate"], "--output"),
        (["generate", "--output", "x", "--seed", "one"], "seed is one, expected int"),
        (["generate", "--config", "no-such.yaml"], "no-such.yaml"),
        (["verify", "no-such-folder"], "no-such-folder"),
        (["preview", "no-such-folder"], "no-such-folder"),
    ],
)
def test_a_slip_is_told_in_one_line(capsys, argv, said):
    assert said in refused(capsys, *argv)


def test_a_key_of_the_yaml_that_does_not_exist_names_the_nearest(tmp_path, capsys):
    (tmp_path / "job.yaml").write_text("output: x\nrender: {sampels: 4}\n")
    assert "render.samples" in refused(capsys, "generate", "--config", str(tmp_path / "job.yaml"))


@pytest.mark.parametrize(
    ("photos_yaml", "said"),
    [
        ("[{kind: coco}]", "annotations"),
        ("[{kind: clean, images: nowhere}]", "nowhere"),
        ("[{kind: coco, annotations: none.json, images: .}]", "none.json"),
    ],
)
def test_photographs_that_are_not_there_are_named(tmp_path, capsys, photos_yaml, said):
    (tmp_path / "job.yaml").write_text(f"output: {tmp_path / 'out'}\nphotos: {photos_yaml}\n")
    assert said in refused(capsys, "generate", "--config", str(tmp_path / "job.yaml"))
    assert not (tmp_path / "out" / "shards").exists()


def test_a_folder_with_other_things_in_it_is_not_touched(tmp_path, photos, capsys):
    output = tmp_path / "out"
    output.mkdir()
    (output / "thesis.tex").write_text("mine")
    assert "thesis.tex" in refused(capsys, *small_job(output, photos))
    assert [path.name for path in output.iterdir()] == ["thesis.tex"]


def test_a_file_where_the_folder_should_be(tmp_path, photos, capsys):
    output = tmp_path / "out"
    output.write_text("a file")
    assert "another folder" in refused(capsys, *small_job(output, photos))


def test_ctrl_c_is_no_traceback(tmp_path, photos, capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("synth.generate.make_scene", interrupted)
    assert main(small_job(tmp_path / "out", photos)) == 130
    assert capsys.readouterr().err.strip().endswith("the same command goes on")
    assert not list((tmp_path / "out" / "shards").iterdir())
