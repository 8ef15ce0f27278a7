"""The pixels that may differ between twins; everything outside must tell nothing.

The zone follows from the labels of both twins and is hidden in both alike, so its shape tells nothing either:

1. both silhouettes, widened by the reach of blur;
2. where shadows are cast, a box around each person that no shadow leaves; where a prosthesis is worn, which the
   part mask does not mark, a box that it does not leave;
3. whole JPEG blocks: a block of 8 x 8 holds each of its pixels in all its coefficients, and with halved chroma a block
   covers 16 x 16. Two px more, because a decoder smooths halved chroma over the edges of blocks.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool

from ajahr.data.record import LimbStatus, PersonRecord
from ajahr.data.shards import Sample
from synth.realism.blur import MAX_BLUR_PX, blur_reach
from synth.realism.shadow import SHADOW_REACH_M

JPEG_BLOCK = 16
"""Side of the pixels that one set of coefficients stands for, px: 8, twice where chroma is halved."""
UPSAMPLING_PX = 2
SPILL_PX = blur_reach(MAX_BLUR_PX) + 1


_PROSTHESIS_REACH_M = (0.25, 0.25)


def hidden_zone(twins: Sequence[Sample], *, shadows: bool) -> Bool[np.ndarray, "height width"]:
    """What is hidden in the pictures of one scene.

    Args:
        twins: the pictures, of one size.
        shadows: whether the dataset casts shadows.
    """
    silhouettes = np.any([sample.mask() > 0 for sample in twins], axis=0)
    zone = cv2.dilate(silhouettes.astype(np.uint8), np.ones((2 * SPILL_PX + 1,) * 2, np.uint8)) > 0
    for people in zip(*(sample.record.people for sample in twins), strict=True):
        if shadows:
            _hide_around(people, SHADOW_REACH_M, zone)
        elif any(LimbStatus.PROSTHESIS in person.limb_status for person in people):
            _hide_around(people, _PROSTHESIS_REACH_M, zone)
    return whole_blocks(zone)


def whole_blocks(zone: Bool[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
    """The zone with every JPEG block it touches, and what a decoder smooths into from there."""
    height, width = zone.shape
    rows, columns = -(-height // JPEG_BLOCK), -(-width // JPEG_BLOCK)
    padded = np.zeros((rows * JPEG_BLOCK, columns * JPEG_BLOCK), bool)
    padded[:height, :width] = zone
    touched = padded.reshape(rows, JPEG_BLOCK, columns, JPEG_BLOCK).any(axis=(1, 3))
    full = np.repeat(np.repeat(touched, JPEG_BLOCK, axis=0), JPEG_BLOCK, axis=1).astype(np.uint8)
    return cv2.dilate(full, np.ones((2 * UPSAMPLING_PX + 1,) * 2, np.uint8))[:height, :width] > 0


def _hide_around(people: Sequence[PersonRecord], reach_m: tuple[float, float], zone: np.ndarray) -> None:
    """Hide the box around one person's twins, widened to both sides and above and below."""
    height, width = zone.shape
    boxes = np.array([person.bbox_xyxy for person in people])
    camera = people[0].camera
    scale = camera.focal_length / (camera.weak_depth or float(people[0].joints_3d[:, 2].min()))
    reach = np.array(reach_m) * scale
    x0, y0 = boxes[:, :2].min(axis=0) - reach
    x1, y1 = boxes[:, 2:].max(axis=0) + reach
    left, right = (int(np.clip(v, 0, width)) for v in (np.floor(x0), np.ceil(x1)))
    top, bottom = (int(np.clip(v, 0, height)) for v in (np.floor(y0), np.ceil(y1)))
    zone[top:bottom, left:right] = True
