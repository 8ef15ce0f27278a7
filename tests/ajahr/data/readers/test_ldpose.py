"""LDPose's JSON with its traps, COCO's as intact people, and what is refused."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keypoint_files import COCO_CATEGORY, write_json

from ajahr.anatomy import LDPOSE25
from ajahr.data.ldpose import LIMB_POINTS
from ajahr.data.readers.ldpose import category_25, read_ldpose, to_continuous
from ajahr.errors import UserError

PHOTOS = Path(__file__).parents[5] / "shared/data/photos/coco"
SAMPLE: dict[str, Any] = {  # as the project page prints it
    "images": [{"id": 1, "file_name": "000000001.jpg", "width": 640, "height": 480}],
    "annotations": [
        {
            "id": 1,
            "image_id": 1,
            "category_id": 1,
            "bbox": [100, 50, 200, 350],
            "area": 70000,
            "iscrowd": 0,
            "keypoints": [
                320, 140, 2, 310, 135, 2, 330, 135, 2, 305, 140, 2, 335, 140, 2, 290, 180, 2, 350, 180, 2,
                280, 240, 2, 0, 0, 0, 270, 290, 0, 0, 0, 0, 300, 280, 2, 340, 280, 2, 295, 380, 2, 345, 380, 2,
                290, 470, 2, 350, 470, 2, 0, 0, 0, 360, 200, 2, *[0] * 18,
            ],
            "num_keypoints": 14,
        }
    ],
    "categories": [category_25()],
}  # fmt: skip


def sample(**changes: Any) -> dict[str, Any]:
    document = copy.deepcopy(SAMPLE)
    document["annotations"][0].update(changes)
    return document


def test_the_page_s_sample_and_its_traps(tmp_path: Path) -> None:
    found = read_ldpose(write_json(tmp_path / "a.json", SAMPLE))
    assert found.points == 25 and found.num_keypoints.tolist() == [15]
    assert not found.keypoints[0, 9].any()  # visibility 0, and coordinates in the file
    assert set(found.problems) == {"hidden_coordinates", "wrong_count", "box_area"}
    assert found.presence[0, LIMB_POINTS[1]].tolist() == [0, 0, 1, 0]  # the right arm ends above the elbow
    assert found.presence[0, LIMB_POINTS[0]].tolist() == [1, -1, 0, -1]  # the left elbow is seen, no more
    assert any("area bbox053" in line and line.endswith(": 1") for line in found.describe_problems())


@pytest.mark.parametrize(("mode", "area"), [("as_given", 70000), ("bbox053", 37100), ("mask", 5000)])
def test_areas(tmp_path: Path, mode, area: float) -> None:
    square = [[0, 0, 100, 0, 100, 50, 0, 50]]
    found = read_ldpose(write_json(tmp_path / "a.json", sample(segmentation=square)), area=mode)
    assert found.area[0] == pytest.approx(area)


def test_names_of_the_development_code_in_another_order(tmp_path: Path) -> None:
    document = sample()
    names = [
        name if not name.endswith("_res") else "above_left_elbow_end".replace("above", name.split("_")[1])
        .replace("left", name.split("_")[0]).replace("elbow", name.split("_")[2])
        for name in LDPOSE25.names
    ]  # fmt: skip
    document["categories"][0]["keypoints"] = names[::-1]
    document["annotations"][0]["keypoints"] = np.array(SAMPLE["annotations"][0]["keypoints"]).reshape(25, 3)[
        ::-1
    ].ravel().tolist()  # fmt: skip
    found = read_ldpose(write_json(tmp_path / "a.json", document))
    assert np.array_equal(found.keypoints, read_ldpose(write_json(tmp_path / "b.json", SAMPLE)).keypoints)


def test_conflicts_are_listed_and_known_to_nobody(tmp_path: Path) -> None:
    points = np.array(SAMPLE["annotations"][0]["keypoints"]).reshape(25, 3)
    points[[21, 23]] = (10, 10, 2)
    found = read_ldpose(write_json(tmp_path / "a.json", sample(keypoints=points.ravel().tolist())))
    assert found.problems["conflicting_limb"] == (1,)
    assert found.conflicts() == [(1, "left_leg")]
    assert (found.presence[0, LIMB_POINTS[2]] == -1).all()
    presence = [-1] * 25
    for k, value in zip(LIMB_POINTS[2], (1, 0, 0, 1), strict=True):
        presence[k] = value
    settled = read_ldpose(
        write_json(tmp_path / "b.json", sample(keypoints=points.ravel().tolist(), presence=presence))
    )
    assert "conflicting_limb" not in settled.problems
    assert settled.presence[0, LIMB_POINTS[2]].tolist() == [1, 0, 0, 1]


def test_points_outside_the_picture_are_unlabelled(tmp_path: Path) -> None:
    points = list(SAMPLE["annotations"][0]["keypoints"])
    points[0] = 700
    found = read_ldpose(write_json(tmp_path / "a.json", sample(keypoints=points)))
    assert found.problems["outside_image"] == (1,) and not found.keypoints[0, 0].any()


def test_coco_people_are_intact(tmp_path: Path) -> None:
    document = sample(keypoints=SAMPLE["annotations"][0]["keypoints"][:51])
    document["categories"] = [COCO_CATEGORY]
    found = read_ldpose(write_json(tmp_path / "a.json", document))
    assert found.points == 17 and found.keypoints.shape == (1, 25, 3)
    assert found.presence[0].tolist() == [1] * 17 + [0] * 8
    assert not found.keypoints[0, 17:].any()


def test_people_come_picture_by_picture(tmp_path: Path) -> None:
    document = sample()
    document["images"].append({"id": 0, "file_name": "b.jpg", "width": 640, "height": 480})
    document["annotations"] = [{**SAMPLE["annotations"][0], "id": i, "image_id": i % 2} for i in range(5)]
    found = read_ldpose(write_json(tmp_path / "a.json", document))
    assert found.image_ids.tolist() == [0, 1]
    assert found.ids.tolist() == [0, 2, 4, 1, 3] and found.image.tolist() == [0, 0, 0, 1, 1]


def test_missing_pictures_are_named(tmp_path: Path) -> None:
    found = read_ldpose(write_json(tmp_path / "a.json", SAMPLE))
    with pytest.raises(UserError, match=r"000000001.jpg: no such file \(1 of 1"):
        found.check_images(tmp_path)
    (tmp_path / "000000001.jpg").touch()
    found.check_images(tmp_path)


def test_indices_become_continuous() -> None:
    points = np.array([[3.0, 4.0, 2.0], [0.0, 0.0, 0.0]])
    assert to_continuous(points).tolist() == [[3.5, 4.5, 2.0], [0.0, 0.0, 0.0]]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (sample(keypoints=[1, 1, 2] * 17), "annotation 1 has 17 keypoints where its category has 25"),
        (sample(keypoints=[1, 1, 2] * 24), "annotation 1 has 24 keypoints"),
        (sample(category_id=7), "annotation 1 has category 7"),
        (sample(image_id=9), "annotation 1 is of image 9"),
        (sample(keypoints=["x"] * 75), "its keypoints is not a list of finite numbers"),
        (sample(bbox=[1, 2, 3]), "its bbox is not"),
        (sample(presence=[2] * 25), "its presence is not 25 numbers"),
        ({**SAMPLE, "categories": [{"id": 1, "name": "person"}]}, "no category has keypoints"),
        (
            {**SAMPLE, "categories": [{**category_25(), "keypoints": list(LDPOSE25.names[:24])}]},
            "24 keypoints, another selection",
        ),
        (
            {**SAMPLE, "categories": [{**category_25(), "keypoints": ["tail", *LDPOSE25.names[1:]]}]},
            r"an unknown one \(tail\)",
        ),
        ({"images": []}, "no lists"),
    ],
)
def test_what_is_refused_in_one_line(tmp_path: Path, document: Any, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_ldpose(write_json(tmp_path / "a.json", document))
    assert "\n" not in str(caught.value)


def test_a_mask_is_needed_for_its_area(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no mask"):
        read_ldpose(write_json(tmp_path / "a.json", SAMPLE), area="mask")


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the photographs are not here")
def test_real_annotations() -> None:
    found = read_ldpose(PHOTOS / "test_coco.json")
    assert found.points == 17 and len(found.image_ids) == 4 and len(found) > 10
    assert not found.problems
    found.check_images(PHOTOS)
    masks = read_ldpose(PHOTOS / "test_coco.json", area="mask")
    single = ~found.crowd
    # COCO's areas are of rasterised masks: outlines agree to a few per cent
    np.testing.assert_allclose(masks.area[single], found.area[single], rtol=0.1)
