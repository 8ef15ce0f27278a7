"""Photographs that installed packages carry, used where they lie.

With people: ``bus.jpg`` and ``zidane.jpg`` of ultralytics and ``astronaut.png`` of scikit-image, annotated by
hand in ``synth/demo/annotations.json`` (the helmet the astronaut holds counts as hers). Without: three of
scikit-image. The packages are located, not imported: importing ultralytics takes seconds and writes settings.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from ajahr.data.readers.coco import read_coco
from ajahr.data.readers.people import AnnotatedPhotos
from ajahr.errors import MissingAsset

ANNOTATIONS = Path(__file__).parents[1] / "demo" / "annotations.json"
_INSTALL = "pip install 'ajahr[synth]'"
_PEOPLE_FILES = (
    ("ultralytics", "assets", "bus.jpg"),
    ("ultralytics", "assets", "zidane.jpg"),
    ("skimage", "data", "astronaut.png"),
)
STEREO_LICENCE = "Middlebury 2014 stereo benchmark, Scharstein et al. (with scikit-image)"
_CLEAN_FILES = (
    ("motorcycle_left.png", STEREO_LICENCE),
    ("motorcycle_right.png", STEREO_LICENCE),
    ("rocket.jpg", "Public domain (SpaceX, with scikit-image)"),
)


@dataclass(frozen=True)
class CleanPhoto:
    """A photograph nobody is in."""

    path: Path
    licence: str


def demo_people() -> AnnotatedPhotos:
    """The three photographs with people.

    Raises:
        MissingAsset: ultralytics or scikit-image is not installed or does not carry the pictures.
    """
    files = [packaged_file(*place) for place in _PEOPLE_FILES]
    return read_coco(ANNOTATIONS, sorted({file.parent for file in files}), source="demo")


def demo_clean() -> tuple[CleanPhoto, ...]:
    """Photographs of a room and of a launch site in which somebody could stand.

    Raises:
        MissingAsset: scikit-image is not installed or does not carry the pictures.
    """
    return tuple(
        CleanPhoto(packaged_file("skimage", "data", name), licence) for name, licence in _CLEAN_FILES
    )


def packaged_file(package: str, folder: str, name: str) -> Path:
    """The path of a file inside an installed package, which is not imported."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise MissingAsset(
            f"the demo photograph {name} comes with {package}, which is not installed; {_INSTALL}"
        )
    for location in found.submodule_search_locations:
        path = Path(location) / folder / name
        if path.is_file():
            return path
    raise MissingAsset(
        f"{package} is installed without its photograph {folder}/{name}; {_INSTALL} in a new environment"
    )
