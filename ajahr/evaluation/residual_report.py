"""Tables of residual-limb results: ResiHMR's columns with its published rows, and what generated data know besides."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ajahr.evaluation.residual_measured import METRICS, ResidualMeasured
from ajahr.evaluation.tables import Section, json_text, markdown, write_texts

PUBLISHED: dict[str, tuple[float, float, float, float]] = {
    "TokenHMR": (34.79, 102.34, 31.73, 0.717),
    "CameraHMR": (29.26, 78.13, 25.56, 0.752),
    "PromptHMR": (51.07, 102.48, 46.88, 0.751),
    "HSMR": (28.27, 73.61, 24.56, 0.705),
    "SMPLify-X": (47.67, 129.59, 41.32, 0.662),
    "ResiHMR (SMPLify-X)": (41.77, 98.36, 37.40, 0.703),
    "ResiHMR (HSMR)": (24.75, 23.19, 24.87, 0.741),
}
"""ResiHMR's table on LDPose-LimbLoss: Body, Res-Limb, Intact (px), mIoU. Methods without ends have the midpoint."""
COLUMNS_2D = ("body_px", "res_limb_px", "intact_px", "miou")
COLUMNS_3D = ("lambda", "coverage_95", "end_mm", "length_mm", "volume_ml", "volume_share")
NOTE_2D = (
    "Mean and 95 % bootstrap interval, pictures drawn whole. Published rows are of LDPose-LimbLoss's 255 pictures and "
    "compare with ours on that set only; the paper's text counts 25 body points where its annotation has 17."
)
NOTE_3D = "Of generated people. Lengths and volumes are of the model's own body: no stature is given."
NOTE_PAIRED = "The method minus the midpoint proxy on the same points: below zero is better, but for mIoU."
NOTE_LEFT = "What became of the fits to the detected ends."


def sections(results: Sequence[ResidualMeasured]) -> list[Section]:
    """Every table that has a row."""
    generated = [r for r in results if any(math.isfinite(r.interval(m).value) for m in COLUMNS_3D)]
    made = [
        Section("Points and silhouettes", _heading(COLUMNS_2D), _rows(results, COLUMNS_2D, True), 3, NOTE_2D),
        Section("Lengths and ends", _heading(COLUMNS_3D), _rows(generated, COLUMNS_3D, False), 3, NOTE_3D),
        Section("Against the midpoint proxy", *_paired(results), 3, NOTE_PAIRED),
        Section("Fits", *_fits(results), 3, NOTE_LEFT),
    ]
    return [section for section in made if section.rows]


def _heading(columns: Sequence[str]) -> list[str]:
    return ["model", "method", "set", *(f"{METRICS[c].title} ({METRICS[c].unit})" for c in columns)]


def _digits(metric: str, value: float) -> str:
    if not math.isfinite(value):
        return "-"
    return f"{value:.1f}" if METRICS[metric].unit in ("px", "mm", "ml") else f"{value:.3f}"


def _rows(results: Sequence[ResidualMeasured], columns: Sequence[str], published: bool) -> list[list[str]]:
    rows = []
    for result in results:
        cells = []
        for metric in columns:
            found = result.interval(metric)
            text = _digits(metric, found.value)
            if math.isfinite(found.low) and math.isfinite(found.high):
                text += f" [{_digits(metric, found.low)}, {_digits(metric, found.high)}]"
            cells.append(text)
        rows.append([result.model, result.method, result.dataset, *cells])
    if published and rows:
        for name, values in PUBLISHED.items():
            rows.append(
                [
                    name,
                    "paper",
                    "LDPose-LimbLoss",
                    *(_digits(c, v) for c, v in zip(columns, values, strict=True)),
                ]
            )
    return rows


