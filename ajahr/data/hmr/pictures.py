"""Encoded pictures out of folders and tars, and decoding no more of them than a crop needs.

A tar is read at offsets its index gives (`ajahr.data.hmr.tar_index`), with reads that carry their own
position, so that workers forked from one process may share the open files.
"""

from __future__ import annotations

import os
import struct
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from jaxtyping import UInt8

from ajahr.data.images import ImageError

MAX_OPEN = 128
"""Files a store keeps open; InstaVariety alone is 3658 tars."""
_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0)
_JPEG, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_DRI, _SOS, _APP2, _BASELINE = 0xDD, 0xDA, 0xE2, (0xC0, 0xC1)
_MCU = 16
"""Rows that a JPEG encodes together, at most in practice."""
_CHROMA_ROWS = 4
"""Rows by which colours of the last rows decoded may differ: they are interpolated with the next."""
_WORTHWHILE = 0.9
"""Share of the rows above which all are decoded."""
_REDUCED = {  # the grey names carry the reduction, COLOR_RGB the order of channels
    1: cv2.IMREAD_COLOR_RGB,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2 | cv2.IMREAD_COLOR_RGB,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4 | cv2.IMREAD_COLOR_RGB,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8 | cv2.IMREAD_COLOR_RGB,
}


class PictureStore:
    """Where a dataset's pictures are.

    Args:
        folder: what names of pictures are relative to.
        tars: files that a row's ``file`` counts; rows with ``file`` -1 are in the folder, under their
            ``image`` name.
    """

    def __init__(self, folder: str | Path = ".", tars: Sequence[str | Path] = ()) -> None:
        self.folder = Path(folder)
        self.tars = tuple(Path(tar) for tar in tars)
        self._prefix = f"{self.folder}{os.sep}"  # pathlib's own joining takes longer than the read
        self._open: OrderedDict[int, int] = OrderedDict()

    def where(self, row: np.void) -> str:
        """The row's picture in words, for errors."""
        name = row["image"].decode()
        number = int(row["file"])
        return str(self.folder / name) if number < 0 else f"{self.tars[number]}: {name}"

    def read(self, row: np.void) -> bytes:
        """The encoded picture of a row. ImageError if it cannot be read whole."""
        number = int(row["file"])
        try:
            if number < 0:
                handle = os.open(f"{self._prefix}{row['image'].decode()}", _FLAGS)
                try:
                    return os.read(handle, os.fstat(handle).st_size)
                finally:
                    os.close(handle)
            data = self._read_at(number, int(row["offset"]), int(row["length"]))
        except (FileNotFoundError, NotADirectoryError):
            raise ImageError(f"{self.where(row)}: no such file; check the dataset's picture folder") from None
        except OSError as error:
            raise ImageError(
                f"{self.where(row)}: cannot be read ({error.strerror}); check its disk"
            ) from None
        if len(data) != int(row["length"]):
            raise ImageError(f"{self.where(row)}: the tar is shorter than its index; delete the index")
        return data

    def _read_at(self, number: int, offset: int, length: int) -> bytes:
        handle = self._open.get(number)
        if handle is None:
            handle = os.open(self.tars[number], _FLAGS)
            self._open[number] = handle
            if len(self._open) > MAX_OPEN:
                os.close(self._open.popitem(last=False)[1])
        else:
            self._open.move_to_end(number)
        if hasattr(os, "pread"):
            return os.pread(handle, length, offset)
        os.lseek(handle, offset, os.SEEK_SET)  # Windows, whose workers are never forked
        return os.read(handle, length)

    def close(self) -> None:
        """Close what is open; the next `read` opens again."""
        while self._open:
            os.close(self._open.popitem()[1])

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": OrderedDict()}

    def __del__(self) -> None:
        if getattr(self, "_open", None):
            self.close()


class JpegFrame(NamedTuple):
    """What the headers of a JPEG say."""

    width: int
    height: int
    place: int
    """Offset of the frame header."""
    end: int
    """Offset of the end marker where rows lie one after the other in a single scan without restart markers and no
    other picture follows; else -1."""


