import json

import numpy as np
import pytest
from PIL import Image

from ajahr.data.images import load_image
from ajahr.errors import UserError
from ajahr.inference.given import GivenPeople

POINTS = [[10 + k, 20 + 2 * k, 1] for k in range(17)]


@pytest.fixture
def folder(tmp_path):
    for name in ("street.jpg", "000000000785.jpg"):
        Image.new("RGB", (200, 100)).save(tmp_path / name)
    return tmp_path


def given(folder, document, **options):
    path = folder / "people.json"
    path.write_text(json.dumps(document))
    return GivenPeople(path, folder, **options)


def test_boxes_by_name(folder):
    (folder / "deep").mkdir()
    found = given(folder, {"street.jpg": [[1, 2, 30, 40], [5, 5, 50, 60, 0.3]], "deep/a.jpg": [[0, 0, 9, 9]]})
    people = found.of(folder / "street.jpg")
    assert people.boxes_xyxy.tolist() == [[1, 2, 30, 40], [5, 5, 50, 60]]
    assert np.allclose(people.scores, [1, 0.3]) and not people.keypoints.any()
    assert len(found.of(folder / "deep" / "a.jpg")) == 1
    assert found.of(folder / "other.jpg") is None
    assert len(found) == 3


def test_people_with_keypoints(folder):
    document = {"street.jpg": [{"bbox_xyxy": [1, 2, 30, 40], "keypoints": POINTS}, {"keypoints": POINTS}]}
    people = given(folder, document).of(folder / "street.jpg")
    assert people.keypoints[0].tolist() == POINTS
    # no box: the one around the points, a fifth larger
    assert np.allclose(people.boxes_xyxy[1], [10 - 1.6, 20 - 3.2, 26 + 1.6, 52 + 3.2])


def test_coco_results(folder):
    flat = [value for point in POINTS for value in point]
    document = [
        {"image_id": 785, "category_id": 1, "bbox": [1, 2, 30, 40], "score": 0.9, "keypoints": flat},
        {"image_id": 785, "category_id": 1, "bbox": [1, 2, 30, 40], "score": 0.1},
        {"image_id": 785, "category_id": 3, "bbox": [1, 2, 30, 40], "score": 0.9},
    ]
    people = given(folder, document, min_score=0.5).of(folder / "000000000785.jpg")
    assert people.boxes_xyxy.tolist() == [[1, 2, 31, 42]]
    assert people.keypoints[0, 0].tolist() == [10.5, 20.5, 1]  # COCO names a pixel, its centre is meant


def coco(**image):
    flat = [value for x, y, _ in POINTS for value in (x, y, 1)]
    return {
        "images": [{"id": 1, "file_name": "street.jpg", "width": 200, "height": 100, **image}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 30, 40], "keypoints": flat},
            {"id": 2, "image_id": 1, "category_id": 1, "bbox": [0, 0, 99, 99], "iscrowd": 1},
        ],
    }


def test_coco_annotations(folder):
    people = given(folder, coco()).of(folder / "street.jpg", load_image(folder / "street.jpg"))
    assert people.boxes_xyxy.tolist() == [[1, 2, 31, 42]]  # the crowd is nobody in particular
    assert people.keypoints[0, 0].tolist() == [10.5, 20.5, 0.5]  # labelled, not seen


def test_coco_annotations_of_a_turned_picture(folder):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (200, 100)).save(folder / "street.jpg", exif=exif)
    image = load_image(folder / "street.jpg", max_pixels=6000)
    assert image.reduction == 2 and image.full_size == (100, 200)
    people = given(folder, coco()).of(folder / "street.jpg", image)
    assert people.boxes_xyxy.tolist() == [[100 - 42, 1, 100 - 2, 31]]  # a quarter turn, at full size


def test_mpii_annotations(folder):
    joints = [[11 + k, 21 + 2 * k] for k in range(16)]
    entry = {"image": "street.jpg", "joints": joints, "joints_vis": [1] * 15 + [0], "center": [18, 36]}
    found = given(folder, [entry | {"scale": 0.2}, entry | {"scale": 0}])
    people = found.of(folder / "street.jpg", load_image(folder / "street.jpg"))
    assert len(people) == 1 and found.dropped == {"bad_keypoints": 1}
    assert people.keypoints[0, 16].tolist() == [10.5, 20.5, 1]  # right ankle; MPII counts pixels from one
    assert people.keypoints[0, 9].tolist() == [0, 0, 0]  # left wrist, not placed
    assert np.allclose(people.boxes_xyxy[0, :2], [10.5 - 2, 20.5 - 2])


def test_coco_annotations_of_another_picture(folder):
    found = given(folder, coco(width=300))
    with pytest.raises(UserError, match="another size"):
        found.of(folder / "street.jpg", load_image(folder / "street.jpg"))


def test_frames_by_number(folder):
    found = given(folder, {"0": [[0, 0, 9, 9]], "000012": [[1, 1, 9, 9]]})
    assert found.of("0").boxes_xyxy[0, 0] == 0 and found.of("12").boxes_xyxy[0, 0] == 1
    assert found.of("3") is None


def test_bad_entries_are_counted_and_the_others_kept(folder):
    document = {
        "street.jpg": [
            [1, 2, 30, 40], [1, 2, 3], [5, 5, 5, 9], "box", {"bbox_xyxy": [0, 0, 9, 9], "keypoints": [[1, 2]]},
            {"keypoints": [[0, 0, 0]] * 17}, [0, 0, float("nan"), 9],
        ]
    }  # fmt: skip
    found = given(folder, document)
    assert len(found) == 1
    assert found.dropped == {"bad_box": 4, "empty_box": 1, "bad_keypoints": 1}


@pytest.mark.parametrize(
    "document, message",
    [
        ({"street.jpg": 3}, "none of the forms"),
        ([1, 2], "none of the forms"),
        ("text", "none of the forms"),
        ({"street.jpg": [[1, 2, 3]]}, "not one person in it can be used"),
    ],
)
def test_what_is_no_people_file(folder, document, message):
    with pytest.raises(UserError, match=message):
        given(folder, document)


def test_no_file(folder):
    with pytest.raises(UserError, match="no such file"):
        GivenPeople(folder / "gone.json", folder)
