from __future__ import annotations

import math

import pytest
import torch

from ajahr.errors import UserError
from ajahr.training.loss_watch import LossWatch

KEYS = [f"d/{i}" for i in range(8)]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_names_the_samples(bad: float) -> None:
    losses = torch.ones(8)
    watch = LossWatch()
    watch(losses, KEYS, 6)
    losses[3] = losses[5] = bad
    with pytest.raises(UserError, match=r"step 7 is not finite for d/3, d/5; ") as told:
        watch(losses, KEYS, 7)
    assert "\n" not in str(told.value)


def test_all_bad_is_not_the_samples_fault() -> None:
    with pytest.raises(UserError, match=r"any of its 8 samples \(d/0, .* and 3 more\).*earlier checkpoint"):
        LossWatch()(torch.full((8,), math.nan), KEYS, 2)


@pytest.mark.gpu
def test_gpu_tells_later_but_before_a_checkpoint() -> None:
    watch = LossWatch()
    losses = torch.ones(8, device="cuda")
    losses[1] = math.nan
    with pytest.raises(UserError, match="step 4 is not finite for d/1"):
        watch(losses, KEYS, 4)
        watch.settle()
