"""The JPEG quality a photograph was saved with, from the quantisation table in its file."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

QUALITY_RANGE = (60, 95)
"""Written pictures stay within it: below, faces fall apart; above, files grow without a visible gain."""
# ITU-T T.81, table K.1, which the Independent JPEG Group's library scales by its quality
_LUMINANCE = np.array([
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22,
    29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103,
    121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
])  # fmt: skip


def scaled_table(quality: int) -> np.ndarray:
    """Luminance quantisation of a quality 1..100, as the Independent JPEG Group's library has it."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.clip((_LUMINANCE * scale + 50) // 100, 1, 255)


def jpeg_quality(data: bytes) -> int | None:
    """The quality 1..100 whose luminance table is nearest to the file's; None for no JPEG.

    Cameras and other programs have tables of their own, for which it is the quality of about equal coarseness.
    """
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            tables = getattr(image, "quantization", None)
    except (OSError, ValueError, SyntaxError):
        return None
    if not tables or 0 not in tables or len(tables[0]) != 64:
        return None
    # logarithms: a step of 2 in place of 1 is as coarse as one of 60 in place of 30
    own = np.log(np.maximum(np.asarray(tables[0], np.float64), 1))
    return min(range(1, 101), key=lambda quality: float(np.abs(np.log(scaled_table(quality)) - own).sum()))


def written_quality(source: int | None, otherwise: int) -> int:
    """Quality to write a picture with whose photograph had ``source``."""
    if source is None:
        return otherwise
    return int(np.clip(source, *QUALITY_RANGE))
