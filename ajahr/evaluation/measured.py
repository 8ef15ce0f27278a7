"""What is known after a model has seen a dataset: a few numbers per person, and means of them on request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from ajahr.data.hmr.samples import BPAC_J44
from ajahr.evaluation.benchmarks import Dataset, has_body
from ajahr.evaluation.limb_status import Calibration, Confusion, Scores, any_amputation, calibration
from ajahr.evaluation.metrics import Mean, Pck, breakdown, mean_of
from ajahr.evaluation.protocols import Protocol
from ajahr.evaluation.statistics import Interval, Paired, interval, paired
from ajahr.geometry.rotations_np import rotvec_to_rotmat

UNKNOWN = "unknown"


@dataclass(frozen=True, eq=False)
class Measured:
    """One model on one dataset by one protocol; arrays are along the people."""

    model: str
    dataset: str
    protocol: Protocol
    keys: list[str]
    clusters: Int[np.ndarray, " people"]
    """Equal numbers are drawn together in a bootstrap."""
    limb_levels: Int[np.ndarray, "people limbs=4"]
    """True; -1 unknown."""
    said_levels: Int[np.ndarray, "people limbs=4"]
    """BPAC-Net's; a model without one says that everybody is intact."""
    probabilities: Float[np.ndarray, "people limbs=4 levels=4"] | None
    finite: Bool[np.ndarray, " people"]
    """Whose prediction has no NaN or infinity anywhere."""
    view: np.ndarray
    """Side of the person that the camera sees: front, side, back, unknown."""
    occlusion: np.ndarray
    """How many of the twelve limb keypoints are hidden."""
    errors: dict[str, np.ndarray]
    """Metric to mm; NaN where not finite or not measured."""
    measured: dict[str, np.ndarray]
    by_limb: dict[str, dict[str, np.ndarray]]
    pck: dict[float, Pck]
    seconds: float
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def invalid(self) -> list[str]:
        """Keys of people whose prediction is not finite. They are in no mean."""
        return [self.keys[i] for i in np.flatnonzero(~self.finite).tolist()]

    @property
    def people_per_second(self) -> float:
        return len(self) / max(self.seconds, 1e-9)

    def mean(self, metric: str) -> Mean:
        return mean_of(self.errors[metric], self.keys, self.measured[metric])

    @cached_property
    def intervals(self) -> dict[str, Interval]:
        """Mean and bootstrap interval of each metric."""
        return {
            metric: interval(np.where(self.measured[metric], values, np.nan), self.clusters)
            for metric, values in self.errors.items()
        }

    def by_level(self, metric: str) -> Mapping[str, Mean]:
        """Of all, intact, amputated people, of each limb lost, each level, each class."""
        return breakdown(self.errors[metric], self.limb_levels, self.keys, self.measured[metric])

    def by(self, which: np.ndarray, metric: str) -> dict[str, Mean]:
        """Of people of each value of `view` or `occlusion`."""
        found = {}
        for value in sorted(set(which.tolist()), key=_ORDER.index):
            mine = np.flatnonzero(which == value)
            keys = [self.keys[i] for i in mine.tolist()]
            found[value] = mean_of(self.errors[metric][mine], keys, self.measured[metric][mine])
        return found

    def of_limbs(self, metric: str) -> dict[str, Mean]:
        """Error of each limb's joints or vertices, over people who have some that count."""
        return {limb: mean_of(v, self.keys, np.isfinite(v)) for limb, v in self.by_limb[metric].items()}

    # ------------------------------------------------------------------------------- limb status

    @property
    def _told(self) -> np.ndarray:
        """True levels, unknown where the prediction is not finite."""
        return np.where(self.finite[:, None], self.limb_levels, -1)

    @cached_property
    def confusion(self) -> Confusion:
        return Confusion.of(self._told, self.said_levels)

    @property
    def any_amputation(self) -> Scores:
        return any_amputation(self._told, self.said_levels)

    @cached_property
    def calibration(self) -> Calibration | None:
        """None of a model that gives no probabilities."""
        if self.probabilities is None:
            return None
        return calibration(self.probabilities[self.finite], self.limb_levels[self.finite])

    # --------------------------------------------------------------------------------- two models

    def against(self, other: Measured) -> dict[str, Paired]:
        """``other`` minus this one, on the same people."""
        return {
            metric: paired(self.errors[metric], other.errors[metric], self.clusters, self.measured[metric])
            for metric in self.errors
        }


_ORDER = ["front", "side", "back", "none", "1 or 2", "3 to 5", "6 and more", UNKNOWN]


def views(dataset: Dataset) -> np.ndarray:
    """What the camera sees of each true body: within 45 degrees of front or back, or its side."""
    root = rotvec_to_rotmat(dataset.column("pose")[:, 0].astype(np.float64))
    across, away = root[:, 0, 2], root[:, 2, 2]  # where the body's +z, its front, points to
    angle = np.degrees(np.arctan2(np.abs(across), -away))
    names = np.select([angle < 45, angle > 135], ["front", "back"], "side").astype(object)
    names[~has_body(dataset)] = UNKNOWN
    return names


def occlusions(dataset: Dataset) -> np.ndarray:
    """How many limb keypoints a person has are known to be covered or outside the picture.

    Only generated data say so; elsewhere it is unknown.
    """
    there = dataset.column("keypoints_2d")[:, list(BPAC_J44), 2] > 0
    count = (dataset.column("hidden") & there).sum(1)
    names = np.select([count == 0, count <= 2, count <= 5], ["none", "1 or 2", "3 to 5"], "6 and more")
    if dataset.protocol.name != "shards":
        return np.full(len(dataset), UNKNOWN, object)
    return names.astype(object)
