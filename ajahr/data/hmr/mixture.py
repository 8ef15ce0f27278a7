"""Which people make up which batch: an endless stream, every part of it a function of the seed alone. No torch.

Two sides, people with a limb loss and everybody else, in an exact proportion. The stream is cut into batches
counted over all ranks; rank r of W takes batches r, r + W, r + 2W, ... of what is left. Any batch can be asked
for by its number without those before it, so a run resumes mid-epoch from one integer, with any number of
workers, and with another number of ranks too.

Inside a side, every thousand draws hold each dataset exactly as often as its weight says, in random order.
Inside a dataset, everybody is drawn once before anybody is drawn again; with twins, that holds for amputees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Int

from ajahr.data.hmr.chance import uniform
from ajahr.data.hmr.dataset import Draw
from ajahr.data.hmr.samples import PeopleTable
from ajahr.errors import UserError

BLOCK = 1000
"""Draws of a side over which the datasets' proportions are exact; weights are rounded to a thousandth."""
_AMPUTEE, _OTHER = 0, 1
_ORDER, _SHUFFLE, _SAMPLE, _PLACE = (
    0,
    1,
    2,
    3,
)  # what a seed is for, so that no two streams of numbers are the same


@dataclass(frozen=True, eq=False)
class Member:
    """The people of one dataset on one side."""

    table: int
    rows: Int[np.ndarray, " people"]
    weight: float


class _Side:
    """Draws of one side by number."""

    def __init__(self, members: Sequence[Member], seed: tuple[int, ...]) -> None:
        self._members, self._seed = tuple(members), seed
        self._quotas = _quotas([member.weight for member in members])
        self._order: tuple[int, np.ndarray, np.ndarray] | None = None
        self._shuffles: dict[tuple[int, int], np.ndarray] = {}

    def draw(self, number: int) -> tuple[int, int]:
        """Table and row of draw ``number``."""
        block, within = divmod(number, BLOCK)
        if self._order is None or self._order[0] != block:
            order = np.repeat(np.arange(len(self._members)), self._quotas)
            np.random.default_rng((*self._seed, _ORDER, block)).shuffle(order)
            nth = np.empty(BLOCK, np.int64)  # of its dataset within the block
            for i, quota in enumerate(self._quotas):
                nth[order == i] = np.arange(quota)
            self._order = (block, order, nth)
        _, order, nth = self._order
        i = int(order[within])
        turn, place = divmod(block * int(self._quotas[i]) + int(nth[within]), len(self._members[i].rows))
        return self._members[i].table, int(self._members[i].rows[self._shuffled(i, turn)[place]])

    def _shuffled(self, i: int, turn: int) -> np.ndarray:
        """The order in which dataset ``i`` is gone through for the ``turn``-th time."""
        key = (i, turn)
        if key not in self._shuffles:
            self._shuffles.pop((i, turn - 2), None)
            people = np.arange(len(self._members[i].rows), dtype=np.uint32)
            np.random.default_rng((*self._seed, _SHUFFLE, i, turn)).shuffle(people)
            self._shuffles[key] = people
        return self._shuffles[key]


def _quotas(weights: Sequence[float]) -> np.ndarray:
    """Draws of each dataset in a block: largest remainders, at least one each."""
    if len(weights) > BLOCK:
        raise UserError(f"{len(weights)} datasets on one side; at most {BLOCK} can be mixed")
    share = np.asarray(weights, np.float64) / np.sum(weights) * BLOCK
    quotas = np.maximum(np.floor(share).astype(np.int64), 1)
    while quotas.sum() > BLOCK:  # very small weights took more than their share
        quotas[np.argmax(quotas - share)] -= 1
    rest = BLOCK - int(quotas.sum())
    quotas[np.argsort(quotas - share, kind="stable")[:rest]] += 1
    return quotas


