"""Picture and part mask to the bytes that go into the shard."""

from __future__ import annotations

from copy import copy

import cv2

from ajahr.data.mask import encode_mask
from synth.config import RealismConfig, RenderConfig
from synth.realism.jpeg import written_quality
from synth.record import Record


class Encode:
    """JPEG for the picture, of the photograph's own quality or a fixed one; PNG for the mask."""

    def __init__(self, render: RenderConfig, realism: RealismConfig) -> None:
        self.fixed, self.realism = render.jpeg_quality, realism

    def under(self, realism: RealismConfig) -> Encode:
        """The same stage with other steps of realism."""
        other = copy(self)
        other.realism = realism
        return other

    def __call__(self, record: Record) -> Record:
        assert record.image is not None and record.mask is not None
        quality = self.fixed
        if self.realism.jpeg_quality == "source" and record.background is not None:
            quality = written_quality(record.background.traits.jpeg_quality, self.fixed)
        options = [cv2.IMWRITE_JPEG_QUALITY, quality]
        done, jpg = cv2.imencode(".jpg", cv2.cvtColor(record.image, cv2.COLOR_RGB2BGR), options)
        if not done:
            raise ValueError(f"OpenCV could not encode a picture of shape {record.image.shape}")
        record.files = {"jpg": jpg.tobytes(), "mask.png": encode_mask(record.mask)}
        return record
