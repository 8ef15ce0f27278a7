"""What a reproduction found: means over seeds, and the numbers it is held to, each met or not met.

Reads the hmr.json of every seed's evaluation, however many there are by now.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ajahr.errors import UserError
from ajahr.evaluation.reproduction.recipe import BASELINES, IMAGE_ONLY, MODELS, OURS, Recipe
from ajahr.evaluation.reproduction.run_files import evaluation_folder
from ajahr.evaluation.tables import Section

METRICS = {"mve_mm": "MVE", "mpjpe_mm": "MPJPE", "pa_mpjpe_mm": "PA-MPJPE"}
People = Literal["amputated", "intact", "all"]
KEYPOINTS = {"detector": "detector-like", "truth": "ground truth"}
MIN_F1, MAX_FALSE, MAX_HALLUCINATED = 0.90, 0.05, 0.25


@dataclass(frozen=True)
class Value:
    """One number of every seed that has it."""

    of_seeds: Mapping[int, float]

    @property
    def known(self) -> list[float]:
        return [v for v in self.of_seeds.values() if math.isfinite(v)]

    @property
    def mean(self) -> float:
        return statistics.fmean(self.known) if self.known else math.nan

    @property
    def sd(self) -> float:
        """Of a sample; NaN for fewer than two seeds."""
        return statistics.stdev(self.known) if len(self.known) > 1 else math.nan

    def text(self, digits: int) -> str:
        if not self.known:
            return "-"
        spread = "" if math.isnan(self.sd) else f" ± {self.sd:.{digits}f}"
        return f"{self.mean:.{digits}f}{spread}"


@dataclass(frozen=True)
class Found:
    """Results of the seeds that are evaluated."""

    models: Sequence[str]
    reports: Mapping[int, Sequence[Mapping[str, Any]]]
    """Seed to the results of its hmr.json."""
    paired: Mapping[int, Sequence[Mapping[str, Any]]] = field(default_factory=dict)

    @property
    def seeds(self) -> list[int]:
        return sorted(self.reports)

    def _result(
        self, seed: int, model: str, dataset: str, labels: str, keypoints: str
    ) -> Mapping[str, Any] | None:
        for one in self.reports[seed]:
            protocol = one["protocol"]
            if (one["model"], one["dataset"], protocol["labels"], protocol["keypoints"]) == (
                model, dataset, labels, keypoints,
            ):  # fmt: skip
                return one
        return None

    def error(
        self,
        model: str,
        metric: str,
        *,
        labels: str,
        people: People = "amputated",
        keypoints: str = "detector",
    ) -> Value:
        """mm on the test set."""
        values = {}
        for seed in self.seeds:
            one = self._result(seed, model, "test", labels, keypoints)
            group = {} if one is None else one["errors"].get(metric, {}).get("by_level", {}).get(people, {})
            values[seed] = _number(group.get("value"))
        return Value(values)

    def status(self, model: str, key: str, *, dataset: str = "test", keypoints: str = "detector") -> Value:
        """A rate of limb status; ``f1`` is that of a limb being amputated at all."""
        values = {}
        for seed in self.seeds:
            one = self._result(seed, model, dataset, "predicted", keypoints)
            status = (one or {}).get("limb_status") or {}
            values[seed] = _number(status.get("amputation", {}).get("f1") if key == "f1" else status.get(key))
        return Value(values)

    def counts(self, model: str, keypoints: str) -> list[list[list[int]]] | None:
        """Confusion matrices of the four heads on the test set, added up over seeds."""
        total: list[list[list[int]]] | None = None
        for seed in self.seeds:
            one = self._result(seed, model, "test", "predicted", keypoints)
            counts = ((one or {}).get("limb_status") or {}).get("counts")
            if counts is None:
                continue
            mine = [counts[limb] for limb in counts]
            total = mine if total is None else [
                [[a + b for a, b in zip(x, y, strict=True)] for x, y in zip(p, q, strict=True)]
                for p, q in zip(total, mine, strict=True)
            ]  # fmt: skip
        return total

    def not_finite(self) -> int:
        return sum(len(one["not_finite"]) for reports in self.reports.values() for one in reports)


def gather(recipe: Recipe, output: str | Path) -> Found:
    """What the seeds that are evaluated say.

    Raises:
        UserError: a report that cannot be read.
    """
    reports, paired = {}, {}
    for seed in recipe.seeds:
        path = evaluation_folder(Path(output), seed) / "hmr.json"
        try:
            document = json.loads(path.read_text())
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: cannot be read ({error}); delete it and evaluate again") from error
        reports[seed], paired[seed] = document["results"], document.get("paired", [])
    return Found(recipe.models, reports, paired)


# -------------------------------------------------------------------------------------------- criteria


@dataclass(frozen=True)
class Criterion:
    """A number the reproduction is held to."""

    text: str
    met: bool | None
    """None: not measured."""
    figures: str

    def line(self) -> str:
        said = "not measured" if self.met is None else "met" if self.met else "NOT met"
        return f"{said:>12}  {self.text}: {self.figures}"


def criteria(found: Found) -> list[Criterion]:
    """The issue's, in its order. Errors are of amputees of the test set, BPAC-Net sees detector-like keypoints."""
    made = []
    for labels, words in (("truth", "true labels remove parts"), ("predicted", "each model's own labels do")):
        for metric in ("pa_mpjpe_mm", "mve_mm"):
            for baseline in (name for name in BASELINES if name in found.models):
                made.append(_better(found, baseline, metric, labels, words))
    f1 = {words: found.status(OURS, "f1", keypoints=kind) for kind, words in KEYPOINTS.items()}
    f1["image only"] = found.status(IMAGE_ONLY, "f1")
    beside = ", ".join(f"{words} {value.text(3)}" for words, value in f1.items() if value.known)
    ours = f1["detector-like"]
    made.append(_held(ours, f"BPAC-Net's F1 on amputation at least {MIN_F1:.2f} with detector-like keypoints",
                      ours.mean >= MIN_F1, f"{beside} (the paper: 0.820 on A3D)"))  # fmt: skip
    false = found.status(OURS, "false_amputation_rate", dataset="occluded")
    made.append(_held(false, f"false amputations at most {MAX_FALSE:.0%} on occluded intact people",
                      false.mean <= MAX_FALSE, false.text(3)))  # fmt: skip
    rate = found.status(OURS, "hallucinated_limb_rate")
    theirs = {
        name: found.status(name, "hallucinated_limb_rate") for name in BASELINES if name in found.models
    }
    worst = min((v.mean for v in theirs.values() if v.known), default=math.nan)
    figures = f"{rate.text(3)} against " + ", ".join(
        f"{MODELS[n].about} {v.text(3)}" for n, v in theirs.items()
    )
    known = rate if not math.isnan(worst) else Value({})
    made.append(_held(known, "hallucinated limbs under a quarter of the baselines'",
                      rate.mean < MAX_HALLUCINATED * worst, figures))  # fmt: skip
    return made


