"""One door to every reader."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ajahr.data.readers.boxes import read_boxes
from ajahr.data.readers.coco import read_coco
from ajahr.data.readers.mpii import read_mpii
from ajahr.data.readers.people import AnnotatedPhotos
from ajahr.errors import UserError

PeopleFormat = Literal["coco", "ochuman", "crowdpose", "mpii", "boxes"]

_READERS = {
    "coco": read_coco,
    "ochuman": read_coco,
    "crowdpose": read_coco,
    "mpii": read_mpii,
    "boxes": read_boxes,
}
_LICENCES = {
    "ochuman": "OCHuman: non-commercial research",
    "crowdpose": "CrowdPose: non-commercial research",
}


def read_people(
    kind: PeopleFormat, annotations: str | Path, images: str | Path, *, source: str = "", licence: str = ""
) -> AnnotatedPhotos:
    """The photographs and people of an annotation file.

    Args:
        kind: Its format; OCHuman (in COCO form) and CrowdPose are COCO's with their own licence line.
        annotations: The file.
        images: Folder of the photographs.
        source: Name kept with every photograph; ``kind`` when empty.
        licence: Of photographs for which the file names none; the dataset's own when empty.

    Raises:
        UserError: the file is not of the format, ``images`` is no folder, or not one photograph can be used.
    """
    if not Path(images).is_dir():
        raise UserError(f"{images}: no such folder; give the folder of the photographs of {annotations}")
    found = _READERS[kind](
        annotations, images, source=source or kind, licence=licence or _LICENCES.get(kind, "")
    )
    if not found.photos:
        reasons = (
            ", ".join(f"{k} {n}" for k, n in (found.dropped_photos + found.dropped_people).items())
            or "it is empty"
        )
        raise UserError(
            f"{annotations}: not one photograph can be used ({reasons}); are its photographs in {images}?"
        )
    return found
