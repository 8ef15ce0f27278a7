"""What a user may point at: a picture, a folder of them, a video, a camera."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ajahr.data.images import ImageError, load_image
from ajahr.errors import UserError
from ajahr.inference import frames

SUFFIXES = (".jpg", ".jpeg", ".jpe", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".ppm", ".pgm")
Kind = Literal["picture", "folder", "video", "camera"]


def kind_of(source: str) -> Kind:
    """What ``source`` is. A whole number that names no file is a camera; unknown suffixes are looked into.

    Raises:
        UserError: there is nothing, or neither picture nor video.
    """
    path = Path(source)
    if path.is_dir():
        return "folder"
    if not path.exists():
        if source.isdecimal():
            return "camera"
        raise UserError(
            f"{source}: no such file or folder; give a picture, a folder, a video or a camera's index"
        )
    suffix = path.suffix.lower()
    if suffix in frames.SUFFIXES:
        return "video"
    if suffix in SUFFIXES:
        return "picture"
    try:
        load_image(path, max_pixels=1)
        return "picture"
    except ImageError as error:
        try:
            with frames.VideoFrames(path):
                return "video"
        except UserError:
            raise error from None


@dataclass(frozen=True)
class Picture:
    """One picture of a run.

    Attributes:
        path: The file.
        name: Relative to the folder, with forward slashes.
        stem: What its results are called, relative to the output.
    """

    path: Path
    name: str
    stem: str


@dataclass(frozen=True)
class Pictures:
    """The pictures of a run, in order of their names, and how many other files lie among them."""

    found: tuple[Picture, ...]
    is_folder: bool
    ignored: int = 0

    @classmethod
    def of(cls, source: str | Path, output: Path, *, recursive: bool = False) -> Pictures:
        """The picture, or those of a folder by their suffix; hidden files and the output are not looked at.

        Raises:
            UserError: a folder without pictures.
        """
        path = Path(source)
        if not path.is_dir():
            return cls((Picture(path, path.name, path.stem or path.name),), False)
        results = output.resolve()
        files, ignored = [], 0
        for file in sorted(path.rglob("*") if recursive else path.iterdir()):
            relative = file.relative_to(path)
            if any(part.startswith(".") for part in relative.parts) or not file.is_file():
                continue
            if results != path.resolve() and file.resolve().is_relative_to(results):
                continue
            if file.suffix.lower() in SUFFIXES:
                files.append(relative)
            else:
                ignored += 1
        if not files:
            deeper = "" if recursive else "; --recursive true looks into its folders"
            raise UserError(f"{source}: no pictures ({', '.join(SUFFIXES)}) in it{deeper}")
        if results == path.resolve():
            raise UserError(f"{source}: pictures and results in one folder; choose another --output")
        # a.jpg and a.png would both write a.json: such names keep their suffix
        count = Counter(str(one.with_suffix("")).lower() for one in files)
        found = []
        for one in files:
            alone = count[str(one.with_suffix("")).lower()] == 1
            stem = one.with_suffix("") if alone else one.with_name(one.name.replace(".", "_"))
            found.append(Picture(path / one, one.as_posix(), stem.as_posix()))
        return cls(tuple(found), True, ignored)
