"""Where the keypoints of lost limbs would be in the picture, from 3D labels that keep them."""

from __future__ import annotations

import numpy as np

from ajahr.anatomy import J44
from ajahr.data.hmr.samples import BPAC_J44

_COLLAPSED = 0.02
"""3D keypoints closer than this (m) to another of their limb lie where the limb ended: they say nothing."""
_MAX_ERROR = 0.05
"""Of the weak-perspective fit, root mean square, as a share of the box."""


def place_from_3d(rows: np.ndarray) -> None:
    """Fill ``intact_2d`` of people with a limb loss by projecting their 3D keypoints.

    A3D draws people by weak perspective and keeps the 3D joints of what is lost, so scale and shift that bring
    the present joints' 3D to their 2D bring the absent ones to where they would be. Left NaN where fewer than
    four joints are present, the fit is bad, or the 3D of the limb has collapsed.
    """
    who = np.flatnonzero((rows["levels"] > 0).any(1))
    if not len(who):
        return
    slots = list(BPAC_J44)
    points, world = rows["keypoints_2d"][who].astype(np.float64), rows["keypoints_3d"][who].astype(np.float64)
    absent = J44.absent(np.maximum(rows["levels"][who], 0).astype(np.int64))
    weight = ((points[..., 2] > 0) & (world[..., 3] > 0) & ~absent).astype(np.float64)
    total = np.maximum(weight.sum(1), 1)[:, None]
    mean_2d = (weight[..., None] * points[..., :2]).sum(1) / total
    mean_3d = (weight[..., None] * world[..., :2]).sum(1) / total
    from_2d, from_3d = points[..., :2] - mean_2d[:, None], world[..., :2] - mean_3d[:, None]
    spread = (weight[..., None] * from_3d**2).sum((1, 2))
    scale = (weight[..., None] * from_3d * from_2d).sum((1, 2)) / np.maximum(spread, 1e-12)
    fitted = from_3d * scale[:, None, None]
    error = np.sqrt((weight[..., None] * (fitted - from_2d) ** 2).sum((1, 2)) / total[:, 0])
    good = (weight.sum(1) >= 4) & (scale > 0) & (error < _MAX_ERROR * rows["side"][who])
    places = (fitted + mean_2d[:, None])[:, slots]
    limb = world[:, slots, :3]
    apart = np.linalg.norm(limb[:, :, None] - limb[:, None], axis=-1) + 10 * np.eye(len(slots))
    usable = good[:, None] & (world[:, slots, 3] > 0) & (apart.min(-1) > _COLLAPSED)
    rows["intact_2d"][who] = np.where(usable[..., None], places, np.nan)
