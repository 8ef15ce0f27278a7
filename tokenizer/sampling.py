"""Which poses a training batch holds: a function of seed, step and rank alone, so resuming is exact."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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


class _Kind:
    """Poses of one kind (amputee or intact) in weighted banks; a bank's poses of the other kind are left out."""

    def __init__(self, banks: Sequence[tuple[PoseBank, float]], amputee: bool) -> None:
        self.banks: list[PoseBank] = []
        self.rows: list[np.ndarray | None] = []  # None: all of the bank's
        weights = []
        for bank, weight in banks:
            if not (np.isfinite(weight) and weight > 0):
                raise InputError(f"bank {bank.name} has weight {weight}; give a positive number")
            whole = bank.absent_joints is None and not amputee
            rows = None if whole else np.flatnonzero(bank.is_amputee() == amputee)
            if rows is None or len(rows):
                self.banks.append(bank)
                self.rows.append(rows)
                weights.append(weight)
        if not self.banks:
            kind = "amputee" if amputee else "intact"
            raise InputError(
                f"no {kind} poses to train on; name a bank of them, or change amputee_probability"
            )
        self.probabilities = np.asarray(weights) / sum(weights)

    def draw(self, rng: np.random.Generator, count: int) -> Iterator[tuple[np.ndarray, PoseBank, np.ndarray]]:
        """Which of ``count`` draws came from a bank, the bank, and its rows."""
        choice = rng.choice(len(self.banks), size=count, p=self.probabilities)
        for member, (bank, rows) in enumerate(zip(self.banks, self.rows, strict=True)):
            mine = np.flatnonzero(choice == member)
            picked = rng.integers(len(bank) if rows is None else len(rows), size=len(mine))
            yield mine, bank, picked if rows is None else rows[picked]


class BankMixture:
    """Draws poses from weighted banks, amputees with a fixed probability (AJAHR supplementary H: one half).

    Per pose: amputee or intact by ``amputee_probability``; a bank of that kind by weight; a row uniformly.
    Upstream concatenates two loaders instead, and its weights, which need not sum to one, drop samples.

    Args:
        intact: Banks and weights to draw intact poses from; their amputees are left out.
        amputee: Banks and weights to draw amputees from; their intact poses are left out.
        amputee_probability: Of each pose; 0 for the intact tokenizer.

    Raises:
        InputError: bad weights, or no poses of a kind that has a positive probability.
    """

    def __init__(
        self,
        intact: Sequence[tuple[PoseBank, float]],
        amputee: Sequence[tuple[PoseBank, float]] = (),
        amputee_probability: float = 0.5,
    ) -> None:
        if not 0 <= amputee_probability <= 1:
            raise InputError(f"amputee_probability is {amputee_probability}; give 0 to 1")
        self.amputee_probability = amputee_probability
        self._kinds: list[tuple[bool, _Kind]] = []
        if amputee_probability < 1:
            self._kinds.append((False, _Kind(intact, False)))
        if amputee_probability > 0:
            self._kinds.append((True, _Kind(amputee, True)))

    def draw(
        self, rng: np.random.Generator, count: int
    ) -> tuple[Float[Tensor, "count joints 3 3"], Bool[Tensor, "count joints"]]:
        """Rotation matrices and absent joints of ``count`` poses."""
        is_amputee = rng.random(count) < self.amputee_probability
        rotmats = torch.empty(count, NUM_JOINTS, 3, 3)
        absent = torch.empty(count, NUM_JOINTS, dtype=torch.bool)
        for amputee, kind in self._kinds:
            places = np.flatnonzero(is_amputee == amputee)
            for mine, bank, rows in kind.draw(rng, len(places)):
                rotmats[places[mine]] = bank.rotmats(rows)
                absent[places[mine]] = bank.absent(rows)
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
