"""The bank of objects: made once in preparation, read by every worker.

occluders/
  000000.png      the object with its coverage, at the size it is used at
  000000.json     what it is, where it is from, how large it is in metres
  bank.json       written last: how many there are, and what was dropped
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from ajahr.data.files import make_folder, write_atomic
from ajahr.errors import UserError
from synth.config import HardCasesConfig
from synth.occluders.packaged import packaged_objects
from synth.occluders.photographs import coco_objects
from synth.occluders.procedural import KINDS, PER_KIND, draw_object

OCCLUDERS = "occluders"
"""Folder of the bank in a job's work folder."""
DONE = "bank.json"
MAX_SIDE_PX = 320
"""Objects are kept no larger: 0.4 MB each."""


@dataclass(frozen=True, eq=False)
class Occluder:
    """An object.

    Attributes:
        name: What it is.
        source: Where it is from; with the licence of the photograph it was cut from.
        px_per_m: Its scale.
        rgba: Straight alpha.
    """

    name: str
    source: str
    licence: str
    px_per_m: float
    rgba: UInt8[np.ndarray, "height width 4"]


def make_bank(
    folder: Path, config: HardCasesConfig, keep: Callable[[str], bool] = lambda photo: True
) -> None:
    """Fill the bank, unless it is finished; the same configuration and files give the same objects.

    Args:
        folder: of the bank.
        config: says which objects.
        keep: whether things may be cut from the photograph of this name; not those of another split.

    Raises:
        MissingAsset: scikit-image, for ``packaged``, is not installed.
        UserError: the annotation file or folder is not usable, or nothing is left.
    """
    if (folder / DONE).exists():
        return
    make_folder(folder)
    dropped: Counter[str] = Counter()
    objects: list[Occluder] = []
    for kind in config.objects:
        if kind == "procedural":
            for index in range(PER_KIND * len(KINDS)):
                drawn = draw_object(index)
                objects.append(Occluder(drawn.name, "procedural", "Apache-2.0", drawn.px_per_m, drawn.rgba))
        elif kind == "packaged":
            objects += [Occluder(cut.name, cut.source, cut.licence, cut.px_per_m, cut.rgba)
                        for cut in packaged_objects()]  # fmt: skip
        else:
            assert config.annotations is not None and config.images is not None
            cuts, reasons = coco_objects(config.annotations, config.images, config.coco_limit, keep)
            dropped.update(reasons)
            objects += [Occluder(cut.name, cut.source, cut.licence, cut.px_per_m, cut.rgba) for cut in cuts]
    if not objects:
        reasons = ", ".join(f"{reason} {n}" for reason, n in sorted(dropped.items())) or "none given"
        raise UserError(f"no object to put before people ({reasons}); add procedural to hard_cases.objects")
    for index, one in enumerate(objects):
        _write(folder, index, one)
    write_atomic(folder / DONE, json.dumps({"objects": len(objects), "drops": dict(dropped)}).encode())


def _write(folder: Path, index: int, one: Occluder) -> None:
    rgba, scale = one.rgba, one.px_per_m
    shrink = MAX_SIDE_PX / max(rgba.shape[:2])
    if shrink < 1:
        rgba, scale = straight(resized(premultiplied(rgba), shrink)), scale * shrink
    done, data = cv2.imencode(".png", cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGRA))
    assert done
    write_atomic(folder / f"{index:06d}.png", data.tobytes())
    entry = {"name": one.name, "source": one.source, "licence": one.licence, "px_per_m": scale}
    write_atomic(folder / f"{index:06d}.json", json.dumps(entry).encode())


class OccluderBank:
    """The objects of a folder, decoded when first asked for, premultiplied."""

    def __init__(self, folder: Path) -> None:
        try:
            done = json.loads((folder / DONE).read_bytes())
            self.drops: dict[str, int] = done["drops"]
            self.entries = [
                json.loads((folder / f"{i:06d}.json").read_bytes()) for i in range(done["objects"])
            ]
        except (OSError, ValueError, KeyError, TypeError):
            raise UserError(
                f"{folder}: no finished bank of objects; delete the folder and run again"
            ) from None
        self.folder = folder
        self._held: dict[int, Occluder] = {}

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> Occluder:
        """An object with its colours multiplied by coverage; do not write into it."""
        if index not in self._held:
            path = self.folder / f"{index:06d}.png"
            image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            if image is None or image.ndim != 3 or image.shape[2] != 4:
                raise UserError(f"{path}: cannot be read; delete {self.folder} and run again")
            rgba = premultiplied(cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA).astype(np.uint8, copy=False))
            rgba.setflags(write=False)
            if len(self._held) >= _MAX_HELD:
                del self._held[next(iter(self._held))]
            self._held[index] = Occluder(**self.entries[index], rgba=rgba)
        return self._held[index]


_MAX_HELD = 128
"""Objects kept decoded, about 30 MB."""


def premultiplied(rgba: UInt8[np.ndarray, "height width 4"]) -> UInt8[np.ndarray, "height width 4"]:
    """Colours times coverage."""
    alpha = rgba[..., 3:].astype(np.uint16)
    colour = (rgba[..., :3] * alpha + 127) // 255
    return np.concatenate([colour, alpha], axis=-1).astype(np.uint8)


def straight(rgba: UInt8[np.ndarray, "height width 4"]) -> UInt8[np.ndarray, "height width 4"]:
    """`premultiplied` undone."""
    alpha = np.maximum(rgba[..., 3:], 1).astype(np.float32)
    colour = np.minimum(np.rint(rgba[..., :3] * (255.0 / alpha)), 255)
    return np.concatenate([colour, rgba[..., 3:]], axis=-1).astype(np.uint8)


def resized(rgba: UInt8[np.ndarray, "height width 4"], scale: float) -> UInt8[np.ndarray, "height2 width2 4"]:
    """A premultiplied picture at another size."""
    size = max(round(rgba.shape[1] * scale), 1), max(round(rgba.shape[0] * scale), 1)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(rgba, size, interpolation=method).astype(np.uint8, copy=False)
