"""Plots of a reproduction: errors, limb status, curves, confusion matrices."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ajahr.data.files import make_folder
from ajahr.errors import UserError
from ajahr.evaluation.confusion_picture import draw_confusion
from ajahr.evaluation.limb_status import Confusion
from ajahr.evaluation.reproduction.recipe import IMAGE_ONLY, MODELS, OURS, Recipe
from ajahr.evaluation.reproduction.run_files import versions
from ajahr.evaluation.reproduction.summary import (
    KEYPOINTS,
    MAX_FALSE,
    METRICS,
    MIN_F1,
    Found,
    Value,
)
from ajahr.training.curves import read_metrics

COLOURS = ("#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#a463f2", "#9c6b4e", "#3ca951")
_COLOUR_OF = dict(zip(MODELS, COLOURS, strict=True))
"""The same in every panel of every picture."""
_CURVES = {
    "val/pa_mpjpe_mm": "PA-MPJPE on validation people (mm)",
    "val/mve_mm": "MVE on validation people (mm)",
    "val/limb_f1": "F1 on amputation",
}


def draw_all(recipe: Recipe, output: Path, found: Found, folder: Path) -> list[Path]:
    """Every plot there are numbers for, into ``folder``; curves from the runs in ``output``."""
    make_folder(folder)
    made = []
    if found.seeds:
        made += [draw_errors(found, folder / "errors.png"), draw_status(found, folder / "limb_status.png")]
        for model in (OURS, IMAGE_ONLY):
            counts = found.counts(model, "detector") if model in found.models else None
            if counts is not None:
                title = f"{MODELS[model].about}, test set, {len(found.seeds)} seeds added up"
                confusion = Confusion(np.array(counts, np.int64))
                made.append(draw_confusion(confusion, folder / f"confusion_{model}.png", title))
    curves = draw_curves(recipe, output, folder / "curves.png")
    return [*made, *([curves] if curves else [])]


def draw_errors(found: Found, picture: Path) -> Path:
    """MVE, MPJPE and PA-MPJPE of amputees, by the true labels and by the model's own."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    panels = zip(figure.subplots(1, 2, sharey=True), ("truth", "predicted"), strict=True)
    for axes, labels in panels:
        values = {
            model: [found.error(model, metric, labels=labels) for metric in METRICS] for model in found.models
        }
        _bars(axes, list(METRICS.values()), values, digits=0)
        axes.set_title(f"amputees, {'true' if labels == 'truth' else 'own'} labels remove parts", fontsize=10)
    figure.axes[0].set_ylabel("mm, mean and standard deviation over seeds")
    _legend(figure, figure.axes[0])
    return _save(figure, picture)


def draw_status(found: Found, picture: Path) -> Path:
    """F1 by what BPAC-Net sees, hallucinated limbs, false amputations."""
    figure = Figure(figsize=(13, 4.2), layout="constrained")
    first, second, third = figure.subplots(1, 3)
    telling = [model for model in found.models if MODELS[model].bpac]
    values = {
        model: [found.status(model, "f1", keypoints=kind) for kind in KEYPOINTS]
        for model in telling
    }  # fmt: skip
    _bars(first, [f"{words} keypoints" for words in KEYPOINTS.values()], values, digits=2)
    first.axhline(MIN_F1, color="#1c1e22", linestyle=":", linewidth=1)
    first.set_title("F1 on amputation, test set", fontsize=10)
    first.set_ylim(0, 1.05)
    _bars(second, [""], {m: [found.status(m, "hallucinated_limb_rate")] for m in found.models}, digits=2)
    second.set_title("hallucinated limbs, share of amputated ones", fontsize=10)
    rates = {
        m: [
            found.status(m, "false_amputation_rate"),
            found.status(m, "false_amputation_rate", dataset="occluded"),
        ]
        for m in telling
    }
    _bars(third, ["test set", "occluded intact people"], rates, digits=3)
    third.axhline(MAX_FALSE, color="#1c1e22", linestyle=":", linewidth=1)
    third.set_title("false amputations, share of intact limbs", fontsize=10)
    _legend(figure, second)
    return _save(figure, picture)


def draw_curves(recipe: Recipe, output: Path, picture: Path) -> Path | None:
    """Validation figures against steps: a thin line a seed, a thick one their mean. None while there are none."""
    figure = Figure(figsize=(14, 4.0), layout="constrained")
    drawn = False
    for axes, (column, title) in zip(figure.subplots(1, len(_CURVES)), _CURVES.items(), strict=True):
        for model in recipe.models:
            if column == "val/limb_f1" and not MODELS[model].bpac:
                continue
            lines = [line for seed in recipe.seeds if (line := _curve(output, model, seed, column))]
            drawn = drawn or bool(lines)
            colour = _COLOUR_OF[model]
            for line in lines:
                axes.plot(list(line), list(line.values()), color=colour, linewidth=0.7, alpha=0.6)
            shared = sorted(set.intersection(*(set(line) for line in lines))) if lines else []
            if shared:
                mean = [sum(line[step] for line in lines) / len(lines) for step in shared]
                axes.plot(shared, mean, color=colour, linewidth=2, label=MODELS[model].about)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
    if not drawn:
        return None
    _legend(figure, figure.axes[0])
    return _save(figure, picture)


def _curve(output: Path, model: str, seed: int, column: str) -> dict[float, float]:
    """Of all runs of one training: a resumed one goes on in another folder."""
    found: dict[float, float] = {}
    for version in reversed(versions(output / f"seed_{seed}" / model)):
        try:
            series = read_metrics(version / "metrics.csv")
        except UserError:
            continue
        if column in series:
            found |= dict(zip(*series[column], strict=True))
    return dict(sorted(found.items()))


def _bars(axes: Axes, groups: Sequence[str], values: Mapping[str, Sequence[Value]], *, digits: int) -> None:
    width = 0.8 / max(len(values), 1)
    for number, (model, row) in enumerate(values.items()):
        place = [group + (number - (len(values) - 1) / 2) * width for group in range(len(groups))]
        means = [0.0 if math.isnan(one.mean) else one.mean for one in row]
        spread = [0.0 if math.isnan(one.sd) else one.sd for one in row]
        axes.bar(place, means, width * 0.92, yerr=spread if any(spread) else None, color=_COLOUR_OF[model],
                 label=MODELS[model].about, error_kw={"linewidth": 1})  # fmt: skip
        for x, one, sd in zip(place, row, spread, strict=True):
            if one.known:
                axes.annotate(f"{one.mean:.{digits}f}", (x, one.mean + sd), textcoords="offset points",
                              xytext=(0, 2), ha="center", fontsize=7)  # fmt: skip
    axes.set_xticks(range(len(groups)), groups)
    axes.spines[["top", "right"]].set_visible(False)


def _legend(figure: Figure, axes: Axes) -> None:
    """Below the panels, where it covers no bar."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(
            handles, labels, loc="outside lower center", ncols=len(handles), fontsize=8, frameon=False
        )


def _save(figure: Figure, picture: Path) -> Path:
    figure.savefig(picture, dpi=110)
    return picture
