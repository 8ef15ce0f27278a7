"""Results files of keypoint models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keypoint_files import people_document, write_json

from ajahr.data.readers.keypoint_results import read_detections, write_detections
from ajahr.data.readers.ldpose import KeypointAnnotations, read_ldpose
from ajahr.errors import UserError


@pytest.fixture
def truth(tmp_path: Path) -> KeypointAnnotations:
    return read_ldpose(write_json(tmp_path / "people.json", people_document(np.random.default_rng(0), 4)))


def entry(points: int = 25, **changes: Any) -> dict[str, Any]:
    return {"image_id": 7, "category_id": 1, "keypoints": [1.5] * (3 * points), "score": 0.5, **changes}


def test_what_is_written_is_read(tmp_path: Path, truth: KeypointAnnotations) -> None:
    rng = np.random.default_rng(1)
    rows = np.array([2, 0])
    points, score = rng.random((2, 25, 3)), rng.random(2)
    write_detections(tmp_path / "found.json", truth, rows, points, score)
    found = read_detections(tmp_path / "found.json", truth)
    np.testing.assert_allclose(found.keypoints, points, atol=1e-3)
    np.testing.assert_allclose(found.score, score, atol=1e-6)
    assert found.image.tolist() == truth.image[rows].tolist()
    assert found.annotation is not None and found.annotation.tolist() == [2, 0]


def test_without_boxes_the_points_extent_is_the_area(tmp_path: Path, truth: KeypointAnnotations) -> None:
    points = np.zeros((25, 3))
    points[3, :2] = (4, 5)
    path = write_json(tmp_path / "found.json", [entry(keypoints=points.ravel().tolist())])
    assert read_detections(path, truth).area.tolist() == [20]
    path = write_json(tmp_path / "found.json", [entry(bbox=[0, 0, 3, 7])])
    assert read_detections(path, truth).area.tolist() == [21]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "nobody was detected"),
        ({"a": 1}, "no list of objects"),
        ([entry(17)], "17 keypoints where .* has 25"),
        ([entry(24)], "24 keypoints; expected"),
        ([entry(), entry(17)], "different lengths"),
        ([{"image_id": 7, "keypoints": [1.0] * 75}], "no 'score'"),
        ([entry(image_id=8)], "image 8 is not one of"),
        ([entry(image_id=999)], "image 999 is not one of"),
        ([entry(annotation_id=12345)], "annotation 12345"),
        ([entry(bbox=[1, 2, 3, 4]), entry()], "some entries have a bbox"),
    ],
)
def test_what_is_refused_in_one_line(
    tmp_path: Path, truth: KeypointAnnotations, document: Any, message: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_detections(write_json(tmp_path / "found.json", document), truth)
    assert "\n" not in str(caught.value)
