"""What one model scored with one method, person by person, and the metrics it holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from ajahr.anatomy import COCO17, LDPOSE25
from ajahr.evaluation.residual_protocol import ResidualProtocol
from ajahr.evaluation.statistics import Interval, Paired, interval, paired
from ajahr.residual_limb.decide import Method


@dataclass(frozen=True, eq=False)
class ResidualMeasured:
    """One model with one method on one dataset. NaN: not labelled, or not finite."""

    model: str
    method: Method
    dataset: str
    protocol: ResidualProtocol
    keys: tuple[str, ...]
    clusters: Int[np.ndarray, " people"]
    points_px: Float[np.ndarray, "people 25"]
    """Error of each labelled point."""
    fraction: Float[np.ndarray, "people 8"]
    """Lambda, of labelled ends."""
    lambda_error: Float[np.ndarray, "people 8"]
    within_95: Float[np.ndarray, "people 8"]
    """1 where the true lambda is within the stated 95 %."""
    end_mm: Float[np.ndarray, "people 8"]
    length_mm: Float[np.ndarray, "people 8"]
    """Absolute error of the length that is left."""
    volume_ml: Float[np.ndarray, "people 8"]
    """Absolute error."""
    volume_share: Float[np.ndarray, "people 8"]
    """The same over the true volume."""
    iou: Float[np.ndarray, " people"]
    status: np.ndarray
    """(people, 8): what became of the fit, "" where none was asked for."""
    cut_failures: dict[str, str] = field(default_factory=dict)
    """Person to why the surface could not be cut; the posed body stands in."""
    seconds: float = 0.0
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.keys)

    def column(self, metric: str) -> tuple[Float[np.ndarray, " values"], Int[np.ndarray, " values"]]:
        """All values of a metric of `METRICS`, and which cluster each is of."""
        values = METRICS[metric].of(self)
        rows = np.broadcast_to(self.clusters[:, None], values.shape) if values.ndim == 2 else self.clusters
        return values.ravel(), np.ascontiguousarray(rows).ravel()

    def interval(self, metric: str) -> Interval:
        """Mean and 95 % bootstrap interval, pictures drawn whole."""
        return interval(*self.column(metric))

    def against(self, other: ResidualMeasured, metric: str) -> Paired:
        """``other`` minus this one, on the same points."""
        values, clusters = self.column(metric)
        return paired(values, other.column(metric)[0], clusters, np.ones(len(values), bool))

    @property
    def accepted_rate(self) -> float:
        """Of the labelled ends for which a fit was asked; NaN without any."""
        asked = np.asarray(self.status != "") & np.isfinite(self.fraction)
        return float((self.status[asked] == "accepted").mean()) if asked.any() else float("nan")


@dataclass(frozen=True)
class Metric:
    title: str
    unit: str
    of: Callable[[ResidualMeasured], np.ndarray]
    generated: bool = False
    """Only generated data know it."""


METRICS: dict[str, Metric] = {
    "body_px": Metric("Body", "px", lambda m: m.points_px),
    "res_limb_px": Metric("Res-Limb", "px", lambda m: m.points_px[:, list(LDPOSE25.residual)]),
    "intact_px": Metric("Intact", "px", lambda m: m.points_px[:, : len(COCO17)]),
    "miou": Metric("mIoU", "share", lambda m: m.iou),
    "lambda": Metric("lambda", "of the bone", lambda m: m.lambda_error, True),
    "coverage_95": Metric("within 95 %", "share", lambda m: m.within_95, True),
    "end_mm": Metric("end", "mm", lambda m: m.end_mm, True),
    "length_mm": Metric("length", "mm", lambda m: m.length_mm, True),
    "volume_ml": Metric("volume", "ml", lambda m: m.volume_ml, True),
    "volume_share": Metric("volume", "share of the true", lambda m: m.volume_share, True),
}
