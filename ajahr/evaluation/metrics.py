"""Position errors of bodies in mm (MPJPE, PA-MPJPE, MVE), PCK, and their means over groups of people.

Per person first, then averaged: a prediction that is not finite has NaN for its error, is left out of every mean,
counted and named. A person with nothing to measure is left out without a word against the prediction.

    errors = joint_errors(predicted, target, predicted_pelvis=..., target_pelvis=..., present=...)
    for name, mean in breakdown(errors.mpjpe_mm, limb_levels, keys, errors.measured).items(): ...
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int, Num

from ajahr.anatomy import JOINT_LIMB, LIMBS, NUM_LEVELS, class_name
from ajahr.errors import UserError
from ajahr.evaluation._alignment import aligned_distances, pelvis_distances

MM = 1000.0
LEVEL_GROUPS = ("level 0", "hand or foot", "elbow or knee", "shoulder or hip")
"""What a level is called where arms and legs are counted together."""


# ------------------------------------------------------------------------------------------ per person


@dataclass(frozen=True, eq=False)
class JointErrors:
    """Errors of people's joints."""

    distances_mm: Float64[np.ndarray, "people joints"]
    """After moving the predicted pelvis onto the true one; NaN for joints that do not count."""
    aligned_mm: Float64[np.ndarray, "people joints"]
    """After the best similarity (Procrustes) of the joints that count; likewise."""
    present: Bool[np.ndarray, "people joints"]
    """Joints that count."""

    @property
    def measured(self) -> Bool[np.ndarray, " people"]:
        """People with at least one joint that counts."""
        return np.asarray(self.present.any(1))

    @property
    def mpjpe_mm(self) -> Float64[np.ndarray, " people"]:
        """Mean per joint position error; NaN for a prediction that is not finite or nobody to measure."""
        return _row_means(self.distances_mm, self.present)

    @property
    def pa_mpjpe_mm(self) -> Float64[np.ndarray, " people"]:
        """The same after Procrustes alignment."""
        return _row_means(self.aligned_mm, self.present)

    def by_limb(
        self, anchors: Sequence[int], *, aligned: bool = False
    ) -> dict[str, Float64[np.ndarray, " people"]]:
        """Mean error of each limb's joints and of the trunk's (with the head); NaN where none counts.

        Args:
            anchors: SMPL joint of each of the joints, as `KeypointLayout.anchors` has them.
        """
        distances = self.aligned_mm if aligned else self.distances_mm
        limbs = np.array([JOINT_LIMB[anchor] for anchor in anchors])
        rows = {limb.name.lower(): limbs == int(limb) for limb in LIMBS} | {"trunk": limbs == -1}
        return {name: _row_means(distances[:, mine], self.present[:, mine]) for name, mine in rows.items()}


def joint_errors(
    predicted: Float[np.ndarray, "people joints 3"],
    target: Float[np.ndarray, "people joints 3"],
    *,
    predicted_pelvis: Float[np.ndarray, "people 3"],
    target_pelvis: Float[np.ndarray, "people 3"],
    present: Bool[np.ndarray, "people joints"] | None = None,
) -> JointErrors:
    """Errors of joints in metres, sums in float64.

    Args:
        predicted_pelvis, target_pelvis: What each body is moved by, m.
        present: Joints that count; all when None.
    """
    here = np.ones(predicted.shape[:2], bool) if present is None else np.ascontiguousarray(present)
    ours, theirs = _pair(predicted, target)
    pelvises = _pair(predicted_pelvis, target_pelvis)
    distances, aligned = np.empty(here.shape), np.empty(here.shape)
    pelvis_distances(ours, theirs, *pelvises, here, distances)
    aligned_distances(ours, theirs, here, aligned)
    distances *= MM
    aligned *= MM
    return JointErrors(distances, aligned, here)


def mve_mm(
    predicted: Float[np.ndarray, "people vertices 3"],
    target: Float[np.ndarray, "people vertices 3"],
    *,
    predicted_pelvis: Float[np.ndarray, "people 3"],
    target_pelvis: Float[np.ndarray, "people 3"],
    present: Bool[np.ndarray, "people vertices"] | None = None,
) -> Float64[np.ndarray, " people"]:
    """Mean vertex error (PVE) after moving the pelvis; no other alignment. Arguments as of `joint_errors`."""
    return _row_means(*_vertex_distances(predicted, target, predicted_pelvis, target_pelvis, present))


def mve_by_limb_mm(
    predicted: Float[np.ndarray, "people vertices 3"],
    target: Float[np.ndarray, "people vertices 3"],
    part_labels: Num[np.ndarray, " vertices"],
    *,
    predicted_pelvis: Float[np.ndarray, "people 3"],
    target_pelvis: Float[np.ndarray, "people 3"],
    present: Bool[np.ndarray, "people vertices"] | None = None,
) -> dict[str, Float64[np.ndarray, " people"]]:
    """`mve_mm` of each limb's vertices and of the trunk's, by the joint of each vertex (`BodyData.part_labels`)."""
    distances, here = _vertex_distances(predicted, target, predicted_pelvis, target_pelvis, present)
    limbs = np.array(JOINT_LIMB)[np.asarray(part_labels, int)]
    rows = {limb.name.lower(): limbs == int(limb) for limb in LIMBS} | {"trunk": limbs == -1}
    return {name: _row_means(distances[:, mine], here[:, mine]) for name, mine in rows.items()}


def _vertex_distances(predicted, target, predicted_pelvis, target_pelvis, present):
    here = np.ones(predicted.shape[:2], bool) if present is None else np.ascontiguousarray(present)
    distances = np.empty(here.shape)
    pelvises = _pair(predicted_pelvis, target_pelvis)
    pelvis_distances(*_pair(predicted, target), *pelvises, here, distances)
    distances *= MM
    return distances, here


