"""People of any number of datasets as crops, by index: what a DataLoader's workers run. No torch.

A crop carries its picture as uint8 and its labels as they were read; `ajahr.data.hmr.collate` moves the labels
of a whole batch into the crop's frame at once. Whatever is random about a sample comes from one generator
seeded by its place in the stream, so it is the same in any worker, on any rank, in any batch.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from ajahr.data.hmr import detector_noise
from ajahr.data.hmr.augmentation import NO_COLOUR, AugmentationConfig, Placement, draw
from ajahr.data.hmr.crops import cut, reduction_for
from ajahr.data.hmr.occlusion import occlude
from ajahr.data.hmr.pictures import decode_reduced
from ajahr.data.hmr.samples import BPAC_J44, PeopleTable
from ajahr.data.images import ImageError
from ajahr.errors import UserError
from ajahr.geometry.crops import CROP_SIZE

_LOG = logging.getLogger(__name__)
_TRIES = 20
_BPAC = np.array(BPAC_J44)
_NOTHING_COVERED = np.zeros(len(BPAC_J44), bool)


class Draw(NamedTuple):
    """One sample of a mixture's stream."""

    table: int
    row: int
    seed: tuple[int, ...]
    """Of everything random about it."""


@dataclass(frozen=True)
class CropConfig:
    """How samples are cut."""

    augmentation: AugmentationConfig | None = field(default_factory=AugmentationConfig)
    """None: the box as it is, for validation."""
    crop_size: int = CROP_SIZE
    pixel_centres: bool = True
    """False: the HMR2.0 lineage's half-pixel shift, for parity with published weights."""


@dataclass(frozen=True, eq=False)
class Crop:
    """One sample, before collating."""

    key: str
    pixels: UInt8[np.ndarray, "size size 3"]
    row: np.void
    """The labels as read: `ajahr.data.hmr.samples`."""
    placement: Placement
    colour: tuple[float, float, float]
    image_size: tuple[int, int]
    """Width and height of the picture, px."""
    covered: Bool[np.ndarray, "coco12=12"]
    """BPAC keypoints that an occluder covers."""
    chance: Float[np.ndarray, " numbers"]
    """Uniform numbers for the detector-like keypoints."""


class HmrDataset:
    """Crops by index over one or more tables, one after the other; map-style, for torch's DataLoader.

    Args:
        tables: the datasets.
        config: how samples are cut.
        seed: of the augmentation of samples asked for by a plain number; a `Draw` brings its own.
        skip_broken: a picture that does not decode is named in the log, counted in `broken`, and the next
            person of the same dataset stands in; False raises.
    """

    def __init__(
        self,
        tables: Sequence[PeopleTable],
        config: CropConfig | None = None,
        *,
        seed: int = 0,
        skip_broken: bool = True,
    ) -> None:
        self.tables = tuple(tables)
        empty = [table.name for table in self.tables if not len(table)]
        if empty or not self.tables:
            raise UserError(
                f"{', '.join(empty) or 'datasets'}: nobody in it; check the files and their filters"
            )
        self.config, self.seed, self.epoch = config or CropConfig(), seed, 0
        self.skip_broken, self.broken = skip_broken, 0
        self._starts = np.cumsum([0, *[len(table) for table in self.tables]])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def set_epoch(self, epoch: int) -> None:
        """Other augmentation for the same numbers, where no mixture draws."""
        self.epoch = epoch

    def locate(self, index: int) -> Draw:
        """Table and row of a plain number."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        index %= len(self)
        table = int(np.searchsorted(self._starts, index, "right")) - 1
        return Draw(table, index - int(self._starts[table]), (self.seed, self.epoch, index))

    def __getitem__(self, index: int | Draw) -> Crop:
        found = index if isinstance(index, Draw) else self.locate(int(index))
        table = self.tables[found.table]
        for step in range(_TRIES):
            row = (found.row + step) % len(table)
            try:
                return self._crop(table, row, found.seed)
            except ImageError as error:
                if not self.skip_broken:
                    raise
                self.broken += 1
                _LOG.warning("skipped %s (broken picture %d here): %s", table.key(row), self.broken, error)
        raise UserError(
            f"{table.name}: {_TRIES} pictures in a row cannot be read, the last {table.key(row)}; "
            "check the dataset"
        )

    def _crop(self, table: PeopleTable, number: int, seed: tuple[int, ...]) -> Crop:
        row = table.rows[number]
        config, rng = self.config, np.random.default_rng(seed)
        center, side, keypoints = row["center"], float(row["side"]), row["keypoints_2d"]
        placement, colour = Placement(center, side), NO_COLOUR
        if config.augmentation is not None:
            placement, colour = draw(rng, config.augmentation, center, side, keypoints, row["levels"])
        affine = placement.affine(config.crop_size)
        where = table.pictures.where(row)
        image, reduction = decode_reduced(
            table.pictures.read(row),
            reduction_for(placement.side / config.crop_size),
            where,
            int(row["quarter_turns"]),
        )
        pixels = cut(image, affine, config.crop_size, reduction=reduction, pixel_centres=config.pixel_centres)
        covered = _NOTHING_COVERED
        if config.augmentation is not None:
            covered = occlude(rng, config.augmentation.occlusion, pixels, keypoints[_BPAC], affine)
        known = row["image_size"]
        size = (
            (int(known[0]), int(known[1]))
            if np.isfinite(known[0])
            else (image.shape[1] * reduction, image.shape[0] * reduction)
        )
        chance = rng.random(detector_noise.NUMBERS)
        return Crop(table.key(number), pixels, row, placement, colour, size, covered, chance)


def use_one_thread() -> None:
    """Workers are processes: OpenCV's own threads would only get in each other's way."""
    cv2.setNumThreads(0)


def check_boxes(tables: Sequence[PeopleTable]) -> None:
    """UserError naming the first person whose box is no box."""
    for table in tables:
        good = np.isfinite(table.rows["center"]).all(1) & (table.rows["side"] > 0)
        good &= np.isfinite(table.rows["side"])
        if not good.all():
            raise UserError(
                f"{table.key(int(good.argmin()))}: its box is not finite or empty; fix or drop it"
            )


__all__ = ["Crop", "CropConfig", "Draw", "HmrDataset", "check_boxes", "use_one_thread"]
