"""Tables of models on benchmarks, ours beside the paper's: for a terminal, as Markdown, CSV and JSON.

Every number stands beside the hash of its protocol; predictions that are not finite are counted and named.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ajahr.anatomy import LIMBS
from ajahr.evaluation.ablations import ablation_sections
from ajahr.evaluation.limb_status import Scores
from ajahr.evaluation.measured import Measured
from ajahr.evaluation.metrics import Mean
from ajahr.evaluation.published_hmr import ERRORS, LIMB_STATUS, METRICS
from ajahr.evaluation.run import comparable
from ajahr.evaluation.statistics import Interval, Paired
from ajahr.evaluation.tables import Section, json_text, markdown, write_texts

HEADINGS = {"mve_mm": "MVE", "mpjpe_mm": "MPJPE", "pa_mpjpe_mm": "PA-MPJPE"}
NAMED = 20
"""Keys of predictions that are not finite are listed up to here; all of them are in the JSON."""


def sections(results: Sequence[Measured]) -> list[Section]:
    """Every table that has a row."""
    made = [
        errors_section(results),
        *ablation_sections(results),
        pck_section(results),
        status_section(results),
        groups_section(results, "limb level", lambda m, metric: m.by_level(metric)),
        groups_section(results, "view", lambda m, metric: m.by(m.view, metric)),
        groups_section(results, "hidden limb keypoints", lambda m, metric: m.by(m.occlusion, metric)),
        groups_section(results, "body part", lambda m, metric: m.of_limbs(metric)),
        paired_section(results),
        protocol_section(results),
        invalid_section(results),
    ]
    return [one for one in made if one.rows]


def variant_name(measured: Measured) -> str:
    """What tells a variant of a protocol from the others, in few words."""
    protocol = measured.protocol
    words = [f"{protocol.labels} labels"] if protocol.metrics else []
    words += ["lost parts left out"] if protocol.removal == "left_out" else []
    words += ["detector-like keypoints"] if protocol.keypoints == "detector" else []
    return ", ".join(words) or "-"


def errors_section(results: Sequence[Measured]) -> Section:
    """The main table: errors with their intervals, then the paper's rows of the same benchmark and labels."""
    rows = []
    told: set[tuple[str, str]] = set()
    ordered = sorted(results, key=lambda m: [r.dataset for r in results].index(m.dataset))
    for (dataset, _), group in itertools.groupby(ordered, key=lambda m: (m.dataset, m.protocol.name)):
        members = [m for m in group if m.protocol.metrics]
        for m in members:
            cells = [_interval(m.intervals.get(metric)) for metric in METRICS]
            rows.append(
                [
                    dataset,
                    m.model,
                    variant_name(m),
                    m.protocol.digest,
                    *cells,
                    str(len(m)),
                    str(len(m.invalid)),
                ]
            )
        for m in members:
            if (dataset, m.protocol.labels) in told:
                continue
            told.add((dataset, m.protocol.labels))
            for name, published in ERRORS[m.protocol.labels].items():
                if m.protocol.name in published:
                    cells = [f"{value:.2f}" for value in published[m.protocol.name]]
                    rows.append([dataset, name, f"{m.protocol.labels} labels", "paper", *cells, "-", "-"])
    heading = [
        "dataset",
        "model",
        "removal",
        "protocol",
        *(HEADINGS[m] for m in METRICS),
        "people",
        "not finite",
    ]
    note = (
        "mm, with 95 % bootstrap intervals over sequences or pictures. The paper does not define removal or the "
        "joints of A3D and ITW-amputee: its rows are beside ours, not on the same scale to the digit."
    )
    return Section("Errors of bodies", heading, rows, 4, note)


def pck_section(results: Sequence[Measured]) -> Section:
    rows = [
        [m.dataset, m.model, m.protocol.digest, f"{at:g}", f"{found.mean:.4f}", str(found.labelled),
         str(len(found.invalid))]
        for m in results
        for at, found in m.pck.items()
    ]  # fmt: skip
    heading = ["dataset", "model", "protocol", "threshold", "PCK", "keypoints", "not finite"]
    return Section("Projected keypoints", heading, rows, 3)


