"""Residual length from an image point: anchor joint and lambda of every limb at once (RAFO, ResiHMR).

The end of a residual limb lies on the bone, R = J_a + lambda (J_t - J_a), and is seen at k:

    |proj(R) - k|² + alpha |J_a - J_a0|² + mu (|J_t - J_a| - |J_t - J_a0|)² + nu (lambda - lambda_scan)²

over the anchor J_a and lambda. The paper names alpha and mu adaptive without a formula: here they grow with
the pixels a metre has (s²) and shrink where the first fit is poor, g = 1 / (1 + (e0 / 15 px)²). The last, weak
term keeps a foreshortened limb from wandering.

Departures from the paper: lambda is a sigmoid, not clipped (a clip stops L-BFGS at a bound); it starts from
a scan; limbs of all people are one batch. By default they are fitted by damped Gauss-Newton with four unknowns a
limb, which the paper's L-BFGS with strong Wolfe agrees with (``solver``; `rafo_problem`). A wrong point, too, is
reached by moving the anchor, so an anchor that moves by more than `Gates.anchor_move` of the bone is refused.

Lambda stays within 0.02..0.98. Its ends, a limb that ends at a joint, are classes and not lengths: ``levels``
sets them, where no end was given, without any fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from ajahr.anatomy import LIMBS, check_levels
from ajahr.errors import UserError
from ajahr.geometry.cameras import Camera
from ajahr.residual_limb.rafo_problem import SOLVERS, Problem, Solver
from ajahr.residual_limb.segments import SEGMENTS, of_level

_SEGMENT_JOINTS = np.array([(s.anchor, s.upstream) for s in SEGMENTS])
_LIMB = np.array([int(s.limb) for s in SEGMENTS])


class Status(StrEnum):
    ACCEPTED = "accepted"
    LOW_CONFIDENCE = "low_confidence"
    REJECTED = "rejected"
    ABSENT = "absent"
    """No end was given for this place."""
    JOINT_LEVEL = "joint_level"
    """Not fitted: the limb's level says that it ends at a joint (lambda 0 or 1)."""


class Reason(StrEnum):
    NONE = ""
    OTHER_END = "other_end_on_this_limb"
    JOINT_SEEN = "joint_beyond_the_end_is_surer"
    OUTSIDE = "outside_the_image"
    BEHIND = "body_behind_the_camera"
    SHORT_BONE = "bone_without_length"
    ERROR = "endpoint_not_reached"
    ANCHOR = "endpoint_off_the_limb"
    FORESHORTENED = "limb_seen_end_on"
    NOT_FINITE = "not_finite"


@dataclass(frozen=True)
class Gates:
    """When a fit is refused."""

    error_px: float = 15.0
    """Largest distance of the end from its point."""
    error_of_height: float | None = None
    """If set, the gate is the larger of ``error_px`` and this share of the person's height in the image."""
    anchor_move: float = 0.3
    """Largest move of the anchor, as a share of the bone."""
    off_limb: float = 0.3
    """Largest distance of the point from the bone's line, as a share of the bone in the image."""
    least_px: float = 20.0
    """Shorter bones in the image give low confidence."""
    least_score: float = 0.3
    """Ends below it are absent."""


@dataclass(frozen=True, eq=False)
class ResidualFit:
    """Of people, by `SEGMENTS`."""

    fraction: Float64[np.ndarray, "people 8"]
    """lambda; of the scan where the fit is refused, NaN where there is none."""
    residual_ratio: Float64[np.ndarray, "people 8"]
    """1 - lambda: the share of the bone that is left."""
    length: Float64[np.ndarray, "people 8"]
    """m, of the bone that is left."""
    anchor: Float64[np.ndarray, "people 8 3"]
    """m, camera frame."""
    end: Float64[np.ndarray, "people 8 3"]
    """m, camera frame."""
    error_px: Float64[np.ndarray, "people 8"]
    sd: Float64[np.ndarray, "people 8"]
    """Standard deviation of lambda for a point's of `point_sd` px."""
    status: np.ndarray
    """(people, 8) of `Status`."""
    reason: np.ndarray
    """(people, 8) of `Reason`."""

    @property
    def accepted(self) -> Bool[np.ndarray, "people 8"]:
        return np.asarray(self.status == Status.ACCEPTED)

    @property
    def usable(self) -> Bool[np.ndarray, "people 8"]:
        """Ends at which a limb can be cut: accepted, of low confidence, or of the limb's level."""
        return self.accepted | np.isin(self.status, [Status.LOW_CONFIDENCE, Status.JOINT_LEVEL])


