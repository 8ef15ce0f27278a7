"""Videos in and out, frame by frame, by OpenCV's FFmpeg."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from jaxtyping import UInt8

from ajahr.data.files import make_folder, user_error
from ajahr.errors import UserError

SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv")
DEFAULT_FPS = 25.0
_CODEC = "mp4v"  # the only one in OpenCV's wheels that is quick and that mp4 players know


class VideoFrames:
    """The frames of a video file or a camera.

    Frames that cannot be decoded come as None and keep their number, so that times stay right.

    Args:
        source: a file, or a camera's index.

    Raises:
        UserError: there is no such file or camera, or it is no video.
    """

    def __init__(self, source: str | Path | int) -> None:
        self.live = isinstance(source, int)
        self.name = f"camera {source}" if self.live else str(source)
        if not isinstance(source, int) and not Path(source).is_file():
            raise UserError(f"{source}: no such file; check the path")
        quiet = cv2.utils.logging.getLogLevel()
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # it would print what we tell
        try:
            self._capture = cv2.VideoCapture(source if isinstance(source, int) else str(source))
        finally:
            cv2.utils.logging.setLogLevel(quiet)
        if not self._capture.isOpened():
            self._capture.release()
            mend = "give the index of a camera that is plugged in" if self.live else "replace the file"
            raise UserError(f"{self.name}: cannot be opened as a video; {mend}")
        fps = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.fps = fps if 0 < fps < 1000 else DEFAULT_FPS
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.count: int | None = int(count) if not self.live and 0 < count < 1e9 else None
        """Frames the file announces; None where it does not say, and for cameras."""

    def __iter__(self) -> Iterator[tuple[int, UInt8[np.ndarray, "height width 3"] | None]]:
        """Number and RGB pixels of every frame; None for one that is damaged.

        Announced frames missing at the end are not given: a file's count is often an estimate.
        """
        index, missed = 0, 0
        while self.count is None or index < self.count:
            read, frame = self._capture.read()
            if read:
                for gap in range(index - missed, index):
                    yield gap, None
                missed = 0
                yield index, cv2.cvtColor(frame, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
            elif self.count is None:
                return
            else:
                missed += 1
            index += 1

    def close(self) -> None:
        self._capture.release()

    def __enter__(self) -> VideoFrames:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class VideoFile:
    """An mp4 being written; it has its name only when it is whole.

    Args:
        path: ends in .mp4.
        fps: frames per second.

    Raises:
        UserError: it cannot be written there.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self.path, self._fps = path, fps
        self._part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)
        make_folder(path.parent)

    def add(self, frame: UInt8[np.ndarray, "height width 3"]) -> None:
        """One more frame, RGB; the first sets the size (even numbers, as codecs want), others are fitted."""
        if self._writer is None:
            self._size = max(frame.shape[1] & ~1, 2), max(frame.shape[0] & ~1, 2)
            code = cv2.VideoWriter.fourcc(*_CODEC)
            self._writer = cv2.VideoWriter(str(self._part), code, self._fps, self._size)
            if not self._writer.isOpened():
                raise UserError(f"{self.path}: this OpenCV cannot write an mp4 there; choose another folder")
        width, height = self._size
        if frame.shape[:2] != (height, width):
            if 0 <= frame.shape[0] - height <= 1 and 0 <= frame.shape[1] - width <= 1:
                frame = frame[:height, :width]
            else:
                frame = cv2.resize(frame, self._size, interpolation=cv2.INTER_AREA).astype(np.uint8)
        self._writer.write(np.ascontiguousarray(frame[..., ::-1]))

    def finish(self) -> Path | None:
        """Close the file and give it its name; None if it got no frame."""
        if self._writer is None:
            return None
        self._writer.release()
        self._writer = None
        try:
            self._part.replace(self.path)
        except OSError as error:
            told = user_error(error, self.path)
            if told is None:
                raise
            raise told from error
        return self.path

    def __enter__(self) -> VideoFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.release()
        self._part.unlink(missing_ok=True)
