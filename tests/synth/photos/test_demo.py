from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest

from ajahr.anatomy import COCO17
from ajahr.data.images import load_image
from ajahr.errors import UserError
from synth.photos import demo
from synth.photos.segment import draw_polygons

needs_ultralytics = pytest.mark.skipif(
    importlib.util.find_spec("ultralytics") is None, reason="ultralytics is an extra"
)


@needs_ultralytics
def test_three_photographs_and_their_people():
    found = demo.demo_people()
    assert {photo.path.name: len(photo.people) for photo in found.photos} == {
        "bus.jpg": 4,
        "zidane.jpg": 2,
        "astronaut.png": 1,
    }
    assert not found.dropped_people and not found.dropped_photos
    for photo in found.photos:
        assert photo.size == load_image(photo.path).size, "annotations of another picture"
        assert photo.licence and photo.source == "demo"


@needs_ultralytics
def test_packages_are_not_imported():
    before = "ultralytics" in sys.modules
    demo.demo_people()
    assert ("ultralytics" in sys.modules) == before


@needs_ultralytics
def test_outlines_keypoints_and_boxes_agree():
    for photo in demo.demo_people().photos:
        assert photo.size is not None
        for person in photo.people:
            mask = draw_polygons(person.polygons, photo.size[::-1])
            rows, columns = np.nonzero(mask)
            box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert np.abs(np.array(box) - person.bbox_xyxy).max() <= 2
            assert person.keypoints_coco17 is not None
            for x, y, seen in person.keypoints_coco17:
                # the pointing arm lies before the man behind it, so hidden points may lie in somebody else
                assert (
                    seen < 2 or mask[max(int(y) - 3, 0) : int(y) + 4, max(int(x) - 3, 0) : int(x) + 4].any()
                )


@needs_ultralytics
def test_left_is_the_persons_own():
    # everybody whose shoulders are both labelled faces the camera in these pictures
    facing = 0
    for photo in demo.demo_people().photos:
        for person in photo.people:
            points = person.keypoints_coco17
            assert points is not None
            left, right = points[COCO17.index["left_shoulder"]], points[COCO17.index["right_shoulder"]]
            if left[2] and right[2]:
                facing += 1
                assert left[0] > right[0]
    assert facing == 5


def test_clean_photographs_can_be_read():
    photos = demo.demo_clean()
    assert len(photos) == 3
    for photo in photos:
        assert min(load_image(photo.path).size) >= 400 and photo.licence


def test_a_missing_package_is_named_with_its_mend(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "ultralytics" else find(name)
    )
    with pytest.raises(
        UserError, match=r"ultralytics, which is not installed; pip install 'ajahr\[synth\]'"
    ) as caught:
        demo.demo_people()
    assert "\n" not in str(caught.value)


def test_a_package_without_its_pictures_is_named(monkeypatch, tmp_path):
    spec = importlib.util.spec_from_loader("skimage", None, is_package=True)
    assert spec is not None
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(UserError, match="skimage is installed without"):
        demo.demo_clean()
