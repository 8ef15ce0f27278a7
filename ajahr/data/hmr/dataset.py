"""People of any number of datasets as crops, by index: what a DataLoader's workers run. No torch.

A worker makes a whole batch at once: columns of labels, places of crops and all that chance decides are arrays,
and what is done person by person is reading, decoding and resampling. Labels stay as they were read;
`ajahr.data.hmr.collate` moves them into the crop's frame. Whatever is random about a sample follows from its
place in the stream, so it is the same in any worker, on any rank, in any batch.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from ajahr.data.hmr import augmentation, detector_noise
from ajahr.data.hmr.augmentation import Augmentation, AugmentationConfig, Placements, draw
from ajahr.data.hmr.chance import uniform
from ajahr.data.hmr.crops import cut, reduction_for, rows_seen
from ajahr.data.hmr.occlusion import occlude
from ajahr.data.hmr.pictures import decode_reduced, jpeg_frame
from ajahr.data.hmr.samples import BPAC_J44, PeopleTable, row_dtype
from ajahr.data.images import ImageError
from ajahr.errors import UserError
from ajahr.geometry.crops import CROP_SIZE

_LOG = logging.getLogger(__name__)
_TRIES = 20
_BPAC = np.array(BPAC_J44)
COLUMNS = (
    "center", "side", "keypoints_2d", "keypoints_3d", "pose", "has_pose", "betas", "has_betas", "trusted_3d",
    "levels", "intact_2d", "hidden", "residual", "residual_3d", "focal_length", "image_size",
)  # fmt: skip
"""Labels a crop carries: `ajahr.data.hmr.samples`."""
_PLACING = ("center", "side", "keypoints_2d", "levels")


class Draw(NamedTuple):
    """One sample of a mixture's stream."""

    table: int
    row: int
    seed: tuple[int, ...]
    """Of everything random about it; whole numbers, 0 or more."""
    placed_by: int | None = None
    """Row that says where the crop looks and where occluders go, if another one: a twin's."""


@dataclass(frozen=True)
class CropConfig:
    """How samples are cut."""

    augmentation: AugmentationConfig | None = field(default_factory=AugmentationConfig)
    """None: the box as it is, for validation."""
    crop_size: int = CROP_SIZE
    pixel_centres: bool = True
    """False: the HMR2.0 lineage's half-pixel shift, for parity with published weights."""


