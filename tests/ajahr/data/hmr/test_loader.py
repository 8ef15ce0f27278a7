"""The training loader: the same batches with any workers, resumed mid-epoch, over ranks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from fake_people import people_table

from ajahr.data.hmr.dataset import CropConfig, HmrDataset
from ajahr.data.hmr.loader import MixtureLoader, plain_loader
from ajahr.data.hmr.mixture import Mixture
from ajahr.errors import UserError


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    table = people_table(tmp_path_factory.mktemp("photos"), 6)
    table.rows["levels"][:2, 3] = 1
    return table


def loader(table, workers: int = 0, **arguments) -> MixtureLoader:
    dataset = HmrDataset([table], CropConfig(crop_size=64))
    return MixtureLoader(dataset, Mixture([table], [1.0], 4, seed=1), 5, workers=workers, **arguments)


def stamp(batch) -> tuple:
    return tuple(batch.keys), int(batch.pixels.sum()), float(batch.labels["bpac_keypoints"].sum())


def test_workers_change_nothing(table):
    here, there = loader(table), loader(table, workers=2)
    epochs = [[stamp(batch) for batch in here] for _ in range(2)]
    assert [[stamp(batch) for batch in there] for _ in range(2)] == epochs
    assert epochs[0] != epochs[1] and len(epochs[0]) == len(here) == 5
    assert there.seconds_waited > 0


@pytest.mark.parametrize("steps", [1, 3, 5, 7])
def test_resumes_with_the_next_batch(table, steps):
    whole = loader(table)
    stream = [stamp(batch) for _ in range(3) for batch in whole]
    first = loader(table, workers=1)
    batches = iter(first)
    for handed in range(steps):
        if handed == 5:
            batches = iter(first)
        next(batches)
    state = first.state_dict()
    again = loader(table)
    again.load_state_dict(state)
    rest = [stamp(batch) for batch in again]
    assert len(rest) == 5 - steps % 5, "the rest of the epoch, then a whole one"
    assert rest + [stamp(batch) for batch in again] == stream[steps : steps + len(rest) + 5]


def test_ranks_deal_out_the_stream(table):
    whole = loader(table)
    stream = [stamp(batch) for _ in range(2) for batch in whole]
    ranks = [loader(table, rank=rank, world=2) for rank in range(2)]
    dealt = [stamp(batch) for pair in zip(*ranks, strict=True) for batch in pair]
    assert dealt == stream
    state = ranks[0].state_dict()
    assert state == ranks[1].state_dict() == {"batches": 10, "step": 5}
    alone = loader(table, rank=0, world=1)
    alone.load_state_dict(state)
    follow = loader(table)
    follow.load_state_dict({"batches": 10, "step": 0})
    assert [stamp(b) for b in alone] == [stamp(b) for b in follow], (
        "another number of ranks goes on where they were"
    )


def test_stopping_early_begins_a_new_epoch_with_unseen_batches(table):
    one = loader(table)
    for number, _ in enumerate(one):
        if number == 1:
            break
    assert one.state_dict() == {"batches": 2, "step": 2}
    assert len(list(one)) == 5 and one.state_dict()["batches"] == 7


def test_plain_loader_is_everybody_in_order(table):
    dataset = HmrDataset([table], CropConfig(None, crop_size=64))
    batches = list(plain_loader(dataset, 4, workers=1))
    assert [key for batch in batches for key in batch.keys] == [f"people/{n}.jpg" for n in range(6)]
    assert batches[1].unpack().image.shape == torch.Size([2, 3, 64, 64])
    half = torch.tensor(np.float32(0.5))
    inside = batches[0].labels["keypoints_2d"][..., :2].abs() <= half * 3
    assert inside.all()


def test_an_epoch_has_batches(table):
    with pytest.raises(UserError, match="1 batch or more"):
        MixtureLoader(HmrDataset([table]), Mixture([table], [1.0], 4), 0)
