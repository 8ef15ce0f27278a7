"""Invented reports of `ajahr evaluate hmr` of a reproduction, in which every number is met unless changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ajahr.evaluation.reproduction.recipe import MODELS, Recipe

_MET: dict[str, dict[str, float]] = {
    "ajahr": {"f1": 0.95, "hallucinated": 0.05, "false": 0.01, "false_occluded": 0.02},
    "ajahr_image": {"f1": 0.6, "hallucinated": 0.4, "false": 0.1, "false_occluded": 0.2},
}
_ERRORS = {
    "ajahr": {"pa_mpjpe_mm": 70.0, "mpjpe_mm": 90.0, "mve_mm": 100.0},
    "hmr2": {"pa_mpjpe_mm": 90.0, "mpjpe_mm": 120.0, "mve_mm": 130.0},
}


def report(
    model: str,
    seed: int,
    dataset: str,
    labels: str,
    keypoints: str,
    changes: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """One entry of hmr.json's results."""
    values = {
        "f1": 0.0, "hallucinated": 1.0, "false": 0.0, "false_occluded": 0.0,
        **_MET.get(model, _MET["ajahr"] if MODELS.get(model) and MODELS[model].bpac else {}),
        **_ERRORS["ajahr" if model.startswith("ajahr") else "hmr2"], **(changes or {}),
    }  # fmt: skip
    better = 0.02 if keypoints == "truth" and values["f1"] else 0.0
    errors = {}
    for metric in ("mve_mm", "mpjpe_mm", "pa_mpjpe_mm"):
        value = values[metric] + seed
        groups = {"all": value - 10, "amputated": value, "intact": value - 20}
        errors[metric] = {
            "value": value,
            "by_level": {k: {"value": v, "people": 9} for k, v in groups.items()},
        }
    counts = {
        limb: [[50, 1, 0, 0], [0, 9, 0, 0], [1, 0, 8, 0], [0, 0, 0, 7]]
        for limb in ("left_arm", "right_arm", "left_leg", "right_leg")
    }
    return {
        "model": model,
        "dataset": dataset,
        "protocol": {"labels": labels, "keypoints": keypoints},
        "not_finite": [],
        "errors": errors,
        "limb_status": {
            "counts": counts,
            "amputation": {"f1": values["f1"] + better},
            "hallucinated_limb_rate": values["hallucinated"],
            "missed_amputation_rate": values["hallucinated"],
            "false_amputation_rate": values["false_occluded" if dataset == "occluded" else "false"],
            "calibration_error": None if values["hallucinated"] == 1 else 0.02,
        },
    }


def write_reports(
    output: Path, recipe: Recipe, changes: Mapping[str, Mapping[str, float]] | None = None
) -> None:
    """One hmr.json a seed."""
    for seed in recipe.seeds:
        results = [
            report(model, seed, dataset, labels, keypoints, (changes or {}).get(model))
            for model in recipe.models
            for dataset in ("test", "occluded")
            for labels in ("truth", "predicted")
            for keypoints in ("truth", "detector")
        ]
        folder = output / f"seed_{seed}" / "evaluation"
        folder.mkdir(parents=True)
        (folder / "hmr.json").write_text(json.dumps({"results": results, "paired": []}))
