from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from ajahr.anatomy import COCO17
from ajahr.data.readers.coco import read_coco
from ajahr.errors import UserError

PHOTOS = Path(__file__).parents[5] / "shared" / "data" / "photos"


def annotation(image_id=1, **changes) -> dict:
    keypoints = [0] * 51
    keypoints[:3] = [15, 12, 2]
    found = {
        "id": 7,
        "image_id": image_id,
        "category_id": 1,
        "bbox": [10, 10, 20, 30],
        "iscrowd": 0,
        "segmentation": [[10, 10, 30, 10, 30, 40]],
        "keypoints": keypoints,
    }
    found.update(changes)
    return found


def read(folder: Path, annotations: list, images: list | None = None, **document):
    (folder / "a.jpg").touch()
    if images is None:
        images = [{"id": 1, "file_name": "a.jpg", "width": 100, "height": 80, "license": 4}]
    path = folder / "annotations.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, **document}))
    return read_coco(path, folder)


# law


def test_one_person(tmp_path):
    found = read(tmp_path, [annotation()], licenses=[{"id": 4, "name": "CC BY", "url": "http://x"}])
    (photo,) = found.photos
    assert photo.path == tmp_path / "a.jpg" and photo.size == (100, 80) and photo.licence == "CC BY, http://x"
    (person,) = photo.people
    assert person.bbox_xyxy.tolist() == [10, 10, 30, 40]
    assert person.polygons[0].tolist() == [[10, 10], [30, 10], [30, 40]]
    assert person.keypoints_coco17 is not None
    assert person.keypoints_coco17[0].tolist() == [15.5, 12.5, 2], "the pixel's centre"
    assert not person.keypoints_coco17[1:].any()
    assert person.source_id == "7" and not person.crowd
    assert not found.dropped_people and not found.dropped_photos


def test_run_length_masks_of_both_kinds(tmp_path):
    runs = {"size": [80, 100], "counts": [10, 5, 7985]}
    found = read(tmp_path, [annotation(segmentation=runs), annotation(segmentation=runs, iscrowd=1)])
    person, crowd = found.photos[0].people
    assert person.rle is not None and person.rle.area == 5 and not person.polygons
    assert crowd.crowd and crowd.rle is not None


def test_keypoints_are_found_by_name(tmp_path):
    names = ["head", "neck", "right_wrist", "tail", "Left Wrist"]
    points = [1, 2, 2, 3, 4, 1, 5, 6, 2, 7, 8, 2, 9, 10, 2]
    category = [{"id": 9, "name": "cat"}, {"id": 3, "name": "person", "keypoints": names}]
    entries = [annotation(category_id=3, keypoints=points), annotation(category_id=9, bbox=None)]
    found = read(tmp_path, entries, categories=category)
    (person,) = found.photos[0].people
    assert person.head_neck is not None and person.keypoints_coco17 is not None
    assert person.head_neck.tolist() == [[1.5, 2.5, 2], [3.5, 4.5, 1]]
    assert person.keypoints_coco17[COCO17.index["right_wrist"]].tolist() == [5.5, 6.5, 2]
    assert person.keypoints_coco17[COCO17.index["left_wrist"]].tolist() == [9.5, 10.5, 2]
    assert (person.keypoints_coco17[:, 2] > 0).sum() == 2
    assert not found.dropped_people, "other categories are not people, so none is dropped"


# edge: one bad entry costs one person, and is counted


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"bbox": [10, 10, 0, 30]}, "empty_box"),
        ({"bbox": [10, 10, -5, 30]}, "empty_box"),
        ({"bbox": [500, 10, 20, 30]}, "outside_image"),
        ({"bbox": [-30, 10, 20, 30]}, "outside_image"),
        ({"bbox": [10, float("nan"), 20, 30]}, "bad_box"),
        ({"bbox": [10, 10, 20]}, "bad_box"),
        ({"bbox": None}, "bad_box"),
        ({"bbox": [10, 10, "wide", 30]}, "bad_box"),
        ({"image_id": 5}, "unknown_image"),
        ({"image_id": None}, "unknown_image"),
        ({"image_id": [1]}, "unknown_image"),
    ],
)
def test_a_person_who_cannot_be_used(tmp_path, changes, reason):
    found = read(tmp_path, [annotation(), annotation(**changes)])
    assert len(found.photos[0].people) == 1
    assert found.dropped_people == Counter({reason: 1})


def test_an_annotation_that_is_no_object(tmp_path):
    assert read(tmp_path, [annotation(), "nonsense", None]).dropped_people == Counter(bad_annotation=2)


def test_a_box_over_the_border_is_cut(tmp_path):
    (person,) = read(tmp_path, [annotation(bbox=[90, -10, 40, 200])]).photos[0].people
    assert person.bbox_xyxy.tolist() == [90, 0, 100, 80]


