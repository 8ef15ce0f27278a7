"""A dataset folder: whose it is, dataset.json, reading."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_dataset import DEMO_LEVELS, run_stamp, twin_pair, write_dataset, write_shard

from ajahr.data import dataset
from ajahr.data.dataset import (
    Manifest,
    claim_folder,
    code_version,
    finish_dataset,
    open_dataset,
    read_manifest,
)
from ajahr.data.files import sha256_of
from ajahr.data.record import encode_record
from ajahr.errors import UserError


@pytest.fixture(autouse=True)
def one_code_version(monkeypatch):
    """The working tree may change while the tests run."""
    monkeypatch.setattr(dataset, "code_version", lambda: "abc")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "code_version", lambda: "abc")
        write_dataset(folder)
    return folder


@pytest.fixture
def copy(made, tmp_path) -> Path:
    shutil.copytree(made, tmp_path / "copy")
    return tmp_path / "copy"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


# law


def test_the_files_are_those_of_the_design(made):
    assert sorted(contents(made)) == [
        "annotations/000000.npz", "annotations/000001.npz", "config.json", "dataset.json",
        "shards/000000.json", "shards/000000.tar", "shards/000001.json", "shards/000001.tar",
    ]  # fmt: skip


def test_the_manifest_counts_and_hashes_what_is_there(made):
    manifest = read_manifest(made)
    assert manifest.counts["samples",] == 8 and manifest.counts["people",] == 12
    assert manifest.counts["with_intact_twin",] == 4
    assert manifest.drops == {"no person left": 4, "unreadable photograph": 1}
    for entry in manifest.shards:
        assert entry.tar.sha256 == sha256_of(made / "shards" / f"{entry.name}.tar")
        assert entry.npz.sha256 == sha256_of(made / "annotations" / f"{entry.name}.npz")
        assert (entry.samples, entry.people) == (4, 6)
    assert manifest.run.config["num_people"] == 4
    assert manifest.packages["numpy"] == np.__version__


def test_the_manifest_survives_reading(made):
    data = (made / "dataset.json").read_bytes()
    assert Manifest.decode(data, "d").encode() == data


def test_an_interrupted_run_ends_with_the_same_bytes(made, tmp_path):
    """Second shard first, then killed with half-written files about, then run again."""
    folder = tmp_path / "out"
    claim_folder(folder, run_stamp())
    write_shard(folder, 1, *twin_pair(2, DEMO_LEVELS[1]), *twin_pair(3, (0, 0, 0, 0), DEMO_LEVELS[2]))
    (folder / "shards" / "000000.json").write_bytes(b"{")
    (folder / "annotations" / "000000.npz").write_bytes(b"PK")
    with pytest.raises(UserError, match=r"1 shards are not made yet \(000000\)"):
        finish_dataset(folder, run_stamp(), 2)
    assert not (folder / "dataset.json").exists()
    write_dataset(folder)
    assert contents(folder) == contents(made)


def test_samples_are_found_by_number_and_key(made):
    data = open_dataset(made)
    assert len(data) == 8 and len(data.keys) == 8
    for i, (sample, key) in enumerate(zip(data, data.keys, strict=True)):
        assert sample.key == key
        for other in (data[i], data[key]):
            assert encode_record(other.record) == encode_record(sample.record)
            assert other.jpg == sample.jpg
    assert data[-1].key == data.keys[-1]
    assert data[data[0].record.intact_twin or ""].record.scene_id == data[0].record.scene_id
    assert str(data.arrays(data.manifest.shards[1])["key"][0]) == "000000004"
    with pytest.raises(IndexError):
        data[8]
    with pytest.raises(KeyError):
        data["nobody"]


def test_opening_reads_no_shard(copy):
    shutil.rmtree(copy / "shards")
    assert len(open_dataset(copy)) == 8


def test_claiming_again_changes_nothing(copy):
    before = contents(copy)
    assert claim_folder(copy, run_stamp()).tree() == run_stamp().tree()
    assert contents(copy) == before


def test_a_newer_code_goes_on_and_is_named(copy):
    stamp = claim_folder(copy, replace(run_stamp(), code="newer"))
    assert stamp.code == "abc"


def test_tuples_and_lists_of_a_configuration_are_the_same(tmp_path):
    claim_folder(tmp_path, run_stamp(sizes=(1, 2)))
    claim_folder(tmp_path, run_stamp(sizes=[1, 2]))


def test_the_code_version_is_the_commit_where_there_is_one(tmp_path, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(dataset.ajahr, "__file__", str(tmp_path / "ajahr" / "__init__.py"))
    assert code_version() == f"ajahr {dataset.ajahr.__version__}"
    git = ["git", "-c", "user.name=n", "-c", "user.email=e@e", "-C", str(tmp_path)]
    (tmp_path / "a").write_text("a")
    for command in (["init", "-q"], ["add", "a"], ["commit", "-q", "-m", "m"], ["tag", "v1"]):
        subprocess.run([*git, *command], check=True)
    head = subprocess.run(
        [*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert code_version() == head
    (tmp_path / "b").write_text("b")  # untracked: an output folder, say
    assert code_version() == head
    (tmp_path / "a").write_text("b")
    assert code_version() == f"{head}+changes"


# edge


@pytest.mark.parametrize(
    "stamp, message",
    [
        (run_stamp(seed=1), r"seed was 0 and is now 1"),
        (run_stamp(render={"samples": 1}), r"config\.render\.samples was 4 and is now 1"),
        (run_stamp(extra=True), r"config\.extra was null and is now true"),
        (replace(run_stamp(), config={}), r"config\.num_people was 4 and is now null"),
        (
            replace(run_stamp(), body=replace(run_stamp().body, sha256={"neutral": "00"})),
            r"body\.sha256\.neutral",
        ),
    ],
)
def test_a_folder_of_another_configuration_is_left_alone(copy, stamp, message):
    before = contents(copy)
    with pytest.raises(UserError, match=message) as error:
        claim_folder(copy, stamp)
    assert "\n" not in str(error.value)
    assert contents(copy) == before


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(UserError, match=r"holds other things \(thesis\.tex\)"):
        claim_folder(tmp_path, run_stamp())
    assert list(contents(tmp_path)) == ["thesis.tex"]


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / "out").write_text("x")
    with pytest.raises(UserError, match="a file is where a folder is needed"):
        claim_folder(tmp_path / "out", run_stamp())


def test_no_dataset_and_an_unfinished_one_are_told_apart(tmp_path):
    with pytest.raises(UserError, match="no dataset here"):
        open_dataset(tmp_path)
    claim_folder(tmp_path, run_stamp())
    with pytest.raises(UserError, match="not finished"):
        open_dataset(tmp_path)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda tree: tree.update(schema_version=9), "schema version 9"),
        (lambda tree: tree.pop("counts"), "'counts' is missing"),
        (lambda tree: tree.update(note="x"), "'note' is not in the schema"),
        (lambda tree: tree["shards"][0].pop("tar"), r"shards\[0\]: key 'tar' is missing"),
        (lambda tree: tree["drops"].update(dark="many"), "count of dark is no whole number"),
    ],
)
def test_a_manifest_that_is_not_of_the_schema_is_refused(copy, change, message):
    path = copy / "dataset.json"
    tree = json.loads(path.read_bytes())
    change(tree)
    path.write_text(json.dumps(tree))
    with pytest.raises(UserError, match=rf"dataset\.json.*{message}"):
        open_dataset(copy)


def test_a_key_in_two_shards_is_named(copy):
    shutil.copy(copy / "shards" / "000000.tar", copy / "shards" / "000001.tar")
    with pytest.raises(UserError, match=r"000001\.tar: sample 000000000 is in 000000\.tar too"):
        open_dataset(copy)[0]


def test_a_missing_shard_is_named(copy):
    (copy / "shards" / "000001.tar").unlink()
    with pytest.raises(UserError, match=r"000001\.tar: no such shard"):
        list(open_dataset(copy))
