"""The stream of batches: exact shares, nobody twice before everybody once, any split over ranks."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from ajahr.data.hmr.mixture import BLOCK, Mixture
from ajahr.data.hmr.pictures import PictureStore
from ajahr.data.hmr.samples import PeopleTable, empty_rows
from ajahr.errors import UserError


def table(name: str, people: int, amputees: int = 0) -> PeopleTable:
    rows = empty_rows(people)
    rows["levels"] = 0
    rows["levels"][:amputees, 1] = 2
    return PeopleTable(name, rows, PictureStore())


TABLES = [table("a3d", 37, 37), table("ours", 50, 20), table("coco", 120), table("h36m", 11)]
WEIGHTS = [0.7, 0.3, 0.25, 0.15]


def draws(mixture: Mixture, batches: range) -> list:
    return [draw for number in batches for draw in mixture.batch(number)]


def is_amputee(draw) -> bool:
    return bool((TABLES[draw.table].rows["levels"][draw.row] > 0).any())


@pytest.mark.parametrize("share", [0.0, 0.25, 0.3, 0.5, 2 / 3, 1.0])
@pytest.mark.parametrize("batch_size", [1, 5, 8])
def test_share_is_exact_in_every_prefix(share, batch_size):
    mixture = Mixture(TABLES, WEIGHTS, batch_size, amputee_share=share, seed=3)
    count = 0
    for number in range(60):
        count += sum(map(is_amputee, mixture.batch(number)))
        expected = Fraction(share).limit_denominator(10**6) * batch_size * (number + 1)
        assert count == int(expected)


def test_weights_are_exact_over_a_block_on_each_side():
    mixture = Mixture(TABLES, WEIGHTS, 10, seed=1)
    found = Counter((draw.table, is_amputee(draw)) for draw in draws(mixture, range(2 * BLOCK // 10)))
    assert found[0, True] == 700 and found[1, True] == 300
    others = np.array([found[1, False], found[2, False], found[3, False]])
    np.testing.assert_allclose(others, BLOCK * np.array([0.3, 0.25, 0.15]) / 0.7, atol=1)
    assert found[2, True] == found[0, False] == 0


def test_everybody_is_drawn_once_before_anybody_twice():
    mixture = Mixture(TABLES, WEIGHTS, 16, seed=2)
    seen: dict[tuple, list[int]] = {}
    for draw in draws(mixture, range(400)):
        seen.setdefault((draw.table, is_amputee(draw)), []).append(draw.row)
    assert len(seen) == 5
    for (number, amputee), rows in seen.items():
        people = int((TABLES[number].known_amputee() == amputee).sum())
        for start in range(0, len(rows) - people + 1, people):
            assert len(set(rows[start : start + people])) == people
        assert rows[:people] != rows[people : 2 * people], "the next pass has an order of its own"


@pytest.mark.parametrize("world", [1, 2, 3, 5])
def test_ranks_share_the_stream_without_repeats_or_gaps(world):
    mixture = Mixture(TABLES, WEIGHTS, 4, seed=0)
    whole = draws(mixture, range(60))
    ranks = [Mixture(TABLES, WEIGHTS, 4, seed=0) for _ in range(world)]
    dealt = [
        draw
        for step in range(60 // world)
        for rank in range(world)
        for draw in ranks[rank].batch(step * world + rank)
    ]
    assert dealt == whole
    assert len({draw.seed for draw in whole}) == len(whole), "no two samples share their chance"


def test_any_batch_without_those_before_it():
    one, other = Mixture(TABLES, WEIGHTS, 6, seed=9), Mixture(TABLES, WEIGHTS, 6, seed=9)
    forward = [one.batch(number) for number in range(500)]
    for number in (499, 3, 250, 0, 498):
        assert other.batch(number) == forward[number]


def test_the_seed_is_all_that_matters():
    assert Mixture(TABLES, WEIGHTS, 8, seed=1).batch(7) == Mixture(TABLES, WEIGHTS, 8, seed=1).batch(7)
    assert Mixture(TABLES, WEIGHTS, 8, seed=1).batch(7) != Mixture(TABLES, WEIGHTS, 8, seed=2).batch(7)


def test_without_a_share_everybody_counts_alike():
    mixture = Mixture(TABLES, [1, 1, 1, 1], 10, amputee_share=None, seed=0)
    found = Counter(draw.table for draw in draws(mixture, range(BLOCK // 10)))
    assert found == dict.fromkeys(range(4), BLOCK // 4)


# twins

PAIRED = [
    replace(table("ours", 50, 20), twins=np.array([*range(20, 35), *[-1] * 35])),
    table("a3d", 10, 10),
    table("coco", 40),
]
"""Fifteen of ours have an intact twin, five and a3d's have none."""


