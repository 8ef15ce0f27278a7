"""The part mask: one uint8 per pixel that says whose which part is seen there.

``32 * person + joint + 1``, with ``joint`` one of SMPL's 24 (the one with the largest skinning weight), 0
where nobody is. Only what is in sight is marked: a part behind something else is not.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Int, UInt8

from ajahr.anatomy import NUM_JOINTS
from ajahr.errors import UserError

MAX_PEOPLE = 7
_STRIDE = 32
_INVALID = np.array(
    [not (v == 0 or (v < _STRIDE * MAX_PEOPLE and 1 <= v % _STRIDE <= NUM_JOINTS)) for v in range(256)],
    np.uint8,
)


def person_values(parts: UInt8[np.ndarray, "height width"], person: int) -> UInt8[np.ndarray, "height width"]:
    """Mask values of one person from the rasteriser's ``parts`` (0 background, else joint + 1)."""
    if not 0 <= person < MAX_PEOPLE:
        raise ValueError(f"a part mask has room for {MAX_PEOPLE} people, got person {person}")
    return np.where(parts > 0, parts + np.uint8(_STRIDE * person), np.uint8(0))


def split_mask(
    mask: UInt8[np.ndarray, "height width"],
) -> tuple[Int[np.ndarray, "height width"], Int[np.ndarray, "height width"]]:
    """Person and joint of each pixel, int16, -1 where nobody is. Joints of 24 and above are not valid."""
    values = mask.astype(np.int16)
    nobody = values == 0
    person, joint = values // _STRIDE, values % _STRIDE - 1
    person[nobody] = -1
    joint[nobody] = -1
    return person, joint


def encode_mask(mask: UInt8[np.ndarray, "height width"]) -> bytes:
    """The mask as an 8-bit grey PNG."""
    if cv2.LUT(mask, _INVALID).any():
        raise ValueError("the mask holds values that are no person's part")
    done, data = cv2.imencode(".png", mask)
    if not done:
        raise ValueError(f"OpenCV could not encode a mask of shape {mask.shape}")
    return data.tobytes()


def decode_mask(data: bytes, where: str) -> UInt8[np.ndarray, "height width"]:
    """The mask in a PNG. UserError naming ``where`` if it is no 8-bit grey picture."""
    raw = np.frombuffer(data, np.uint8)
    mask = cv2.imdecode(raw, cv2.IMREAD_UNCHANGED) if raw.size else None
    if mask is None or mask.dtype != np.uint8 or mask.ndim != 2:
        raise UserError(f"{where}: not a part mask (an 8-bit grey PNG); remake this shard")
    return mask
