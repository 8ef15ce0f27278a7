"""What the part mask shows of people, props and objects that lie one over the other."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8

from ajahr.anatomy import NUM_JOINTS
from ajahr.data.mask import person_values
from ajahr.render.rasterizer import RenderResult
from synth.record import Cutout


def mark_person(mask: UInt8[np.ndarray, "height width"], render: RenderResult, number: int) -> None:
    """Write one rendered person into the mask, in place. Props are nobody's part and hide who is behind them."""
    x0, y0, x1, y1 = render.window
    seen = render.parts[y0:y1, x0:x1]
    values = person_values(np.where(seen > NUM_JOINTS, np.uint8(0), seen), number)
    np.copyto(mask[y0:y1, x0:x1], values, where=seen > 0)


def hide_behind(mask: UInt8[np.ndarray, "height width"], cutout: Cutout) -> None:
    """Take what an object covers out of the mask, in place."""
    height, width = cutout.rgba_premultiplied.shape[:2]
    window = mask[cutout.top : cutout.top + height, cutout.left : cutout.left + width]
    window[cutout.rgba_premultiplied[..., 3] >= 128] = 0
