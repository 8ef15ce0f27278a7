"""Human3.6M's cameras stand still: one frame of each gives its background (AJAHR section 3.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

H36M_CAMERAS = ("54138969", "55011271", "58860488", "60457274")
"""Serial numbers of the four cameras; some preparations of the data number them 01 to 04 instead."""
_SERIAL = re.compile(rf"(?<!\d)({'|'.join(H36M_CAMERAS)})(?!\d)")
_NUMBER = re.compile(r"_ca_(0[1-4])(?!\d)")


def camera_of(path: Path) -> str | None:
    """The camera a frame is from, by the name of its file or else its folder; None if neither says.

    ``S1_Directions_1.54138969_000001.jpg``, ``Directions.54138969/000001.jpg`` and
    ``s_01_act_02_subact_01_ca_01_000001.jpg`` are all of the first camera.
    """
    return camera_in(path.name) or camera_in(path.parent.name)


def camera_in(name: str) -> str | None:
    """The camera that a name tells, or None."""
    if found := _SERIAL.search(name):
        return found[1]
    if found := _NUMBER.search(name):
        return H36M_CAMERAS[int(found[1]) - 1]
    return None


def first_frames(files: Iterable[Path], count: int = 1) -> list[list[Path]]:
    """The first ``count`` frames of each camera in the order of file names, cameras by their numbers.

    One frame is enough; the others are tried when those before them are dropped.
    """
    frames: dict[str, list[Path]] = {}
    for path in sorted(files):
        camera = camera_of(path)
        if camera is not None and len(frames.setdefault(camera, [])) < count:
            frames[camera].append(path)
    return [frames[camera] for camera in sorted(frames)]
