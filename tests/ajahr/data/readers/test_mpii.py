from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from ajahr.anatomy import COCO17
from ajahr.data.readers.mpii import JOINT_NAMES, read_mpii
from ajahr.errors import UserError

PHOTOS = Path(__file__).parents[5] / "shared" / "data" / "photos"


def entry(**changes) -> dict:
    # everybody stands on a line: the joint's number tells its place
    joints = [[100.0 + 10 * j, 200.0 + 5 * j] for j in range(16)]
    return {
        "image": "a.jpg",
        "joints": joints,
        "joints_vis": [1] * 16,
        "center": [170, 240],
        "scale": 1.0,
    } | changes


def read(folder: Path, document):
    (folder / "a.jpg").touch()
    (folder / "mpii.json").write_text(json.dumps(document))
    return read_mpii(folder / "mpii.json", folder)


def test_sixteen_joints_become_twelve_keypoints_head_and_neck(tmp_path):
    (person,) = read(tmp_path, [entry()]).photos[0].people
    assert person.keypoints_coco17 is not None and person.head_neck is not None
    for name in COCO17.names[5:]:
        j = JOINT_NAMES.index(name)
        # coordinates count from one, so pixel p has its centre at p - 0.5
        assert person.keypoints_coco17[COCO17.index[name]].tolist() == [99.5 + 10 * j, 199.5 + 5 * j, 2], name
    assert not person.keypoints_coco17[:5].any(), "no face in this format"
    assert person.head_neck.tolist() == [[189.5, 244.5, 2], [179.5, 239.5, 2]]


def test_box_holds_every_joint_with_room(tmp_path):
    (person,) = read(tmp_path, [entry()]).photos[0].people
    x0, y0, x1, y1 = person.bbox_xyxy
    assert x0 < 99 and y0 < 199 and x1 > 250 and y1 > 275


def test_box_reaches_further_down_when_the_feet_are_not_labelled(tmp_path):
    seen = [0, 1, 1, 1, 1, 0] + [1] * 10
    (whole,) = read(tmp_path, [entry()]).photos[0].people
    (cut,) = read(tmp_path, [entry(joints_vis=seen)]).photos[0].people
    assert cut.bbox_xyxy[3] > whole.bbox_xyxy[3] + 20
    assert cut.keypoints_coco17 is not None and not cut.keypoints_coco17[COCO17.index["left_ankle"]].any()


def test_people_of_one_picture_are_put_together(tmp_path):
    found = read(tmp_path, [entry(), entry(image="no.jpg"), entry(scale=2.0)])
    assert [person.source_id for person in found.photos[0].people] == ["0", "2"]
    assert found.dropped_photos == Counter(missing_file=1)


@pytest.mark.parametrize(
    "changes",
    [
        {"joints": [[1, 2]] * 15},
        {"joints": None},
        {"joints": [[float("nan"), 1]] * 16},
        {"joints_vis": [1] * 3},
        {"joints_vis": [0] * 16},
        {"scale": 0},
        {"scale": None},
        {"joints": [[-1, -1]] * 16},
    ],
)
def test_a_person_who_cannot_be_used_is_counted(tmp_path, changes):
    found = read(tmp_path, [entry(**changes)])
    assert found.dropped_people == Counter(bad_keypoints=1)
    assert found.dropped_photos == Counter(no_usable_person=1) and not found.photos


def test_an_entry_without_a_picture_is_counted(tmp_path):
    assert read(tmp_path, [entry(), entry(image=None)]).dropped_people == Counter(unknown_image=1)


@pytest.mark.parametrize("document", [{}, [1], [{"image": "a.jpg"}], None])
def test_another_format_is_refused(tmp_path, document):
    with pytest.raises(UserError, match="MPII"):
        read(tmp_path, document)


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the trial photographs are not here")
def test_published_annotations():
    found = read_mpii(PHOTOS / "mpii" / "test_mpii.json", PHOTOS / "mpii")
    assert len(found.photos) == 5 and not found.dropped_people and not found.dropped_photos
    for photo in found.photos:
        keypoints = photo.people[0].keypoints_coco17
        assert keypoints is not None and (keypoints[:, 2] > 0).sum() >= 10
        seen = keypoints[keypoints[:, 2] > 0, :2]
        box = photo.people[0].bbox_xyxy
        assert (seen > box[:2]).all() and (seen < box[2:]).all()
        # shoulders above hips in all five photographs: rows are not mixed up
        assert np.mean(keypoints[5:7, 1]) < np.mean(keypoints[11:13, 1])
