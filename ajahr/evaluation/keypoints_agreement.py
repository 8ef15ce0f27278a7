"""Agreement of two ways to measure the same angles: Bland-Altman, and its picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from ajahr.errors import UserError


@dataclass(frozen=True)
class Agreement:
    """Bland-Altman figures of ``ours - reference``, in the unit of both."""

    count: int
    bias: float
    sd: float
    """Of the differences, with n - 1."""
    lower: float
    upper: float
    """Limits of agreement: bias -+ 1.96 sd."""
    mean_absolute: float
    correlation: float
    """Pearson's; NaN where one of the two does not vary."""


def agreement(ours: Float[np.ndarray, " pairs"], reference: Float[np.ndarray, " pairs"]) -> Agreement:
    """UserError for fewer than two pairs."""
    if len(ours) < 2:
        raise UserError(
            f"{len(ours)} angles have a reference; give at least 2 rows whose image and leg were measured"
        )
    difference = np.asarray(ours - reference, np.float64)
    bias, sd = float(difference.mean()), float(difference.std(ddof=1))
    varies = np.ptp(ours) > 0 and np.ptp(reference) > 0
    correlation = float(np.corrcoef(ours, reference)[0, 1]) if varies else float("nan")
    limits = bias - 1.96 * sd, bias + 1.96 * sd
    return Agreement(len(difference), bias, sd, *limits, float(np.abs(difference).mean()), correlation)


def draw_bland_altman(
    ours: Float[np.ndarray, " pairs"],
    reference: Float[np.ndarray, " pairs"],
    path: str | Path,
    *,
    what: str = "hip-knee-ankle deviation (deg)",
) -> Agreement:
    """Difference over mean, with bias and limits of agreement, as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    found = agreement(ours, reference)
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.subplots()
    axes.axhspan(found.lower, found.upper, color="#3c82f5", alpha=0.08, linewidth=0)
    for value, name in ((found.bias, "bias"), (found.upper, "+1.96 sd"), (found.lower, "-1.96 sd")):
        style = "-" if name == "bias" else "--"
        axes.axhline(value, color="#3c82f5", linestyle=style, linewidth=1.2)
        axes.annotate(
            f"{name} {value:+.2f}", (1, value), xycoords=("axes fraction", "data"), xytext=(-4, 3),
            textcoords="offset points", ha="right", fontsize=8, color="#3c82f5",
        )  # fmt: skip
    axes.scatter((ours + reference) / 2, ours - reference, s=16, color="#e44155", alpha=0.8, linewidths=0)
    axes.set_xlabel(f"mean of both, {what}")
    axes.set_ylabel("measured - reference")
    axes.set_title(f"{found.count} legs, mean absolute difference {found.mean_absolute:.2f}", fontsize=10)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    FigureCanvasAgg(figure).print_png(str(path))
    return found
