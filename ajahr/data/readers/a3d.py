"""A3D as released: its folders, its file names, and all of it as people for the regressor.

    A3D_Dataset/COCO_train/{Images, annotation}     HMR2's keys (`ajahr.data.readers.a3d_people`)
    A3D_Dataset/MPII/{Images, annotation}
    A3D_Dataset/COCO_val/{Images, annotation}       for evaluation
    A3D_Dataset/H36M/annotation                     poses as matrices
    A3D_Dataset/H36M/Images/{S1, S5, S6, S7, S8, S9, S11}   S11 for evaluation

Pictures are called ``amp_<AJAHR-Index>_<rest>.png``. The names of the annotation files are not published: every
.npz in an ``annotation`` folder is read. ``ajahr-synth export-a3d`` writes this layout.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ajahr.anatomy import INTACT_INDEX
from ajahr.data.hmr.samples import PeopleTable
from ajahr.data.readers.a3d_people import read_a3d_people
from ajahr.data.readers.npz_file import read_columns
from ajahr.errors import UserError

COCO_PARTS = ("COCO_train", "MPII", "COCO_val")
"""Parts with annotations in HMR2's keys."""
H36M = "H36M"
SUBJECTS = ("S1", "S5", "S6", "S7", "S8", "S9", "S11")
EVALUATION = ("COCO_val", "H36M/S11")
"""Parts that nothing may be trained on."""
PARTS: tuple[str, ...] = (*COCO_PARTS, *(f"{H36M}/{subject}" for subject in SUBJECTS))
"""Every part by the name it has here."""
IMAGES, ANNOTATION = "Images", "annotation"
_NAME = re.compile(r"amp_(\d+)_(.+)")
_SUBJECT = re.compile(r"(?<![A-Za-z0-9])S(?:1|5|6|7|8|9|11)(?![0-9])")


def picture_name(index: int, rest: str) -> str:
    """``amp_<index>_<rest>.png``; 12 is an intact person."""
    return f"amp_{index}_{rest}.png"


def parse_picture_name(name: str) -> tuple[int, str]:
    """AJAHR-Index and the rest of a picture's name; 12 where the name has none, as A3D's README has it."""
    stem = Path(name.replace("\\", "/")).stem
    found = _NAME.fullmatch(stem)
    return (int(found[1]), found[2]) if found else (INTACT_INDEX, stem)


@dataclass(frozen=True)
class A3DFile:
    """One annotation file: ``part`` of `PARTS`, or ``H36M`` for a file of several subjects."""

    part: str
    path: Path
    images: Path
    """Folder its ``imgname`` are relative to."""

    @property
    def evaluation(self) -> bool:
        """Whether it is meant for evaluation."""
        return self.part in EVALUATION


def find_a3d(root: str | Path) -> list[A3DFile]:
    """The annotation files below a released A3D folder, parts in the order of `PARTS`.

    Raises:
        UserError: no such folder, no annotation in it, or pictures that are not where a file says.
    """
    root = Path(root)
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; give A3D's, with {', '.join(COCO_PARTS)} and {H36M} in it")
    found = [
        _file(part, path, root / part / IMAGES)
        for part in (*COCO_PARTS, H36M)
        for path in sorted((root / part / ANNOTATION).glob("*.npz"))
    ]
    if not found:
        raise UserError(
            f"{root}: no {COCO_PARTS[0]}/{ANNOTATION}/*.npz or the like in it; give the folder A3D was unpacked in"
        )
    order = {part: i for i, part in enumerate((*PARTS, H36M))}
    return sorted(found, key=lambda file: (order[file.part], file.path))


def _file(part: str, path: Path, images: Path) -> A3DFile:
    names = [str(name) for name in read_columns(path, ("imgname",))["imgname"].tolist()]
    if part == H36M:
        told = {
            found[0] for name in (*names, path.stem) if (found := _SUBJECT.search(name.replace("_", " ")))
        }
        part = f"{H36M}/{told.pop()}" if len(told) == 1 else H36M
    if not names:
        return A3DFile(part, path, images)
    folders = [images, *sorted(folder for folder in images.glob("*") if folder.is_dir())]
    for folder in folders:
        if (folder / names[0]).is_file():
            return A3DFile(part, path, folder)
    raise UserError(f"{path}: its picture {names[0]} is not in {images}; unpack the pictures of {part} too")


def read_a3d(root: str | Path, parts: Sequence[str] | None = None) -> dict[str, PeopleTable]:
    """The people of each annotation file by its part (and file name, where a part has several).

    Args:
        root: the A3D folder.
        parts: which of `PARTS`; all that are there when None.

    Raises:
        UserError: as `find_a3d`, a file that is damaged, or a part that is not there.
    """
    files = find_a3d(root)
    wanted = set(parts or [file.part for file in files])
    missing = sorted(wanted - {file.part for file in files})
    if missing:
        raise UserError(
            f"{root}: no {missing[0]} in it; there are {', '.join(sorted({f.part for f in files}))}"
        )
    chosen = [file for file in files if file.part in wanted]
    several = {part for part in wanted if sum(file.part == part for file in chosen) > 1}
    return {
        name: read_a3d_people(file.path, file.images, name=name)
        for file in chosen
        for name in [f"{file.part}/{file.path.stem}" if file.part in several else file.part]
    }