def _better(found: Found, baseline: str, metric: str, labels: str, words: str) -> Criterion:
    ours, theirs = (found.error(name, metric, labels=labels) for name in (OURS, baseline))
    both = [s for s in found.seeds if math.isfinite(ours.of_seeds[s]) and math.isfinite(theirs.of_seeds[s])]
    wins = sum(ours.of_seeds[s] < theirs.of_seeds[s] for s in both)
    figures = f"{ours.text(1)} against {theirs.text(1)} mm, better in {wins} of {len(both)} seeds"
    text = f"{METRICS[metric]} below {MODELS[baseline].about} where {words}"
    return Criterion(text, ours.mean < theirs.mean if both else None, figures)


def _held(value: Value, text: str, met: bool, figures: str) -> Criterion:
    return Criterion(text, met if value.known else None, figures)


# ---------------------------------------------------------------------------------------------- tables


def sections(found: Found) -> list[Section]:
    """Errors, limb status and the criteria."""
    return [error_section(found), status_section(found), criteria_section(found)]


def error_section(found: Found) -> Section:
    """Errors of amputees by both ways to remove parts, and of intact people."""
    columns: list[tuple[str, People, str]] = [
        ("amputees, true labels", "amputated", "truth"),
        ("amputees, own labels", "amputated", "predicted"),
        ("intact, own labels", "intact", "predicted"),
    ]
    rows = [
        [MODELS[model].about,
         *(found.error(model, metric, labels=labels, people=people).text(1)
           for _, people, labels in columns for metric in METRICS)]
        for model in found.models
    ]  # fmt: skip
    heading = ["model", *(f"{name}: {METRICS[metric]}" for name, _, _ in columns for metric in METRICS)]
    note = (
        f"mm on the held-out test set, mean ± standard deviation over {_seeds(found)}; BPAC-Net sees "
        "detector-like keypoints. Whose labels remove parts of the predicted body: the true ones, or the model's."
    )
    return Section("Errors of bodies", heading, rows, 1, note)