def decode_reduced(
    data: bytes,
    reduction: int,
    where: str | Callable[[], str],
    quarter_turns: int = 0,
    *,
    frame: JpegFrame | None = None,
    rows: int | None = None,
) -> tuple[UInt8[np.ndarray, "height width 3"], int]:
    """The picture, RGB, at 1/``reduction`` of its size where that saves time, and the reduction it has.

    A JPEG is reduced inside the decoder, from fewer DCT coefficients: a box average in all but name, for less
    than the time of decoding it whole. Sizes that do not divide are rounded up, so continuous coordinates
    divide by the reduction exactly. EXIF orientation is not applied: annotations of training sets refer to the
    stored pixels.

    Args:
        data: the encoded picture.
        reduction: 1, 2, 4 or 8; other formats than JPEG are decoded whole whatever it says.
        where: its name, for the error, or what says it.
        quarter_turns: clockwise turns of the stored picture that make it upright.
        frame: of `jpeg_frame`; with ``rows``.
        rows: of the picture, from the top, that are needed. Those below may be left out of the result: a
            decoder goes from top to bottom, and what it is not asked for takes no time.

    Raises:
        ImageError: not a picture, damaged, or a JPEG without its end.
    """
    jpeg = data[:2] == _JPEG
    if jpeg and _JPEG_END not in data[-4096:]:
        # OpenCV fills what is missing with grey and says nothing
        raise ImageError(f"{_said(where)}: truncated JPEG; replace the file")
    reduction = reduction if jpeg else 1
    flags = _REDUCED[reduction] | cv2.IMREAD_IGNORE_ORIENTATION
    if frame is not None and rows is not None and not quarter_turns % 4:
        image = _top(data, frame, rows + _CHROMA_ROWS * reduction, reduction, flags)
        if image is not None:
            return image, reduction
    raw = np.frombuffer(data, np.uint8)
    image = cv2.imdecode(raw, flags) if raw.size else None
    if image is None or not image.size:
        raise ImageError(f"{_said(where)}: not a picture OpenCV can read; replace the file")
    if quarter_turns % 4:
        turn = (cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_COUNTERCLOCKWISE)
        image = cv2.rotate(image, turn[quarter_turns % 4 - 1])
    return image.astype(np.uint8, copy=False), reduction


def _top(
    data: bytes, frame: JpegFrame, rows: int, reduction: int, flags: int
) -> UInt8[np.ndarray, "height width 3"] | None:
    """The first ``rows`` rows, by a header that says there are no more; None where that cannot be or saves little.

    The end marker goes too: looking for it in what is left, the decoder would call the file damaged.
    """
    rows += -rows % _MCU
    if frame.end < 0 or rows > _WORTHWHILE * frame.height:
        return None
    place = frame.place + 5
    shorter = data[:place] + rows.to_bytes(2, "big") + data[place + 2 : frame.end]
    image = cv2.imdecode(np.frombuffer(shorter, np.uint8), flags)
    if image is None or image.shape[:2] != (-(-rows // reduction), -(-frame.width // reduction)):
        return None
    return image.astype(np.uint8, copy=False)


def jpeg_frame(data: bytes) -> JpegFrame | None:
    """The headers of a JPEG up to its first scan; None where there is no frame header, or of what is no JPEG."""
    place, more, frame = 2, False, None
    while data[:2] == _JPEG and place + 9 <= len(data):
        if data[place] != 0xFF:
            break
        marker = data[place + 1]
        if marker == _SOS:
            whole = frame is not None and data[place + 4] == data[frame.place + 9]
            baseline = frame is not None and data[frame.place + 1] in _BASELINE
            if frame is None or more or not (whole and baseline):
                break
            return frame._replace(end=data.rfind(_JPEG_END))
        if marker == 0xFF or 0xD0 <= marker <= 0xD8 or marker == 0x01:  # fill bytes, markers without a length
            place += 1 if marker == 0xFF else 2
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, place + 5)
            frame = JpegFrame(width, height, place, -1)
        more |= marker == _DRI or (marker == _APP2 and data[place + 4 : place + 7] == b"MPF")
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return frame


def _said(where: str | Callable[[], str]) -> str:
    return where if isinstance(where, str) else where()