class Mixture:
    """The stream of batches.

    Args:
        tables: the datasets.
        weights: of each, within its side; at least one is positive. A dataset with people on both sides (our
            own, with intact twins) counts on both.
        batch_size: people per batch on one rank.
        amputee_share: exact share of people with a limb loss, to within one person in any prefix of batches.
            None: no sides, everybody by weight.
        seed: of everything.
        twins: a batch's amputees bring their own intact twins, as many as its places for everybody else hold, with
            the same augmentation, occluders and detector noise, in the same place of the picture: that of the
            amputee or that of the twin, by chance, so that a box tells nothing. All but the limb then cancels out
            of what is learned from the two. Places that are left (amputees without a twin) go to the others' own
            draws.

    Raises:
        UserError: a share that cannot be had (nobody on one side), weights that are not, or twins of nobody.
    """

    def __init__(
        self,
        tables: Sequence[PeopleTable],
        weights: Sequence[float],
        batch_size: int,
        *,
        amputee_share: float | None = 0.5,
        seed: int = 0,
        twins: bool = False,
    ) -> None:
        if len(weights) != len(tables):
            raise UserError(f"{len(weights)} weights for {len(tables)} datasets; give one each")
        if not all(np.isfinite(weight) and weight >= 0 for weight in weights):
            raise UserError(f"weights are 0 or more, not {list(weights)}")
        if amputee_share is not None and not 0 <= amputee_share <= 1:
            raise UserError(f"amputee_share is 0..1, not {amputee_share}")
        if batch_size < 1:
            raise UserError(f"batch_size is 1 or more, not {batch_size}")
        self.batch_size, self.seed = batch_size, seed
        members: tuple[list[Member], list[Member]] = ([], [])
        for number, (table, weight) in enumerate(zip(tables, weights, strict=True)):
            amputee = table.known_amputee() if amputee_share is not None else np.zeros(len(table), bool)
            for side, rows in ((_AMPUTEE, np.flatnonzero(amputee)), (_OTHER, np.flatnonzero(~amputee))):
                if weight > 0 and len(rows):
                    members[side].append(Member(number, rows, weight))
        self._share = Fraction(amputee_share or 0).limit_denominator(10**6)
        for side, share, who in (
            (_AMPUTEE, self._share, "with a limb loss"),
            (_OTHER, 1 - self._share, "without one"),
        ):
            if share > 0 and not members[side]:
                raise UserError(
                    f"amputee_share is {amputee_share}, but nobody {who} is in the datasets; add one or change it"
                )
        self._sides = [_Side(members[side], (seed, side)) for side in (_AMPUTEE, _OTHER)]
        self._twins = [_twins_of(table) for table in tables] if twins else None
        if self._twins is not None and not any((of >= 0).any() for of in self._twins):
            raise UserError("twins is on, but nobody in the datasets has an intact twin; turn it off")
        if twins and not 0 < self._share < 1:
            raise UserError(f"twins is on with amputee_share {amputee_share}; give a share between 0 and 1")

    def batch(self, number: int) -> list[Draw]:
        """Batch ``number`` of the stream, 0 first."""
        first = self._amputees_before(number)
        amputees = self._amputees_before(number + 1) - first
        drawn = [self._draw(_AMPUTEE, first + i) for i in range(amputees)]
        places = self.batch_size - amputees
        others: list[Draw] = []
        if self._twins is not None and drawn:
            drawn, others = self._with_twins(drawn, places)
        others_first = number * self.batch_size - first
        return drawn + others + [self._draw(_OTHER, others_first + i) for i in range(len(others), places)]

    def _draw(self, side: int, number: int) -> Draw:
        return Draw(*self._sides[side].draw(number), (self.seed, side, _SAMPLE, number))

    def _with_twins(self, amputees: list[Draw], places: int) -> tuple[list[Draw], list[Draw]]:
        """The amputees, and the twins of the first of them, at most ``places``; pairs look at one place."""
        assert self._twins is not None
        drawn, twins = list(amputees), []
        by_twin = uniform([(*one.seed, _PLACE) for one in amputees], 1)[:, 0] < 0.5
        for i, one in enumerate(amputees):
            twin = int(self._twins[one.table][one.row])
            if twin >= 0 and len(twins) < places:
                drawn[i] = one._replace(placed_by=twin if by_twin[i] else one.row)
                twins.append(drawn[i]._replace(row=twin))
        return drawn, twins

    def _amputees_before(self, number: int) -> int:
        return number * self.batch_size * self._share.numerator // self._share.denominator


def _twins_of(table: PeopleTable) -> Int[np.ndarray, " rows"]:
    """Each amputee's intact twin; -1: nobody who counts as another."""
    amputee = table.known_amputee()
    if table.twins is None or not len(table):
        return np.full(len(table), -1)
    return np.where(amputee & (table.twins >= 0) & ~amputee[table.twins], table.twins, -1)