@pytest.mark.parametrize(
    "keypoints", [[1, 2, 2], [float("nan")] * 51, ["x"] * 51, [[1, 2, 2]] * 17, {"nose": 1}, "text", 5]
)
def test_bad_keypoints_cost_the_keypoints_only(tmp_path, keypoints):
    found = read(tmp_path, [annotation(keypoints=keypoints)])
    assert found.photos[0].people[0].keypoints_coco17 is None
    assert found.dropped_people == Counter(bad_keypoints=1)


@pytest.mark.parametrize(
    "segmentation",
    [
        [[10, 10, 30, 10]],
        [[10, 10, 30, 10, 30, 40], [1, 2, 3, 4, 5, float("inf")]],
        [[1, 2, 3, 4, 5, 6, 7]],
        [5],
        {"size": [80, 100], "counts": [8000]},  # empty
        {"size": [40, 100], "counts": [10, 3990]},  # of another picture
        {"size": [80, 100], "counts": "\x00"},
    ],
)
def test_a_bad_mask_costs_the_mask_only(tmp_path, segmentation):
    found = read(tmp_path, [annotation(segmentation=segmentation)])
    (person,) = found.photos[0].people
    assert not person.polygons and person.rle is None
    assert found.dropped_people == Counter(bad_mask=1)


def test_no_keypoints_and_no_mask_is_no_fault(tmp_path):
    entry = annotation()
    del entry["segmentation"], entry["keypoints"]
    found = read(tmp_path, [entry, annotation(segmentation=None, keypoints=[0] * 51)])
    first, second = found.photos[0].people
    assert first.keypoints_coco17 is None and not first.polygons
    assert second.keypoints_coco17 is None, "no labelled point is no keypoints"
    assert not found.dropped_people


def test_photographs_that_cannot_be_used(tmp_path):
    images = [
        {"id": 1, "file_name": "a.jpg", "width": 100, "height": 80},
        {"id": 2, "file_name": "not_there.jpg", "width": 100, "height": 80},
        {"id": 3, "file_name": "a.jpg"},  # nobody in it
        {"id": 4, "file_name": "a.jpg"},  # only a crowd
        {"id": 5, "file_name": "a.jpg"},  # only somebody without a place
        {"file_name": "a.jpg"},
        {"id": 6},
        {"id": 7, "file_name": 3},
        "text",
    ]
    people = [annotation(1), annotation(2), annotation(4, iscrowd=1), annotation(5, bbox=None)]
    found = read(tmp_path, people, images)
    assert [photo.image_id for photo in found.photos] == ["1"]
    assert found.dropped_photos == Counter(missing_file=1, no_usable_person=3, bad_entry=4)
    assert found.dropped_people == Counter(bad_box=1)


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "{}",
        '{"images": []}',
        '{"images": {}, "annotations": []}',
        '"coco"',
        "[{}]",
        "3",
        "null",
        '{"log": {}}',
    ],
)
def test_a_file_of_another_format(tmp_path, content):
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(UserError, match="COCO") as caught:
        read_coco(path, tmp_path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("categories", [[{"id": 1, "name": "cat"}], [3], "person", {"person": 1}])
def test_a_file_without_people_as_a_category(tmp_path, categories):
    with pytest.raises(UserError, match="no category 'person'"):
        read(tmp_path, [annotation()], categories=categories)


def test_an_empty_file_of_the_format_is_empty(tmp_path):
    assert read(tmp_path, [], []).photos == ()


# real files


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the trial photographs are not here")
@pytest.mark.parametrize(
    "name, people, keypoints, head_neck", [("coco", 14, 12, 0), ("crowdpose", 5, 4, 4), ("ochuman", 5, 5, 0)]
)
def test_published_annotations(name, people, keypoints, head_neck):
    found = read_coco(PHOTOS / name / f"test_{name}.json", PHOTOS / name)
    everyone = [person for photo in found.photos for person in photo.people]
    assert not found.dropped_people and not found.dropped_photos
    assert len(everyone) == people
    assert sum(p.keypoints_coco17 is not None for p in everyone) == keypoints
    assert sum(p.head_neck is not None for p in everyone) == head_neck


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the trial photographs are not here")
def test_published_masks_lie_in_their_boxes():
    path = PHOTOS / "ochuman" / "test_ochuman.json"
    off = []
    for photo in read_coco(path, path.parent).photos:
        for person in photo.people:
            assert person.rle is not None
            rows, columns = np.nonzero(person.rle.decode())
            box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            off.append(np.abs(np.array(box) - person.bbox_xyxy).max())
    # one of the five carries the mask of the person in front of her
    assert np.mean(np.array(off) <= 25) == 0.8
