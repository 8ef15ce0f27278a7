"""The bank of clean backgrounds: made once from the photographs, read by every worker.

    backgrounds/
      000000.jpg      the picture without its people
      000000.json     where they stood, the poses fitted to them, how good the fill is
      dropped/000001.json   a photograph that was given up, and why

Every file is a pure function of its photograph and the configuration and is renamed into place when whole, so a
killed run goes on where it stopped.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from ajahr.data.files import make_folder, write_atomic
from ajahr.errors import UserError
from ajahr.render.rasterizer import Lighting


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


def is_done(folder: Path, index: int) -> bool:
    """Whether a photograph was finished, kept or dropped."""
    name = f"{index:06d}.json"
    return (folder / name).exists() or (folder / "dropped" / name).exists()


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
        }
    )


class BackgroundBank:
    """The backgrounds of a folder, decoded when asked for and kept while ``cache_bytes`` allow."""

    def __init__(self, folder: Path, cache_bytes: int = 96 << 20) -> None:
        self.folder = folder
        self.backgrounds: list[Background] = []
        self.drops: dict[str, int] = {}
        self._cache: OrderedDict[str, np.ndarray] = OrderedDict()
        self._cache_bytes = cache_bytes
        self._held = 0
        for path in sorted(folder.glob("*.json")):
            entry = json.loads(path.read_text())
            slots = tuple(slot_from_json(tree) for tree in entry.pop("slots"))
            self.backgrounds.append(
                Background(name=path.stem, path=path.with_suffix(".jpg"), slots=slots, **entry)
            )
        for path in sorted((folder / "dropped").glob("*.json")):
            reason = json.loads(path.read_text())["reason"]
            self.drops[reason] = self.drops.get(reason, 0) + 1

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
