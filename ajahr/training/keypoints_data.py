"""Batches of crops with 25 keypoints, out of any number of datasets."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch
from jaxtyping import Float, Int, Int64, UInt8
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from ajahr.data.images import ImageError
from ajahr.data.readers.ldpose import AreaMode
from ajahr.errors import UserError
from ajahr.keypoints.crop_cache import is_cache, open_cache
from ajahr.keypoints.samples import (
    KeypointAugmentation,
    KeypointSample,
    PeopleTable,
    make_sample,
    table_of_annotations,
    table_of_shards,
)

_LOG = logging.getLogger(__name__)
_TRIES = 20


class KeypointBatch(NamedTuple):
    """Crops and their labels."""

    pixels: UInt8[Tensor, "batch 256 192 3"]
    points: Float[Tensor, "batch points=25 xy=2"]
    """px of the crop."""
    visibility: Int[Tensor, "batch points=25"]
    """0 not labelled, 1 covered, 2 seen."""
    presence: Int[Tensor, "batch points=25"]
    """1 exists, 0 does not, -1 not known."""


@dataclass(frozen=True)
class KeypointDataset:
    """A dataset by name.

    Args:
        path: A generated dataset's folder, a cache of crops (`ajahr.keypoints.crop_cache`), or a COCO-format file
            (LDPose's, COCO's).
        images: Folder of a file's pictures; None for a generated dataset.
        weight: How often it is drawn, relative to the others. Unused in validation.
        splits: Of a generated dataset; empty for all.
        area: Of a file.
        all_intact: Nobody in a file has lost a limb; None takes that of files with COCO's 17 points.
    """

    path: Path
    images: Path | None = None
    weight: float = 1.0
    splits: tuple[str, ...] = ()
    area: AreaMode = "as_given"
    all_intact: bool | None = None

    def open(self) -> PeopleTable:
        if self.images is None:
            if is_cache(self.path):
                return open_cache(self.path)
            if self.path.suffix == ".json":
                raise UserError(f"{self.path}: where are its pictures? give images")
            return table_of_shards(self.path, splits=self.splits)
        return table_of_annotations(self.path, self.images, area=self.area, all_intact=self.all_intact)


class Draw(NamedTuple):
    """One sample of the stream."""

    table: int
    row: int
    seed: tuple[int, ...]
    placed_by: int | None = None
    """Row that says where the crop looks, if another one."""


class Crops(Dataset):
    """Samples by `Draw`; a picture that cannot be read is named in the log, and the next person stands in."""

    def __init__(self, tables: Sequence[PeopleTable], augmentation: KeypointAugmentation | None) -> None:
        self.tables, self.augmentation = list(tables), augmentation

    def __getitem__(self, draw: Draw) -> KeypointSample:
        table = self.tables[draw.table]
        for step in range(_TRIES):
            row = (draw.row + step) % len(table)
            try:
                rng = np.random.default_rng(draw.seed)
                return make_sample(table, row, rng, self.augmentation, placed_by=draw.placed_by)
            except ImageError as error:
                _LOG.warning("skipped: %s", error)
        raise UserError(f"{table.name}: {_TRIES} pictures in a row cannot be read; check the dataset")


class Stream(Sampler[list[Draw]]):
    """Batches of draws without end: step k of a run is a function of (seed, k), so a resumed run goes on as one
    that was not interrupted.

    Args:
        sizes, weights: of the tables.
        batch_size: per rank.
        seed: of the draws.
        rank, world: this process among all.
        twins: of each table; a person then comes with the one that differs in limbs alone (the intact twin of an
            amputee, the amputee of a twin), in the same crop with the same augmentation, so that what the two have
            in common cancels out of what is learned from them. None: everybody is drawn alone.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        weights: Sequence[float],
        batch_size: int,
        seed: int,
        rank: int,
        world: int,
        twins: Sequence[np.ndarray] | None = None,
    ) -> None:
        self.sizes, self.seed, self.batch_size = list(sizes), seed, batch_size
        self.rank, self.world, self.first_step = rank, world, 0
        total = float(sum(weights))
        if not total > 0:
            raise UserError("the weights of the datasets add up to 0; give at least one above 0")
        self.shares = [weight / total for weight in weights]
        self.partners = None if twins is None else [partners_of(one) for one in twins]

    def __iter__(self) -> Iterator[list[Draw]]:
        step = self.first_step
        while True:
            rng = np.random.default_rng((self.seed, step, self.rank))
            tables = rng.choice(len(self.sizes), self.batch_size, p=self.shares)
            rows = rng.integers(0, np.array(self.sizes)[tables])
            places = range(self.batch_size)
            draws = [Draw(int(tables[k]), int(rows[k]), (self.seed, step, self.rank, k)) for k in places]
            yield draws if self.partners is None else self._paired(draws, rng.random(self.batch_size) < 0.5)
            step += 1

    def _paired(self, draws: list[Draw], own: np.ndarray) -> list[Draw]:
        """People and their partners, as many as fit; ``own``: who of a pair says where both crops look."""
        assert self.partners is not None
        paired: list[Draw] = []
        for draw, by_itself in zip(draws, own.tolist(), strict=True):
            partner = int(self.partners[draw.table][draw.row])
            if partner < 0 or len(paired) == self.batch_size - 1:
                paired.append(draw)
            else:
                placed_by = draw.row if by_itself else partner
                paired += [draw._replace(row=row, placed_by=placed_by) for row in (draw.row, partner)]
            if len(paired) == self.batch_size:
                break
        return paired


