"""The training loader: a mixture through torch's DataLoader, with a place in the stream that can be saved."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import torch.distributed
from torch.utils.data import DataLoader

from ajahr.data.hmr.collate import Collate, PackedBatch
from ajahr.data.hmr.dataset import Crops, Draw, HmrDataset, use_one_thread
from ajahr.data.hmr.detector_noise import DetectorNoise
from ajahr.data.hmr.mixture import Mixture
from ajahr.errors import UserError


class _Batches:
    """Batch sampler of one rank: batches ``first``, ``first + world``, ... of the stream, ``count`` of them."""

    def __init__(self, mixture: Mixture) -> None:
        self._mixture = mixture
        self.first, self.world, self.count = 0, 1, 0

    def __iter__(self) -> Iterator[list[Draw]]:
        first, world = self.first, self.world
        for step in range(self.count):
            yield self._mixture.batch(first + step * world)

    def __len__(self) -> int:
        return self.count


class MixtureLoader:
    """Batches of a mixture, an epoch being so many of them on every rank.

    The position is what has been handed out here, not what workers have read ahead: `state_dict` taken after
    a step, given to `load_state_dict` of a new loader, goes on with the next batch, bit by bit the same. Ranks
    and workers may be other ones than before.

    Args:
        dataset: over the mixture's tables.
        mixture: the stream; its batch size is that of one rank.
        batches_per_epoch: on every rank.
        workers: processes per rank; 0 reads in this one.
        noise: of BPAC-Net's keypoints.
        pin_memory: for a GPU.
        rank, world: of this process; taken from torch.distributed when None.
        prefetch: batches a worker reads ahead.
    """

    def __init__(
        self,
        dataset: HmrDataset,
        mixture: Mixture,
        batches_per_epoch: int,
        *,
        workers: int = 0,
        noise: DetectorNoise | None = None,
        pin_memory: bool = False,
        rank: int | None = None,
        world: int | None = None,
        prefetch: int = 2,
    ) -> None:
        if batches_per_epoch < 1:
            raise UserError(f"an epoch has 1 batch or more, not {batches_per_epoch}")
        self._per_epoch = batches_per_epoch
        self._rank, self._world = rank, world
        self._batches = _Batches(mixture)
        self._consumed, self._step = 0, 0
        self._resumed = False
        self.seconds_waited = 0.0
        """Time spent waiting for the workers since the loader was made."""
        self._loader = plain_loader(
            dataset,
            batch_sampler=self._batches,
            workers=workers,
            noise=noise,
            pin_memory=pin_memory,
            prefetch=prefetch,
        )

    def __len__(self) -> int:
        return self._per_epoch

    def __iter__(self) -> Iterator[PackedBatch]:
        """The next epoch; the rest of one after `load_state_dict` in the middle of it."""
        rank, world = self._place()
        if not self._resumed:
            self._step = 0
        self._resumed = False
        self._batches.first, self._batches.world = self._consumed + rank, world
        self._batches.count = self._per_epoch - self._step
        batches = iter(self._loader)
        while True:
            began = time.perf_counter()
            batch = next(batches, None)
            self.seconds_waited += time.perf_counter() - began
            if batch is None:
                return
            self._consumed += world
            self._step += 1
            yield batch

    def _place(self) -> tuple[int, int]:
        ready = torch.distributed.is_available() and torch.distributed.is_initialized()
        rank = self._rank if self._rank is not None else torch.distributed.get_rank() if ready else 0
        world = self._world if self._world is not None else torch.distributed.get_world_size() if ready else 1
        return rank, world

    def state_dict(self) -> dict[str, int]:
        """Batches handed out so far, over all ranks, and how many of them on each in this epoch."""
        return {"batches": self._consumed, "step": self._step}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on where ``state`` was taken."""
        self._consumed = int(state["batches"])
        self._step = int(state["step"]) % self._per_epoch
        self._resumed = True


def plain_loader(
    dataset: HmrDataset,
    batch_size: int = 1,
    *,
    workers: int = 0,
    noise: DetectorNoise | None = None,
    pin_memory: bool = False,
    batch_sampler: Any = None,
    prefetch: int = 2,
) -> DataLoader:
    """Everybody of a dataset once, in order (validation), or by a batch sampler; yields `PackedBatch`."""
    options: dict[str, Any] = (
        {"batch_size": batch_size} if batch_sampler is None else {"batch_sampler": batch_sampler}
    )
    if workers:
        options |= {"prefetch_factor": prefetch, "persistent_workers": True}
    return DataLoader(
        _Indexed(dataset),
        num_workers=workers,
        collate_fn=Collate(noise or DetectorNoise()),
        pin_memory=pin_memory,
        worker_init_fn=_start_worker,
        **options,
    )


class _Indexed(torch.utils.data.Dataset):
    """`HmrDataset` under the base class DataLoader is typed for."""

    def __init__(self, dataset: HmrDataset) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int | Draw) -> Crops:
        return self.dataset[index]

    def __getitems__(self, indices: list) -> Crops:
        return self.dataset.__getitems__(indices)


def _start_worker(_: int) -> None:
    use_one_thread()
