"""Objects from COCO's annotation format."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from ajahr.data.readers.rle import Rle
from ajahr.errors import UserError
from synth.occluders.photographs import coco_objects, cut_out

SIZE = (240, 320)


def square(x0: int, y0: int, x1: int, y1: int) -> list[list[float]]:
    return [[x0, y0, x1, y0, x1, y1, x0, y1]]


def rle(mask: np.ndarray) -> dict:
    return {"size": list(mask.shape), "counts": Rle.encode(mask).counts.tolist()}


@pytest.fixture
def coco(tmp_path) -> Path:
    image = np.full((*SIZE, 3), (20, 200, 30), np.uint8)
    image[50:150, 60:160] = (10, 20, 220)
    cv2.imwrite(str(tmp_path / "a.png"), image)
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    ellipse = cv2.ellipse(np.zeros(SIZE, np.uint8), (200, 120), (60, 50), 0, 0, 360, 1, -1) > 0
    things = [
        (1, 7, square(60, 50, 160, 150), 0),  # kept
        (1, 7, rle(ellipse), 0),  # kept
        (1, 1, square(60, 50, 160, 150), 0),  # a person
        (1, 8, square(60, 50, 160, 150), 0),  # of no known size
        (1, 7, square(60, 50, 160, 150), 1),  # a crowd
        (1, 7, square(60, 50, 90, 80), 0),  # small
        (1, 7, square(60, 100, 160, 240), 0),  # cut off by the border
        (1, 7, [[10, 10, 200, 200, 205, 205, 200, 190]], 0),  # thin
        (1, 7, [[1, 2]], 0),  # no mask
        (2, 7, square(60, 50, 160, 150), 0),  # in a broken photograph
    ]
    tree = {
        "images": [
            {"id": 1, "file_name": "a.png", "license": 4},
            {"id": 2, "file_name": "broken.jpg"},
            {"id": 3},
        ],
        "licenses": [{"id": 4, "name": "CC BY 2.0"}],
        "categories": [{"id": 1, "name": "person"}, {"id": 7, "name": "chair"}, {"id": 8, "name": "sandwich"}],
        "annotations": [
            {"id": i, "image_id": image, "category_id": kind, "segmentation": mask, "iscrowd": crowd}
            for i, (image, kind, mask, crowd) in enumerate(things)
        ],
    }  # fmt: skip
    (tmp_path / "instances.json").write_text(json.dumps(tree))
    return tmp_path


def test_whole_things_are_cut_and_the_rest_is_counted(coco):
    cuts, dropped = coco_objects(coco / "instances.json", coco, 100)
    assert [cut.name for cut in cuts] == ["chair", "chair"]
    assert dict(dropped) == {
        "object_small": 1,
        "object_cut_off": 1,
        "object_thin": 1,
        "object_bad_mask": 1,
        "object_photo_unreadable": 1,
        "object_bad_entry": 1,
    }
    one = cuts[0]
    assert one.licence == "CC BY 2.0" and one.source == "instances/a"
    assert max(one.rgba.shape[:2]) / one.px_per_m == pytest.approx(0.95)
    solid = one.rgba[..., 3] > 250
    assert solid.sum() == pytest.approx(100 * 100, rel=0.06)
    assert (one.rgba[solid][:, :3] == (220, 20, 10)).all()  # RGB, nothing of what was behind


def test_no_more_are_cut_than_asked_for(coco):
    assert len(coco_objects(coco / "instances.json", coco, 1)[0]) == 1


def test_photographs_of_another_split_give_nothing(coco):
    cuts, dropped = coco_objects(coco / "instances.json", coco, 100, keep=lambda photo: photo != "a")
    assert cuts == [] and dropped["object_photo_unreadable"] == 1


def test_the_soft_edge_has_the_objects_own_colour():
    image = np.full((*SIZE, 3), (0, 255, 0), np.uint8)
    image[50:150, 60:160] = (255, 0, 0)
    mask = np.zeros(SIZE, bool)
    mask[49:151, 59:161] = True  # a pixel too far, as masks are
    rgba = cut_out(image, mask)
    edge = (rgba[..., 3] > 0) & (rgba[..., 3] < 255)
    assert edge.any()
    assert (rgba[edge][:, 0] > 150).all() and (rgba[edge][:, 1] < 105).all()


@pytest.mark.parametrize("text", ["[]", '{"images": []}', "{"])
def test_another_file_is_one_clear_line(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(UserError):
        coco_objects(tmp_path / "x.json", tmp_path, 10)
