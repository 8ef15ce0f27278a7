import pytest
from PIL import Image

from ajahr.errors import UserError
from ajahr.inference.frames import VideoFile
from ajahr.inference.sources import Pictures, kind_of


def jpeg(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8)).save(path, format="JPEG")
    return path


def test_kinds(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    import numpy as np

    with VideoFile(tmp_path / "a.mp4", 25) as file:
        file.add(np.zeros((32, 32, 3), np.uint8))
        file.finish()
    (tmp_path / "a.mp4").rename(tmp_path / "film.dat")
    jpeg(tmp_path / "photo.jpg")
    jpeg(tmp_path / "photo.xyz")
    jpeg(tmp_path / "7")
    (tmp_path / "b.mov").touch()
    assert [kind_of(str(tmp_path / name)) for name in ("photo.jpg", "photo.xyz", "b.mov", "film.dat", "")] == [
        "picture", "picture", "video", "video", "folder",
    ]  # fmt: skip
    assert kind_of("0") == "camera" and kind_of("7") == "picture"  # a file of that name comes first


def test_what_is_neither(tmp_path, capfd):
    (tmp_path / "notes.txt").write_text("words")
    with pytest.raises(UserError, match=r"notes\.txt: not an image of a known format"):
        kind_of(str(tmp_path / "notes.txt"))
    with pytest.raises(UserError, match="no such file or folder"):
        kind_of(str(tmp_path / "gone.jpg"))


def test_a_folders_pictures(tmp_path):
    for name in ("b.jpg", "a.PNG", "a.jpg", ".hidden.jpg", "deep/c.webp", "out/old.jpg"):
        jpeg(tmp_path / name)
    (tmp_path / "notes.txt").touch()
    flat = Pictures.of(tmp_path, tmp_path / "out")
    assert [(one.name, one.stem) for one in flat.found] == [
        ("a.PNG", "a_PNG"), ("a.jpg", "a_jpg"), ("b.jpg", "b"),
    ]  # fmt: skip
    assert flat.is_folder and flat.ignored == 1
    deep = Pictures.of(tmp_path, tmp_path / "out", recursive=True)
    assert [one.stem for one in deep.found] == ["a_PNG", "a_jpg", "b", "deep/c"]


def test_one_picture(tmp_path):
    found = Pictures.of(jpeg(tmp_path / "photo.jpg"), tmp_path / "out")
    assert [(one.name, one.stem) for one in found.found] == [("photo.jpg", "photo")] and not found.is_folder


def test_folders_that_will_not_do(tmp_path):
    with pytest.raises(UserError, match=r"no pictures .*--recursive true"):
        Pictures.of(tmp_path, tmp_path / "out")
    jpeg(tmp_path / "a.jpg")
    with pytest.raises(UserError, match="choose another --output"):
        Pictures.of(tmp_path, tmp_path)
