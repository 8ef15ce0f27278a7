"""What two datasets share is found, whatever it is called, and named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_dataset import changed, draw, make_person, make_record, run_stamp

from ajahr.data.dataset import claim_folder, finish_dataset
from ajahr.data.record import Appearance, SourcePhoto
from ajahr.data.shards import ShardWriter
from ajahr.errors import UserError
from synth.cli.main import main
from synth.overlap import KINDS, overlap


def person(seed: int, texture: str, centre=(0.0, -0.1, 3.0)):
    return changed(make_person(seed=seed, centre=centre), appearance=Appearance("asian", "female", texture))


def dataset(folder: Path, *people, photo: str = "coco/a", drawn=draw) -> Path:
    """A finished dataset of one picture a person, keys counted up."""
    stamp = claim_folder(folder, run_stamp())
    with ShardWriter(folder, 0) as writer:
        for number, one in enumerate(people):
            record = make_record(f"{number:06d}", one, photo=photo)
            writer.add(record, *drawn(record))
    finish_dataset(folder, stamp, 1)
    return folder


@pytest.fixture
def train(tmp_path):
    return dataset(tmp_path / "train", person(1, "t1"), person(2, "t2"), photo="coco/a")


def shared(one: Path, other: Path) -> dict[str, list[str]]:
    return {kind: names for kind, names in overlap(one, other).shared.items() if names}


def test_nothing(tmp_path, train, capsys):
    test = dataset(tmp_path / "test", person(3, "t3"), person(4, "t4"), photo="coco/b")
    found = overlap(train, test)
    assert found.none and set(found.shared) == set(KINDS)
    assert main(["verify", str(train), "--against", str(test)]) == 0
    assert f"nothing shared with {test}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("test_person", "photo", "kind", "names"),
    [
        (person(3, "t3"), "coco/a", "photograph", ["coco/a"]),
        (person(3, "t2"), "coco/b", "texture", ["t2"]),
        (changed(person(3, "t3"), betas=make_person(seed=2).betas), "coco/b", "identity", ["000001"]),
        (changed(person(1, "t3"), betas=np.ones(10)), "coco/b", "scene", ["000000"]),
    ],
)
def test_each_kind_by_itself(tmp_path, train, capsys, test_person, photo, kind, names):
    test = dataset(tmp_path / "test", test_person, person(9, "t9", (0.3, -0.1, 3.0)), photo=photo)
    assert shared(train, test) == {kind: names}
    assert main(["verify", str(train), "--against", str(test)]) == 2
    printed = capsys.readouterr().out
    assert f"shared with {test}: 1 " in printed and names[0] in printed


def test_a_photograph_under_another_sources_name_is_known_by_its_pixels(tmp_path, train):
    def as_a(record):
        return draw(replace(record, photo=SourcePhoto("coco/a", "")))

    alike = dataset(tmp_path / "alike", person(3, "t3"), photo="copy/a", drawn=as_a)
    assert shared(train, alike) == {"photograph": ["coco/a (there copy/a)"]}
    other = dataset(tmp_path / "other", person(3, "t3"), photo="else/a")
    assert shared(train, other) == {}


def test_several_others_are_each_looked_at(tmp_path, train, capsys):
    clean = dataset(tmp_path / "clean", person(3, "t3"), photo="coco/b")
    dirty = dataset(tmp_path / "dirty", person(4, "t1"), photo="coco/c")
    assert main(["verify", str(train), "--against", str(clean), str(dirty)]) == 2
    printed = capsys.readouterr().out
    assert f"nothing shared with {clean}" in printed and f"shared with {dirty}: 1 textures: t1" in printed


def test_a_dataset_is_not_compared_with_itself_or_with_nothing(tmp_path, train):
    with pytest.raises(UserError, match="is the dataset itself"):
        overlap(train, tmp_path / "x" / ".." / "train")
    with pytest.raises(UserError, match="no dataset here"):
        overlap(train, tmp_path)
