"""The bank of clean backgrounds: made once from the photographs, read by every worker.

    backgrounds/
      000000.jpg      the picture without its people
      000000.json     where they stood, the poses fitted to them, how good the fill is
      dropped/000001.json   a photograph that was given up, and why
      left_out/readers.json   what the readers of the annotations left out

Every file is a pure function of its photograph and the configuration and is renamed into place when whole, so a
killed run goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from ajahr.data.files import make_folder, sha256_of, write_atomic
from ajahr.errors import UserError
from ajahr.render.rasterizer import Lighting
from synth.realism.traits import PhotoTraits, PlaceTraits, photo_from_json, place_from_json

LEFT_OUT = Path("left_out/readers.json")
"""In the folder: counts of what the readers of the photographs left out."""


@dataclass(frozen=True)
class Slot:
    """A place for one person.

    Attributes:
        bbox_xyxy: Where the removed person was, px; for a place nobody stood, about where one would.
        px_per_m: Image scale at that place.
        anchor_x: Where the pelvis goes, px.
        ground_y: Where the lowest point of the body goes, px; may lie below the picture.
        pose_rotvec: (24, 3) fitted pose with the root in the camera frame, or None.
        betas: Fitted shape, or None.
        pelvis_px: Where the fitted pelvis lies, px, or None.
        fit_error: Reprojection error of the fit relative to the box height, or None.
        light: Ambient rgb, directional rgb and the direction towards the light there, nine numbers, or None.
        traits: Sharpness and tones there.
        source_id: The annotation's own number of the person who stood there; empty where nobody did.
    """

    bbox_xyxy: tuple[float, float, float, float]
    px_per_m: float
    anchor_x: float
    ground_y: float
    pose_rotvec: list[list[float]] | None = None
    betas: list[float] | None = None
    pelvis_px: tuple[float, float] | None = None
    fit_error: float | None = None
    light: list[float] | None = None
    traits: PlaceTraits = field(default_factory=PlaceTraits)
    source_id: str = ""

    def lighting(self) -> Lighting:
        """The light at this place; a plain one where none was estimated."""
        if self.light is None:
            return Lighting()
        values = np.asarray(self.light, np.float32)
        return Lighting(values[:3], values[3:6], values[6:])

    @cached_property
    def pose(self) -> np.ndarray | None:
        """The fitted pose as float32 (24, 3)."""
        return None if self.pose_rotvec is None else np.asarray(self.pose_rotvec, np.float32)


@dataclass(frozen=True)
class Background:
    """A clean picture and the places in it."""

    name: str
    path: Path
    source: str
    photo: str
    licence: str
    width: int
    height: int
    ssim: float
    grey: bool
    slots: tuple[Slot, ...]
    lpips: float | None = None
    traits: PhotoTraits = field(default_factory=PhotoTraits)
    scale: float = 1.0
    skipped: dict[str, int] = field(default_factory=dict)


def write_entry(folder: Path, index: int, image: UInt8[np.ndarray, "h w 3"], entry: dict) -> None:
    """Put one background into the bank: the picture, then its description, each renamed when whole."""
    name = f"{index:06d}"
    ok, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
    if not ok:
        raise UserError(f"cannot encode background {name}; its size is {image.shape}")
    make_folder(folder)
    write_atomic(folder / f"{name}.jpg", data.tobytes())
    write_atomic(folder / f"{name}.json", json.dumps(entry).encode())


def write_drop(folder: Path, index: int, photo: str, reason: str) -> None:
    """Note that a photograph was given up."""
    make_folder(folder / "dropped")
    data = json.dumps({"photo": photo, "reason": reason}).encode()
    write_atomic(folder / "dropped" / f"{index:06d}.json", data)


def write_left_out(folder: Path, counts: Mapping[str, int]) -> None:
    """Note what the readers of the photographs left out before any of them was looked at."""
    make_folder(folder / LEFT_OUT.parent)
    write_atomic(folder / LEFT_OUT, json.dumps(dict(sorted(counts.items()))).encode())


def is_done(folder: Path, index: int) -> bool:
    """Whether a photograph was finished: dropped, or kept with its picture still there."""
    name = f"{index:06d}"
    kept = (folder / f"{name}.json").exists() and (folder / f"{name}.jpg").exists()
    return kept or (folder / "dropped" / f"{name}.json").exists()


def slot_to_json(slot: Slot) -> dict:
    """Plain values of a slot."""
    return asdict(slot)


def slot_from_json(tree: dict[str, Any]) -> Slot:
    """`slot_to_json` undone."""
    pelvis = tree["pelvis_px"]
    return Slot(
        **{
            **tree,
            "bbox_xyxy": tuple(tree["bbox_xyxy"]),
            "pelvis_px": None if pelvis is None else tuple(pelvis),
            "traits": place_from_json(tree.get("traits")),
        }
    )


def _background_from_json(path: Path, tree: dict[str, Any]) -> Background:
    slots = tuple(slot_from_json(slot) for slot in tree.pop("slots"))
    traits = photo_from_json(tree.pop("traits", None))
    return Background(name=path.stem, path=path.with_suffix(".jpg"), slots=slots, traits=traits, **tree)


def _read(path: Path, make: Callable[[Path, dict[str, Any]], Any]) -> Any:
    try:
        return make(path, json.loads(path.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path}: damaged ({type(error).__name__}); delete it and run the command that made it again"
        ) from None


def bank_sha256(folder: Path) -> str:
    """SHA-256 of every background in a folder, pictures and descriptions."""
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("*.json"), *folder.glob("*.jpg")]):
        digest.update(f"{path.name} {sha256_of(path)}\n".encode())
    return digest.hexdigest()


class BackgroundBank:
    """The backgrounds of a folder, decoded when asked for and kept while ``cache_bytes`` allow.

    Args:
        folder: Of the bank.
        cache_bytes: Memory for decoded pictures.
        keep: Takes the name of a photograph; backgrounds for which it is False are left out.

    Raises:
        UserError: a description cannot be read.
    """

    def __init__(
        self, folder: Path, cache_bytes: int = 96 << 20, *, keep: Callable[[str], bool] | None = None
    ) -> None:
        self.folder = folder
        self.backgrounds: list[Background] = []
        drops: Counter[str] = Counter()
        self._cache: OrderedDict[str, np.ndarray] = OrderedDict()
        self._cache_bytes = cache_bytes
        self._held = 0
        for path in sorted(folder.glob("*.json")):
            found = _read(path, _background_from_json)
            drops.update(found.skipped)
            if keep is None or keep(found.photo):
                self.backgrounds.append(found)
        for path in sorted((folder / "dropped").glob("*.json")):
            drops[_read(path, lambda _, tree: str(tree["reason"]))] += 1
        if (folder / LEFT_OUT).exists():
            drops.update(_read(folder / LEFT_OUT, lambda _, tree: Counter(tree)))
        self.drops = dict(drops)

    def __len__(self) -> int:
        return len(self.backgrounds)

    @cached_property
    def fitted(self) -> list[Slot]:
        """Every slot with a fitted pose."""
        return [slot for background in self.backgrounds for slot in background.slots if slot.pose is not None]

    def image(self, background: Background) -> UInt8[np.ndarray, "height width 3"]:
        """The picture, RGB; do not write into it."""
        found = self._cache.get(background.name)
        if found is not None:
            self._cache.move_to_end(background.name)
            return found
        image = cv2.imread(str(background.path), cv2.IMREAD_COLOR)
        if image is None:
            raise UserError(
                f"{background.path}: the background cannot be read; delete its .json and run again"
            )
        image = np.ascontiguousarray(image[..., ::-1])
        image.setflags(write=False)
        self._cache[background.name] = image
        self._held += image.nbytes
        while self._held > self._cache_bytes and len(self._cache) > 1:
            self._held -= self._cache.popitem(last=False)[1].nbytes
        return image
