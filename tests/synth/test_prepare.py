"""Preparing photographs: stand-ins for a dropped frame, counts of everybody left out, names of frames."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from ajahr.data.readers.people import PersonAnnotation, Photo
from synth.background_bank import BackgroundBank, is_done, write_left_out
from synth.config import BackgroundConfig, GenerateConfig, PhotoSource
from synth.photo_list import PhotoTask, list_photos, photo_name
from synth.prepare import prepare_one

BOX = np.array([100, 40, 150, 210], np.float32)


def options(**changes) -> GenerateConfig:
    backgrounds = BackgroundConfig(**{"inpainter": "telea", "fit": False, **changes})
    return GenerateConfig(output=Path("out"), backgrounds=backgrounds)


def photo(path: Path, *boxes: np.ndarray, crowd: bool = False) -> Photo:
    small = np.random.default_rng(len(path.name)).integers(40, 220, (9, 12, 3), dtype=np.uint8)
    cv2.imwrite(str(path), cv2.resize(small, (320, 240), interpolation=cv2.INTER_CUBIC))
    people = [PersonAnnotation(box, (corners(box),), source_id=str(i)) for i, box in enumerate(boxes)]
    if crowd:
        box = np.array([5, 5, 60, 40], np.float32)
        people.append(PersonAnnotation(box, (corners(box),), crowd=True))
    return Photo(path, path.stem, tuple(people))


def corners(box: np.ndarray) -> np.ndarray:
    x0, y0, x1, y1 = box
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32)


def prepared(folder: Path, *photos: Photo) -> BackgroundBank:
    first, *others = photos
    task = PhotoTask(0, "h36m", "x", first.path, first, tuple(others))
    prepare_one(options(), folder, task, lambda: None)
    assert is_done(folder, 0)
    return BackgroundBank(folder)


@pytest.fixture
def frames(tmp_path):
    """Nobody found, cut off, good, good."""
    (tmp_path / "photos").mkdir()
    names = [f"S1_Eating.54138969_{i:06d}.png" for i in (1, 6, 11, 16)]
    found = [photo(tmp_path / "photos" / name, *([] if i == 0 else [BOX])) for i, name in enumerate(names)]
    found[1].path.write_bytes(found[1].path.read_bytes()[:1000])
    return found


def test_the_next_frames_are_tried_and_the_ones_before_counted(tmp_path, frames):
    bank = prepared(tmp_path / "bank", *frames)
    assert [background.photo for background in bank.backgrounds] == [frames[2].path.stem]
    assert bank.drops == {"frame_no_usable_person": 1, "frame_unreadable": 1}


def test_a_camera_without_a_good_frame_is_dropped_for_its_first_ones_reason(tmp_path, frames):
    bank = prepared(tmp_path / "bank", *frames[:2])
    assert len(bank) == 0 and bank.drops == {"no_usable_person": 1}


def test_people_who_leave_no_place_are_counted(tmp_path):
    tiny = np.array([200, 100, 220, 130], np.float32)
    outside = np.array([400, 10, 450, 200], np.float32)
    bank = prepared(tmp_path / "bank", photo(tmp_path / "a.png", BOX, tiny, outside, crowd=True))
    assert len(bank.backgrounds[0].slots) == 1 and bank.backgrounds[0].slots[0].source_id == "0"
    assert bank.drops == {"person_crowd": 1, "person_outside_image": 1, "person_too_small": 1}


def test_what_the_readers_left_out_is_counted_with_the_rest(tmp_path):
    prepared(tmp_path / "bank", photo(tmp_path / "a.png", BOX, crowd=True))
    write_left_out(tmp_path / "bank", {"missing_file": 2, "person_crowd": 3})
    bank = BackgroundBank(tmp_path / "bank")
    assert len(bank) == 1 and bank.drops == {"missing_file": 2, "person_crowd": 4}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("S1_Eating.54138969_000001.jpg", "S1_Eating.54138969_000001"),
        ("S1/Eating.54138969/000001.jpg", "Eating.54138969_000001"),
        ("train2017/000000000785.jpg", "000000000785"),
    ],
)
def test_photographs_are_called_so_that_the_camera_is_known(path, name):
    assert photo_name(Path(path)) == name


def test_splits_deal_out_the_photographs_of_every_source(tmp_path):
    for i in range(30):
        photo(tmp_path / f"{i:03d}.png")
    listed = {}
    for split in ("train", "test"):
        job = options()
        job.photos = [
            PhotoSource("clean", "one", images=tmp_path),
            PhotoSource("clean", "two", images=tmp_path),
        ]
        job.split, job.split_shares = split, {"train": 0.5, "test": 0.5}
        tasks, _ = list_photos(job)
        assert [task.index for task in tasks] == list(range(len(tasks)))
        listed[split] = {task.path.name for task in tasks}
        # one photograph under two sources is in one split
        assert [t.path.name for t in tasks if t.source == "one"] == [
            t.path.name for t in tasks if t.source == "two"
        ]
    assert not listed["train"] & listed["test"] and len(listed["train"] | listed["test"]) == 30