def fit_residuals(
    joints: Float[np.ndarray, "people joints 3"],
    points: Float[np.ndarray, "people 8 3"],
    camera: Camera | Sequence[Camera],
    *,
    gates: Gates | None = None,
    heights_px: Float[np.ndarray, " people"] | None = None,
    point_sd: float | Float[np.ndarray, "people 8"] = 2.0,
    prior: tuple[Float[np.ndarray, "people 8"], Float[np.ndarray, "people 8"]] | None = None,
    levels: Int[np.ndarray, "people 4"] | None = None,
    solver: Solver = "gauss_newton",
) -> ResidualFit:
    """Residual ends of people; each limb on its own, all in one batch.

    Args:
        joints: of the intact fit, camera frame, m; the first 22 are SMPL's.
        points: x, y (px) and score of each end; score 0 where there is none.
        camera: one for all, or one per person.
        heights_px: of the people's boxes, for ``Gates.error_of_height``.
        point_sd: of the points, px.
        prior: lambda and its standard deviation as somebody else says them (a regressor's residual head): the fit
            starts there, one more term holds it there, and a refused fit goes back there. NaN: nothing is said.
        levels: limb levels; a limb without a given end ends at the joint that its level names.
        solver: of the fit; they agree.

    Raises:
        UserError: shapes do not fit.
    """
    gates = gates or Gates()
    people = len(joints)
    cameras = [camera] * people if isinstance(camera, Camera) else list(camera)
    if len(cameras) != people:
        raise UserError(f"{len(cameras)} cameras for {people} people; give one for all or one each")
    if joints.ndim != 3 or joints.shape[1] < 22 or points.shape != (people, len(SEGMENTS), 3):
        raise UserError(
            f"joints {joints.shape} and residual points {points.shape} do not fit; give (people, joints, 3) and "
            "(people, 8, 3)"
        )
    shape = (people, len(SEGMENTS))
    status = np.full(shape, Status.ABSENT, object)
    reason = np.full(shape, Reason.NONE, object)
    anchors = joints[:, _SEGMENT_JOINTS[:, 0]].astype(np.float64)
    upstreams = joints[:, _SEGMENT_JOINTS[:, 1]].astype(np.float64)
    given = np.isfinite(points).all(-1) & (points[..., 2] >= gates.least_score)
    bad = ~np.isfinite(points).all(-1)
    status[bad], reason[bad] = Status.REJECTED, Reason.NOT_FINITE
    # a limb ends once: the end that is surer counts
    for limb in range(4):
        rivals = np.flatnonzero(limb == _LIMB)
        both = given[:, rivals].all(1)
        loser = rivals[points[:, rivals, 2].argmin(1)]
        rows = np.flatnonzero(both)
        given[rows, loser[rows]] = False
        status[rows, loser[rows]], reason[rows, loser[rows]] = Status.REJECTED, Reason.OTHER_END
    lengths = np.linalg.norm(anchors - upstreams, axis=-1)
    x, y = points[..., 0], points[..., 1]
    with np.errstate(invalid="ignore"):
        width, height = (
            np.array([getattr(c, side) for c in cameras], float)[:, None] for side in ("width", "height")
        )
        outside = (x < 0) | (y < 0) | (x > width) | (y > height)
        tests = (
            (Reason.NOT_FINITE, ~np.isfinite(lengths)),
            (Reason.BEHIND, ~((anchors[..., 2] > 0.05) & (upstreams[..., 2] > 0.05))),
            (Reason.SHORT_BONE, ~(lengths > 0.02)),
            (Reason.OUTSIDE, outside),
        )
    for why, wrong in tests:
        hit = given & wrong
        status[hit], reason[hit] = Status.REJECTED, why
        given &= ~wrong
    out = {k: np.full(shape, np.nan) for k in ("fraction", "error_px", "sd")}
    anchor, end = np.full((*shape, 3), np.nan), np.full((*shape, 3), np.nan)
    where = np.nonzero(given)
    if len(where[0]):
        problem = Problem.build(
            anchors[where],
            upstreams[where],
            points[where][:, :2].astype(np.float64),
            camera if isinstance(camera, Camera) else [cameras[k] for k in where[0]],
        )
        fallback, spread = problem.scan, np.broadcast_to(np.asarray(point_sd, np.float64), shape)[where]
        told = np.full(len(fallback), np.inf)
        if prior is not None:
            mean, sd = (np.asarray(part, np.float64)[where] for part in prior)
            said = np.isfinite(mean) & (sd > 0)
            mean, told = np.where(said, mean, problem.scan), np.where(said, sd, np.inf)
            problem = problem.with_prior(mean, (spread / told) ** 2)
            fallback = mean
        moved, fraction = SOLVERS[solver](problem)
        reached = moved + fraction[:, None] * (problem.upstream - moved)
        error = np.linalg.norm(problem.project(reached) - problem.point, axis=1)
        gate = np.full(len(error), gates.error_px)
        if gates.error_of_height is not None and heights_px is not None:
            gate = np.maximum(gate, gates.error_of_height * heights_px[where[0]])
        move = np.linalg.norm(moved - problem.anchor, axis=1) / problem.length
        a, b = problem.project(problem.anchor), problem.project(problem.upstream)
        seen = np.linalg.norm(b - a, axis=1)
        off = problem.first_error / np.maximum(seen, 1e-9)
        states = np.full(len(error), Status.ACCEPTED, object)
        whys = np.full(len(error), Reason.NONE, object)
        short = seen < gates.least_px
        off_limb = ~short & ((move > gates.anchor_move) | (off > gates.off_limb))
        states[short], whys[short] = Status.LOW_CONFIDENCE, Reason.FORESHORTENED
        states[off_limb], whys[off_limb] = Status.REJECTED, Reason.ANCHOR
        missed = error >= gate
        states[missed], whys[missed] = Status.REJECTED, Reason.ERROR
        back = states == Status.REJECTED
        fraction = np.where(back, fallback, fraction)
        moved = np.where(back[:, None], problem.anchor, moved)
        status[where], reason[where] = states, whys
        out["fraction"][where], out["error_px"][where] = fraction, error
        own = np.minimum(spread / np.maximum(seen, 1e-9), 0.29)  # at most that of any lambda
        out["sd"][where] = np.where(back & np.isfinite(told), told, 1 / np.hypot(1 / own, 1 / told))
        anchor[where], end[where] = moved, moved + fraction[:, None] * (problem.upstream - moved)
    if levels is not None:
        check_levels(levels)
        for row, limb in zip(*np.nonzero(levels), strict=True):
            if (status[row, limb == _LIMB] != Status.ABSENT).any():
                continue
            place = of_level(LIMBS[limb], int(levels[row, limb]))
            assert place is not None
            k = SEGMENTS.index(place[0])
            status[row, k], out["fraction"][row, k] = Status.JOINT_LEVEL, place[1]
            anchor[row, k] = anchors[row, k]
            end[row, k] = anchors[row, k] + place[1] * (upstreams[row, k] - anchors[row, k])
    left = (1 - out["fraction"]) * np.linalg.norm(upstreams - anchor, axis=-1)
    return ResidualFit(
        out["fraction"], 1 - out["fraction"], left, anchor, end, out["error_px"], out["sd"], status, reason
    )
