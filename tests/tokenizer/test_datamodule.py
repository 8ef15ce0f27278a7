from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from tokenizer.banks import open_bank, write_bank
from tokenizer.datamodule import BankSpec, PoseDataModule, PosePasses, PoseStream
from tokenizer.errors import InputError
from tokenizer.rotations import rotmat_to_rot6d
from tokenizer.sampling import BankMixture, PartNoise


@pytest.fixture
def intact(tmp_path: Path, make_rotvecs) -> Path:
    write_bank(tmp_path / "intact.npz", make_rotvecs(23))
    return tmp_path / "intact.npz"


@pytest.fixture
def amputee(tmp_path: Path, make_rotvecs) -> Path:
    absent = np.zeros((11, 21), bool)
    absent[:, 20] = True
    write_bank(tmp_path / "amputee.safetensors", make_rotvecs(11, seed=1), absent)
    return tmp_path / "amputee.safetensors"


def _stream(intact: Path, noise: PartNoise | None = None) -> PoseStream:
    return PoseStream(
        BankMixture([(open_bank(intact), 1.0)], amputee_probability=0.0), 4, steps=10, seed=0, noise=noise
    )


def test_a_stream_continues_where_it_was_saved(intact: Path) -> None:
    straight = [batch.rotmats for batch in islice(_stream(intact), 7)]
    first, second = _stream(intact), _stream(intact)
    head = [batch.rotmats for batch in islice(first, 3)]
    second.load_state_dict(first.state_dict())
    tail = [batch.rotmats for batch in islice(second, 4)]
    assert all(torch.equal(a, b) for a, b in zip(straight, head + tail, strict=True))
    assert not torch.equal(straight[0], straight[1])


def test_noise_reaches_the_input_and_not_the_target(intact: Path) -> None:
    clean, noisy = _stream(intact), _stream(intact, PartNoise([[0, 1, 2]], [0], [0.5]))
    touched = 0
    for a, b in zip(islice(clean, 10), islice(noisy, 10), strict=True):
        assert torch.equal(a.rotmats, b.rotmats)
        assert torch.equal(a.rot6d, rotmat_to_rot6d(a.rotmats))
        touched += not torch.equal(a.rot6d, b.rot6d)
    assert touched > 3


@pytest.mark.parametrize("world_size", [1, 3])
def test_every_pose_is_validated_once_over_all_ranks(intact: Path, amputee: Path, world_size: int) -> None:
    banks = [open_bank(intact), open_bank(amputee)]
    seen = [
        batch.rotmats
        for rank in range(world_size)
        for batch in PosePasses(banks, 4, rank=rank, world_size=world_size)
    ]
    flat = torch.cat(seen).flatten(1)
    assert len(flat) == 34 and len(flat.unique(dim=0)) == 34


def test_a_limit_spreads_over_the_bank(intact: Path) -> None:
    passes = PosePasses([open_bank(intact)], 4, limit=5)
    assert [row for _, rows in passes.batches for row in rows] == [0, 5, 11, 16, 22]


def test_datamodule_serves_both_stages(intact: Path, amputee: Path) -> None:
    data = PoseDataModule(
        [BankSpec(intact)], [BankSpec(amputee)], [BankSpec(intact), BankSpec(amputee)], batch_size=16
    )
    data.setup("fit")
    batch = next(iter(data.train_dataloader()))
    assert batch.rot6d.shape == (16, 21, 6)
    assert 0 < batch.absent_joints.any(1).sum() < 16
    assert sum(len(batch.rotmats) for batch in data.val_dataloader()) == 34
    only_test = PoseDataModule(validation=[BankSpec(intact)])
    only_test.setup("test")
    assert len(only_test.test_dataloader()) == 1


def test_bad_settings_stop_before_training(intact: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no amputee poses"):
        PoseDataModule([BankSpec(intact)]).setup("fit")
    with pytest.raises(InputError, match="no such file"):
        PoseDataModule([BankSpec(tmp_path / "gone.npz")]).setup("fit")
    unused = PoseDataModule([BankSpec(intact)], [BankSpec(tmp_path / "gone.npz")], amputee_probability=0.0)
    unused.setup("fit")  # what is never drawn need not be there
    with pytest.raises(InputError, match="batch_size is 0"):
        PoseDataModule(batch_size=0)