def status_section(results: Sequence[Measured]) -> Section:
    """Limb status, once per model, dataset and kind of keypoints; the paper's Table 5 below."""
    rows, seen = [], set()
    for m in results:
        kind = (m.dataset, m.model, m.protocol.keypoints)
        if kind in seen or not m.confusion.limbs:
            continue
        seen.add(kind)
        c = m.confusion
        error = "-" if m.calibration is None else _share(m.calibration.error)
        name = m.model if m.probabilities is not None else f"{m.model} (no BPAC-Net)"
        rates = (c.hallucinated_limb_rate, c.missed_amputation_rate, c.false_amputation_rate)
        rows.append(
            [m.dataset, name, m.protocol.keypoints, *_scores(c.amputation), *_scores(c.macro)[1:],
             *map(_share, rates), error]
        )  # fmt: skip
    for name, values in LIMB_STATUS.items():
        for dataset in dict.fromkeys(m.dataset for m in results if m.protocol.name == name):
            rows.append([dataset, "AJAHR (Table 5)", "-", *(f"{v:.3f}" for v in values), *["-"] * 7])
    heading = ["dataset", "model", "keypoints", "accuracy", "precision", "recall", "F1", "macro precision",
               "macro recall", "macro F1", "hallucinated limbs", "missed amputations", "false amputations",
               "calibration error"]  # fmt: skip
    note = "Accuracy to F1: is this limb amputated at all. Macro: over every level of every limb."
    return Section("Limb status", heading, rows, 3, note)


def groups_section(results: Sequence[Measured], what: str, means: Any) -> Section:
    """Errors by something; MVE where there is one, else MPJPE, and PA-MPJPE."""
    rows = []
    for m in results:
        chosen = [metric for metric in METRICS if metric in m.errors]
        by_metric: dict[str, Mapping[str, Mean]] = {metric: means(m, metric) for metric in chosen}
        groups = list(by_metric[chosen[0]]) if chosen else []
        if groups == ["unknown"]:
            continue
        for group in groups:
            found = [by_metric[metric][group] if metric in by_metric else None for metric in METRICS]
            people = max(one.people for one in found if one is not None)
            label = group.replace("_", " ")
            rows.append([m.dataset, m.model, variant_name(m), label, *map(_mean, found), str(people)])
    heading = ["dataset", "model", "removal", what, *(HEADINGS[m] for m in METRICS), "people"]
    return Section(f"Error by {what}", heading, rows, 4)


def pairs(results: Sequence[Measured]) -> list[tuple[Measured, Measured]]:
    """Every two models on the same people by the same protocol, in the order they were given."""
    return [(a, b) for a, b in itertools.combinations(results, 2) if a.model != b.model and comparable(a, b)]


def paired_section(results: Sequence[Measured]) -> Section:
    rows = []
    for a, b in pairs(results):
        for metric, found in a.against(b).items():
            rows.append(
                [a.dataset, f"{b.model} - {a.model}", variant_name(a), HEADINGS[metric],
                 _interval(found.difference), _p(found), _share(found.better), str(found.difference.people),
                 str(found.left_out)]
            )  # fmt: skip
    heading = ["dataset", "models", "removal", "error", "difference", "p", "people better", "people",
               "by one model only"]  # fmt: skip
    note = "On the same people, bootstrap of the differences; below zero the first model is the better one."
    return Section("Paired comparison", heading, rows, 4, note)


def protocol_section(results: Sequence[Measured]) -> Section:
    protocols = {m.protocol.digest: m for m in results}
    rows = [[digest, m.protocol.title, m.protocol.describe()] for digest, m in protocols.items()]
    return Section("Protocols", ["protocol", "benchmark", "meaning"], rows, 3)


def invalid_section(results: Sequence[Measured]) -> Section:
    """Who is in no mean, by name."""
    rows, seen = [], set()
    for m in results:
        if m.invalid and (m.dataset, m.model, m.protocol.keypoints) not in seen:
            seen.add((m.dataset, m.model, m.protocol.keypoints))
            more = f" and {len(m.invalid) - NAMED} more" if len(m.invalid) > NAMED else ""
            rows.append([m.dataset, m.model, str(len(m.invalid)), ", ".join(m.invalid[:NAMED]) + more])
    for m in {m.dataset: m for m in results}.values():
        rows += [[m.dataset, "-", "-", note] for note in m.notes]
    return Section("Left out of the means", ["dataset", "model", "people", "who or why"], rows, 4)


# -------------------------------------------------------------------------------------------- formats


def shown(results: Sequence[Measured]) -> list[Section]:
    """What a terminal gets: without the breakdowns, which are in the files."""
    return [section for section in sections(results) if not section.title.startswith("Error by")]