def paired(batch_size: int = 8, share: float = 0.5, **arguments) -> Mixture:
    return Mixture(PAIRED, [1, 0.5, 1], batch_size, amputee_share=share, twins=True, **arguments)


@pytest.mark.parametrize("share", [0.25, 0.5, 2 / 3])
@pytest.mark.parametrize("batch_size", [1, 5, 8])
def test_twins_stand_beside_their_amputees_and_the_share_stays_exact(share, batch_size):
    mixture, plain = paired(batch_size, share), Mixture(PAIRED, [1, 0.5, 1], batch_size, amputee_share=share)
    found, placed_by = 0, Counter()
    for number in range(120):
        batch, before = mixture.batch(number), plain.batch(number)
        assert len(batch) == batch_size
        lost = [one for one in batch if PAIRED[one.table].known_amputee()[one.row]]
        assert [(one.table, one.row, one.seed) for one in lost] == [
            (one.table, one.row, one.seed) for one in before if PAIRED[one.table].known_amputee()[one.row]
        ], "who is drawn of the amputees is no other"
        twinned = [one for one in lost if one.table == 0 and one.row < 15]
        pairs = [one for one in lost if one.placed_by is not None]
        assert len(pairs) == min(len(twinned), batch_size - len(lost))
        for one in pairs:
            assert one.placed_by in (one.row, one.row + 20)
            assert batch.count(one._replace(row=one.row + 20)) == 1, "same seed, same place"
            placed_by[one.placed_by == one.row] += 1
        assert sum(one.placed_by is not None for one in batch) == 2 * len(pairs)
        rest = [one for one in batch if one.placed_by is None and one not in lost]
        assert set(rest) <= set(before), "what twins leave is drawn as ever"
        found += len(lost)
        assert found == int(Fraction(share).limit_denominator(10**6) * batch_size * (number + 1))
    if batch_size > 1:
        assert min(placed_by[True], placed_by[False]) > 0.35 * placed_by.total(), "either says the place"


def test_any_batch_of_twins_without_those_before_it():
    one, other = paired(seed=4), paired(seed=4)
    forward = [one.batch(number) for number in range(50)]
    assert [other.batch(number) for number in (49, 3, 17)] == [forward[49], forward[3], forward[17]]
    assert paired(seed=5).batch(3) != forward[3]


def test_a_twin_that_is_an_amputee_or_left_out_is_none():
    people = table("ours", 4, 2)
    people = replace(people, twins=np.array([1, 2, -1, -1]))
    draws_ = draws(Mixture([people], [1], 4, twins=True), range(10))
    assert {one.row for one in draws_ if one.placed_by is not None} == {1, 2}
    with pytest.raises(UserError, match="nobody in the datasets has an intact twin"):
        Mixture([people.subset(np.array([0, 1, 3]))], [1], 4, twins=True)
    with pytest.raises(UserError, match="a share between 0 and 1"):
        Mixture([people], [1], 4, amputee_share=1.0, twins=True)


# edge


def test_a_dataset_of_no_weight_is_never_drawn():
    mixture = Mixture(TABLES, [1, 0, 1, 0], 10, seed=0)
    assert {draw.table for draw in draws(mixture, range(30))} == {0, 2}


def test_tiny_weights_still_count():
    mixture = Mixture(TABLES, [1, 1, 1, 1e-9], 10, seed=0)
    found = Counter(draw.table for draw in draws(mixture, range(2 * BLOCK // 10)))
    assert found[3] == 1 and sum(found.values()) == 2 * BLOCK


@pytest.mark.parametrize(
    ("tables", "weights", "arguments", "said"),
    [
        (TABLES[2:], [1, 1], {}, "nobody with a limb loss"),
        (TABLES[:1], [1], {}, "nobody without one"),
        (TABLES, [1, 1], {}, "2 weights for 4 datasets"),
        (TABLES, [1, 1, 1, -1], {}, "weights are 0 or more"),
        (TABLES, [1, 1, 1, float("nan")], {}, "weights are 0 or more"),
        (TABLES, [1] * 4, {"amputee_share": 1.5}, "amputee_share is 0..1"),
    ],
)
def test_what_cannot_be_mixed(tables, weights, arguments, said):
    with pytest.raises(UserError, match=said):
        Mixture(tables, weights, 4, **arguments)
