"""Drawing limb levels and slots."""

import numpy as np
import pytest

from ajahr.anatomy import NUM_CLASSES, levels_to_indices, to_ajahr_index
from synth.background_bank import Slot
from synth.config import AmputationConfig
from synth.record import Person, Record
from synth.stages.scene import INTACT, Amputate


def draw(config: AmputationConfig, count: int = 4000) -> np.ndarray:
    stage, rng = Amputate(config), np.random.default_rng(0)
    return np.array([stage.levels(rng) for _ in range(count)])


def test_shares_are_those_of_the_config():
    levels = draw(AmputationConfig(intact_share=0.2, multi_share=0.3))
    lost = (levels > 0).sum(axis=1)
    assert np.mean(lost == 0) == pytest.approx(0.2, abs=0.03)
    assert np.mean(lost[lost > 0] > 1) == pytest.approx(0.3, abs=0.03)
    assert lost.max() == 3


def test_all_twelve_classes_come_up_about_equally():
    levels = draw(AmputationConfig(intact_share=0.0, multi_share=0.0))
    counts = np.bincount([levels_to_indices(row.tolist())[0] for row in levels], minlength=12)
    assert counts.min() > 0.7 * len(levels) / NUM_CLASSES


def test_a_class_of_weight_zero_never_comes_up_on_any_limb():
    weights = [0.0] * 12
    weights[4], weights[10] = 1.0, 3.0
    levels = draw(AmputationConfig(intact_share=0.0, multi_share=0.5, class_weights=weights), 500)
    found = {to_ajahr_index(limb, int(row[limb])) for row in levels for limb in range(4) if row[limb]}
    assert found == {4, 10}


def test_a_twin_is_intact_but_keeps_the_drawn_levels():
    slot = Slot((0, 0, 1, 1), 100.0, 0.0, 0.0)
    people = []
    for is_twin in (False, True):
        record = Record(0, 0, is_twin, np.random.default_rng(5), people=[Person(slot, INTACT, INTACT)])
        people += Amputate(AmputationConfig(intact_share=0.0))(record).people
    amputee, twin = people
    assert amputee.levels == twin.levels == amputee.rendered_levels != INTACT
    assert twin.rendered_levels == INTACT
    assert amputee.absent.any() and not twin.absent.any()
