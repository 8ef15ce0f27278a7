"""Whether first, where second."""

import numpy as np
import pytest
import torch

from ajahr.models.calibration import fit_loss_threshold
from ajahr.models.decision import decide_levels

SPLIT = [[0.4, 0.3, 0.2, 0.1], [0.9, 0.05, 0.04, 0.01], [0.2, 0.1, 0.1, 0.6]]


@pytest.mark.parametrize("make", [np.array, torch.tensor])
def test_a_split_loss_is_a_loss(make) -> None:
    chances = make(SPLIT)
    assert decide_levels(chances).tolist() == [0, 0, 3]
    assert decide_levels(chances, 0.5).tolist() == [1, 0, 3]
    assert decide_levels(chances, 0.85).tolist() == [0, 0, 0]
    assert decide_levels(chances, 0.05).tolist() == [1, 1, 3]


def test_the_threshold_of_the_best_f1() -> None:
    torch.manual_seed(0)
    lost = torch.rand(4000, 4) < 0.15
    chance = torch.where(lost, 0.35 + 0.5 * torch.rand(4000, 4), 0.3 * torch.rand(4000, 4))
    probabilities = torch.stack((1 - chance, chance / 2, chance / 4, chance / 4), -1)
    found = fit_loss_threshold(probabilities, lost.long())
    assert 0.33 < found < 0.38, "between the two heaps, where the fewest intact limbs are called lost"
    unknown = torch.full_like(lost, -1, dtype=torch.long)
    assert fit_loss_threshold(probabilities, unknown) == 0.5
    assert fit_loss_threshold(probabilities, torch.zeros_like(unknown)) == 0.5
