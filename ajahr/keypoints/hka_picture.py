"""Hip-knee-ankle angles drawn on the photograph."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from ajahr.anatomy import COCO17
from ajahr.data.ldpose import ABOVE, BELOW, DISTAL, LIMB_POINTS, PROXIMAL
from ajahr.keypoints.hka import LegAngle, Reason
from ajahr.render.overlay import LIMB_COLOURS, RESIDUAL_COLOUR, draw_label

_OUTLINE = (25, 25, 25)


def draw_legs(
    image: UInt8[np.ndarray, "height width 3"],
    points: Float[np.ndarray, "points xy=2"],
    scores: Float[np.ndarray, " points"],
    legs: tuple[LegAngle, LegAngle],
) -> UInt8[np.ndarray, "height width 3"]:
    """A copy with both legs' axes, the thigh's line drawn on (dashed), and the angle with its interval, or why none."""
    out = np.array(image, order="C")
    width = int(np.clip(max(image.shape[:2]) / 350, 2, 12))
    size = int(np.clip(max(image.shape[:2]) / 45, 14, 72))
    lowest = 0.0
    for leg in legs:
        row = LIMB_POINTS[leg.limb]
        hip = points[COCO17.index[f"{leg.limb.side}_hip"]]
        knee = points[row[PROXIMAL]]
        end, colour = points[row[DISTAL]], LIMB_COLOURS[leg.limb]
        if leg.reason == Reason.LIMB_ABSENT and len(points) > row.max():
            which = BELOW if scores[row[BELOW]] >= scores[row[ABOVE]] else ABOVE
            end = points[row[which]]
            if which == ABOVE:
                knee = end
            colour = RESIDUAL_COLOUR
        if not np.isfinite([hip, knee, end]).all():
            continue
        beyond = knee + (knee - hip)
        _dashes(out, knee, beyond, width)
        for a, b in ((hip, knee), (knee, end)):
            cv2.line(out, _at(a), _at(b), _OUTLINE, width + 2, cv2.LINE_AA)
            cv2.line(out, _at(a), _at(b), colour, width, cv2.LINE_AA)
        for point in (hip, knee, end):
            cv2.circle(out, _at(point), 2 * width, _OUTLINE, -1, cv2.LINE_AA)
            cv2.circle(out, _at(point), 2 * width - 2, colour, -1, cv2.LINE_AA)
        lowest = max(lowest, float(end[1]))
    middle = float(points[[11, 12], 0].mean())
    for leg in legs:
        text = caption(leg)
        # below the feet, each on its own side; a letter is about half as wide as its line is high
        wide = 0.6 * size * max(map(len, text.split("\n"))) + size
        viewer_right = points[COCO17.index[f"{leg.limb.side}_hip"], 0] >= middle
        x = middle + 0.2 * size if viewer_right else middle - wide
        out = draw_label(out, text, (float(x), lowest + size), size=size)
    return out


def caption(leg: LegAngle) -> str:
    """``"left -4.2 deg varus"`` and the interval below it, or the leg and the reason."""
    if leg.deviation_deg is None or leg.interval_deg is None:
        return f"{leg.limb.side}: {leg.words}"
    low, value, high = (
        round(v, 1) + 0.0 for v in (leg.interval_deg[0], leg.deviation_deg, leg.interval_deg[1])
    )
    return f"{leg.limb.side} {value:+.1f} deg {leg.words}\n95 % {low:+.1f} to {high:+.1f}"


def _at(point: np.ndarray) -> tuple[int, int]:
    return round(float(point[0]) - 0.5), round(float(point[1]) - 0.5)


def _dashes(out: np.ndarray, a: np.ndarray, b: np.ndarray, width: int) -> None:
    count = max(2, int(np.hypot(*(b - a)) / (6 * width)))
    for k in range(0, count, 2):
        start, stop = a + (b - a) * k / count, a + (b - a) * min(k + 1, count) / count
        cv2.line(out, _at(start), _at(stop), (255, 255, 255), max(1, width // 2), cv2.LINE_AA)
