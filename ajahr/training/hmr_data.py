"""Datasets of people for `ajahr.training.hmr_module`: which ones, in what proportion, cut and noised how."""

from __future__ import annotations

import importlib
import itertools
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import jsonargparse
import numpy as np
import pytorch_lightning as pl
from torch.utils.data import DataLoader

from ajahr.data.batch import Batch
from ajahr.data.hmr.augmentation import AugmentationConfig
from ajahr.data.hmr.collate import PackedBatch, to_batch
from ajahr.data.hmr.dataset import CropConfig, HmrDataset
from ajahr.data.hmr.detector_noise import DetectorNoise
from ajahr.data.hmr.loader import MixtureLoader, plain_loader
from ajahr.data.hmr.mixture import Mixture
from ajahr.data.hmr.samples import PeopleTable
from ajahr.errors import UserError

_LOG = logging.getLogger(__name__)
_STEPS_PER_EPOCH = 1000
"""Length of an epoch where the trainer counts epochs instead of steps."""
Reader = Literal[
    "shards", "a3d", "itw_amputee", "hmr2_tars", "hmr2_npz", "bedlam_tars", "3dpw", "emdb", "3doh50k"
]
READERS: dict[Reader, str] = {
    "shards": "shards:read_shards",
    "a3d": "a3d:read_a3d",
    "itw_amputee": "itw_amputee:read_itw_amputee",
    "hmr2_tars": "hmr2_tars:read_hmr2_tars",
    "hmr2_npz": "hmr2_npz:read_hmr2_npz",
    "bedlam_tars": "bedlam_tars:read_bedlam_tars",
    "3dpw": "threedpw:read_3dpw",
    "emdb": "emdb:read_emdb",
    "3doh50k": "threedoh50k:read_3doh50k",
}
"""Reader to its module in `ajahr.data.readers` and the function there."""


@dataclass(frozen=True)
class DatasetSpec:
    """A dataset in a config.

    Args:
        reader: Its format (`READERS`).
        arguments: Of that reader's function; wrong ones are told when the YAML is read.
        weight: How often it is drawn, relative to the others on its side of the mixture. Unused in validation.
    """

    reader: Reader
    arguments: dict[str, Any] = field(default_factory=dict)
    weight: float = 1.0

    def __post_init__(self) -> None:
        self._typed_arguments()

    def open(self) -> list[PeopleTable]:
        """Its people; a dataset of several parts is several tables.

        Raises:
            UserError: no such dataset, damaged, or nobody in it.
        """
        found: PeopleTable | dict[str, PeopleTable] = self._function()(**self._typed_arguments())
        tables = list(found.values()) if isinstance(found, dict) else [found]
        for table in tables:
            if not len(table):
                raise UserError(f"{table.name}: nobody in it; check the files and their filters")
            if table.dropped:
                _LOG.info("%s: %d people; left out: %s", table.name, len(table), _left_out(table))
        return tables

    def _function(self) -> Any:
        module, name = READERS[self.reader].split(":")
        return getattr(importlib.import_module(f"ajahr.data.readers.{module}"), name)

    def _typed_arguments(self) -> dict[str, Any]:
        parser = jsonargparse.ArgumentParser(exit_on_error=False)
        parser.add_function_arguments(self._function())
        try:
            values = parser.parse_object(self.arguments)
        except (jsonargparse.ArgumentError, TypeError, ValueError) as error:
            known = ", ".join(a.dest for a in parser._actions if a.dest not in ("help", "config"))
            said = " ".join(str(error).split())
            raise UserError(f"arguments of the reader {self.reader}: {said}; it takes {known}") from error
        return dict(vars(parser.instantiate(values)))


def _left_out(table: PeopleTable) -> str:
    """What a reader left out and why, each reason with the first it met."""
    return "; ".join(
        f"{count} x {reason}" + (f", first {table.examples[reason]}" if reason in table.examples else "")
        for reason, count in table.dropped.items()
    )


def _by_size(weight: float, parts: list[PeopleTable]) -> list[float]:
    """A dataset's weight, shared out among its parts by the number of people in each."""
    people = sum(len(part) for part in parts)
    return [weight * len(part) / people for part in parts]


class _Pass:
    """Everybody once, dealt out over ranks: nobody is dropped or repeated, as torch's sampler would do."""

    def __init__(self, loader: DataLoader) -> None:
        self.loader = loader

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[PackedBatch]:
        return iter(self.loader)


