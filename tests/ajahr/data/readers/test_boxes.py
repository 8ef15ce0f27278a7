import json
from collections import Counter

import pytest

from ajahr.data.readers.boxes import read_boxes
from ajahr.errors import UserError


def read(folder, document, **options):
    (folder / "a.jpg").touch()
    (folder / "000000000785.jpg").touch()
    (folder / "boxes.json").write_text(json.dumps(document))
    return read_boxes(folder / "boxes.json", folder, **options)


def test_given_boxes(tmp_path):
    found = read(tmp_path, {"a.jpg": [[1, 2, 30, 40], [5, 6, 7, 8]]}, licence="mine")
    (photo,) = found.photos
    assert photo.licence == "mine" and photo.size is None
    assert [p.bbox_xyxy.tolist() for p in photo.people] == [[1, 2, 30, 40], [5, 6, 7, 8]]
    assert photo.people[0].keypoints_coco17 is None and not photo.people[0].polygons


def test_detections_above_the_score_of_the_person_class(tmp_path):
    def detection(**changes):
        return {"image_id": 785, "category_id": 1, "bbox": [10, 20, 30, 40], "score": 0.9} | changes

    document = [
        detection(),
        detection(score=0.3),
        detection(category_id=2),
        detection(score=float("nan")),
        detection(bbox=None),
        detection(image_id="a.jpg"),
    ]
    found = read(tmp_path, document)
    assert [photo.image_id for photo in found.photos] == ["000000000785.jpg", "a.jpg"]
    assert [len(photo.people) for photo in found.photos] == [1, 1]
    assert found.photos[0].people[0].bbox_xyxy.tolist() == [10, 20, 40, 60]
    assert found.dropped_people == Counter(bad_box=1)
    assert len(read(tmp_path, document, min_score=0.2).photos[0].people) == 2


def test_bad_boxes_and_photographs_are_counted(tmp_path):
    found = read(
        tmp_path,
        {
            "a.jpg": [[1, 2, 3, 4], [1, 2, 3], [3, 2, 1, 4], "x"],
            "no.jpg": [[1, 2, 3, 4]],
            "000000000785.jpg": [],
        },
    )
    assert found.dropped_people == Counter(bad_box=2, empty_box=1)
    assert found.dropped_photos == Counter(missing_file=1, no_usable_person=1)
    assert len(found.photos) == 1


@pytest.mark.parametrize("document", [{"a.jpg": 3}, [1, 2], [{"bbox": [1, 2, 3, 4]}], "text", None])
def test_another_format_is_refused(tmp_path, document):
    with pytest.raises(UserError, match=r"boxes\.json: neither"):
        read(tmp_path, document)
