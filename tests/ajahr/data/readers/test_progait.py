"""ProGait's layout, with a video of a few frames."""

from __future__ import annotations

import gzip
from pathlib import Path

import cv2
import numpy as np
import pytest

from ajahr.data.readers.progait import read_progait
from ajahr.errors import UserError

FRAMES, WIDTH, HEIGHT = 7, 64, 48


def progait(root: Path) -> Path:
    for part in ("videos", "annotations"):
        (root / part / "inside").mkdir(parents=True)
    video = cv2.VideoWriter(
        str(root / "videos/inside/1_1_1_f.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 25, (WIDTH, HEIGHT)
    )
    for number in range(FRAMES):
        video.write(np.full((HEIGHT, WIDTH, 3), 30 * number, np.uint8))
    video.release()
    points = np.zeros((FRAMES, 23, 3), np.float32)
    points[..., 0], points[..., 1] = np.arange(23) + 10, np.arange(23) + 5
    points[..., 2] = 0.9
    points[0, 3, 2] = 0.5
    points[3, :, 2] = 0.1
    masks = np.zeros((FRAMES, HEIGHT, WIDTH), np.uint8)
    masks[:, 5:40, 10:30] = 1
    for name, array in (("keypoints", points), ("masks", masks)):
        with gzip.open(root / f"annotations/inside/1_1_1_f_{name}.npy.gz", "wb") as file:
            np.save(file, array)
    return root


def test_people_of_every_third_frame(tmp_path) -> None:
    people = read_progait(progait(tmp_path), every=3)
    assert people.keys == ("inside/1_1_1_f/0", "inside/1_1_1_f/6"), "of frame 3 not one point is sure"
    assert set(people.pictures) == {"inside/1_1_1_f"}, "frames of a trial are drawn together"
    assert people.points.shape == (2, 25, 3) and people.points[0, 3, 2] == 0 and people.points[1, 3, 2] == 2
    np.testing.assert_allclose(people.points[1, 3, :2], (13.5, 8.5))
    assert not people.points[:, 17:].any() and (people.levels == -1).all() and people.truth is None
    mask = people.load_mask(1)
    assert mask is not None and mask.sum() == 35 * 20
    image = people.load(1)
    assert image.full_size == (WIDTH, HEIGHT) and abs(float(image.pixels.mean()) - 180) < 12


def test_what_is_missing_or_damaged(tmp_path) -> None:
    with pytest.raises(UserError, match="no annotations/inside"):
        read_progait(tmp_path)
    root = progait(tmp_path)
    path = root / "annotations/inside/1_1_1_f_keypoints.npy.gz"
    whole = path.read_bytes()
    path.write_bytes(whole[:50])
    with pytest.raises(UserError, match="damaged"):
        read_progait(root)
    with gzip.open(path, "wb") as file:
        np.save(file, np.zeros((4, 17, 3)))
    with pytest.raises(UserError, match=r"expected \(frames, 23, 3\)"):
        read_progait(root)
    path.write_bytes(whole)
    (root / "videos/inside/1_1_1_f.mp4").unlink()
    with pytest.raises(UserError, match="download ProGait's videos"):
        read_progait(root)
