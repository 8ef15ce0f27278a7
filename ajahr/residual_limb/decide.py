"""Where residual limbs end, by what is known of them: nothing, an image point, a regressor's head, or both.

    ends = decide("head+rafo", Known(joints, camera, head=lambdas, head_sd=sds, points=points))

``joint``      the distal joint, lambda 0: AJAHR, whose classes end at joints
``midpoint``   lambda 0.5: the proxy that ResiHMR's authors give methods without residual limbs
``rafo``       a fit to the image point (`ajahr.residual_limb.rafo`); where it is refused, as ``joint``
``head``       the regressor's
``head+rafo``  the fit, started from the head's lambda and held there by its uncertainty; refused: as ``head``

All eight segments of everybody are answered. Which of them a limb ends in, its level says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Float64

from ajahr.errors import UserError
from ajahr.geometry.cameras import Camera
from ajahr.residual_limb.rafo import Gates, Status, fit_residuals
from ajahr.residual_limb.segments import SEGMENTS

Method = Literal["joint", "midpoint", "rafo", "head", "head+rafo"]
METHODS: tuple[Method, ...] = ("joint", "midpoint", "rafo", "head", "head+rafo")
ANY_SD = 0.29
"""Standard deviation of a lambda of which nothing is known."""
_ANCHORS, _UPSTREAMS = [s.anchor for s in SEGMENTS], [s.upstream for s in SEGMENTS]


@dataclass(frozen=True, eq=False)
class Known:
    """Of people."""

    joints: Float[np.ndarray, "people joints 3"]
    """Camera frame, m; those beyond an end need not be where they would be, but the bone's own two must."""
    camera: Camera | Sequence[Camera]
    """One for all, or one each."""
    head: Float[np.ndarray, "people 8"] | None = None
    """Lambda of a regressor's residual head."""
    head_sd: Float[np.ndarray, "people 8"] | None = None
    points: Float[np.ndarray, "people 8 3"] | None = None
    """Ends as they are seen: x, y (px), score; score 0 where there is none."""
    point_sd: float | Float[np.ndarray, "people 8"] = 2.0
    """Of the points, px."""


@dataclass(frozen=True, eq=False)
class Ends:
    """Of people, by `SEGMENTS`."""

    fraction: Float64[np.ndarray, "people 8"]
    """Lambda."""
    sd: Float64[np.ndarray, "people 8"]
    anchor: Float64[np.ndarray, "people 8 3"]
    """Distal joint, camera frame, m: moved where a fit moved it."""
    end: Float64[np.ndarray, "people 8 3"]
    """Camera frame, m."""
    fitted: Bool[np.ndarray, "people 8"]
    """Whether the image point had a say."""
    status: np.ndarray
    """(people, 8) of `Status`; absent where no point was looked for or given."""
    reason: np.ndarray
    """(people, 8) of `Reason`."""


def decide(
    method: Method,
    known: Known,
    *,
    gates: Gates | None = None,
    heights_px: Float[np.ndarray, " people"] | None = None,
) -> Ends:
    """Lambda and place of every segment's end.

    Args:
        gates: of the fit; by default, 15 px or 2 % of the person's height where that is known.
        heights_px: of the people's boxes.

    Raises:
        UserError: the method needs a head or points, and there are none.
    """
    joints = np.asarray(known.joints, np.float64)
    anchor, upstream = joints[:, _ANCHORS], joints[:, _UPSTREAMS]
    shape = anchor.shape[:2]
    status, reason = np.full(shape, Status.ABSENT, object), np.full(shape, "", object)
    fitted = np.zeros(shape, bool)
    fraction, sd = np.full(shape, 0.5 if method == "midpoint" else 0.0), np.full(shape, ANY_SD)
    prior = None
    if method.startswith("head"):
        if known.head is None or known.head_sd is None:
            raise UserError(f"{method} needs a regressor with a residual head; give weights trained with one")
        fraction, sd = np.array(known.head, np.float64), np.array(known.head_sd, np.float64)
        prior = (fraction, sd)
    if method.endswith("rafo"):
        if known.points is None:
            raise UserError(
                f"{method} needs the ends' image points; give a model of 25 keypoints, or the points"
            )
        fit = fit_residuals(
            joints,
            known.points,
            known.camera,
            gates=gates or Gates(error_of_height=None if heights_px is None else 0.02),
            heights_px=heights_px,
            point_sd=known.point_sd,
            prior=prior,
        )
        status, reason = fit.status, fit.reason
        fitted = fit.accepted | np.asarray(status == Status.LOW_CONFIDENCE)
        fraction, sd = np.where(fitted, fit.fraction, fraction), np.where(fitted, fit.sd, sd)
        anchor = np.where(fitted[..., None], fit.anchor, anchor)
    end = anchor + fraction[..., None] * (upstream - anchor)
    return Ends(fraction, sd, anchor, end, fitted, status, reason)
