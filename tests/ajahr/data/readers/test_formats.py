import json

import pytest

from ajahr.data.readers.formats import read_people
from ajahr.errors import UserError


def coco(folder, file_name):
    keypoints = {"keypoints": ["left_wrist", "head"]}
    document = {
        "images": [{"id": 1, "file_name": file_name}],
        "categories": [{"id": 1, "name": "person", **keypoints}],
        "annotations": [
            {"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "keypoints": [1, 2, 2, 3, 4, 2]}
        ],
    }
    (folder / "x.json").write_text(json.dumps(document))
    (folder / "a.jpg").touch()
    return folder / "x.json"


@pytest.mark.parametrize("kind", ["coco", "crowdpose", "ochuman"])
def test_kinds_of_cocos_form(tmp_path, kind):
    (photo,) = read_people(kind, coco(tmp_path, "a.jpg"), tmp_path).photos
    assert photo.source == kind and photo.people[0].head_neck is not None
    assert ("non-commercial" in photo.licence) == (kind != "coco")


def test_names_given_win(tmp_path):
    (photo,) = read_people(
        "crowdpose", coco(tmp_path, "a.jpg"), tmp_path, source="mine", licence="CC0"
    ).photos
    assert photo.source == "mine" and photo.licence == "CC0"


def test_not_one_photograph_is_the_users_error(tmp_path):
    with pytest.raises(UserError, match="missing_file 1") as caught:
        read_people("coco", coco(tmp_path, "gone.jpg"), tmp_path)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        read_people("boxes", coco(tmp_path, "a.jpg"), tmp_path / "no")