def status_section(found: Found) -> Section:
    rows = []
    for model in found.models:
        for kind, words in KEYPOINTS.items() if MODELS[model].bpac else [("detector", "none")]:
            if model == IMAGE_ONLY and kind == "truth":
                continue
            seen = "image only" if model == IMAGE_ONLY else words
            cells = [
                found.status(model, "f1", keypoints=kind),
                found.status(model, "hallucinated_limb_rate", keypoints=kind),
                found.status(model, "false_amputation_rate", keypoints=kind),
                found.status(model, "false_amputation_rate", dataset="occluded", keypoints=kind),
                found.status(model, "calibration_error", keypoints=kind),
            ]
            rows.append([MODELS[model].about, seen, *(cell.text(3) for cell in cells)])
    heading = ["model", "BPAC-Net sees", "F1 on amputation", "hallucinated limbs", "false amputations",
               "false amputations, occluded intact people", "calibration error"]  # fmt: skip
    note = "Shares of limbs. A model without BPAC-Net draws every limb."
    return Section("Limb status", heading, rows, 2, note)


def criteria_section(found: Found) -> Section:
    words = {True: "met", False: "not met", None: "not measured"}
    rows = [[one.text, words[one.met], one.figures] for one in criteria(found)]
    return Section("What it is held to", ["", "", "figures"], rows, 3)


def as_json(found: Found, about: Mapping[str, Any]) -> dict[str, Any]:
    """Every number with its seeds."""

    def value(one: Value) -> dict[str, Any]:
        return {"mean": one.mean, "sd": one.sd, "seeds": {str(k): v for k, v in one.of_seeds.items()}}

    groups: tuple[People, ...] = ("amputated", "intact", "all")
    keys = (
        "f1",
        "hallucinated_limb_rate",
        "missed_amputation_rate",
        "false_amputation_rate",
        "calibration_error",
    )
    models = {
        model: {
            "about": MODELS[model].about,
            "errors": {
                labels: {
                    people: {
                        metric: value(found.error(model, metric, labels=labels, people=people))
                        for metric in METRICS
                    }
                    for people in groups
                }
                for labels in ("truth", "predicted")
            },
            "limb_status": {
                kind: {
                    dataset: {
                        key: value(found.status(model, key, dataset=dataset, keypoints=kind)) for key in keys
                    }
                    for dataset in ("test", "occluded")
                }
                for kind in KEYPOINTS
            },
        }
        for model in found.models
    }
    held = [{"text": one.text, "met": one.met, "figures": one.figures} for one in criteria(found)]
    return {"about": dict(about), "seeds": found.seeds, "models": models, "criteria": held,
            "not_finite": found.not_finite(),
            "paired": {str(seed): list(pairs) for seed, pairs in found.paired.items()}}  # fmt: skip


def _seeds(found: Found) -> str:
    return f"{len(found.seeds)} seed{'' if len(found.seeds) == 1 else 's'}"


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan
