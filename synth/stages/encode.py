"""Picture and part mask to the bytes that go into the shard."""

from __future__ import annotations

import cv2

from ajahr.data.mask import encode_mask
from synth.record import Record


class Encode:
    """JPEG for the picture, PNG for the mask."""

    def __init__(self, jpeg_quality: int) -> None:
        self.options = [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality]

    def __call__(self, record: Record) -> Record:
        assert record.image is not None and record.mask is not None
        done, jpg = cv2.imencode(".jpg", cv2.cvtColor(record.image, cv2.COLOR_RGB2BGR), self.options)
        if not done:
            raise ValueError(f"OpenCV could not encode a picture of shape {record.image.shape}")
        record.files = {"jpg": jpg.tobytes(), "mask.png": encode_mask(record.mask)}
        return record
