"""Objects cut from photographs that scikit-image carries, by measured depth and GrabCut."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from ajahr.data.images import read_image
from synth.occluders.photographs import Cut, cut_out
from synth.photos.demo import STEREO_LICENCE, packaged_file

_LENGTH_M = 2.05
_BOX = (102, 66, 690, 462)
"""Where the motorcycle is, px."""
_ABOVE_FLOOR, _NEARER_THAN_WALL = 1.2, 34.0
"""Disparity (px) by which it stands out from the floor, and that nothing on the wall behind has."""


def packaged_objects() -> list[Cut]:
    """A motorcycle, from the left and the right of a stereo pair's left picture.

    Raises:
        MissingAsset: scikit-image is not installed or does not carry the picture.
    """
    image = read_image(packaged_file("skimage", "data", "motorcycle_left.png"))
    with np.load(packaged_file("skimage", "data", "motorcycle_disp.npz"), allow_pickle=False) as archive:
        disparity = archive[archive.files[0]].astype(np.float64)
    rgba = cut_out(image, motorcycle(image, disparity))
    scale = rgba.shape[1] / _LENGTH_M
    source = "scikit-image/motorcycle_left"
    return [
        Cut("motorcycle", source, STEREO_LICENCE, scale, np.ascontiguousarray(one))
        for one in (rgba, rgba[:, ::-1])
    ]


def motorcycle(
    image: UInt8[np.ndarray, "height width 3"], disparity: Float[np.ndarray, "height width"]
) -> Bool[np.ndarray, "height width"]:
    """What is nearer than the wall and stands on the floor, its holes and edges settled by GrabCut.

    Args:
        image: RGB.
        disparity: px, not finite where it was not measured.
    """
    x0, y0, x1, y1 = _BOX
    known = np.isfinite(disparity)
    nearness = np.where(known, disparity, 0.0)
    rows = np.arange(len(image), dtype=np.float64)
    # the floor is a plane: its disparity grows in a straight line down the columns beside the motorcycle
    floor = known.copy()
    floor[: int(0.66 * len(image))] = False
    floor[:, x0:x1] = False
    where, what = np.nonzero(floor)[0], nearness[floor]
    slope, offset = np.polyfit(where, what, 1)
    stands = (
        known & (nearness > slope * rows[:, None] + offset + _ABOVE_FLOOR) & (nearness > _NEARER_THAN_WALL)
    )
    inside = np.zeros(stands.shape, bool)
    inside[y0:y1, x0:x1] = True
    stands &= inside
    labels = np.full(stands.shape, cv2.GC_BGD, np.uint8)
    labels[inside & ~known] = cv2.GC_PR_BGD
    labels[cv2.dilate(stands.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0] = cv2.GC_PR_BGD
    labels[stands] = cv2.GC_PR_FGD
    labels[cv2.erode(stands.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0] = cv2.GC_FGD
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(
        np.ascontiguousarray(image[..., ::-1]), labels, (0, 0, 1, 1), *models, 2, cv2.GC_INIT_WITH_MASK
    )
    found = (np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)) | stands).astype(np.uint8)
    found = cv2.morphologyEx(found, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    _, parts, stats, _ = cv2.connectedComponentsWithStats(found)
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    return np.asarray(parts) == largest
