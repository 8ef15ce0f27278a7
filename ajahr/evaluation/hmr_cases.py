"""The worst and the best people of a result, drawn: the crop, the predicted body over it, and from the side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import UInt8

from ajahr.anatomy import LIMBS, class_name
from ajahr.data.hmr.collate import to_batch
from ajahr.data.hmr.dataset import CropConfig, HmrDataset
from ajahr.evaluation.benchmarks import Dataset
from ajahr.evaluation.measured import Measured
from ajahr.evaluation.run import NOISE, shown_keypoints
from ajahr.models.regressor import Regressor
from ajahr.training.hmr_pictures import PredictionPainter, crop_picture

_RANKED_BY = ("mve_mm", "mpjpe_mm")


@dataclass(frozen=True, eq=False)
class Case:
    """One person."""

    kind: str
    """worst or best."""
    caption: str
    picture: UInt8[np.ndarray, "height width rgb=3"]


def ranked(measured: Measured) -> tuple[str, list[int]]:
    """The metric people are ranked by, and their rows from best to worst; only those with a finite error."""
    metric = next((one for one in _RANKED_BY if one in measured.errors), "")
    if not metric:
        return "", []
    values = np.where(measured.measured[metric], measured.errors[metric], np.nan)
    order = np.argsort(values, kind="stable")
    return metric, [int(i) for i in order if np.isfinite(values[i])]


@torch.no_grad()
def draw_cases(regressor: Regressor, dataset: Dataset, measured: Measured, count: int) -> list[Case]:
    """``count`` worst and ``count`` best, fewer where there are not so many; the model looks at them again.

    Args:
        regressor: The measured one, in evaluation mode.
        dataset: The measured one.
    """
    metric, order = ranked(measured)
    count = min(count, len(order) // 2 or len(order))
    chosen = [("worst", i) for i in order[::-1][:count]] + [("best", i) for i in order[:count]]
    if not chosen:
        return []
    people = HmrDataset(dataset.tables, CropConfig(None), skip_broken=False)
    rows = [row for _, row in chosen]
    batch = to_batch([people[row] for row in rows], NOISE[measured.protocol.keypoints])
    batch = batch.to(regressor.mean_pose.device)
    removal = batch.limb_levels if measured.protocol.labels == "truth" else None
    output = regressor(batch.image, shown_keypoints(regressor, batch), removal=removal)
    painter = PredictionPainter(regressor.body)
    cases = []
    for i, (kind, row) in enumerate(chosen):
        crop = crop_picture(batch.image[i])
        vertices, place = output.vertices[i].cpu().numpy(), output.crop_translation[i].cpu().numpy()
        panels = [crop, painter.over(crop, vertices, place), painter.aside(vertices, place)]
        error = f"{metric.removesuffix('_mm').upper()} {measured.errors[metric][row]:.0f} mm"
        caption = f"{measured.keys[row]}: {error}; label {_levels(measured.limb_levels[row])}"
        if measured.probabilities is not None:
            caption += f", said {_levels(measured.said_levels[row])}"
        cases.append(Case(kind, caption, np.concatenate(panels, 1)))
    return cases


def _levels(levels: Sequence[int] | np.ndarray) -> str:
    if min(levels) < 0:
        return "unknown"
    lost = [class_name(limb, int(levels[limb])).replace("_", " ") for limb in LIMBS if levels[limb]]
    return " and ".join(lost) or "intact"
