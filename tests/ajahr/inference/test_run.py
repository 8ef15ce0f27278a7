import json

import numpy as np
import pytest
from PIL import Image
from puppet import ELBOW, INTACT, picture

from ajahr.errors import UserError
from ajahr.inference import predictor, tools
from ajahr.inference.frames import VideoFile
from ajahr.inference.predict_config import PredictConfig
from ajahr.inference.run import EXIT_SOME_FAILED, run
from ajahr.progress import Progress

QUIET = Progress(quiet=True)


@pytest.fixture
def photos(tmp_path, puppet, monkeypatch):
    """A folder of pictures, and a puppet for weights."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, levels in (("a.png", INTACT), ("b.png", ELBOW), ("c.png", ELBOW)):
        Image.fromarray(picture(levels)).save(folder / name)
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "model.safetensors").write_bytes(b"puppet")
    monkeypatch.setattr(tools, "load_pretrained", lambda path, body: puppet)
    monkeypatch.setenv("AJAHR_DATA", str(tmp_path / "data"))
    return folder


def config(photos, **options):
    root = photos.parent
    return PredictConfig(
        **{"output": root / "out", "weights": str(root / "weights"), "device": "cpu", "sheet": 4, **options}
    )


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_folder(photos):
    summary = run(str(photos), config(photos), QUIET)
    assert (summary.pictures, summary.people, summary.amputees, summary.exit_code) == (3, 3, 2, 0)
    expected = [f"{stem}{end}" for stem in "abc" for end in (".jpg", ".json", "_0.glb")]
    assert names(photos.parent / "out") == sorted([*expected, "contact_sheet.png", "run.json"])
    document = json.loads((photos.parent / "out" / "b.json").read_text())
    assert document["people"][0]["limbs"]["left_arm"]["status"] == "elbow"
    assert "no detector and no boxes" in summary.notes[0]


def test_run_again_goes_on_where_it_stopped(photos, puppet):
    out = photos.parent / "out"
    run(str(photos), config(photos), QUIET)
    (out / "b.json").unlink()  # as if killed before b was whole
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    puppet.calls.clear()
    summary = run(str(photos), config(photos), QUIET)
    assert (summary.pictures, summary.skipped) == (1, 2) and len(puppet.calls) == 1
    changed = {
        path.name for path, time in before.items() if path.exists() and path.stat().st_mtime_ns != time
    }
    assert changed == {"b.jpg", "b_0.glb", "contact_sheet.png", "run.json"}
    again = run(str(photos), config(photos, overwrite=True), QUIET)
    assert (again.pictures, again.skipped) == (3, 0)


def test_a_changed_picture_is_predicted_again(photos):
    run(str(photos), config(photos), QUIET)
    Image.fromarray(picture(ELBOW, (320, 200))).save(photos / "a.png")
    assert run(str(photos), config(photos), QUIET).pictures == 1


def test_results_of_other_weights_or_options_are_not_mixed(photos):
    run(str(photos), config(photos), QUIET)
    with pytest.raises(UserError, match=r"made with other mesh; choose another --output"):
        run(str(photos), config(photos, mesh="ply"), QUIET)
    (photos.parent / "weights" / "model.safetensors").write_bytes(b"others")
    with pytest.raises(UserError, match="made with other weights"):
        run(str(photos), config(photos), QUIET)
    assert run(str(photos), config(photos, overwrite=True), QUIET).pictures == 3


def test_one_bad_picture_is_named_and_the_others_go_on(photos):
    (photos / "b.png").write_bytes(b"\x89PNG cut")
    summary = run(str(photos), config(photos), QUIET)
    assert summary.pictures == 2 and summary.exit_code == EXIT_SOME_FAILED
    assert [failure.name for failure in summary.failures] == ["b.png"]
    assert "b.png" in str(summary.failures[0].error) and not (photos.parent / "out" / "b.json").exists()


def test_nothing_but_bad_pictures_is_an_error(photos):
    for path in photos.iterdir():
        path.write_bytes(b"no")
    with pytest.raises(UserError, match=r"a\.png: not an image.*; 2 more"):
        run(str(photos), config(photos), QUIET)


def test_given_people_with_keypoints(photos, puppet):
    file = photos.parent / "people.json"
    points = [[80, 60, 0.9]] * 17
    file.write_text(json.dumps({
        "a.png": [{"bbox_xyxy": [0, 0, 80, 120], "keypoints": points}, [80, 0, 160, 120]], "c.png": [],
    }))  # fmt: skip
    summary = run(str(photos), config(photos, people=str(file), mesh="none"), QUIET)
    assert (summary.pictures, summary.people, summary.empty) == (3, 2, 2)  # b is not named: nobody in it
    assert puppet.keypoints[0][0, 0].tolist() == pytest.approx([40 / 120, 0, 0.9])
    assert json.loads((photos.parent / "out" / "c.json").read_text())["people"] == []
    with pytest.raises(UserError, match="other people"):
        file.write_text(json.dumps({"a.png": [[0, 0, 80, 120]]}))
        run(str(photos), config(photos, people=str(file), mesh="none"), QUIET)


def test_keypoints_from_a_second_file_go_to_the_boxes_they_fit(photos, puppet):
    boxes, keypoints = photos.parent / "boxes.json", photos.parent / "keypoints.json"
    boxes.write_text(json.dumps({"a.png": [[0, 0, 80, 120], [80, 0, 160, 120]]}))
    person = {"bbox_xyxy": [82, 0, 158, 120], "keypoints": [[120, 60, 0.8]] * 17}
    keypoints.write_text(json.dumps({"a.png": [person]}))
    run(str(photos / "a.png"), config(photos, people=str(boxes), keypoints=str(keypoints)), QUIET)
    assert puppet.keypoints[0][:, 0, 2].tolist() == pytest.approx([0, 0.8])


def test_one_picture_and_its_files(photos):
    summary = run(str(photos / "a.png"), config(photos, picture=False, mesh="obj"), QUIET)
    assert [path.name for path in summary.files] == ["a.json"]
    assert names(photos.parent / "out") == ["a.json", "a_0.obj", "run.json"]


def test_a_panorama_is_read_reduced_and_told_in_its_own_pixels(photos, monkeypatch):
    Image.new("RGB", (12000, 4000), (20, 90, 90)).save(photos.parent / "wide.jpg")
    file = photos.parent / "boxes.json"
    file.write_text(json.dumps({"wide.jpg": [[9000, 800, 9600, 2400], [100, 900, 140, 1000]]}))
    loaded, load = [], predictor.load_image
    monkeypatch.setattr(predictor, "load_image", lambda *a, **k: loaded.append(load(*a, **k)) or loaded[-1])
    run(str(photos.parent / "wide.jpg"), config(photos, people=str(file), mesh="none"), QUIET)
    assert loaded[0].size == (6000, 2000) and loaded[0].pixels.size <= 3 * predictor.MAX_PIXELS
    first, second = json.loads((photos.parent / "out" / "wide.json").read_text())["people"]
    assert 8800 < first["joints_2d"][0][0] < 9800 and 60 < second["joints_2d"][0][0] < 180


def test_a_video_once(photos):
    with VideoFile(photos.parent / "v.mp4", 25) as video:
        for _ in range(4):
            video.add(picture(ELBOW))
        video.finish()
    ticks = []

    class Counting(Progress):
        def bar(self, name, total):
            ticks.append(total)
            return super().bar(name, total)

    summary = run(str(photos.parent / "v.mp4"), config(photos), Counting(quiet=True))
    assert (summary.unit, summary.pictures, summary.people, summary.amputees) == ("frames", 4, 1, 1)
    assert ticks == [8]
    assert names(photos.parent / "out") == ["run.json", "v.json", "v.mp4", "v_track0.npz"]
    assert run(str(photos.parent / "v.mp4"), config(photos), QUIET).skipped == 1


@pytest.mark.parametrize(
    "options, message",
    [
        ({"weights": "gone"}, "no such weights"),
        ({"people": "gone.pt"}, r"gone\.pt: no such file; people names an ultralytics"),
        ({"people": "gone.json"}, "no such file"),
        ({"keypoints": "gone"}, "keypoints names the folder of a ViTPose"),
        ({"threads": 0}, "at least 1"),
        ({"focal_length": -1.0}, "positive"),
        ({"batch_size": 0}, "at least 1"),
    ],
)
def test_options_that_will_not_do(photos, options, message):
    with pytest.raises(UserError, match=message):
        run(str(photos), config(photos, **options), QUIET)


def test_pictures_of_every_kind(photos):
    pixels = np.full((60, 40), 20, np.uint8)
    Image.fromarray(pixels).save(photos / "gray.png")
    Image.fromarray(np.dstack([pixels] * 4)).save(photos / "alpha.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(picture()).save(photos / "turned.jpg", exif=exif)
    Image.fromarray(pixels[:1, :1]).save(photos / "one.png")
    summary = run(str(photos), config(photos, mesh="none"), QUIET)
    assert summary.pictures == 7 and not summary.failures
    turned = json.loads((photos.parent / "out" / "turned.json").read_text())
    assert (turned["width"], turned["height"]) == (120, 160)


def test_a_page_to_turn_people_on(photos):
    out = photos.parent / "out"
    run(str(photos), config(photos, mesh="none", picture=False), QUIET)
    with pytest.raises(UserError, match="other viewer"):  # and not silently none
        run(str(photos), config(photos, viewer=True, mesh="none", picture=False), QUIET)
    run(str(photos), config(photos, viewer=True, mesh="none", picture=False, overwrite=True), QUIET)
    assert sorted(path.name for path in out.glob("*.html")) == ["a.html", "b.html", "c.html"]
    page = (out / "b.html").read_text()
    assert "b.png" in page and "elbow" in page and '"pose"' in page
    assert (
        run(str(photos / "a.png"), config(photos, viewer=True, overwrite=True), QUIET).files[-1].suffix
        == ".html"
    )
