"""Similarity of keypoints and LDPose's weights, against naive versions written from the definitions."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from keypoint_files import people_document, results_document, write_json

from ajahr.anatomy import LDPOSE25
from ajahr.data.ldpose import EXCLUDES, LIMB_POINTS, SIGMAS
from ajahr.data.readers.keypoint_results import read_detections
from ajahr.data.readers.ldpose import read_ldpose
from ajahr.evaluation.keypoints_ap import Evaluation, compare
from ajahr.evaluation.keypoints_oks import claimed_points, consistent_points, oks

FLIP = list(LDPOSE25.flip)


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    folder = tmp_path_factory.mktemp("oks")
    rng = np.random.default_rng(0)
    document = people_document(rng)
    truth = read_ldpose(write_json(folder / "people.json", document))
    found = read_detections(write_json(folder / "found.json", results_document(rng, document)), truth)
    return compare(truth, found)


def naive_gamma(mode: str, score: np.ndarray, labelled: np.ndarray, tau: float) -> np.ndarray:
    keep = np.ones(25)
    if mode in ("text", "symmetric"):
        for i in range(17 if mode == "text" else 0, 25):
            if any(EXCLUDES[i, j] and score[j] > tau for j in range(25)):
                keep[i] = 0
        return keep
    for row in LIMB_POINTS.tolist():
        s = [score[k] for k in row]
        best = max(range(4), key=lambda n: (s[n], -n))
        if s[best] > tau:
            if best == 2:
                s[0] = s[1] = s[3] = 0
            elif best == 3:
                s[1] = s[2] = 0
            elif best == 0 and mode == "pattern":
                s[2] = 0
                s[1 if s[1] < s[3] else 3] = 0
            elif best == 0:
                q = 0 if score[9] >= score[19] else 1
                if s[q] > 0.3:
                    for n in [2, 3] if q == 0 else [1, 2]:
                        s[n] = 0
        if [v > tau for v in s] != [bool(labelled[k]) for k in row]:
            keep[row] = 0
    return keep


@pytest.mark.parametrize("mode", ["coco", "text", "symmetric", "pattern", "pattern_fork"])
def test_every_pair_is_the_definition(evaluation: Evaluation, mode) -> None:
    truth, found = evaluation.truth, evaluation.found
    got = evaluation.oks(mode, 0.3)
    regions = 0
    for value, d, g in zip(got, evaluation.pairs.of_detection, evaluation.pairs.of_person, strict=True):
        labels, points = truth.keypoints[g], found.keypoints[d]
        visible = labels[:, 2] > 0
        if visible.any():
            keep = np.ones(25) if mode == "coco" else naive_gamma(mode, points[:, 2], visible, 0.3)
            expected = oks(points[:, :2], labels, float(truth.area[g]), SIGMAS, keep > 0)
        else:  # the distance to the box doubled about its centre, over all points
            regions += 1
            x, y, w, h = truth.bbox_xywh[g]
            total = 0.0
            for (px, py, _), sigma in zip(points, SIGMAS, strict=True):
                dx = max(0, x - w - px, px - (x + 2 * w))
                dy = max(0, y - h - py, py - (y + 2 * h))
                total += math.exp(-(dx * dx + dy * dy) / (2 * truth.area[g] * (2 * sigma) ** 2))
            expected = total / 25
        assert value == pytest.approx(expected, abs=1e-9)
    assert regions > 10


def test_symmetric_is_at_most_text_is_at_most_coco(evaluation: Evaluation) -> None:
    symmetric, text, coco = (evaluation.oks(mode, 0.3) for mode in ("symmetric", "text", "coco"))
    assert (symmetric <= text).all() and (text <= coco).all()
    assert (symmetric < text).any() and (text < coco).any()


def test_threshold_1_makes_ld_plain(evaluation: Evaluation) -> None:
    for mode in ("symmetric", "text"):
        assert np.array_equal(evaluation.oks(mode, 1.0), evaluation.oks("coco"))
    assert not np.allclose(evaluation.oks("pattern", 1.0), evaluation.oks("coco"))


@pytest.mark.parametrize("mode", ["text", "symmetric"])
@pytest.mark.parametrize("point", [7, 10, 17, 20, 13, 16, 21, 24])
def test_a_contradiction_costs_what_it_contradicts_had_earned(mode: str, point: int) -> None:
    rng = np.random.default_rng(point)
    score = np.zeros((1, 25))
    before = consistent_points(score, 0.3, residual_only=mode == "text")
    score[0, point] = 0.31
    after = consistent_points(score, 0.3, residual_only=mode == "text")
    excluded = EXCLUDES[:, point] & (np.arange(25) >= (17 if mode == "text" else 0))
    assert before.all() and np.array_equal(~after[0], excluded)
    labels = np.column_stack([rng.random((25, 2)) * 100, np.full(25, 2.0)])
    where = labels[:, :2] + rng.normal(size=(25, 2))
    loss = oks(where, labels, 5000.0, SIGMAS) - oks(where, labels, 5000.0, SIGMAS, after[0])
    earned = sum(oks(where[[k]], labels[[k]], 5000.0, SIGMAS[[k]]) for k in np.flatnonzero(excluded))
    assert loss == pytest.approx(earned / 25, abs=1e-12)


def test_mirroring_changes_nothing() -> None:
    score = np.random.default_rng(3).random((300, 25))
    assert np.array_equal(consistent_points(score[:, FLIP], 0.4), consistent_points(score, 0.4)[:, FLIP])
    mirrored = claimed_points(score[:, FLIP], 0.4)
    assert np.array_equal(mirrored, claimed_points(score, 0.4)[:, [1, 0, 3, 2]])
    # the development code's left arm decides for all limbs, so there sides do matter
    fork = claimed_points(score[:, FLIP], 0.4, fork=True)
    assert not np.array_equal(fork, claimed_points(score, 0.4, fork=True)[:, [1, 0, 3, 2]])


def test_intact_people_with_silent_ends_lose_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    document = people_document(rng)
    for person in document["annotations"]:
        points = np.array(person["keypoints"]).reshape(25, 3)
        points[17:] = 0
        person["keypoints"] = points.ravel().tolist()
    results = results_document(rng, document)
    for entry in results:
        entry["keypoints"][53::3] = [0.0] * 8
    truth = read_ldpose(write_json(tmp_path / "people.json", document))
    evaluation = compare(truth, read_detections(write_json(tmp_path / "found.json", results), truth))
    for mode in ("text", "symmetric"):
        assert np.array_equal(evaluation.oks(mode, 0.3), evaluation.oks("coco"))