def _pair(ours: np.ndarray, theirs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Contiguous and of one precision, so that there are two versions of each kernel and not eight."""
    if ours.shape != theirs.shape:
        raise UserError(
            f"predictions have the shape {ours.shape}, their targets {theirs.shape}; measure the same joints"
        )
    single = ours.dtype == theirs.dtype == np.float32
    dtype = np.float32 if single else np.float64
    return np.ascontiguousarray(ours, dtype), np.ascontiguousarray(theirs, dtype)


def _row_means(
    values: Float64[np.ndarray, "people points"], present: Bool[np.ndarray, "people points"]
) -> Float64[np.ndarray, " people"]:
    """Means of the present ones; NaN where one of them is NaN, or none is present."""
    count = present.sum(1)
    total = values.sum(1) if bool(present.all()) else np.where(present, values, 0.0).sum(1)
    return np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)


# ------------------------------------------------------------------------------------------------- PCK


@dataclass(frozen=True)
class Pck:
    """Percentage of correct keypoints, 0..1."""

    mean: float
    """Over keypoints that were labelled at all; NaN if none was."""
    by_keypoint: tuple[float, ...]
    """NaN for a keypoint that nobody has."""
    labelled: int
    """Keypoints counted."""
    invalid: tuple[str, ...]
    """People with a prediction that is not finite. Their keypoints count as missed."""


def pck(
    predicted: Float[np.ndarray, "people keypoints 2"],
    target: Float[np.ndarray, "people keypoints 2"],
    confidence: Float[np.ndarray, "people keypoints"],
    size: Float[np.ndarray, " people"],
    keys: Sequence[str],
    *,
    threshold: float = 0.05,
    sure: float = 0.5,
) -> Pck:
    """PCK as HMR2.0 has it: nearer than ``threshold`` sizes, per keypoint, then over the keypoints.

    Args:
        size: Longer side of each person's box, in the units of the keypoints.
        confidence: A keypoint counts if it is above ``sure``.
    """
    labelled = confidence > sure
    distance = np.linalg.norm(predicted.astype(float) - target, axis=-1) / size[:, None]
    hits = ((distance < threshold) & labelled).sum(0)  # NaN is no hit
    count = labelled.sum(0)
    shares = np.divide(hits, count, out=np.full(len(count), np.nan), where=count > 0)
    bad = ((~np.isfinite(predicted).all(-1)) & labelled).any(1)
    return Pck(
        mean=float(shares[count > 0].mean()) if count.any() else float("nan"),
        by_keypoint=tuple(float(share) for share in shares),
        labelled=int(count.sum()),
        invalid=tuple(keys[i] for i in np.flatnonzero(bad).tolist()),
    )


# ----------------------------------------------------------------------------------------------- means


@dataclass(frozen=True)
class Mean:
    """A mean over people, and who is not in it."""

    value: float
    """NaN where nobody is left."""
    people: int
    """In the mean."""
    invalid: tuple[str, ...] = ()
    """Keys of people whose prediction is not finite."""

    def __str__(self) -> str:
        out = f"{self.value:.2f} ({self.people} people"
        if self.invalid:
            named = ", ".join(self.invalid[:5]) + (" ..." if len(self.invalid) > 5 else "")
            out += f"; {len(self.invalid)} predictions not finite: {named}"
        return out + ")"


def mean_of(
    values: Float[np.ndarray, " people"],
    keys: Sequence[str],
    measured: Bool[np.ndarray, " people"] | None = None,
) -> Mean:
    """Mean of the finite ones; those that are not finite although there was something to measure are named."""
    if len(keys) != len(values):
        raise UserError(f"{len(values)} values for {len(keys)} people; give a key for each")
    finite = np.isfinite(values)
    bad = ~finite if measured is None else ~finite & measured
    good = finite if measured is None else finite & measured
    value = float(values[good].astype(np.float64).mean()) if good.any() else float("nan")
    return Mean(value, int(good.sum()), tuple(keys[i] for i in np.flatnonzero(bad).tolist()))


def people_groups(limb_levels: Int[np.ndarray, "people limbs=4"]) -> dict[str, Bool[np.ndarray, " people"]]:
    """Who belongs where: all, intact, amputated, each limb lost, each level, each of the twelve classes.

    People of whom a level is unknown (-1) are in ``all``, in ``unknown`` unless a loss is known, and in the groups
    of the losses that are known. Somebody who lost two limbs is in the groups of both.
    """
    lost = limb_levels > 0
    amputated, unknown = lost.any(1), (limb_levels < 0).any(1) & ~lost.any(1)
    groups = {"all": np.ones(len(limb_levels), bool), "intact": ~amputated & ~unknown, "amputated": amputated}
    if unknown.any():
        groups["unknown"] = unknown
    groups |= {limb.name.lower(): lost[:, limb] for limb in LIMBS}
    groups |= {LEVEL_GROUPS[level]: (limb_levels == level).any(1) for level in range(1, NUM_LEVELS)}
    return groups | {
        class_name(limb, level): limb_levels[:, limb] == level
        for limb in LIMBS
        for level in range(1, NUM_LEVELS)
    }


def breakdown(
    values: Float[np.ndarray, " people"],
    limb_levels: Int[np.ndarray, "people limbs=4"],
    keys: Sequence[str],
    measured: Bool[np.ndarray, " people"] | None = None,
) -> Mapping[str, Mean]:
    """`mean_of` each of `people_groups` that has somebody."""
    everything = np.ones(len(values), bool) if measured is None else measured
    return {
        name: mean_of(values[mine], [keys[i] for i in np.flatnonzero(mine).tolist()], everything[mine])
        for name, mine in people_groups(limb_levels).items()
        if name == "all" or mine.any()
    }
