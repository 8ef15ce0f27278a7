"""Batches of poses for training and validation."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytorch_lightning as pl
from jaxtyping import Bool, Float
from torch import Tensor

from tokenizer.banks import PoseBank, open_bank
from tokenizer.errors import InputError
from tokenizer.rotations import rotmat_to_rot6d
from tokenizer.sampling import BankMixture, PartNoise, batch_generator

_PREFETCH = 2
_STEPS_PER_EPOCH = 1000
"""Length of an epoch where the trainer counts epochs instead of steps."""


class PoseBatch(NamedTuple):
    """Some poses. Absent joints keep their original rotations."""

    rotmats: Float[Tensor, "batch joints 3 3"]
    rot6d: Float[Tensor, "batch joints 6"]
    """The encoder's input: `rotmats` in six numbers, with noise in training."""
    absent_joints: Bool[Tensor, "batch joints"]


@dataclass(frozen=True)
class BankSpec:
    """A bank in a config.

    Args:
        path: .npz or .safetensors (`tokenizer.banks`).
        weight: How often it is drawn, relative to the others in its list. Unused in validation.
    """

    path: Path
    weight: float = 1.0


class PoseStream:
    """Training batches, each a pure function of (seed, step, rank). Its place is part of the checkpoint."""

    def __init__(
        self,
        mixture: BankMixture,
        batch_size: int,
        steps: int,
        seed: int,
        rank: int = 0,
        noise: PartNoise | None = None,
    ) -> None:
        self.mixture, self.batch_size, self.steps = mixture, batch_size, steps
        self.seed, self.rank, self.noise = seed, rank, noise
        self.next_step = 0

    def batch(self, step: int) -> PoseBatch:
        """The batch of one step."""
        rng = batch_generator(self.seed, step, self.rank)
        rotmats, absent = self.mixture.draw(rng, self.batch_size)
        rot6d = rotmat_to_rot6d(rotmats)
        if self.noise is not None:
            rot6d = self.noise(rot6d, rng, step)
        return PoseBatch(rotmats, rot6d, absent)

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[PoseBatch]:
        with ThreadPoolExecutor(1) as pool:  # reads ahead while a step computes
            first = self.next_step
            ahead = [pool.submit(self.batch, first + i) for i in range(_PREFETCH)]
            while True:
                batch = ahead.pop(0).result()
                ahead.append(pool.submit(self.batch, self.next_step + _PREFETCH))
                self.next_step += 1
                yield batch

    def state_dict(self) -> dict[str, int]:
        """Lightning stores it with the loop."""
        return {"next_step": self.next_step}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continue where a checkpoint was made."""
        self.next_step = state["next_step"]


class PosePasses:
    """Every pose of some banks once, in order, dealt out over ranks. No sample is dropped or repeated."""

    def __init__(
        self,
        banks: list[PoseBank],
        batch_size: int,
        limit: int | None = None,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.batches: list[tuple[PoseBank, np.ndarray]] = []
        for bank in banks:
            rows = np.arange(len(bank))
            if limit is not None and len(rows) > limit:
                rows = np.linspace(0, len(bank) - 1, limit).astype(int)  # spread over the bank
            rows = rows[rank::world_size]
            self.batches += [(bank, rows[i : i + batch_size]) for i in range(0, len(rows), batch_size)]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[PoseBatch]:
        for bank, rows in self.batches:
            rotmats = bank.rotmats(rows)
            yield PoseBatch(rotmats, rotmat_to_rot6d(rotmats), bank.absent(rows))


class PoseDataModule(pl.LightningDataModule):
    """Pose banks for `tokenizer.module.TokenizerModule`.

    Args:
        train_intact: Banks to draw intact poses from.
        train_amputee: Banks to draw amputees from. One bank may be named in both.
        validation: Banks to validate and test on, each pose once.
        batch_size: Poses per rank and step.
        amputee_probability: Of each training pose; 0 for the intact tokenizer.
        noise: Noise on the encoder's input in training.
        seed: Of the draws.
        max_validation_poses: Per bank; the rest is skipped evenly. None for all.
        check: Read all banks once at the start and refuse bad poses.
    """

    def __init__(
        self,
        train_intact: list[BankSpec] | None = None,
        train_amputee: list[BankSpec] | None = None,
        validation: list[BankSpec] | None = None,
        batch_size: int = 256,
        amputee_probability: float = 0.5,
        noise: PartNoise | None = None,
        seed: int = 0,
        max_validation_poses: int | None = None,
        check: bool = True,
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise InputError(f"batch_size is {batch_size}: give at least 1")
        self.train_intact, self.train_amputee = train_intact or [], train_amputee or []
        self.validation = validation or []
        self.batch_size, self.amputee_probability = batch_size, amputee_probability
        self.noise, self.seed = noise, seed
        self.max_validation_poses, self.check = max_validation_poses, check
        self._banks: dict[Path, PoseBank] = {}

    def setup(self, stage: str) -> None:
        """Open what the stage needs, so that bad banks stop the run before it starts."""
        validation = [self._open(spec) for spec in self.validation]
        self._validation = [bank for bank, _ in validation]
        if stage == "fit":
            wanted = (
                (self.train_intact, 1 - self.amputee_probability),
                (self.train_amputee, self.amputee_probability),
            )
            intact, amputee = (
                [self._open(spec) for spec in specs] if share > 0 else [] for specs, share in wanted
            )
            self._mixture = BankMixture(intact, amputee, self.amputee_probability)

    def _open(self, spec: BankSpec) -> tuple[PoseBank, float]:
        if spec.path not in self._banks:
            self._banks[spec.path] = open_bank(spec.path, check=self.check)
        return self._banks[spec.path], spec.weight

    def train_dataloader(self) -> PoseStream:
        rank, _ = self._rank()
        limit = self.trainer.max_steps if self.trainer is not None else -1
        steps = limit * self._accumulated() if limit > 0 else _STEPS_PER_EPOCH
        return PoseStream(self._mixture, self.batch_size, steps, self.seed, rank, self.noise)

    def val_dataloader(self) -> PosePasses:
        return PosePasses(self._validation, self.batch_size, self.max_validation_poses, *self._rank())

    def test_dataloader(self) -> PosePasses:
        return self.val_dataloader()

    def _rank(self) -> tuple[int, int]:
        return (0, 1) if self.trainer is None else (self.trainer.global_rank, self.trainer.world_size)

    def _accumulated(self) -> int:
        return 1 if self.trainer is None else self.trainer.accumulate_grad_batches
