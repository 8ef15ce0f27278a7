"""25 keypoints of a picture's people: three forms, one meaning; the picture that is meant."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ajahr.data.readers.ldpose import category_25
from ajahr.errors import UserError
from ajahr.inference.ld_points import LdPoints, read_points

RNG = np.random.default_rng(0)
POINTS = np.concatenate([RNG.uniform(10, 90, (2, 25, 2)), RNG.uniform(0.4, 1, (2, 25, 1))], 2)
POINTS[0, 20:] = 0


def write(path, document):
    path.write_text(json.dumps(document))
    return path


def results(points=POINTS, image=(7, 7)) -> list[dict]:
    shifted = points.copy()
    shifted[..., :2] -= 0.5 * (points[..., 2:] > 0)
    return [
        {"image_id": i, "category_id": 1, "keypoints": p.ravel().tolist(), "score": 0.9}
        for i, p in zip(image, shifted, strict=True)
    ]


def test_results_and_plain_json_are_the_same_people(tmp_path):
    coco = read_points(write(tmp_path / "a.json", results()))
    plain = read_points(write(tmp_path / "b.json", {"a.jpg": POINTS.tolist()}))
    boxed = [{"keypoints": POINTS[0].tolist(), "bbox_xyxy": [0, 0, 9, 9]}, {"keypoints": POINTS[1].tolist()}]
    objects = read_points(write(tmp_path / "c.json", {"a.jpg": boxed}))
    for found in (coco, plain, objects):
        np.testing.assert_allclose(found.keypoints, POINTS, atol=1e-9)
    np.testing.assert_allclose(coco.boxes_xyxy[0, :2], POINTS[0, :20, :2].min(0))
    assert objects.boxes_xyxy[0].tolist() == [0, 0, 9, 9]
    np.testing.assert_allclose(objects.boxes_xyxy[1], plain.boxes_xyxy[1])


def test_annotations_become_scores_at_pixel_centres(tmp_path):
    flags = np.array([2, 1, 0] * 8 + [2])
    points = np.concatenate([np.round(POINTS[1, :, :2]), flags[:, None]], 1)
    points[flags == 0] = 0
    document = {
        "images": [{"id": 3, "file_name": "x/3.jpg", "width": 100, "height": 120}],
        "categories": [category_25()],
        "annotations": [{
            "id": 1, "image_id": 3, "category_id": 1, "bbox": [5, 6, 70, 80], "area": 3000, "iscrowd": 0,
            "keypoints": points.ravel().tolist(), "num_keypoints": int((flags > 0).sum()),
        }],
    }  # fmt: skip
    found = read_points(write(tmp_path / "a.json", document), image_name="3.jpg")
    assert found.image_size == (100, 120) and found.boxes_xyxy[0].tolist() == [5, 6, 75, 86]
    seen = flags > 0
    np.testing.assert_allclose(found.keypoints[0, seen, :2], points[seen, :2] + 0.5)
    assert found.keypoints[0, :3, 2].tolist() == [1.0, 0.5, 0.0]


def test_the_picture_that_is_meant(tmp_path):
    path = write(tmp_path / "a.json", results(image=(7, 12)))
    for name in ("000000000012.jpg", "12"):
        np.testing.assert_allclose(read_points(path, image_name=name).keypoints[0], POINTS[1], atol=1e-9)
    assert len(read_points(path, image_id=7)) == 1
    with pytest.raises(UserError, match="several pictures"):
        read_points(path)
    with pytest.raises(UserError, match=r"nobody of other\.jpg"):
        read_points(path, image_name="other.jpg")
    # a single picture needs no name, whatever it is called
    single = write(tmp_path / "b.json", {"street.jpg": POINTS.tolist()})
    assert len(read_points(single, image_name="photo.png")) == 2


def test_cocos_17_have_no_ends_and_what_is_no_person_is_refused(tmp_path):
    found = read_points(write(tmp_path / "a.json", {"a": [POINTS[0, :17].tolist()]}))
    assert (found.keypoints[0, 17:] == 0).all() and (found.keypoints[0, :17, 2] > 0).all()
    assert len(read_points(write(tmp_path / "b.json", {"a": []}))) == 0
    assert len(LdPoints.of(np.zeros((0, 25, 3)))) == 0
    for document, words in (
        ({"a": [POINTS[0, :16].tolist()]}, "16 keypoints"),
        ({"a": [["x"]]}, "keypoints"),
        ({"a": 3}, "no list of people"),
        ([1], "something else"),
        (3, "none of the forms"),
    ):
        with pytest.raises(UserError, match=words):
            read_points(write(tmp_path / "c.json", document))
