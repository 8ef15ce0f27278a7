"""AP and AR against pycocotools and faster-coco-eval; LD AP against them with their OKS replaced."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keypoint_files import people_document, results_document, write_json

from ajahr.data.ldpose import SIGMAS
from ajahr.data.readers.keypoint_results import read_detections
from ajahr.data.readers.ldpose import read_ldpose
from ajahr.errors import UserError
from ajahr.evaluation.keypoints_ap import Evaluation, Scores, all_scores, compare

PHOTOS = Path(__file__).parents[4] / "shared/data/photos/coco"


def numbers(scores: Scores) -> np.ndarray:
    return np.array(list(vars(scores).values()))


def evaluate(folder: Path, document: Any, results: Any) -> Evaluation:
    truth = read_ldpose(write_json(folder / "people.json", document))
    return compare(truth, read_detections(write_json(folder / "found.json", results), truth))


def pycocotools_stats(
    folder: Path, points: int, replaced: Evaluation | None = None, mode: str = "coco"
) -> np.ndarray:
    coco = pytest.importorskip("pycocotools.coco")
    cocoeval = pytest.importorskip("pycocotools.cocoeval")
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco.COCO(str(folder / "people.json"))
        run = cocoeval.COCOeval(truth, truth.loadRes(str(folder / "found.json")), "keypoints")
        run.params.kpt_oks_sigmas = SIGMAS[:points]
        if replaced is not None:
            values, pairs = replaced.oks(mode, 0.3), replaced.pairs  # type: ignore[arg-type]
            rows = {int(key): n for n, key in enumerate(replaced.truth.image_ids)}

            def compute(image: int, category: int) -> Any:
                n = rows[image]
                people = pairs.person_start[n + 1] - pairs.person_start[n]
                part = values[pairs.pair_start[n] : pairs.pair_start[n + 1]]
                return part.reshape(-1, people) if len(part) else []

            run.computeOks = compute
        run.evaluate()
        run.accumulate()
        run.summarize()
    return np.where(np.asarray(run.stats) == -1, np.nan, run.stats)


def faster_stats(folder: Path, points: int) -> np.ndarray:
    library = pytest.importorskip("faster_coco_eval")
    with contextlib.redirect_stdout(io.StringIO()):
        truth = library.COCO(str(folder / "people.json"))
        run = library.COCOeval_faster(
            truth,
            truth.loadRes(str(folder / "found.json")),
            "keypoints",
            kpt_oks_sigmas=SIGMAS[:points].tolist(),
        )
        run.evaluate()
        run.accumulate()
        run.summarize()
    stats = np.asarray(run.stats)[:10]
    return np.where(stats == -1, np.nan, stats)


@pytest.mark.parametrize("points", [17, 25])
@pytest.mark.parametrize("seed", [0, 1])
def test_both_libraries_agree(tmp_path: Path, points: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    document = people_document(rng, points=points)
    evaluation = evaluate(tmp_path, document, results_document(rng, document, per_person=8))
    ours = numbers(evaluation.scores())
    assert 0 < ours[0] < 1 and np.isfinite(ours).all()
    np.testing.assert_allclose(ours, pycocotools_stats(tmp_path, points), atol=1e-12)
    np.testing.assert_allclose(ours, faster_stats(tmp_path, points), atol=1e-12)


@pytest.mark.parametrize("mode", ["text", "symmetric", "pattern"])
def test_ld_is_the_library_with_other_similarities(tmp_path: Path, mode) -> None:
    rng = np.random.default_rng(2)
    document = people_document(rng)
    evaluation = evaluate(tmp_path, document, results_document(rng, document))
    expected = pycocotools_stats(tmp_path, 25, evaluation, mode)
    np.testing.assert_allclose(numbers(evaluation.scores(mode)), expected, atol=1e-12)
    assert evaluation.scores(mode).AP < evaluation.scores().AP


def test_results_with_boxes(tmp_path: Path) -> None:
    """Their box, not their points, says whether unmatched ones are of the size asked for."""
    rng = np.random.default_rng(3)
    document = people_document(rng)
    results = results_document(rng, document)
    for entry in results:
        entry["bbox"] = [0.0, 0.0, *rng.uniform(5, 200, 2)]
    ours = numbers(evaluate(tmp_path, document, results).scores())
    np.testing.assert_allclose(ours, pycocotools_stats(tmp_path, 25), atol=1e-12)


def test_perfect_predictions_score_1(tmp_path: Path) -> None:
    document = people_document(np.random.default_rng(4))
    results = []
    for person in document["annotations"]:
        points = np.array(person["keypoints"]).reshape(25, 3)
        points[:, 2] = np.where(points[:, 2] > 0, 0.9, 0.05)
        results.append(
            {
                "image_id": person["image_id"],
                "category_id": 1,
                "keypoints": points.ravel().tolist(),
                "score": 0.9,
            }
        )
    scores = all_scores(evaluate(tmp_path, document, results))
    # a left arm that ends below the elbow makes the development code refuse other people's limbs: its own slip
    assert scores.pop("pattern_fork").AP < 0.9
    for of_mode in scores.values():
        assert pytest.approx(1, abs=1e-12) == of_mode.AP and of_mode.AR == 1


def test_hallucinated_limbs_cost_ld_and_not_coco(tmp_path: Path) -> None:
    document = people_document(np.random.default_rng(6))
    calm, wild = [], []
    for person in document["annotations"]:
        points = np.array(person["keypoints"]).reshape(25, 3)
        points[:, 2] = np.where(points[:, 2] > 0, 0.9, 0.05)
        entry = {"image_id": person["image_id"], "category_id": 1, "score": 0.9}
        calm.append({**entry, "keypoints": points.ravel().tolist()})
        points[:, 2] = 0.9
        wild.append({**entry, "keypoints": points.ravel().tolist()})
    (tmp_path / "a").mkdir()
    good, bad = (
        all_scores(evaluate(tmp_path, document, calm)),
        all_scores(evaluate(tmp_path / "a", document, wild)),
    )
    assert bad["coco"].AP == good["coco"].AP
    assert all(bad[mode].AP < good[mode].AP - 0.2 for mode in good if mode != "coco")


def test_the_sweep_rises_with_the_threshold(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    document = people_document(rng)
    sweep = evaluate(tmp_path, document, results_document(rng, document)).sweep(
        "symmetric", (0.1, 0.3, 0.6, 1.0)
    )
    values = [scores.AP for scores in sweep.values()]
    assert values == sorted(values) and values[0] < values[-1]


def test_pictures_without_people_and_without_detections(tmp_path: Path) -> None:
    document = people_document(np.random.default_rng(8), images=3)
    document["annotations"] = [p for p in document["annotations"] if p["image_id"] == 7][:1]
    document["annotations"][0].update(iscrowd=0, area=10000.0)
    document["annotations"][0]["keypoints"][:3] = [5.0, 5.0, 2]
    stray = {"image_id": 17, "category_id": 1, "keypoints": [1.0] * 75, "score": 0.5}
    scores = evaluate(tmp_path, document, [stray]).scores()
    assert scores.AP == 0 and scores.AR == 0 and np.isnan(scores.AP_medium)


def test_coco_has_no_ld_metrics(tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    document = people_document(rng, points=17)
    evaluation = evaluate(tmp_path, document, results_document(rng, document))
    assert list(all_scores(evaluation)) == ["coco"]
    with pytest.raises(UserError, match="no residual ends"):
        evaluation.scores("symmetric")


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the photographs are not here")
def test_the_real_annotations(tmp_path: Path) -> None:
    """COCO's own people, detected as they are labelled but for noise: the libraries agree on real files too."""
    document = json.loads((PHOTOS / "test_coco.json").read_text())
    rng = np.random.default_rng(10)
    results = results_document(rng, document, per_person=2, strays=5)
    evaluation = evaluate(tmp_path, document, results)
    ours = numbers(evaluation.scores())
    np.testing.assert_allclose(ours, pycocotools_stats(tmp_path, 17), atol=1e-12)
    np.testing.assert_allclose(ours, faster_stats(tmp_path, 17), atol=1e-12)