@dataclass(frozen=True, eq=False)
class Crops:
    """People cut out of their pictures, before collating; along the first axis everywhere."""

    keys: list[str]
    pixels: UInt8[np.ndarray, "samples size size 3"]
    columns: dict[str, np.ndarray]
    """Labels as read, `COLUMNS`; ``image_size`` is known."""
    placements: Placements
    colour: Float[np.ndarray, "samples rgb=3"]
    covered: Bool[np.ndarray, "samples coco12=12"]
    """BPAC keypoints that an occluder covers."""
    chance: Float[np.ndarray, "samples numbers"]
    """Uniform numbers for the detector-like keypoints."""

    def __len__(self) -> int:
        return len(self.keys)

    @staticmethod
    def joined(parts: Sequence[Crops]) -> Crops:
        """Several, one after the other."""
        if len(parts) == 1:
            return parts[0]
        placements = Placements(
            **{
                one.name: np.concatenate([getattr(part.placements, one.name) for part in parts])
                for one in fields(Placements)
            }
        )
        return Crops(
            [key for part in parts for key in part.keys],
            np.concatenate([part.pixels for part in parts]),
            {name: np.concatenate([part.columns[name] for part in parts]) for name in COLUMNS},
            placements,
            np.concatenate([part.colour for part in parts]),
            np.concatenate([part.covered for part in parts]),
            np.concatenate([part.chance for part in parts]),
        )


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

    def __getitem__(self, index: int | Draw) -> Crops:
        """One person."""
        return self.__getitems__([index])

    def __getitems__(self, indices: Sequence[int | Draw]) -> Crops:
        """Several people: DataLoader asks for a whole batch by this name."""
        draws = [index if isinstance(index, Draw) else self.locate(int(index)) for index in indices]
        size = self.config.crop_size
        columns = self._columns(draws)
        places = self._places(draws, columns)
        numbers = uniform([one.seed for one in draws], augmentation.NUMBERS + detector_noise.NUMBERS)
        chosen = self._augmentation(numbers[:, : augmentation.NUMBERS], places)
        affine = chosen.placements.affine(size)
        pixels = np.empty((len(draws), size, size, 3), np.uint8)
        covered = np.zeros((len(draws), len(_BPAC)), bool)
        keys = [self.tables[one.table].key(one.row) for one in draws]
        stand_ins: dict[int, Crops] = {}
        for number, one in enumerate(draws):
            try:
                reduction = reduction_for(float(chosen.placements.side[number]) / size)
                image_size = self._cut(one, affine[number], reduction, pixels[number])
            except ImageError as error:
                stand_ins[number] = self._stand_in(one, error)
                continue
            if np.isnan(columns["image_size"][number, 0]):
                columns["image_size"][number] = image_size
            if chosen.occluded[number].any() and self.config.augmentation is not None:
                covered[number] = occlude(
                    np.random.default_rng(one.seed),
                    self.config.augmentation.occlusion,
                    pixels[number],
                    columns["keypoints_2d"][number, _BPAC],
                    affine[number],
                    chosen.occluded[number],
                    places=places["keypoints_2d"][number, _BPAC],
                )
        chance = numbers[:, augmentation.NUMBERS :]
        crops = Crops(keys, pixels, columns, chosen.placements, chosen.colour, covered, chance)
        return _replaced(crops, stand_ins) if stand_ins else crops

    def _columns(self, draws: Sequence[Draw]) -> dict[str, np.ndarray]:
        numbers, rows = np.array([one.table for one in draws]), np.array([one.row for one in draws])
        layout = row_dtype(1)
        found = {name: np.empty(len(draws), layout[name]) for name in COLUMNS}
        for table in set(numbers.tolist()):
            mine = numbers == table
            people = self.tables[table].rows[rows[mine]]
            for name in COLUMNS:
                found[name][mine] = people[name]
        return found

    def _places(self, draws: Sequence[Draw], columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The columns that say where crops look: of the people themselves, or of those who place them."""
        places = {name: columns[name] for name in _PLACING}
        others = [(number, one) for number, one in enumerate(draws) if one.placed_by is not None]
        if others:
            places = {name: column.copy() for name, column in places.items()}
        for number, one in others:
            row = self.tables[one.table].rows[one.placed_by]
            for name in _PLACING:
                places[name][number] = row[name]
        return places

    def _augmentation(self, numbers: np.ndarray, places: dict[str, np.ndarray]) -> Augmentation:
        center, side = places["center"], places["side"]
        if self.config.augmentation is None:
            count = len(side)
            return Augmentation(
                Placements.plain(center, side), np.ones((count, 3)), np.zeros((count, 3), bool)
            )
        return draw(numbers, self.config.augmentation, center, side, places["keypoints_2d"], places["levels"])

    def _cut(self, one: Draw, affine: np.ndarray, reduction: int, out: np.ndarray) -> tuple[int, int]:
        """One crop into ``out``; returns the picture's width and height."""
        table, size = self.tables[one.table], self.config.crop_size
        row = table.rows[one.row]
        where, data = table.pictures, table.pictures.read(row)
        frame = jpeg_frame(data)
        image, reduction = decode_reduced(
            data,
            reduction,
            lambda: where.where(row),
            int(row["quarter_turns"]),
            frame=frame,
            rows=None if frame is None else rows_seen(affine, frame.height, size, reduction=reduction),
        )
        cut(image, affine, size, reduction=reduction, pixel_centres=self.config.pixel_centres, out=out)
        if frame is None:
            height, width = image.shape[:2]
            return width * reduction, height * reduction
        return (frame.height, frame.width) if row["quarter_turns"] % 2 else (frame.width, frame.height)

    def _stand_in(self, one: Draw, error: ImageError) -> Crops:
        """The next person of the same dataset whose picture is whole."""
        if not self.skip_broken:
            raise error
        table = self.tables[one.table]
        first, tries = one.row, min(_TRIES, len(table))
        patient = HmrDataset(self.tables, self.config, seed=self.seed, skip_broken=False)
        for step in range(1, tries + 1):
            self.broken += 1
            key = table.key((first + step - 1) % len(table))
            _LOG.warning("skipped %s (broken picture %d of this worker): %s", key, self.broken, error)
            if step == tries:
                break
            try:
                return patient[one._replace(row=(first + step) % len(table), placed_by=None)]
            except ImageError as another:
                error = another
        raise UserError(
            f"{table.name}: {tries} pictures in a row cannot be read, the last: {error}; check the dataset"
        )


def _replaced(crops: Crops, stand_ins: dict[int, Crops]) -> Crops:
    """With single crops in the place of some."""
    for number, other in stand_ins.items():
        crops.keys[number] = other.keys[0]
        crops.pixels[number], crops.colour[number] = other.pixels[0], other.colour[0]
        crops.covered[number], crops.chance[number] = other.covered[0], other.chance[0]
        for name in COLUMNS:
            crops.columns[name][number] = other.columns[name][0]
        for one in fields(Placements):
            getattr(crops.placements, one.name)[number] = getattr(other.placements, one.name)[0]
    return crops


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
