"""What a keypoint detector does with people whose limbs are known: the truth and what it reports, side by side.

The rates of `ajahr.data.hmr.detector_noise` are guesses until a detector is at hand. Our generated pictures say
where every keypoint is, which ones an amputation took and which ones are hidden; `look` shows them to a detector
and `ajahr.data.hmr.detector_rates.measured_rates` turns the answers into rates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import cast

import numpy as np
from jaxtyping import Bool, Float, UInt8

from ajahr.anatomy import BPAC_KEYPOINTS, J44
from ajahr.data.hmr.crops import cut
from ajahr.data.hmr.detector_noise import CHAINS
from ajahr.data.hmr.pictures import decode_reduced
from ajahr.data.hmr.samples import BPAC_J44, PeopleTable
from ajahr.data.images import ImageError
from ajahr.geometry.crops import crop_affine
from ajahr.render.overlay import LIMB_COLOURS, RESIDUAL_COLOUR

Finder = Callable[
    [str, UInt8[np.ndarray, "height width 3"], Float[np.ndarray, "people 4"]],
    Float[np.ndarray, "people 17 3"],
]
"""COCO's 17 keypoints (px, confidence) of boxes, from a picture's name, the picture and the boxes (px)."""
_BOX_MARGIN = 1.2
"""By which datasets enlarge boxes before they are made square (facts 3.8); detectors want the box itself."""
_ASPECT = 0.75
_CELL = 224
_TRUTH = (255, 255, 255)
_DARK = (25, 25, 25)


@dataclass(frozen=True, eq=False)
class Looks:
    """Twelve BPAC keypoints of people, crop units and confidence; confidence 0: none."""

    found: Float[np.ndarray, "people coco12=12 3"]
    """By the detector, what lies below its threshold left out."""
    truth: Float[np.ndarray, "people coco12=12 3"]
    absent: Bool[np.ndarray, "people coco12=12"]
    covered: Bool[np.ndarray, "people coco12=12"]
    tiles: tuple[UInt8[np.ndarray, "size size 3"], ...] = ()
    """Some crops with both drawn: `draw_look`."""
    captions: tuple[str, ...] = ()
    """Of the tiles: whose, and what the detector did."""
    broken: list[str] = field(default_factory=list)
    """People whose picture cannot be read."""

    def __len__(self) -> int:
        return len(self.found)


def boxes_of(rows: np.ndarray) -> Float[np.ndarray, "people xyxy=4"]:
    """Boxes (px) as a person detector gives them: the dataset's square crops without their margin, 3:4."""
    half = rows["side"][:, None].astype(np.float64) / (2 * _BOX_MARGIN) * (_ASPECT, 1)
    return np.concatenate([rows["center"] - half, rows["center"] + half], 1)


def look(
    table: PeopleTable,
    find: Finder,
    *,
    people: np.ndarray | None = None,
    least: float = 0.3,
    tiles: int = 0,
    tick: Callable[[], None] = lambda: None,
) -> Looks:
    """Show people to a detector, one picture after the other.

    Args:
        table: people with known limbs.
        find: the detector; it gets each picture's boxes at once.
        people: rows to show; everybody when None. Those with an unknown limb are left out.
        least: confidence at or below which a keypoint counts as not reported: what BPAC-Net ignores
            (`BpacConfig.min_confidence`).
        tiles: so many people, spread evenly, are drawn.
        tick: called once a person.
    """
    chosen = np.arange(len(table)) if people is None else np.asarray(people)
    chosen = chosen[(table.rows["levels"][chosen] >= 0).all(1)]
    drawn = set(np.unique(np.linspace(0, len(chosen) - 1, min(tiles, len(chosen))).round()).astype(int))
    found = np.zeros((len(chosen), 12, 3))
    pictures: dict[int, tuple[np.ndarray, str]] = {}
    broken: list[str] = []
    good = np.ones(len(chosen), bool)
    truth, absent, covered = known(table.rows[chosen])
    for places, image in _by_picture(table, chosen, broken, good, tick):
        rows = table.rows[chosen[places]]
        name = bytes(rows["image"][0]).decode()
        points = find(name, image, boxes_of(rows).astype(np.float32))[:, list(BPAC_KEYPOINTS)]
        found[places, :, :2] = (points[..., :2] - rows["center"][:, None]) / rows["side"][:, None, None]
        found[places, :, 2] = points[..., 2]
        found[places] *= found[places, :, 2:] > least
        for place in places:
            if int(place) in drawn:
                row, one = (
                    rows[places == place][0],
                    (found[place], truth[place], absent[place], covered[place]),
                )
                affine = crop_affine((float(row["center"][0]), float(row["center"][1])), float(row["side"]))
                pictures[int(place)] = draw_look(cut(image, affine), *one), _words(row, *one)
            tick()
    drawings = [pictures[place] for place in sorted(pictures)]
    return Looks(
        found[good], truth[good], absent[good], covered[good],
        tuple(picture for picture, _ in drawings), tuple(words for _, words in drawings), broken,
    )  # fmt: skip


