"""Keypoint annotation and result files as other people's tools write them, invented."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ajahr.anatomy import COCO17
from ajahr.data.ldpose import LIMB_POINTS
from ajahr.data.readers.ldpose import category_25

COCO_CATEGORY = {"id": 1, "name": "person", "keypoints": list(COCO17.names), "skeleton": []}


def people_document(
    rng: np.random.Generator, images: int = 12, most: int = 5, *, points: int = 25
) -> dict[str, Any]:
    """Pictures with up to ``most`` people of every kind: intact, lost limbs, unlabelled, crowds, tiny and large."""
    annotations = []
    for image in range(images):
        for _ in range(int(rng.integers(0, most + 1))):
            width, height = rng.uniform(15, 300, 2)
            x, y = rng.uniform(0, 640 - width), rng.uniform(0, 480 - min(height, 470))
            keypoints = np.zeros((25, 3))
            keypoints[:, 0] = x + width * rng.random(25)
            keypoints[:, 1] = y + min(height, 470) * rng.random(25)
            keypoints[:, 2] = np.where(rng.random(25) < 0.8, 2, 0)
            for limb in LIMB_POINTS:
                proximal, distal, above, below = limb
                kind = rng.integers(0, 4)
                gone = {
                    0: [above, below],
                    1: [above, below],
                    2: [proximal, distal, below],
                    3: [distal, above],
                }
                keypoints[gone[int(kind)], 2] = 0
            if rng.random() < 0.1:
                keypoints[:, 2] = 0
            keypoints = np.round(keypoints[:points] * (keypoints[:points, 2:] > 0), 1)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": 10 * image + 7,
                    "category_id": 1,
                    "bbox": [float(v) for v in np.round([x, y, width, min(height, 470)], 1)],
                    "area": float(np.round(width * height * 0.5, 2)),
                    "iscrowd": int(rng.random() < 0.1),
                    "num_keypoints": int((keypoints[:, 2] > 0).sum()),
                    "keypoints": keypoints.ravel().tolist(),
                }
            )
    pictures = [
        {"id": 10 * i + 7, "file_name": f"{i:012d}.jpg", "width": 640, "height": 480} for i in range(images)
    ]
    category = category_25() if points == 25 else COCO_CATEGORY
    return {"images": pictures, "annotations": annotations, "categories": [category]}


def results_document(
    rng: np.random.Generator, document: dict[str, Any], per_person: int = 3, strays: int = 30
) -> list[dict[str, Any]]:
    """Detections near the labelled people, some good, some bad, and some where nobody is."""
    found = []
    size = len(document["categories"][0]["keypoints"])
    for person in document["annotations"]:
        for _ in range(per_person):
            points = np.array(person["keypoints"], float).reshape(-1, 3)
            points[points[:, 2] == 0, :2] = person["bbox"][:2]
            points[:, :2] += rng.normal(size=(size, 2)) * np.sqrt(person["area"]) * rng.uniform(0.005, 0.15)
            points[:, 2] = np.clip(np.where(points[:, 2] > 0, 0.7, 0.1) + rng.normal(size=size) * 0.25, 0, 1)
            found.append((person["image_id"], points))
    ids = [image["id"] for image in document["images"]]
    for _ in range(strays):
        points = rng.random((size, 3)) * [640, 480, 1]
        found.append((int(rng.choice(ids)), points))
    return [
        {
            "image_id": image,
            "category_id": 1,
            "keypoints": np.round(points, 3).ravel().tolist(),
            "score": float(np.round(rng.random(), 2)),  # coarse, so that some are equal
        }
        for image, points in found
    ]


def write_json(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value))
    return path
