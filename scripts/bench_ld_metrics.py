"""Time of the keypoint metrics beside pycocotools and faster-coco-eval, on COCO val's size.

    python scripts/bench_ld_metrics.py

Ours reads both files and gives COCO's and LDPose's (symmetric) figures; the libraries read both and give COCO's.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ajahr.data.ldpose import LIMB_POINTS, SIGMAS
from ajahr.data.readers.keypoint_results import read_detections
from ajahr.data.readers.ldpose import category_25, read_ldpose
from ajahr.evaluation.keypoints_ap import compare


def write_files(folder: Path, images: int, people: int, detections: int) -> tuple[Path, Path]:
    rng = np.random.default_rng(0)
    of_image = np.sort(rng.integers(0, images, people))
    size = rng.uniform(20, 400, (people, 2)).round(1)
    corner = rng.uniform(0, 200, (people, 2)).round(1)
    points = np.empty((people, 25, 3))
    points[..., :2] = (corner[:, None] + size[:, None] * rng.random((people, 25, 2))).round(1)
    points[..., 2] = np.where(rng.random((people, 25)) < 0.8, 2, 0)
    points[:, LIMB_POINTS[:, 2:].ravel(), 2] = 0
    points[points[..., 2] == 0] = 0
    annotations = [
        {
            "id": k + 1, "image_id": int(of_image[k]), "category_id": 1, "iscrowd": 0,
            "bbox": [*corner[k].tolist(), *size[k].tolist()], "area": float(size[k].prod() * 0.53),
            "num_keypoints": int((points[k, :, 2] > 0).sum()), "keypoints": points[k].ravel().tolist(),
        }
        for k in range(people)
    ]  # fmt: skip
    pictures = [{"id": i, "file_name": f"{i}.jpg", "width": 640, "height": 640} for i in range(images)]
    truth = folder / "people.json"
    truth.write_text(
        json.dumps({"images": pictures, "annotations": annotations, "categories": [category_25()]})
    )
    near = rng.integers(0, people, detections)
    found = points[near]
    found[..., :2] += rng.normal(size=(detections, 25, 2)) * rng.uniform(0, 0.1, (detections, 1, 1)) * 100
    found[..., 2] = rng.random((detections, 25)) * (points[near][..., 2] > 0)
    found = found.round(3)
    score = rng.random(detections).round(4)
    entries = [
        {
            "image_id": int(of_image[near[k]]),
            "category_id": 1,
            "keypoints": found[k].ravel().tolist(),
            "score": score[k],
        }
        for k in range(detections)
    ]
    results = folder / "found.json"
    results.write_text(json.dumps(entries))
    return truth, results


def ours(truth: Path, results: Path) -> list[float]:
    start = time.process_time()
    annotations = read_ldpose(truth)
    detections = read_detections(results, annotations)
    read = time.process_time()
    evaluation = compare(annotations, detections)
    scores = [evaluation.scores("coco").AP, evaluation.scores("symmetric").AP]
    done = time.process_time()
    print(f"  ours: reading {read - start:.2f} s, both metrics {done - read:.2f} s (CPU)")
    return scores


def library(name: str) -> Callable[[Path, Path], list[float]]:
    def run(truth: Path, results: Path) -> list[float]:
        with contextlib.redirect_stdout(io.StringIO()):
            if name == "pycocotools":
                from pycocotools.coco import COCO
                from pycocotools.cocoeval import COCOeval as Eval

                coco = COCO(str(truth))
                evaluation = Eval(coco, coco.loadRes(str(results)), "keypoints")
                evaluation.params.kpt_oks_sigmas = SIGMAS
            else:
                from faster_coco_eval import COCO as FastCoco
                from faster_coco_eval import COCOeval_faster

                coco = FastCoco(str(truth))
                found = coco.loadRes(str(results))
                evaluation = COCOeval_faster(coco, found, "keypoints", kpt_oks_sigmas=SIGMAS.tolist())
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
        return [float(evaluation.stats[0])]

    return run


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--people", type=int, default=11_000)
    parser.add_argument("--detections", type=int, default=100_000)
    parser.add_argument("--skip", nargs="*", default=[], help="pycocotools faster-coco-eval")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tiny = Path(folder) / "tiny"
        tiny.mkdir()
        ours(*write_files(tiny, 2, 4, 8))  # compiles
        files = write_files(Path(folder), options.images, options.people, options.detections)
        reference = None
        for name in ("ours", "faster-coco-eval", "pycocotools"):
            if name in options.skip:
                continue
            start, cpu = time.perf_counter(), time.process_time()
            scores = (ours if name == "ours" else library(name))(*files)
            took, cpu = time.perf_counter() - start, time.process_time() - cpu
            reference = reference or cpu
            aps = " / ".join(f"{score:.4f}" for score in scores)
            print(
                f"{name:>17}: {took:6.2f} s, of it CPU {cpu:6.2f} s ({cpu / reference:.2f} x ours), AP {aps}"
            )


if __name__ == "__main__":
    main()
