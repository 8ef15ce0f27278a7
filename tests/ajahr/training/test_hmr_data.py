from __future__ import annotations

import importlib
import inspect
import logging
from pathlib import Path

import pytest
import torch
from fake_dataset import write_dataset
from fake_people import hmr2_person, hmr2_sample, write_tar

from ajahr.data.hmr.augmentation import AugmentationConfig
from ajahr.data.hmr.detector_noise import DetectorNoise
from ajahr.errors import UserError
from ajahr.training.hmr_data import READERS, DatasetSpec, HmrDataModule


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("people") / "ds"
    write_dataset(path, shards=2)
    return path


def spec(folder: Path, **changes: object) -> DatasetSpec:
    return DatasetSpec("shards", {"folder": str(folder)}, **changes)


def module(folder: Path, **options: object) -> HmrDataModule:
    defaults = {"batch_size": 4, "workers": 0, "train": [spec(folder)], "validation": [spec(folder)]}
    made = HmrDataModule(**{**defaults, **options})
    made.setup("fit")
    return made


def batches(made: HmrDataModule, count: int = 3) -> list:
    stream = iter(made.train_dataloader())
    return [made.on_after_batch_transfer(next(stream), 0) for _ in range(count)]


def test_share_of_amputees(folder: Path) -> None:
    for share in (0.25, 0.5, 1.0):
        people = [b.limb_levels for b in batches(module(folder, amputee_share=share))]
        assert (torch.cat(people) > 0).any(1).double().mean() == share


def test_every_setting_has_its_effect(folder: Path) -> None:
    def first(**options: object):
        return batches(module(folder, **options), 1)[0]

    plain = first()
    again = first()
    assert plain.keys == again.keys and torch.equal(plain.image, again.image)
    assert first(seed=1).keys != plain.keys
    assert len(first(batch_size=2)) == 2
    still = first(augmentation=None)
    assert still.keys == plain.keys and not torch.equal(still.image, plain.image)
    milder = first(augmentation=AugmentationConfig(scale=0.0))
    assert not torch.equal(milder.image, plain.image)
    truth = first(keypoints=DetectorNoise(mode="truth"))
    assert not torch.equal(truth.bpac_keypoints, plain.bpac_keypoints)
    assert torch.equal(truth.image, plain.image)


def test_twins_come_with_their_amputees_also_after_a_resume(folder: Path) -> None:
    made = module(folder, twins=True)
    first, second = batches(made, 2)
    for batch in (first, second):
        amputee = (batch.limb_levels > 0).any(1)
        assert amputee.tolist() == [True, True, False, False]
        for image in (batch.box_center, batch.box_size):
            torch.testing.assert_close(image[:2], image[2:], rtol=0, atol=0)
        torch.testing.assert_close(batch.pose_rotmat[:2, 0], batch.pose_rotmat[2:, 0])
    loader = module(folder, twins=True).train_dataloader()
    loader.load_state_dict({"batches": 1, "step": 1})
    resumed = next(iter(loader)).unpack()
    assert resumed.keys == second.keys and torch.equal(resumed.image, second.image)
    assert torch.equal(resumed.bpac_keypoints, second.bpac_keypoints)


def test_validation_shows_everybody_once_and_keypoints_as_asked(folder: Path) -> None:
    made = module(folder)
    keys = [key for packed in made.val_dataloader() for key in packed.keys]
    assert len(keys) == len(set(keys)) == 12
    assert len(made.val_dataloader()) == 3
    few = module(folder, max_validation_people=5)
    some = [key for packed in few.val_dataloader() for key in packed.keys]
    assert len(some) == 5 and some[0] == keys[0] and some[-1] == keys[-1]
    truth = module(folder, validation_keypoints=DetectorNoise(mode="truth"))
    a, b = (next(iter(m.val_dataloader())).unpack().bpac_keypoints for m in (made, truth))
    assert not torch.equal(a, b)


def test_ranks_share_validation_without_repeats(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for rank in range(5):
        made = module(folder)
        monkeypatch.setattr(made, "_rank", lambda rank=rank: (rank, 5))
        found += [key for packed in made.val_dataloader() for key in packed.keys]
    assert len(found) == len(set(found)) == 12


def test_examples_are_the_same_every_time(folder: Path) -> None:
    made = module(folder)
    a, b = made.examples(4), made.examples(4)
    assert len(a) == 4 and a.keys == b.keys and torch.equal(a.image, b.image)
    assert len(made.examples(100)) == 12
    with pytest.raises(UserError, match="setup"):
        HmrDataModule(validation=[spec(folder)]).examples(1)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"folder": "x", "nam": 1}, "'nam' is not accepted; it takes folder, name, splits"),
        ({"folder": "x", "splits": 3}, "splits"),
        ({}, "folder"),
    ],
)
def test_wrong_arguments_are_told_when_the_config_is_read(arguments: dict, text: str) -> None:
    with pytest.raises(UserError, match="reader shards") as told:
        DatasetSpec("shards", arguments)
    assert text in str(told.value) and "\n" not in str(told.value)


def test_missing_data(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"dataset\.json"):
        HmrDataModule(train=[spec(folder)], validation=[spec(tmp_path)]).setup("fit")
    with pytest.raises(UserError, match="no training datasets"):
        HmrDataModule(validation=[spec(folder)]).setup("fit")
    with pytest.raises(UserError, match="no validation datasets"):
        HmrDataModule(train=[spec(folder)]).setup("validate")
    with pytest.raises(UserError, match="nobody in it"):
        DatasetSpec("shards", {"folder": str(folder), "splits": ["test"]}).open()


def test_what_a_damaged_tar_costs_is_counted_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    members: dict[str, bytes] = {}
    for number in range(3):
        members |= hmr2_sample(f"part/{number}", hmr2_person(number))
    path = tmp_path / "000000.tar"
    write_tar(path, members)
    path.write_bytes(path.read_bytes().replace(b"part/1.jpg", b"part/1.jpX", 1))  # a header with a wrong sum
    with caplog.at_level(logging.INFO):
        (table,) = DatasetSpec("hmr2_tars", {"tars": str(path), "name": "set"}).open()
    assert [table.key(n) for n in range(len(table))] == ["set/part/0/0", "set/part/2/0"]
    assert "2 people" in caplog.text and "1 x damaged_header, first" in caplog.text
    assert "000000.tar" in caplog.text


@pytest.mark.parametrize("place", READERS.values())
def test_every_reader_is_there(place: str) -> None:
    module_name, name = place.split(":")
    returned = inspect.signature(
        getattr(importlib.import_module(f"ajahr.data.readers.{module_name}"), name)
    ).return_annotation
    assert "PeopleTable" in str(returned)