def csv_text(results: Sequence[Measured]) -> str:
    """One line per model, protocol, metric and group, in full precision; everybody's has the interval."""
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n")
    write.writerow(
        ["dataset", "benchmark", "protocol", "labels", "removal", "keypoints", "model", "metric", "group", "value",
         "low", "high", "people", "not_finite"]
    )  # fmt: skip
    for m in results:
        p = m.protocol
        head = [m.dataset, p.name, p.digest, p.labels, p.removal, p.keypoints, m.model]
        for metric in m.errors:
            whole = m.intervals[metric]
            groups = {**m.by_level(metric)}
            groups |= {f"view:{k}": v for k, v in m.by(m.view, metric).items()}
            groups |= {f"hidden:{k}": v for k, v in m.by(m.occlusion, metric).items()}
            groups |= {f"part:{k}": v for k, v in m.of_limbs(metric).items()}
            for group, mean in groups.items():
                ends = (whole.low, whole.high) if group == "all" else ("", "")
                write.writerow([*head, metric, group, mean.value, *ends, mean.people, len(mean.invalid)])
        for at, found in m.pck.items():
            write.writerow([*head, f"pck@{at:g}", "all", found.mean, "", "", len(m), len(found.invalid)])
    return out.getvalue()


def as_json(results: Sequence[Measured], about: Mapping[str, Any] | None = None) -> str:
    """Everything but pictures; NaN is null."""
    document = {
        "about": dict(about or {}),
        "results": [_result(m) for m in results],
        "paired": [
            {"dataset": a.dataset, "protocol": a.protocol.digest, "a": a.model, "b": b.model,
             "b_minus_a": {metric: dataclasses.asdict(found) for metric, found in a.against(b).items()}}
            for a, b in pairs(results)
        ],
        "paper": {"errors_mm": ERRORS, "metrics": METRICS, "limb_status": LIMB_STATUS},
    }  # fmt: skip
    return json_text(document)


def write_reports(
    results: Sequence[Measured], folder: str | Path, about: Mapping[str, Any] | None = None
) -> list[Path]:
    """hmr.md, hmr.csv, hmr.json, each whole or as it was before.

    Raises:
        UserError: the folder cannot be written to.
    """
    return write_texts(
        folder,
        {
            "hmr.md": markdown(sections(results)),
            "hmr.csv": csv_text(results),
            "hmr.json": as_json(results, about),
        },
    )


def _result(m: Measured) -> dict[str, Any]:
    status = None
    if m.confusion.limbs:
        c = m.confusion
        status = {
            "counts": {limb.name.lower(): c.counts[limb].tolist() for limb in LIMBS},
            "amputation": dataclasses.asdict(c.amputation),
            "macro": dataclasses.asdict(c.macro),
            "weighted": dataclasses.asdict(c.weighted),
            "any_amputation": dataclasses.asdict(m.any_amputation),
            "hallucinated_limb_rate": c.hallucinated_limb_rate,
            "missed_amputation_rate": c.missed_amputation_rate,
            "false_amputation_rate": c.false_amputation_rate,
            "calibration_error": None if m.calibration is None else m.calibration.error,
        }
    return {
        "model": m.model,
        "dataset": m.dataset,
        "protocol": {**dataclasses.asdict(m.protocol), "digest": m.protocol.digest},
        "people": len(m),
        "people_per_second": m.people_per_second,
        "not_finite": m.invalid,
        "notes": m.notes,
        "errors": {
            metric: {
                **dataclasses.asdict(m.intervals[metric]),
                "by_level": {k: _short(v) for k, v in m.by_level(metric).items()},
                "by_view": {k: _short(v) for k, v in m.by(m.view, metric).items()},
                "by_hidden_keypoints": {k: _short(v) for k, v in m.by(m.occlusion, metric).items()},
                "by_part": {k: _short(v) for k, v in m.of_limbs(metric).items()},
            }
            for metric in m.errors
        },
        "pck": {f"{at:g}": dataclasses.asdict(found) for at, found in m.pck.items()},
        "limb_status": status,
    }


def _short(mean: Mean) -> dict[str, Any]:
    return {"value": mean.value, "people": mean.people, "not_finite": len(mean.invalid)}


def _interval(found: Interval | None) -> str:
    if found is None or not found.people:
        return "-"
    if math.isnan(found.low):
        return f"{found.value:.2f}"
    return f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]"


def _mean(mean: Mean | None) -> str:
    return "-" if mean is None or not mean.people else f"{mean.value:.2f}"


def _share(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def _scores(scores: Scores) -> list[str]:
    return [_share(v) for v in (scores.accuracy, scores.precision, scores.recall, scores.f1)]


def _p(found: Paired) -> str:
    return "-" if math.isnan(found.p_value) else f"{found.p_value:.4f}"
