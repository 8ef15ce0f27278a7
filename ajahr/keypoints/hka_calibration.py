"""From legs of known alignment to a model's `HkaCalibration`: no bias, and intervals that hold what they say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.optimize import minimize

from ajahr.errors import UserError
from ajahr.keypoints.calibration import HkaCalibration
from ajahr.keypoints.hka import Z95

MIN_LEGS = 40
_AIM = 0.97
"""Share of the legs it is fitted on that an interval is to hold: of people in other textures, before other backgrounds,
fewer are held (a model fitted at 95 % held 89 % of 720 others)."""
_LEAST_SLOPE = 0.25
"""Of what a model shows over what is there; one that shows less does not see the angle."""


@dataclass(frozen=True, eq=False)
class MeasuredLegs:
    """Angles as `measure_legs` gives them without a calibration, and the truth; degrees."""

    deviation: Float64[np.ndarray, " legs"]
    sd_points: Float64[np.ndarray, " legs"]
    sd_view: Float64[np.ndarray, " legs"]
    truth: Float64[np.ndarray, " legs"]

    def __len__(self) -> int:
        return len(self.truth)

    def calibrated(
        self, calibration: HkaCalibration
    ) -> tuple[Float64[np.ndarray, " legs"], Float64[np.ndarray, " legs"]]:
        """Deviations and their standard deviations."""
        spread = np.sqrt(
            (calibration.sd_scale * self.sd_points) ** 2 + calibration.sd_floor_deg**2 + self.sd_view**2
        )
        return calibration.slope * self.deviation + calibration.offset_deg, calibration.slope * spread

    def coverage(self, calibration: HkaCalibration) -> float:
        """Share of legs whose 95 % interval holds the truth."""
        value, sd = self.calibrated(calibration)
        return float((np.abs(value - self.truth) <= Z95 * sd).mean())


def fit_hka(legs: MeasuredLegs) -> HkaCalibration:
    """What removes the bias of legs that the model has not learned from, and makes 95 % intervals right.

    The slope is that of the shown angle over the true one, turned round: a model that draws every leg towards the
    straight one is stretched back, at the cost of wider intervals. Scale and floor of the spread are those of greatest
    likelihood, the floor at most half the error where maps show any spread, so that the interval follows the maps;
    then both are widened or narrowed together until the share is `_AIM`.

    Raises:
        UserError: too few legs, or angles that do not follow the true ones.
    """
    if len(legs) < MIN_LEGS:
        raise UserError(f"{len(legs)} legs are too few to calibrate by; give at least {MIN_LEGS}")
    shown, intercept = np.polyfit(legs.truth, legs.deviation, 1)
    if not shown >= _LEAST_SLOPE:
        raise UserError(
            f"the angles of this model hardly follow the true ones (slope {shown:.2f}); train it further, or show it "
            "legs in more pixels"
        )
    slope, offset = 1 / float(shown), -float(intercept / shown)
    residual = (legs.deviation - intercept) / shown - legs.truth
    squared = (residual / slope) ** 2

    def loss(x: np.ndarray) -> float:
        variance = np.exp(2 * x[0]) * legs.sd_points**2 + np.exp(2 * x[1]) + legs.sd_view**2
        return float((np.log(variance) + squared / variance).mean())

    half = float(np.log(max(float(np.sqrt(squared.mean())) / 2, 1e-3)))
    seen = float(np.median(legs.sd_points)) > 0
    bounds = [(-7.0, 4.0), (-7.0, half if seen else 4.0)]
    found = minimize(
        loss, np.array([0.0, half]), method="Nelder-Mead", bounds=bounds, options={"maxiter": 400}
    )
    scale, floor = (float(v) for v in np.exp(found.x))
    low, high = 0.05, 20.0
    for _ in range(50):  # the share rises with the factor
        factor = (low * high) ** 0.5
        share = legs.coverage(HkaCalibration(slope, offset, factor * scale, factor * floor))
        low, high = (factor, high) if share < _AIM else (low, factor)
    return HkaCalibration(slope, offset, high * scale, high * floor)
