"""Every photograph of a job in order: annotated, detected in later, or without people."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ajahr.data.readers.formats import read_people
from ajahr.data.readers.people import Photo
from ajahr.errors import UserError
from synth.config import GenerateConfig, PhotoSource
from synth.photos.demo import demo_clean, demo_people
from synth.photos.h36m import camera_in, camera_of, first_frames
from synth.splits import photo_split

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
H36M_FRAMES = 10
"""Frames of one camera tried until one gives a background."""


@dataclass(frozen=True)
class PhotoTask:
    """A photograph to prepare.

    Attributes:
        index: Its number in the bank.
        source: Name of its source.
        licence: One line.
        path: The file.
        photo: The photograph with its people; None for one without people.
        others: Photographs of the same background, to try in turn when this one is dropped.
    """

    index: int
    source: str
    licence: str
    path: Path
    photo: Photo | None = None
    others: tuple[Photo, ...] = ()


def list_photos(config: GenerateConfig) -> tuple[list[PhotoTask], Counter[str]]:
    """Every photograph of the configured sources, this split's, and counts of what their readers left out.

    Raises:
        UserError: a file or folder is not there or not of its format, or no photograph falls into the split.
    """
    tasks: list[PhotoTask] = []
    left_out: Counter[str] = Counter()
    listed = 0
    for source in config.photos:
        name = source.name or source.kind
        found, unread = _photos_of(source, name, config.backgrounds.detector)
        left_out.update(unread)
        for licence, path, photo, others in found[: source.limit]:
            listed += 1
            if config.split_shares and photo_split(photo_name(path), config.split_shares) != config.split:
                continue
            tasks.append(PhotoTask(len(tasks), name, licence or "not stated", path, photo, others))
    if listed and not tasks:
        raise UserError(
            f"none of the {listed} photographs falls into split {config.split!r}; add photographs or give it a "
            "larger share in split_shares"
        )
    return tasks, left_out


def photo_name(path: Path) -> str:
    """What a photograph is called in records: its stem, with the folder where only that tells H36M's camera."""
    told_by_folder = camera_in(path.name) is None and camera_of(path) is not None
    return f"{path.parent.name}_{path.stem}" if told_by_folder else path.stem


_Found = list[tuple[str, Path, Photo | None, tuple[Photo, ...]]]


def _photos_of(source: PhotoSource, name: str, detector: str) -> tuple[_Found, Counter[str]]:
    """Licence, file, photograph and its stand-ins; and what was left out."""
    unread: Counter[str] = Counter()
    if source.kind == "clean":
        return [(licence, path, None, ()) for path, licence in _clean_files(source)], unread
    if source.kind in ("folder", "h36m"):
        sets = [
            [Photo(path, path.stem, (), source=name) for path in paths]
            for paths in _unannotated(source, detector)
        ]
        return [("", first.path, first, tuple(others)) for first, *others in sets], unread
    annotated = demo_people() if source.kind == "demo" else _annotated(source, name)
    unread.update(annotated.dropped_photos)
    unread.update({f"person_{reason}": n for reason, n in annotated.dropped_people.items()})
    return [(photo.licence, photo.path, photo, ()) for photo in annotated.photos], unread


def _annotated(source: PhotoSource, name: str):
    if source.annotations is None or source.images is None:
        raise UserError(f"config: photos of kind {source.kind} need both 'annotations' and 'images'")
    assert source.kind not in ("demo", "clean", "folder", "h36m")
    return read_people(source.kind, source.annotations, source.images, source=name)


def _clean_files(source: PhotoSource) -> list[tuple[Path, str]]:
    if source.images is None:
        return [(photo.path, photo.licence) for photo in demo_clean()]
    files = _pictures_in(source.images, "the people-free photographs")
    return [(path, "") for path in files]


def _unannotated(source: PhotoSource, detector: str) -> list[list[Path]]:
    """Photographs in whose people no annotation file is interested; several in a row show one background."""
    if detector == "annotations":
        raise UserError(
            f"config: photos of kind {source.kind} have no annotated people; set backgrounds.detector to yolo"
        )
    if source.images is None:
        raise UserError(f"config: photos of kind {source.kind} need 'images', the folder of the photographs")
    files = _pictures_in(source.images, "the photographs", nested=source.kind == "h36m")
    if source.kind != "h36m":
        return [[path] for path in files]
    cameras = first_frames(files, H36M_FRAMES)
    if not cameras:
        raise UserError(
            f"{source.images}: no file name tells a camera, as S1_Directions_1.54138969_000001.jpg does; "
            "set kind to folder for other photographs"
        )
    return cameras


def _pictures_in(folder: Path, what: str, *, nested: bool = False) -> list[Path]:
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give the folder of {what}")
    inside = folder.rglob("*") if nested else folder.iterdir()
    files = sorted(path for path in inside if path.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise UserError(f"{folder}: no photographs ({', '.join(IMAGE_SUFFIXES)}) in this folder")
    return files