def _words(row: np.void, found: np.ndarray, truth: np.ndarray, absent: np.ndarray, _: np.ndarray) -> str:
    seen, there = found[:, 2] > 0, truth[:, 2] > 0
    counts = {"invented": int((absent & seen).sum()), "missed": int((there & ~seen).sum())}
    done = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    return f"{row['key'].decode()}\n{done or 'all found'}"


def _by_picture(
    table: PeopleTable, chosen: np.ndarray, broken: list[str], good: np.ndarray, tick: Callable[[], None]
) -> Iterator[tuple[np.ndarray, UInt8[np.ndarray, "height width 3"]]]:
    """Places in ``chosen`` and the picture they share; those of unreadable ones are noted."""

    def picture(place: int) -> tuple[int, int, bytes]:
        row = table.rows[chosen[place]]
        return int(row["file"]), int(row["offset"]), bytes(row["image"])

    for _, group in groupby(sorted(range(len(chosen)), key=picture), key=picture):
        places = np.array(list(group))
        row = cast(np.void, table.rows[chosen[places[0]]])
        try:
            data = table.pictures.read(row)
            image, _ = decode_reduced(data, 1, table.pictures.where(row), int(row["quarter_turns"]))
        except ImageError:
            broken += [table.key(int(chosen[place])) for place in places]
            good[places] = False
            for _ in places:
                tick()
            continue
        yield places, image


def known(
    rows: np.ndarray,
) -> tuple[
    Float[np.ndarray, "people coco12=12 3"],
    Bool[np.ndarray, "people coco12=12"],
    Bool[np.ndarray, "people coco12=12"],
]:
    """Keypoints in crop units, which of them an amputation took, which are hidden."""
    slots = list(BPAC_J44)
    truth = rows["keypoints_2d"][:, slots].astype(np.float64)
    truth[..., :2] = (truth[..., :2] - rows["center"][:, None]) / rows["side"][:, None, None]
    absent = J44.absent(np.maximum(rows["levels"], 0).astype(np.int64))[:, slots]
    truth[absent | (truth[..., 2] <= 0)] = 0
    return truth, absent, rows["hidden"].copy()


def draw_look(
    crop: UInt8[np.ndarray, "size size 3"],
    found: Float[np.ndarray, "coco12=12 3"],
    truth: Float[np.ndarray, "coco12=12 3"],
    absent: Bool[np.ndarray, "coco12=12"],
    covered: Bool[np.ndarray, "coco12=12"],
) -> UInt8[np.ndarray, "cell cell 3"]:
    """A crop with the truth as white rings (grey: hidden) and what the detector reports as filled points.

    Points have their limb's colour and a line to the truth; what it reports of a lost limb is magenta.
    """
    import cv2

    tile = np.asarray(cv2.resize(crop, (_CELL, _CELL), interpolation=cv2.INTER_AREA), np.uint8)
    limb = np.empty(len(found), int)
    limb[CHAINS] = np.arange(len(CHAINS))[:, None]

    def place(point: np.ndarray) -> tuple[int, int]:
        x, y = np.rint(np.clip((point[:2] + 0.5) * _CELL, -_CELL, 2 * _CELL)).astype(int).tolist()
        return x, y

    for k in range(len(found)):
        if truth[k, 2] > 0:
            cv2.circle(tile, place(truth[k]), 5, (150, 150, 150) if covered[k] else _TRUTH, 1, cv2.LINE_AA)
        if found[k, 2] > 0:
            colour = RESIDUAL_COLOUR if absent[k] else LIMB_COLOURS[int(limb[k])]
            if truth[k, 2] > 0:
                cv2.line(tile, place(truth[k]), place(found[k]), colour, 1, cv2.LINE_AA)
            cv2.circle(tile, place(found[k]), 4, _DARK, -1, cv2.LINE_AA)
            cv2.circle(tile, place(found[k]), 3, colour, -1, cv2.LINE_AA)
    return tile
