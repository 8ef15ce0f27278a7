"""A keypoint model over the pictures of a COCO-format file, as a results file for ajahr evaluate keypoints.

    python scripts/keypoint_results.py --weights weights/keypoints25 --annotations data/ldpose/annotations/val.json
        --images data/ldpose/images --output out/results.json
    python scripts/keypoint_results.py ... --boxes COCO_val2017_detections_AP_H_56_person.json

In the annotated boxes (each result names its annotation), or in a detector's: a list of image_id, bbox (x, y, width,
height) and score. A person's score is the box's times the mean of the keypoint scores above 0.2, as mmpose has it.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ajahr.data.images import load_image
from ajahr.data.readers.ldpose import read_ldpose
from ajahr.data.readers.people import load_json
from ajahr.errors import UserError
from ajahr.keypoints.coco_files import detections_document, write_document
from ajahr.keypoints.predictor import KeypointPredictor
from ajahr.progress import Progress
from ajahr.training.keypoints_module import open_model


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--weights", type=Path, required=True, help="a keypoint model's folder, or a published one"
    )
    parser.add_argument("--annotations", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--boxes", type=Path, help="a detector's; the annotated ones if left out")
    parser.add_argument("--min_score", type=float, default=0.0, help="of a detector's boxes")
    parser.add_argument("--output", type=Path, default=Path("out/results.json"))
    parser.add_argument("--flip_test", type=lambda s: s == "true", default=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    truth = read_ldpose(options.annotations)
    truth.check_images(options.images)
    boxes: defaultdict[int, list[tuple[list[float], float, int | None]]] = defaultdict(list)
    if options.boxes is None:
        for row in np.flatnonzero(~truth.crowd & (truth.num_keypoints > 0)):
            boxes[int(truth.image[row])].append((truth.bbox_xywh[row].tolist(), 1.0, int(truth.ids[row])))
    else:
        rows = {int(image): row for row, image in enumerate(truth.image_ids)}
        for entry in load_json(options.boxes, "a list of image_id, bbox and score"):
            if entry["image_id"] in rows and entry["score"] >= options.min_score:
                boxes[rows[entry["image_id"]]].append((entry["bbox"], float(entry["score"]), None))
    model = open_model(options.weights)
    predictor = KeypointPredictor(model, device=options.device, flip_test=options.flip_test)
    results: list[dict[str, Any]] = []
    with Progress().bar("pictures", len(truth.file_names)) as tick:
        for image, name in enumerate(truth.file_names):
            entries = boxes.get(image, [])
            xywh = np.array([box for box, _, _ in entries], np.float64).reshape(-1, 4)
            pixels = load_image(options.images / name).pixels
            found = predictor(pixels, np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], 1))
            people = detections_document(found.points, found.scores, np.zeros(len(entries), np.int64))
            for person, (_, score, annotation) in zip(people, entries, strict=True):
                person["image_id"] = int(truth.image_ids[image])
                person["score"] *= score
                del person["annotation_id"]
                if annotation is not None:
                    person["annotation_id"] = annotation
                results.append(person)
            tick()
    print(write_document(results, options.output))


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
