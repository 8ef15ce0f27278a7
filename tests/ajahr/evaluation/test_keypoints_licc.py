"""LiCC: ranking inside limbs, and whom it is asked of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from keypoint_files import people_document, results_document, write_json

from ajahr.data.ldpose import EXCLUDES
from ajahr.data.readers.keypoint_results import read_detections
from ajahr.data.readers.ldpose import read_ldpose
from ajahr.errors import UserError
from ajahr.evaluation.keypoints_ap import Evaluation, compare
from ajahr.evaluation.keypoints_licc import licc, pair_by_oks


def make(folder: Path, seed: int = 0, points: int = 25) -> Evaluation:
    rng = np.random.default_rng(seed)
    document = people_document(rng, points=points)
    truth = read_ldpose(write_json(folder / "people.json", document))
    return compare(
        truth, read_detections(write_json(folder / "found.json", results_document(rng, document)), truth)
    )


def test_pairing_is_the_naive_loop(tmp_path: Path) -> None:
    evaluation = make(tmp_path)
    truth, found = evaluation.truth, evaluation.found
    values = {
        (int(d), int(g)): v
        for v, d, g in zip(
            evaluation.oks(), evaluation.pairs.of_detection, evaluation.pairs.of_person, strict=True
        )
        if v > 0.5 and truth.num_keypoints[g] and not truth.crowd[g]
    }
    expected = set()
    while values:
        d, g = max(values, key=lambda pair: (values[pair], found.score[pair[0]]))
        expected.add((d, g))
        values = {k: v for k, v in values.items() if k[0] != d and k[1] != g}
    assert set(zip(*map(np.ndarray.tolist, pair_by_oks(evaluation)), strict=True)) == expected
    assert len(expected) > 10


def test_it_is_the_share_of_limb_points_above_their_rivals(tmp_path: Path) -> None:
    evaluation = make(tmp_path, 1)
    right = asked = 0
    shares = []
    for d, g in zip(*pair_by_oks(evaluation), strict=True):
        score, labelled = evaluation.found.keypoints[d, :, 2], evaluation.truth.keypoints[g, :, 2] > 0
        mine = [i for i in range(25) if labelled[i] and EXCLUDES[i].any()]
        good = [i for i in mine if all(score[i] > score[j] for j in range(25) if EXCLUDES[i, j])]
        right, asked = right + len(good), asked + len(mine)
        if mine:
            shares.append(len(good) / len(mine))
    found = licc(evaluation)
    assert found.points == pytest.approx(right / asked) and found.people == pytest.approx(np.mean(shares))
    assert found.paired == len(pair_by_oks(evaluation)[0]) <= found.labelled and not found.by_box
    assert min(found.intact_points, found.residual_points) <= found.points


def test_given_boxes_pair_by_the_box_even_of_poor_matches(tmp_path: Path) -> None:
    evaluation = make(tmp_path, 2)
    truth = evaluation.truth
    rows = np.arange(len(truth))
    points = truth.keypoints.copy()
    points[..., :2] += 1e4
    points[..., 2] = truth.keypoints[..., 2] > 0
    found = replace(
        evaluation.found, keypoints=points, image=truth.image, score=np.ones(len(rows)), area=truth.area,
        annotation=rows,
    )  # fmt: skip
    result = licc(compare(truth, found))
    assert result.by_box and result.points == 1 and result.paired == result.labelled


def test_coco_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="needs 25"):
        licc(make(tmp_path, points=17))
