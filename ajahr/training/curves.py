"""Curves of a run, drawn from the CSV file that Lightning's CSVLogger writes."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from ajahr.errors import UserError

Series = tuple[list[float], list[float]]
PANELS: Mapping[str, tuple[str, ...]] = {
    "training loss": ("train/total",),
    "error on held-out poses (mm)": (
        "val/mpjpe_mm", "val/pa_mpjpe_mm", "val/mve_mm", "val/mpjpe_mm_intact", "val/mpjpe_mm_amputee",
    ),
    "rotation error on held-out poses (degrees)": ("val/rotation_deg",),
    "limb status": (
        "val/limb_accuracy", "val/limb_f1", "val/hallucinated_limb_rate", "val/false_amputation_rate",
    ),
    "residual limbs (mm)": ("val/residual_length_mm", "val/residual_end_mm"),
    "residual limbs, error of lambda": ("val/residual_lambda_mae",),
    "perplexity of the codebook": ("train/perplexity", "val/perplexity"),
    "share of dead codes": ("train/dead_codes", "val/dead_codes"),
}  # fmt: skip


def read_metrics(path: str | Path) -> dict[str, Series]:
    """Steps and values of every column.

    Raises:
        UserError: no such file, or no metrics file.
    """
    try:
        with Path(path).open(newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); name a run's metrics.csv") from error
    if not rows or "step" not in rows[0]:
        raise UserError(f"{path}: no steps in it; name the metrics.csv of a run that logged something")
    series: dict[str, Series] = {}
    for row in rows:
        for name, text in row.items():
            if name not in ("step", "epoch") and text:
                steps, values = series.setdefault(name, ([], []))
                steps.append(float(row["step"]))
                values.append(float(text))
    return series


def draw_curves(
    metrics: str | Path, picture: str | Path, panels: Mapping[str, Sequence[str]] = PANELS
) -> Path:
    """A PNG with a panel for each group of columns that the file has.

    Args:
        metrics: CSVLogger's metrics.csv.
        panels: Title to columns; positive columns are drawn on a logarithmic axis.
    """
    series = read_metrics(metrics)
    shown = {title: [n for n in names if n in series] for title, names in panels.items()}
    shown = {title: names for title, names in shown.items() if names}
    if not shown:
        raise UserError(
            f"{metrics}: none of the columns to draw is in it; name the metrics.csv of a training run"
        )
    figure = Figure(figsize=(5 * len(shown), 3.6), layout="constrained")
    for axes, (title, names) in zip(
        figure.subplots(1, len(shown), squeeze=False)[0], shown.items(), strict=True
    ):
        for name in names:
            steps, values = series[name]
            axes.plot(steps, values, label=name, marker="." if len(steps) < 40 else None, linewidth=1.2)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("step")
        if min(min(series[name][1]) for name in names) > 0:
            axes.set_yscale("log")
        axes.grid(alpha=0.3, which="both")
        axes.legend(fontsize=7)
    figure.savefig(picture, dpi=110)
    return Path(picture)