class HmrDataModule(pl.LightningDataModule):
    """Batches for `ajahr.training.hmr_module.HmrModule`.

    Args:
        train: Datasets to learn from. Those with and without limb loss need no telling apart: a dataset that has
            both counts on both sides.
        validation: Datasets to validate and test on, each person once.
        batch_size: People per rank and step.
        amputee_share: Exact share of people with a limb loss (the paper: 0.5; Fig. D: 0.25 to 1). None: as the
            weights say.
        augmentation: Of training crops; None for none.
        keypoints: What BPAC-Net is shown in training (`DetectorNoise`).
        validation_keypoints: The same in validation.
        workers: Processes that read, per rank; 0 reads in this one.
        seed: Of the draws.
        max_validation_people: Spread evenly; None for all.
        twins: Amputees bring their own intact twins, in the same crop with the same augmentation (`Mixture`).
    """

    def __init__(
        self,
        train: list[DatasetSpec] | None = None,
        validation: list[DatasetSpec] | None = None,
        batch_size: int = 64,
        amputee_share: float | None = 0.5,
        augmentation: AugmentationConfig | None = AugmentationConfig(),  # noqa: B008 (frozen)
        keypoints: DetectorNoise = DetectorNoise(),  # noqa: B008
        validation_keypoints: DetectorNoise = DetectorNoise(),  # noqa: B008
        workers: int = 4,
        seed: int = 0,
        max_validation_people: int | None = None,
        twins: bool = False,
    ) -> None:
        super().__init__()
        self.train, self.validation = train or [], validation or []
        self.batch_size, self.amputee_share, self.twins = batch_size, amputee_share, twins
        self.augmentation = augmentation
        self.keypoints, self.validation_keypoints = keypoints, validation_keypoints
        self.workers, self.seed, self.max_validation_people = workers, seed, max_validation_people
        self._train_loader: MixtureLoader | None = None
        self._validation_tables: list[PeopleTable] | None = None

    def setup(self, stage: str) -> None:
        """Open what the stage needs, so that bad datasets stop the run before it starts."""
        if not self.validation:
            raise UserError("no validation datasets; name some under data.init_args.validation")
        if self._validation_tables is None:
            self._validation_tables = self._limited([t for spec in self.validation for t in spec.open()])
        if stage == "fit" and self._train_loader is None:
            if not self.train:
                raise UserError("no training datasets; name some under data.init_args.train")
            opened = [(spec, spec.open()) for spec in self.train]
            tables = [table for _, parts in opened for table in parts]
            mixture = Mixture(
                tables,
                [weight for spec, parts in opened for weight in _by_size(spec.weight, parts)],
                self.batch_size,
                amputee_share=self.amputee_share,
                seed=self.seed,
                twins=self.twins,
            )
            rank, world = self._rank()
            self._train_loader = MixtureLoader(
                HmrDataset(tables, CropConfig(self.augmentation), seed=self.seed),
                mixture,
                self._steps(),
                workers=self.workers,
                noise=self.keypoints,
                pin_memory=self._on_gpu(),
                rank=rank,
                world=world,
            )

    def train_dataloader(self) -> MixtureLoader:
        assert self._train_loader is not None
        return self._train_loader

    def val_dataloader(self) -> _Pass:
        rank, world = self._rank()
        tables = self._validation_tables or []
        everybody = [(table, np.arange(len(table))) for table in tables]
        mine = [table.subset(rows[rank::world]) for table, rows in everybody if len(rows[rank::world])]
        dataset = HmrDataset(mine, CropConfig(None), seed=self.seed)
        return _Pass(
            plain_loader(
                dataset,
                self.batch_size,
                workers=self.workers,
                noise=self.validation_keypoints,
                pin_memory=self._on_gpu(),
            )
        )

    def test_dataloader(self) -> _Pass:
        return self.val_dataloader()

    def on_after_batch_transfer(self, batch: PackedBatch, dataloader_idx: int) -> Batch:
        """Pixels are normalised on the device: a quarter of the bytes goes there."""
        return batch.unpack()

    def examples(self, count: int) -> Batch:
        """Some validation people, spread evenly: the same ones every time."""
        if self._validation_tables is None:
            raise UserError("the data are not open yet; call setup first")
        dataset = HmrDataset(self._validation_tables, CropConfig(None), seed=self.seed)
        rows = np.unique(np.linspace(0, len(dataset) - 1, count).astype(int))
        return to_batch([dataset[int(row)] for row in rows], self.validation_keypoints)

    def _limited(self, tables: list[PeopleTable]) -> list[PeopleTable]:
        total, limit = sum(len(table) for table in tables), self.max_validation_people
        if limit is None or total <= limit:
            return tables
        chosen = np.linspace(0, total - 1, limit).astype(int)
        starts = np.cumsum([0, *[len(table) for table in tables]])
        rows = [chosen[(chosen >= a) & (chosen < b)] - a for a, b in itertools.pairwise(starts)]
        return [table.subset(mine) for table, mine in zip(tables, rows, strict=True) if len(mine)]

    def _steps(self) -> int:
        """Batches of an epoch: the whole run where the trainer counts steps, so that none ends in between."""
        limit = -1 if self.trainer is None else self.trainer.max_steps
        accumulated = 1 if self.trainer is None else self.trainer.accumulate_grad_batches
        return limit * accumulated if limit > 0 else _STEPS_PER_EPOCH

    def _rank(self) -> tuple[int, int]:
        return (0, 1) if self.trainer is None else (self.trainer.global_rank, self.trainer.world_size)

    def _on_gpu(self) -> bool:
        return self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"
