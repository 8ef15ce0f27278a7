"""People cut out once and kept as pixels: a training run on a CPU reads rows of a file and decodes no photographs.

A folder holds crops.npy (uint8, people x 288 x 216 x 3, read by memory map) and people.npz (boxes, keypoints and
presence in px of those crops). The crops are a fifth larger than a box asks for, so that shifts, turns and scales of
moderate augmentation still find pixels. ``crops.npy`` is written last.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int8, Int64, UInt8

from ajahr.data.files import make_folder, write_atomic
from ajahr.data.hmr.crops import cut
from ajahr.errors import UserError
from ajahr.geometry.crops import apply_affine
from ajahr.keypoints.crops import PADDING, Place
from ajahr.keypoints.samples import KeypointTable, no_twins

CROPS, PEOPLE = "crops.npy", "people.npz"
SIZE = (288, 216)
"""Height and width of a kept crop, px."""
MARGIN = 1.2


@dataclass(frozen=True, eq=False)
class CachedTable:
    """The people of a cache; what `ajahr.keypoints.samples.make_sample` needs of a table."""

    name: str
    boxes_xyxy: Float32[np.ndarray, "people xyxy=4"]
    """px of the kept crop, like the keypoints."""
    keypoints: Float32[np.ndarray, "people 25 xyv=3"]
    presence: Int8[np.ndarray, "people 25"]
    ids: np.ndarray
    twins: Int64[np.ndarray, " people"]
    crops: UInt8[np.ndarray, "people 288 216 3"]

    def __len__(self) -> int:
        return len(self.boxes_xyxy)

    def picture(self, row: int, shrink: float) -> tuple[UInt8[np.ndarray, "height width 3"], int]:
        """The kept crop; 1, as it is never reduced."""
        return self.crops[row], 1


def kept_affine(box_xyxy: Float32[np.ndarray, "xyxy=4"]) -> np.ndarray:
    """(2, 3), picture to kept crop, continuous px."""
    place = Place.of_box(box_xyxy, PADDING * MARGIN)
    zoom = SIZE[0] / float(place.size[1])
    middle = np.array(SIZE[::-1]) / 2
    return np.concatenate([zoom * np.eye(2), (middle - zoom * place.centre)[:, None]], 1)


def build_cache(
    table: KeypointTable,
    folder: str | Path,
    *,
    people: int | None = None,
    tick: Callable[[], None] = lambda: None,
) -> Path:
    """Cut everybody of a table out, or the first so many.

    Args:
        tick: called once a person.

    Raises:
        UserError: the folder cannot be written.
        ImageError: a picture cannot be read.
    """
    folder = Path(folder)
    make_folder(folder)
    count = len(table) if people is None else min(people, len(table))
    boxes, keypoints = np.empty((count, 4), np.float32), table.keypoints[:count].copy()
    twins = np.where(table.twins[:count] < count, table.twins[:count], -1)
    unfinished = folder / f"{CROPS}.part"
    try:
        crops = np.lib.format.open_memmap(unfinished, "w+", np.uint8, (count, *SIZE, 3))
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror}; choose another folder") from error
    side, out = max(SIZE), (max(SIZE) - min(SIZE)) // 2
    for row in range(count):
        # a person and the intact twin share their place, so that one can say where the other's crop looks
        affine = kept_affine(table.boxes_xyxy[row if twins[row] < 0 else twins[row]])
        image, reduction = table.picture(row, 1 / float(affine[0, 0]))
        square = affine.copy()
        square[0, 2] += out
        crops[row] = cut(image, square, side, reduction=reduction)[:, out : out + SIZE[1]]
        corners = table.boxes_xyxy[row].reshape(2, 2).astype(np.float64)
        boxes[row] = apply_affine(affine, corners).reshape(4)
        keypoints[row, :, :2] = apply_affine(affine, keypoints[row, :, :2].astype(np.float64))
        tick()
    crops.flush()
    del crops
    keypoints[keypoints[..., 2] <= 0] = 0
    arrays = {
        "boxes": boxes,
        "keypoints": keypoints,
        "presence": table.presence[:count],
        "ids": table.ids[:count],
        "twins": twins,
    }
    _write_arrays(folder / PEOPLE, arrays)
    unfinished.replace(folder / CROPS)
    return folder


def _write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    data = io.BytesIO()
    np.savez(data, **arrays)  # type: ignore[arg-type]
    write_atomic(path, data.getvalue())


def is_cache(folder: str | Path) -> bool:
    """Whether a whole cache is there."""
    return (Path(folder) / CROPS).is_file() and (Path(folder) / PEOPLE).is_file()


def open_cache(folder: str | Path) -> CachedTable:
    """The people of a cache.

    Raises:
        UserError: no cache, or files that do not belong together.
    """
    folder = Path(folder)
    if not is_cache(folder):
        raise UserError(f"{folder}: no cache of crops; make one with ajahr.keypoints.crop_cache.build_cache")
    try:
        crops = np.load(folder / CROPS, mmap_mode="r", allow_pickle=False)
        with np.load(folder / PEOPLE, allow_pickle=False) as file:
            boxes, keypoints, presence, ids = (file[k] for k in ("boxes", "keypoints", "presence", "ids"))
            twins = file["twins"] if "twins" in file else no_twins(len(boxes))  # older caches knew none
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{folder}: its cache cannot be read ({error}); make it again") from None
    if crops.shape != (len(boxes), *SIZE, 3) or crops.dtype != np.uint8 or len(keypoints) != len(boxes):
        raise UserError(f"{folder}: {CROPS} and {PEOPLE} do not belong together; make the cache again")
    return CachedTable(folder.name, boxes, keypoints, presence, ids, twins, crops)
