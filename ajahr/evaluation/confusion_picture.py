"""Confusion matrices of the four heads as a picture, in the layout of AJAHR's Fig. 5."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ajahr.anatomy import LIMBS, NUM_LEVELS, level_name
from ajahr.evaluation.limb_status import Confusion


def draw_confusion(confusion: Confusion, picture: str | Path, title: str = "") -> Path:
    """A PNG: one matrix a head, rows true levels, columns predicted ones.

    Percentages are of the predicted label's column, as in Fig. 5; the count is below. An empty column is white.
    """
    shares = confusion.by_prediction()
    figure = Figure(figsize=(14.5, 4.0), layout="constrained")
    for limb, axes in zip(LIMBS, figure.subplots(1, len(LIMBS)), strict=True):
        names = [level_name(limb, level).replace("_", " ") for level in range(NUM_LEVELS)]
        axes.imshow(np.nan_to_num(shares[limb]), cmap="Blues", vmin=0, vmax=1)
        for true in range(NUM_LEVELS):
            for said in range(NUM_LEVELS):
                share, count = shares[limb, true, said], int(confusion.counts[limb, true, said])
                if np.isnan(share):
                    continue
                axes.text(said, true, f"{100 * share:.1f} %\n{count}", ha="center", va="center", fontsize=8,
                          color="white" if share > 0.55 else "#1c1e22")  # fmt: skip
        axes.set_xticks(range(NUM_LEVELS), names, fontsize=8)
        axes.set_yticks(range(NUM_LEVELS), names, fontsize=8)
        axes.set_xlabel("predicted")
        axes.set_title(limb.name.replace("_", " ").lower(), fontsize=10)
    figure.axes[0].set_ylabel("true")
    if title:
        figure.suptitle(title, fontsize=11)
    figure.savefig(picture, dpi=110)
    return Path(picture)