def partners_of(twins: Int64[np.ndarray, " people"]) -> Int64[np.ndarray, " people"]:
    """Each person's intact twin, and each twin's amputee; -1: nobody."""
    partners, mine = twins.copy(), np.flatnonzero(twins >= 0)
    partners[twins[mine]] = mine
    return partners


def collate(samples: Sequence[KeypointSample]) -> KeypointBatch:
    """Samples to tensors."""
    return KeypointBatch(
        torch.from_numpy(np.stack([s.pixels for s in samples])),
        torch.from_numpy(np.stack([s.points for s in samples])),
        torch.from_numpy(np.stack([s.visibility for s in samples]).astype(np.int64)),
        torch.from_numpy(np.stack([s.presence for s in samples]).astype(np.int64)),
    )


class KeypointDataModule(pl.LightningDataModule):
    """Batches for `ajahr.training.keypoints_module.KeypointModule`.

    Args:
        train: Datasets to learn from, drawn by their weights.
        validation: Datasets to validate and test on, each person once.
        batch_size: People per rank and step.
        augmentation: Of training crops; None for none.
        workers: Processes that read, per rank; 0 reads in this one.
        seed: Of the draws.
        max_validation_people: Spread evenly; None for all.
        twins: People and their intact twins stand in a batch together (`Stream`), where a dataset has twins.
    """

    def __init__(
        self,
        train: list[KeypointDataset] | None = None,
        validation: list[KeypointDataset] | None = None,
        batch_size: int = 64,
        augmentation: KeypointAugmentation | None = KeypointAugmentation(),  # noqa: B008 (frozen)
        workers: int = 4,
        seed: int = 0,
        max_validation_people: int | None = None,
        twins: bool = False,
    ) -> None:
        super().__init__()
        self.train, self.validation = train or [], validation or []
        self.batch_size, self.augmentation, self.workers, self.seed = batch_size, augmentation, workers, seed
        self.max_validation_people, self.twins = max_validation_people, twins
        self._tables: dict[str, list[PeopleTable]] = {}

    def setup(self, stage: str) -> None:
        """Open what the stage needs, so that bad datasets stop the run before it starts."""
        for name, specs in (("train", self.train), ("validation", self.validation)):
            if name in self._tables or (name == "train" and stage != "fit"):
                continue
            if not specs:
                raise UserError(f"no datasets for {name}; name some under data.init_args.{name}")
            self._tables[name] = [spec.open() for spec in specs]

    def train_dataloader(self) -> DataLoader:
        tables = self._tables["train"]
        trainer = self.trainer
        rank, world = (trainer.global_rank, trainer.world_size) if trainer is not None else (0, 1)
        weights = [spec.weight for spec in self.train]
        twins = [table.twins for table in tables] if self.twins else None
        stream = Stream([len(t) for t in tables], weights, self.batch_size, self.seed, rank, world, twins)
        stream.first_step = trainer.global_step if trainer is not None else 0
        return self._loader(Crops(tables, self.augmentation), stream)

    def val_dataloader(self) -> DataLoader:
        tables = self._tables["validation"]
        draws = [Draw(t, row, (0,)) for t, table in enumerate(tables) for row in range(len(table))]
        if self.max_validation_people is not None and self.max_validation_people < len(draws):
            chosen = np.linspace(0, len(draws) - 1, self.max_validation_people).round().astype(int)
            draws = [draws[k] for k in chosen]
        trainer = self.trainer
        rank, world = (trainer.global_rank, trainer.world_size) if trainer is not None else (0, 1)
        mine = draws[rank::world]
        batches = [mine[k : k + self.batch_size] for k in range(0, len(mine), self.batch_size)]
        return self._loader(Crops(tables, None), batches)

    def test_dataloader(self) -> DataLoader:
        return self.val_dataloader()

    def _loader(self, crops: Crops, batches: Sampler[list[Draw]] | list[list[Draw]]) -> DataLoader:
        return DataLoader(
            crops,
            batch_sampler=batches,
            num_workers=self.workers,
            collate_fn=collate,
            persistent_workers=False,
            pin_memory=torch.cuda.is_available(),
        )
