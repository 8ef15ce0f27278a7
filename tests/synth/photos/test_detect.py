import numpy as np
import pytest
from PIL import Image

from ajahr.data.readers.people import PersonAnnotation, Photo
from synth.photos.background import prepare_photo
from synth.photos.detect import DETECTED, add_detected, box_iou
from synth.photos.inpaint import make_inpainter
from synth.record import Drop

TELEA = make_inpainter("telea")
A, B = (20, 10, 60, 110), (120, 10, 160, 110)


def rows(*boxes) -> np.ndarray:
    return np.array([[*box, 0.9] for box in boxes], np.float32).reshape(-1, 5)


def person(box, **fields) -> PersonAnnotation:
    return PersonAnnotation(np.array(box, np.float32), **fields)


def test_iou():
    box = np.array([0, 0, 10, 10], np.float32)
    others = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10], [3, 3, 3, 3]], np.float32)
    assert box_iou(box, others) == pytest.approx([1, 1 / 3, 0, 0])


def test_annotated_people_stay_and_strangers_join():
    annotated = [person(A, source_id="7"), person((100, 0, 200, 120), crowd=True)]
    near_a, in_crowd = (22, 12, 60, 108), B
    found = add_detected(annotated, rows(near_a, in_crowd, (121, 11, 160, 110)))
    assert [one.source_id for one in found] == ["7", "", DETECTED]
    assert found[2].bbox_xyxy.tolist() == list(B) and not found[2].crowd
    assert len(add_detected(annotated, rows())) == 2
    assert len(add_detected([], rows(A))) == 1


@pytest.fixture
def photo(tmp_path):
    picture = np.full((120, 180, 3), (60, 120, 90), np.uint8)
    for x0, y0, x1, y1 in (A, B):
        picture[y0:y1, x0:x1] = (250, 30, 30)
    Image.fromarray(picture).save(tmp_path / "a.png")
    return Photo(tmp_path / "a.png", "1", (person(A),), source="t")


def both(image):
    """Sees red people, in a picture of any size."""
    red = (image[..., 0] > 200) & (image[..., 1] < 80)
    scale = image.shape[1] / 180
    seen = [box for box in (A, B) if red[int(60 * scale), int((box[0] + 20) * scale)]]
    return rows(*(np.array(box) * scale for box in seen))


@pytest.mark.parametrize("max_side", [180, 90])
def test_an_unannotated_person_is_removed_where_the_detector_sees_them(photo, max_side):
    options = {"inpainter": TELEA, "max_side": max_side, "min_person_px": 20}
    alone = prepare_photo(photo, **options)
    assert len(alone.slots) == 1 and len(both(alone.image)) == 1
    found = prepare_photo(photo, detector=both, **options)
    assert len(found.slots) == 2 and len(both(found.image)) == 0
    assert found.slots[1].bbox_xyxy == pytest.approx(np.array(B) * max_side / 180)


def test_a_photograph_without_annotations(photo):
    bare = Photo(photo.path, "1", (), source="t")
    assert len(prepare_photo(bare, detector=both, inpainter=TELEA).slots) == 2
    with pytest.raises(Drop, match="no_usable_person"):
        prepare_photo(bare, detector=lambda image: rows(), inpainter=TELEA)


def test_a_crowd_of_detections_counts(photo):
    many = rows(*((5 * i, 10, 5 * i + 4, 100) for i in range(30)))
    with pytest.raises(Drop, match="too_many_people"):
        prepare_photo(photo, detector=lambda image: many, inpainter=TELEA)


def test_somebody_left_drops_the_photograph(photo):
    places = []

    def check(image, boxes):
        places.append(boxes)
        return len(both(image))

    with pytest.raises(Drop, match="person_left"):
        prepare_photo(photo, checker=check, inpainter=TELEA)
    assert places[0].tolist() == [list(A)]
    prepare_photo(photo, checker=check, detector=both, inpainter=TELEA)
    # where the detector sees somebody in the cleaned picture is looked at too
    seen_twice = lambda image: rows(A, B, (70, 0, 90, 100))  # noqa: E731
    prepare_photo(photo, checker=check, detector=seen_twice, inpainter=TELEA)
    assert len(places[-1]) == 6


def test_distance_is_recorded_of_photograph_and_result(photo):
    def distance(before, after):
        return float(len(both(before)) * 10 + len(both(after)))

    assert prepare_photo(photo, distance=distance, inpainter=TELEA).lpips == 21
    assert prepare_photo(photo, inpainter=TELEA).lpips is None
