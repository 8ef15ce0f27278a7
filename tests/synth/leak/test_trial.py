"""The trial on invented pairs: it finds what is there and nothing else."""

import numpy as np
import pytest

from ajahr.data.dataset import open_dataset
from ajahr.errors import UserError
from synth.leak.classifiers import FeatureClassifier, PixelClassifier
from synth.leak.trial import (
    Outcome,
    Pair,
    columns_lifted,
    picture_lifted,
    read_pairs,
    run_side_by_side,
    run_trial,
    wilson,
)


def pairs(count: int, leak=None) -> list[Pair]:
    """Scenes of grain, the same for both twins but for what is hidden and the leak."""
    found = []
    for n in range(count):
        rng = np.random.default_rng(n)
        base = np.clip(rng.uniform(60, 190, 3) + rng.normal(0, 6, (96, 128, 3)), 0, 255).astype(np.uint8)
        hidden = np.zeros((96, 128), bool)
        hidden[32:64, 32:80] = True
        intact = base.copy()
        intact[hidden] = 200
        found.append(Pair(base if leak is None else leak(base), intact, hidden))
    return found


def test_twins_that_only_differ_where_it_is_hidden_cannot_be_told():
    same = pairs(24)
    assert all(pair.identical for pair in same)
    outcomes = run_trial(same, [FeatureClassifier(), PixelClassifier(steps=6, batch=8, crop=32)])
    for outcome in [*outcomes, run_side_by_side(same)]:
        assert outcome.accuracy == 0.5 and outcome.by_chance


def test_a_leak_of_one_grey_level_is_found():
    for found in (pairs(24, columns_lifted), pairs(24)):
        plant = None if not found[0].identical else columns_lifted
        for outcome in [
            *run_trial(found, [FeatureClassifier()], plant=plant),
            run_side_by_side(found, plant=plant),
        ]:
            assert outcome.accuracy > 0.9 and not outcome.by_chance


def test_the_network_finds_it_too():
    (outcome,) = run_trial(pairs(24), [PixelClassifier(steps=80, batch=16, crop=32)], plant=columns_lifted)
    assert outcome.accuracy > 0.9


def test_all_of_it_one_level_brighter_shows_beside_the_twin():
    outcome = run_side_by_side(pairs(24), plant=picture_lifted)
    assert outcome.accuracy == 1.0


def test_nothing_hidden_comes_through():
    """Both classifiers see the same of two pictures that differ in the hidden part alone."""
    (pair,) = pairs(1)
    for classifier in (FeatureClassifier(), PixelClassifier(steps=4, batch=4, crop=32)):
        classifier.fit([(pair.amputee, pair.hidden), (pair.intact, pair.hidden)] * 4, np.arange(8) % 2 == 0)
        scores = classifier.scores([(pair.amputee, pair.hidden), (pair.intact, pair.hidden)])
        assert scores[0] == scores[1]


def test_planted_leaks_are_of_one_level():
    image = np.full((4, 6, 3), 254, np.uint8)
    image[0] = 255
    for plant in (columns_lifted, picture_lifted):
        step = plant(image).astype(int) - image
        assert set(np.unique(step)) == {0, 1} and not step[0].any()


def test_wilsons_interval():
    # 8 of 10: 0.490 to 0.943 (Newcombe 1998 has the method)
    assert wilson(8, 10) == (pytest.approx(0.490, abs=0.001), pytest.approx(0.943, abs=0.001))
    assert Outcome("x", 50, 100).by_chance and not Outcome("x", 61, 100).by_chance
    low, high = wilson(0, 10)
    assert low == pytest.approx(0) and 0.2 < high < 0.35


def test_pairs_of_a_dataset(realistic_twins):
    dataset = open_dataset(realistic_twins)
    found = read_pairs(dataset, shadows=False, limit=9)
    assert len(found) == 9
    for pair in found:
        assert pair.amputee.shape == pair.intact.shape and not pair.hidden.all()


def test_too_few_pairs_are_named(realistic_twins):
    with pytest.raises(UserError, match="at least 8"):
        read_pairs(open_dataset(realistic_twins), shadows=False, limit=3)
