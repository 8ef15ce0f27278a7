import numpy as np
import pytest

from ajahr.anatomy import COCO17
from ajahr.data.images import LoadedImage, upright_array
from ajahr.data.readers.people import PersonAnnotation, Photo, check_box, keep_inside, load_json, numbers
from ajahr.data.readers.rle import Rle
from ajahr.errors import UserError

STORED = (9, 5)  # width, height


def person() -> PersonAnnotation:
    keypoints = np.zeros((17, 3), np.float32)
    keypoints[COCO17.index["left_wrist"]] = (7.5, 1.5, 2)
    keypoints[COCO17.index["nose"]] = (6.5, 3.5, 1)
    mask = np.zeros((5, 9), bool)
    mask[1:4, 6:8] = True
    return PersonAnnotation(
        np.array([6, 1, 8, 4], np.float32),
        polygons=(np.array([[6, 1], [8, 1], [8, 4]], np.float32),),
        rle=Rle.encode(mask),
        keypoints_coco17=keypoints,
    )


# law


@pytest.mark.parametrize("orientation", range(1, 9))
def test_everything_turns_with_the_picture(orientation):
    before, after = person(), person().upright(orientation, STORED)
    assert before.rle is not None and after.rle is not None and after.keypoints_coco17 is not None
    mask = after.rle.decode()
    assert (mask == upright_array(before.rle.decode(), orientation)).all()
    rows, columns = np.nonzero(mask)
    box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert after.bbox_xyxy.tolist() == box, "the box still bounds the mask"
    assert (after.polygons[0].min(0) == box[:2]).all() and (after.polygons[0].max(0) == box[2:]).all()
    # a mirror image shows the left hand as a right one
    wrist = "right_wrist" if orientation in (2, 4, 5, 7) else "left_wrist"
    x, y, seen = after.keypoints_coco17[COCO17.index[wrist]]
    assert seen == 2 and mask[int(y), int(x)]
    assert (after.keypoints_coco17[:, 2] > 0).sum() == 2, "unlabelled points stay unlabelled"
    assert not after.keypoints_coco17[after.keypoints_coco17[:, 2] == 0].any()


def test_scaling():
    after = person().scaled(2.0, 3.0)
    assert after.bbox_xyxy.tolist() == [12, 3, 16, 12]
    assert after.polygons[0].tolist() == [[12, 3], [16, 3], [16, 12]]
    assert after.keypoints_coco17 is not None
    assert after.keypoints_coco17[COCO17.index["nose"]].tolist() == [13, 10.5, 1]


def test_confidence_follows_visibility():
    confidence = person().keypoint_confidence
    assert confidence[COCO17.index["left_wrist"]] == 1 and confidence[COCO17.index["nose"]] == 0.5
    assert confidence.sum() == 1.5
    assert not PersonAnnotation(np.zeros(4, np.float32)).keypoint_confidence.any()


# which orientation annotations mean


def loaded(orientation: int, height: int, width: int) -> LoadedImage:
    stored = (height, width) if orientation >= 5 else (width, height)
    return LoadedImage(np.zeros((height, width, 3), np.uint8), orientation, stored)


def photo(path, size) -> Photo:
    return Photo(path, "1", (person(),), size=size)


def test_size_tells_whether_the_stored_or_the_upright_picture_was_annotated(tmp_path):
    turned = loaded(6, height=9, width=5)  # stored 9 wide
    stored = photo(tmp_path, (9, 5)).people_in(turned)
    upright = photo(tmp_path, (5, 9)).people_in(turned)
    unknown = photo(tmp_path, None).people_in(turned)
    assert stored is not None and upright is not None and unknown is not None
    assert stored[0].bbox_xyxy.tolist() == [1, 6, 4, 8]
    assert upright[0].bbox_xyxy.tolist() == unknown[0].bbox_xyxy.tolist() == person().bbox_xyxy.tolist()
    half = photo(tmp_path, (9, 5)).people_in(loaded(3, height=5, width=9))
    assert half is not None and half[0].bbox_xyxy.tolist() == person().bbox_xyxy.tolist()


def test_annotations_of_another_size_fit_no_picture(tmp_path):
    assert photo(tmp_path, (18, 10)).people_in(loaded(1, height=5, width=9)) is None
    assert photo(tmp_path, (5, 9)).people_in(loaded(1, height=5, width=9)) is None, "turned, but without EXIF"


# edge


@pytest.mark.parametrize(
    "value", [None, "text", [1, "x"], [[1, 2]], [1, None], [1, float("nan")], [1, 1e60], [1], {}]
)
def test_numbers_refuses_all_but_two_finite_numbers(value):
    assert numbers(value, 2) is None


def test_check_box():
    box = np.array([-5, 2, 30, 8], np.float32)
    cut, _ = check_box(box, (20, 6))
    assert cut is not None and cut.tolist() == [0, 2, 20, 6]
    assert check_box(box, None)[0] is not None
    assert check_box(np.array([5, 2, 5, 8], np.float32), (20, 20)) == (None, "empty_box")
    assert check_box(np.array([25, 2, 35, 8], np.float32), (20, 20)) == (None, "outside_image")
    assert check_box(np.array([-5, 2, 0.5, 8], np.float32), (20, 20)) == (None, "outside_image")


def test_keypoints_outside_the_picture_are_not_labelled():
    points = np.array([[5, 5, 2], [-1, 5, 2], [5, 30, 1], [5, 5, 0], [6, 6, 7]], np.float32)
    assert keep_inside(points, (20, 20)).tolist() == [[5, 5, 2], [0, 0, 0], [0, 0, 0], [0, 0, 0], [6, 6, 2]]
    assert keep_inside(points, None)[2].tolist() == [5, 30, 1]


@pytest.mark.parametrize(
    "content, cause", [(None, "no such file"), (b"{", "not a JSON"), (b"\xff\xfe\x00", "not a JSON")]
)
def test_load_json_says_what_is_wrong_in_one_line(tmp_path, content, cause):
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=cause) as caught:
        load_json(path, "an annotation file")
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(UserError, match="cannot be read"):
        load_json(tmp_path, "an annotation file")
