"""Which poses a training batch holds: a function of seed, step and rank alone, so resuming is exact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from tokenizer.banks import NUM_JOINTS, PoseBank
from tokenizer.errors import InputError


def batch_generator(seed: int, step: int, rank: int = 0) -> np.random.Generator:
    """Random numbers of one batch; batches, ranks and seeds never share a stream."""
    return np.random.Generator(np.random.Philox(key=[seed, rank], counter=[0, 0, 0, step]))


@dataclass(frozen=True)
class _Group:
    """Rows of one kind (amputee or intact) over all banks."""

    banks: tuple[int, ...]
    probabilities: Float[np.ndarray, " banks"]
    rows: tuple[np.ndarray | int, ...]
    """Per bank: the row numbers, or their count where they are all of the bank's."""


class BankMixture:
    """Draws poses from weighted banks, amputees with a fixed probability (AJAHR supplementary H: one half).

    Per pose: amputee or intact by ``amputee_probability``; a bank by weight among those that have such poses;
    a row uniformly. Upstream concatenates two loaders instead, and its weights, which need not sum to one,
    drop samples.

    Args:
        banks: Opened banks.
        weights: One per bank, relative.
        amputee_probability: Of each pose; 0 for the intact tokenizer; None to take rows as they come.

    Raises:
        InputError: no banks, bad weights, or no poses of a kind that has a positive probability.
    """

    def __init__(
        self, banks: Sequence[PoseBank], weights: Sequence[float], amputee_probability: float | None = 0.5
    ) -> None:
        if not banks:
            raise InputError("no pose banks; name at least one under train")
        if len(weights) != len(banks) or not all(np.isfinite(w) and w > 0 for w in weights):
            raise InputError(
                f"bank weights {list(weights)}; give a positive number for each of {len(banks)} banks"
            )
        if amputee_probability is not None and not 0 <= amputee_probability <= 1:
            raise InputError(f"amputee_probability is {amputee_probability}; give 0 to 1")
        self.banks, self.amputee_probability = tuple(banks), amputee_probability
        if amputee_probability is None:
            self._intact = self._amputee = self._group(weights, None)
            return
        self._intact = self._group(weights, False) if amputee_probability < 1 else None
        self._amputee = self._group(weights, True) if amputee_probability > 0 else None

    def _group(self, weights: Sequence[float], amputee: bool | None) -> _Group:
        members, rows, kept = [], [], []
        for i, (bank, weight) in enumerate(zip(self.banks, weights, strict=True)):
            if amputee is None or (bank.absent_joints is None and not amputee):
                found: np.ndarray | int = len(bank)
            else:
                found = np.flatnonzero(bank.is_amputee() == amputee)
            if found if isinstance(found, int) else len(found):
                members.append(i)
                rows.append(found)
                kept.append(weight)
        if not members:
            kind = "amputee" if amputee else "intact"
            mend = "add a bank with absent_joints" if amputee else "add a bank without absent_joints"
            raise InputError(f"no {kind} poses in the banks; {mend}, or change amputee_probability")
        return _Group(tuple(members), np.asarray(kept) / sum(kept), tuple(rows))

    def draw(
        self, rng: np.random.Generator, count: int
    ) -> tuple[Float[Tensor, "count joints 3 3"], Bool[Tensor, "count joints"]]:
        """Rotation matrices and absent joints of ``count`` poses."""
        is_amputee = rng.random(count) < (self.amputee_probability or 0.0)
        rotmats = torch.empty(count, NUM_JOINTS, 3, 3)
        absent = torch.empty(count, NUM_JOINTS, dtype=torch.bool)
        for group, places in ((self._intact, ~is_amputee), (self._amputee, is_amputee)):
            places = np.flatnonzero(places)
            if group is None or not len(places):
                continue
            choice = rng.choice(len(group.banks), size=len(places), p=group.probabilities)
            for member, (bank, rows) in enumerate(zip(group.banks, group.rows, strict=True)):
                mine = places[choice == member]
                size = rows if isinstance(rows, int) else len(rows)
                picked = rng.integers(size, size=len(mine))
                if not isinstance(rows, int):
                    picked = rows[picked]
                rotmats[mine] = self.banks[bank].rotmats(picked)
                absent[mine] = self.banks[bank].absent(picked)
        return rotmats, absent


@dataclass(frozen=True)
class PartNoise:
    """Noise on the encoder's input, as TokenHMR meant it (there it is added to a copy and lost).

    Per batch one body part is drawn and up to half of the samples; each of these gets one number, uniform in
    0..scale, added to all six numbers of the part's joints. The target stays clean.

    Args:
        parts: Joints of each part, as rows of a pose.
        starts: Steps at which the next scale begins, ascending from 0.
        scales: Largest number added from each start on.
    """

    parts: list[list[int]]
    starts: list[int]
    scales: list[float]

    def __post_init__(self) -> None:
        if not self.parts or any(not 0 <= joint < NUM_JOINTS for part in self.parts for joint in part):
            raise InputError(f"noise parts {self.parts}; give lists of joints 0..{NUM_JOINTS - 1}")
        if len(self.starts) != len(self.scales) or not self.starts or self.starts[0] != 0:
            raise InputError(
                "noise starts and scales: give as many of one as of the other, the first start 0"
            )
        if self.starts != sorted(self.starts) or min(self.scales) < 0:
            raise InputError("noise starts and scales: give ascending starts and scales of 0 or more")

    def scale(self, step: int) -> float:
        """Largest number added at a step."""
        return self.scales[sum(start <= step for start in self.starts) - 1]

    def __call__(
        self, rot6d: Float[Tensor, "batch joints 6"], rng: np.random.Generator, step: int
    ) -> Float[Tensor, "batch joints 6"]:
        """A noisy copy."""
        batch = len(rot6d)
        part = self.parts[rng.integers(len(self.parts))]
        samples = rng.permutation(batch)[: rng.integers(batch // 2 + 1)]
        amounts = torch.from_numpy(rng.random(len(samples)) * self.scale(step)).to(rot6d.dtype)
        noisy = rot6d.clone()
        noisy[torch.from_numpy(samples)[:, None], torch.tensor(part)] += amounts[:, None, None]
        return noisy
