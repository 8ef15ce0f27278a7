"""Which fit is of whom: the fits of a photograph against the people who stood in it.

A fit and a person belong together when the projected body and the person's box overlap. The camera is the fit's
own; without one, the scale and place that bring the posed body onto the file's keypoints, else onto its box.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ajahr.body.fast import FastBody, FastPose
from ajahr.geometry.rotations_np import rotvec_to_rotmat
from synth.background_bank import Background
from synth.photos.detect import box_iou
from synth.pose_sources.fits import SMPL_PELVIS_M, FitRows

MIN_OVERLAP = 0.4
"""Least intersection over union of the projected body and the box of the person it is of."""
_MIN_KEYPOINTS = 6
_MIN_CONFIDENCE = 0.3
_MAX_KEYPOINT_ERROR = 0.1
"""Mean distance of the keypoints that a fit was made to, relative to its body's height in the picture."""
ANYWHERE = -1
"""Slot number of a fit that belongs to a whole background: another frame of the same standing camera."""


@dataclass(frozen=True)
class Placement:
    """Where a fitted body is in a background.

    Attributes:
        slot: Number of the place, or `ANYWHERE`.
        px_per_m: Scale of the background at the body.
        pelvis_px: Of the background.
        ground_y: Lowest point of the body, px.
        overlap: Of the body and the person's box.
    """

    slot: int
    px_per_m: float
    pelvis_px: tuple[float, float]
    ground_y: float
    overlap: float


class Matcher:
    """Finds the person of each fit.

    Args:
        body: Poses the fits.
        own_shape: Whether the fits' betas mean something on this body: they are SMPL's, not the embedded one's.
    """

    def __init__(self, body: FastBody, own_shape: bool) -> None:
        self.body, self.own_shape = body, own_shape

    def place(self, fit: FitRows, row: int, background: Background, anywhere: bool) -> Placement | str:
        """Where the fit of a row is in its photograph's background, or the reason why that cannot be told.

        Reasons: ``no_camera`` (nothing tells where the body is), ``off_its_keypoints`` (no place of the body
        comes near them), ``off_its_box`` (the file's box is elsewhere: another person's fit), ``another_person``
        (the person it names is elsewhere), ``no_such_place`` (whom it names left no place here),
        ``nobody_there`` (no place for a person where it is).
        """
        betas = fit.betas[row] if self.own_shape and np.isfinite(fit.betas[row]).all() else np.zeros(10)
        rotmats = rotvec_to_rotmat(fit.pose_rotvec[row].astype(np.float64))
        posed = self.body(np.asarray(betas, np.float32), rotmats.astype(np.float32))
        camera = self._camera(fit, row, posed, background)
        if isinstance(camera, str):
            return camera
        scale, origin = camera  # px of the photograph: pixels = scale * xy + origin
        low, high = (scale * extreme(posed.vertices[:, :2]) + origin for extreme in (_low, _high))
        shown = np.concatenate([low, high]).astype(np.float32)
        box = fit.box_xyxy[row]
        if np.isfinite(box).all() and box_iou(box, shown[None])[0] < MIN_OVERLAP / 4:
            return "off_its_box"
        size = np.array([background.width, background.height] * 2, np.float32)
        factor = background.scale
        in_background = np.clip(shown * factor, 0, size).astype(np.float32)
        pelvis = (scale * posed.joints[0, :2] + origin) * factor
        slot, overlap = ANYWHERE, 0.0
        if not anywhere:
            slots = background.slots
            if fit.people[row]:
                ids = [i for i, slot in enumerate(slots) if slot.source_id == fit.people[row]]
                if not ids:
                    return "no_such_place"
            else:
                ids = list(range(len(slots)))
            if not ids:
                return "nobody_there"
            overlaps = box_iou(in_background, np.array([slots[i].bbox_xyxy for i in ids], np.float32))
            slot, overlap = ids[int(overlaps.argmax())], float(overlaps.max())
            if overlap < MIN_OVERLAP:
                return "another_person" if fit.people[row] else "nobody_there"
        return Placement(
            slot,
            float(scale * factor),
            (float(pelvis[0]), float(pelvis[1])),
            float(shown[3] * factor),
            overlap,
        )

    def _camera(
        self, fit: FitRows, row: int, posed: FastPose, background: Background
    ) -> tuple[float, np.ndarray] | str:
        """Scale (px a metre) and origin (px) of the weak perspective on the whole photograph."""
        keypoints_3d, vertices = posed.keypoints_44, posed.vertices
        crop, translation = fit.crop_camera[row], fit.translation[row].astype(np.float64)
        # cameras place SMPL's origin, which lies above its pelvis
        pelvis = posed.joints[0] if self.own_shape else SMPL_PELVIS_M
        if np.isfinite(crop).all():
            scale = float(crop[0])
            return scale, crop[1:] + scale * (pelvis - posed.joints[0])[:2]
        if np.isfinite(translation).all():
            scale = float(fit.focal_length[row] / (translation[2] + pelvis[2]))
            middle = np.array([background.width, background.height]) / (2 * background.scale)
            return scale, middle + scale * (translation + pelvis - posed.joints[0])[:2]
        points = fit.keypoints_2d[row]
        seen = points[:, 2] >= _MIN_CONFIDENCE
        if seen.sum() >= _MIN_KEYPOINTS:
            found = solve_weak(keypoints_3d[seen, :2], points[seen, :2], points[seen, 2])
            if found is None:
                return "off_its_keypoints"
            scale, origin = found
            error = np.linalg.norm(scale * keypoints_3d[seen, :2] + origin - points[seen, :2], axis=1).mean()
            extent = scale * float((_high(vertices) - _low(vertices)).max())
            return found if error <= _MAX_KEYPOINT_ERROR * extent else "off_its_keypoints"
        box = fit.box_xyxy[row]
        if not np.isfinite(box).all():
            return "no_camera"
        low, high = _low(vertices[:, :2]), _high(vertices[:, :2])
        scale = float((box[2:] - box[:2]).max() / (high - low).max())
        return scale, (box[:2] + box[2:]) / 2 - scale * (low + high) / 2


