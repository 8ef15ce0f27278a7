"""Files with 25 points, written and read again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ajahr.data.ldpose import presence_of_levels
from ajahr.data.readers.keypoint_results import read_detections
from ajahr.data.readers.ldpose import read_ldpose, to_continuous
from ajahr.evaluation.keypoints_ap import compare
from ajahr.keypoints.coco_files import annotations_document, detections_document, write_document


def people() -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(0)
    levels = np.array([[0, 0, 0, 0], [2, 0, 1, 0], [0, 1, 0, 2]])
    presence = presence_of_levels(levels)
    points = np.concatenate(
        [rng.uniform(20, 180, (3, 25, 2)), np.where(presence == 1, 2.0, 0.0)[..., None]], -1
    )
    points[presence == 0] = 0
    boxes = np.array([[10, 10, 190, 190.0]] * 3)
    return points, boxes, np.array([0, 0, 1]), presence


def test_annotations_come_back_without_a_problem(tmp_path: Path) -> None:
    points, boxes, images, presence = people()
    document = annotations_document(
        points, boxes, images, ["a.jpg", "b.jpg"], np.array([[200, 200]] * 2), presence
    )
    found = read_ldpose(write_document(document, tmp_path / "deep" / "people.json"))
    assert found.problems == {} and found.conflicts() == []
    assert to_continuous(found.keypoints) == pytest.approx(points, abs=0.006)
    assert np.array_equal(found.presence, presence) and found.image.tolist() == [0, 0, 1]


def test_the_truth_as_detections_is_perfect_in_every_mode(tmp_path: Path) -> None:
    points, boxes, images, presence = people()
    sizes = np.array([[200, 200]] * 2)
    truth = read_ldpose(
        write_document(annotations_document(points, boxes, images, ["a", "b"], sizes), tmp_path / "t.json")
    )
    results = detections_document(points[..., :2], 0.9 * (presence == 1), images)
    found = compare(truth, read_detections(write_document(results, tmp_path / "d.json"), truth))
    for mode in ("coco", "symmetric", "text", "pattern"):
        scores = found.scores(mode)
        assert abs(scores.AP - 1) < 1e-6
    assert results[0]["score"] == pytest.approx(0.9)
