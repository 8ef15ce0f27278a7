"""COCO's run-length masks: runs down the columns, zeros first.

The compressed form packs each run into characters of six bits, five for the number, lowest first, and one
that says whether more follow; from the fourth run on a run is written as its difference to the last but one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int64

from ajahr.data.images import MAX_PIXELS

_FIRST_CHARACTER = 48


@dataclass(frozen=True, eq=False)
class Rle:
    """A binary mask as runs.

    Attributes:
        counts: Lengths of the runs of zeros and ones in turn, column by column.
        height, width: Of the mask, px.
    """

    counts: Int64[np.ndarray, " runs"]
    height: int
    width: int

    def decode(self) -> Bool[np.ndarray, "height width"]:
        """The mask."""
        ones = np.arange(len(self.counts)) % 2 == 1
        return np.repeat(ones, self.counts).reshape(self.width, self.height).T

    @classmethod
    def encode(cls, mask: Bool[np.ndarray, "height width"]) -> Rle:
        """The runs of a mask."""
        flat = mask.T.ravel()
        edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
        bounds = np.concatenate([[0], edges, [flat.size]])
        counts = np.diff(bounds)
        if flat.size and flat[0]:
            counts = np.concatenate([[0], counts])
        return cls(counts.astype(np.int64), *mask.shape)

    @classmethod
    def parse(cls, segmentation: Any) -> Rle | None:
        """The mask of an annotation's ``{"size": [height, width], "counts": list or string}``, or None."""
        try:
            height, width = (int(side) for side in segmentation["size"])
            counts = segmentation["counts"]
            counts = _decompress(counts) if isinstance(counts, str) else np.asarray(counts, np.int64)
        except (KeyError, TypeError, ValueError, OverflowError):
            return None
        # a wrong sum would be a mask of another size; it also bounds what decode() allocates
        if counts.ndim != 1 or min(height, width) < 1 or (counts < 0).any() or counts.sum() != height * width:
            return None
        return cls(counts, height, width) if height * width <= MAX_PIXELS else None

    @property
    def area(self) -> int:
        """Number of pixels in the mask."""
        return int(self.counts[1::2].sum())


def _decompress(text: str) -> Int64[np.ndarray, " runs"]:
    """The runs of the compressed form.

    Raises:
        ValueError: a character outside the alphabet, or an unfinished number.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text.encode("ascii", "replace"):
        bits = character - _FIRST_CHARACTER
        if not 0 <= bits < 64:
            raise ValueError(f"{chr(character)!r} is not in the alphabet of run-length masks")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:  # the sign lies in the highest bit of the last character
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("the run-length mask ends inside a number")
    return np.array(counts, np.int64)