def _low(points: np.ndarray) -> np.ndarray:
    return np.array([column.min() for column in points.T], np.float64)


def _high(points: np.ndarray) -> np.ndarray:
    return np.array([column.max() for column in points.T], np.float64)


def solve_weak(
    points_xy: Float[np.ndarray, "n 2"], pixels: Float[np.ndarray, "n 2"], weights: Float[np.ndarray, " n"]
) -> tuple[float, Float[np.ndarray, "2"]] | None:
    """Scale and origin with ``pixels ~ scale * points_xy + origin``, least squares; None for no positive scale."""
    w = weights.astype(np.float64) / weights.sum()
    mean_x, mean_u = w @ points_xy, w @ pixels
    x, u = points_xy - mean_x, pixels - mean_u
    spread = float((w[:, None] * x * x).sum())
    scale = float((w[:, None] * x * u).sum()) / max(spread, 1e-12)
    if spread < 1e-8 or scale <= 0:
        return None
    return scale, mean_u - scale * mean_x


def match_rows(
    matcher: Matcher, fit: FitRows, rows: list[tuple[int, int, bool]], backgrounds: list[Background]
) -> tuple[list[tuple[int, int, Placement]], Counter[str]]:
    """Placements of fits, and how many have none, by reason.

    Args:
        matcher: Places one.
        fit: All fits.
        rows: Row, number of the background, and whether it is another frame of the same camera.
        backgrounds: The bank's.

    Returns:
        (row, background, placement) of each.
    """
    found, reasons = [], Counter()
    for row, number, anywhere in rows:
        placed = matcher.place(fit, row, backgrounds[number], anywhere)
        if isinstance(placed, str):
            reasons[placed] += 1
        else:
            found.append((row, number, placed))
    return found, reasons