def _paired(results: Sequence[ResidualMeasured]) -> tuple[list[str], list[list[str]]]:
    columns = ("res_limb_px", "intact_px", "miou", "end_mm", "length_mm")
    rows = []
    for result in results:
        base = next((r for r in results if _same(r, result) and r.method == "midpoint"), None)
        if base is None or result is base:
            continue
        cells = []
        for metric in columns:
            found = base.against(result, metric)
            low, high = (_digits(metric, value) for value in (found.difference.low, found.difference.high))
            cells.append(f"{_digits(metric, found.difference.value)} [{low}, {high}]")
        ratios = [
            _ratio(base.interval(m).value, result.interval(m).value)
            for m in ("res_limb_px", "end_mm", "length_mm")
        ]
        rows.append([result.model, result.method, result.dataset, *cells, *ratios])
    titles = [f"{METRICS[c].title} ({METRICS[c].unit})" for c in columns]
    return ["model", "method", "set", *titles, "times smaller: Res-Limb", "end", "length"], rows


def _same(a: ResidualMeasured, b: ResidualMeasured) -> bool:
    return (a.model, a.dataset, a.protocol) == (b.model, b.dataset, b.protocol)


def _ratio(base: float, value: float) -> str:
    return f"{base / value:.2f}" if math.isfinite(base) and value > 0 else "-"


def _fits(results: Sequence[ResidualMeasured]) -> tuple[list[str], list[list[str]]]:
    states = ("accepted", "low_confidence", "rejected", "absent")
    rows = []
    for result in results:
        status = result.status[result.status != ""]
        if len(status):
            counts = [str(int((status == one).sum())) for one in states]
            rows.append([result.model, result.method, result.dataset, *counts, str(len(result.cut_failures))])
    return ["model", "method", "set", *(one.replace("_", " ") for one in states), "surfaces not cut"], rows


def document(results: Sequence[ResidualMeasured], about: Mapping[str, Any]) -> dict[str, Any]:
    """Everything as plain values."""
    return {
        "about": dict(about),
        "published": {name: list(values) for name, values in PUBLISHED.items()},
        "results": [
            {
                "model": r.model,
                "method": r.method,
                "dataset": r.dataset,
                "protocol": r.protocol.describe(),
                "protocol_hash": r.protocol.digest,
                "people": len(r),
                "seconds": round(r.seconds, 2),
                "accepted_rate": r.accepted_rate,
                "cut_failures": r.cut_failures,
                "notes": list(r.notes),
                "metrics": {
                    name: {"unit": metric.unit, **vars(r.interval(name))} for name, metric in METRICS.items()
                },
            }
            for r in results
        ],
    }  # fmt: skip


def csv_text(results: Sequence[ResidualMeasured]) -> str:
    """A line per model, method, dataset and metric."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        [
            "model",
            "method",
            "dataset",
            "protocol",
            "metric",
            "unit",
            "value",
            "low",
            "high",
            "values",
            "pictures",
        ]
    )
    for r in results:
        for name, metric in METRICS.items():
            found = r.interval(name)
            if found.people:
                numbers = [f"{v:.6g}" for v in (found.value, found.low, found.high)]
                writer.writerow(
                    [
                        r.model,
                        r.method,
                        r.dataset,
                        r.protocol.digest,
                        name,
                        metric.unit,
                        *numbers,
                        found.people,
                        found.clusters,
                    ]
                )
    return out.getvalue()


def write_reports(
    results: Sequence[ResidualMeasured], folder: str | Path, about: Mapping[str, Any]
) -> list[Path]:
    """residual.md, residual.csv and residual.json, each whole or as it was.

    Raises:
        UserError: the folder cannot be written to.
    """
    protocols = {r.protocol.digest: r.protocol.describe() for r in results}
    told = "\n".join(f"Protocol {digest}: {text}." for digest, text in protocols.items())
    notes = "\n".join(f"- {r.dataset}: {note}" for r in results[:1] for note in r.notes)
    text = f"# Residual limbs\n\n{told}\n\n" + (f"{notes}\n\n" if notes else "") + markdown(sections(results))
    return write_texts(
        folder,
        {
            "residual.md": text,
            "residual.csv": csv_text(results),
            "residual.json": json_text(document(results, about)),
        },
    )
