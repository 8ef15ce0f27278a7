import cv2
import numpy as np
import pytest

from ajahr.errors import UserError
from ajahr.inference.frames import VideoFile, VideoFrames


def write(path, count=30, size=(160, 120)):
    """Frames whose brightness is their number, over noise, so that every frame has some bytes."""
    noise = np.random.default_rng(0).integers(0, 40, (size[1], size[0], 3))
    with VideoFile(path, 25) as file:
        for number in range(count):
            file.add((noise + 6 * number).astype(np.uint8))
        file.finish()
    return path


def damage(path, start=0.5, length=2000):
    data = bytearray(path.read_bytes())
    at = int(start * len(data))
    data[at : at + length] = bytes(length)
    path.write_bytes(data)


def test_frames_come_back_in_order(tmp_path):
    with VideoFrames(write(tmp_path / "a.mp4")) as frames:
        assert (frames.count, round(frames.fps), frames.live) == (30, 25, False)
        found = list(frames)
    assert [index for index, _ in found] == list(range(30))
    brightness = [pixels.mean() for _, pixels in found]
    assert np.allclose(np.diff(brightness), 6, atol=2)


def test_red_stays_red(tmp_path):
    with VideoFile(tmp_path / "a.mp4", 25) as file:
        file.add(np.full((64, 64, 3), (200, 30, 30), np.uint8))
        file.finish()
    with VideoFrames(tmp_path / "a.mp4") as frames:
        (_, pixels) = next(iter(frames))
    assert pixels[..., 0].mean() > 150 > 80 > pixels[..., 2].mean()


def test_a_damaged_frame_keeps_its_number(tmp_path, capfd):
    path = write(tmp_path / "a.mp4")
    damage(path)
    with VideoFrames(path) as frames:
        found = list(frames)
    damaged = [index for index, pixels in found if pixels is None]
    assert [index for index, _ in found] == list(range(len(found))) and len(found) >= 28
    assert 1 <= len(damaged) <= 3
    last = found[-1]
    assert last[1].mean() == pytest.approx(20 + 6 * last[0], abs=8)  # numbers are still right after it


def test_announced_frames_that_are_not_there_are_not_damaged_ones(tmp_path, monkeypatch):
    with VideoFrames(write(tmp_path / "a.mp4", 5)) as frames:
        frames.count = 9
        assert [index for index, pixels in frames if pixels is not None] == [0, 1, 2, 3, 4]


def test_what_is_no_video(tmp_path, capfd):
    (tmp_path / "a.mp4").write_bytes(b"nothing of the kind")
    with pytest.raises(UserError, match="cannot be opened as a video; replace the file"):
        VideoFrames(tmp_path / "a.mp4")
    with pytest.raises(UserError, match="no such file"):
        VideoFrames(tmp_path / "b.mp4")
    with pytest.raises(UserError, match="camera 97: cannot be opened"):
        VideoFrames(97)


@pytest.mark.parametrize("size", [(161, 121), (1, 1)])
def test_odd_sizes_are_cut_to_even_ones(tmp_path, size):
    path = write(tmp_path / "a.mp4", 2, size)
    capture = cv2.VideoCapture(str(path))
    assert (capture.get(3), capture.get(4)) == (max(size[0] & ~1, 2), max(size[1] & ~1, 2))
    capture.release()


def test_a_video_has_its_name_only_when_it_is_whole(tmp_path):
    with pytest.raises(ZeroDivisionError), VideoFile(tmp_path / "a.mp4", 25) as file:
        file.add(np.zeros((64, 64, 3), np.uint8))
        assert not (tmp_path / "a.mp4").exists()
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())
    with VideoFile(tmp_path / "b.mp4", 25) as file:
        assert file.finish() is None


def test_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="a file is where a folder is needed"):
        VideoFile(tmp_path / "file" / "a.mp4", 25)
