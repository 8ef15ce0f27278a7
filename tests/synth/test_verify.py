"""Verification of a whole dataset: a good one passes, and each kind of damage is told with its file."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_dataset import changed, draw, run_stamp, twin_pair, write_dataset

from ajahr.data import dataset, record, shards
from ajahr.data.dataset import claim_folder, finish_dataset, read_manifest
from ajahr.data.npz import npz_bytes, read_npz
from ajahr.data.shards import ShardWriter, iter_members, remove_shard
from ajahr.errors import UserError
from synth import verify
from synth.verify import matching_body, verify_dataset

LEVELS = (0, 2, 0, 0)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "code_version", lambda: "abc")
        write_dataset(folder)
    return folder


@pytest.fixture
def copy(made, tmp_path) -> Path:
    """A copy that a test may damage."""
    shutil.copytree(made, tmp_path / "copy")
    return tmp_path / "copy"


def make(folder: Path, *shards, drawn=draw) -> Path:
    """A finished dataset of these records, each shard a list."""
    stamp = claim_folder(folder, run_stamp())
    for number, records in enumerate(shards):
        with ShardWriter(folder, number) as writer:
            for record in records:
                writer.add(record, *drawn(record))
    finish_dataset(folder, stamp, len(shards))
    return folder


def problems(folder: Path) -> list[str]:
    return verify_dataset(folder).problems


# law


RESIDUAL = ("residual_limbs", "residual_lambda", "residual_3d", "residual_length_mm", "residual_volume_ml")


@pytest.mark.parametrize("version, new", [(1, ("hard_cases", "prosthesis", *RESIDUAL)), (2, RESIDUAL)])
def test_a_dataset_of_an_older_schema_version_is_still_whole(tmp_path, version, new):
    with pytest.MonkeyPatch.context() as patch:
        for module in (record, shards, dataset):
            patch.setattr(module, "SCHEMA_VERSION", version)
        now_person, now_arrays = record._person_dict, shards.people_arrays

        def without(made):
            return {name: value for name, value in made.items() if name not in new}

        patch.setattr(record, "_person_dict", lambda person: without(now_person(person)))
        patch.setattr(shards, "people_arrays", lambda *args: without(now_arrays(*args)))
        patch.setattr(dataset, "code_version", lambda: "abc")
        make(tmp_path, list(twin_pair(0, LEVELS)), list(twin_pair(1, LEVELS)))
    assert read_manifest(tmp_path).schema_version == version
    assert problems(tmp_path) == []
    path = tmp_path / "annotations" / "000001.npz"
    arrays = read_npz(path)
    assert not set(new) & arrays.keys()
    path.write_bytes(npz_bytes({**arrays, "residual_3d": arrays["labels"].astype(float)}))
    assert any("residual_3d is not of this schema" in problem for problem in problems(tmp_path))


def test_a_good_dataset_has_no_problems_and_everything_is_looked_at(made):
    ticks = []
    report = verify_dataset(made, tick=lambda: ticks.append(1))
    assert report.good and report.problems == []
    assert (report.shards, report.samples, report.people, report.pairs) == (2, 8, 12, 4)
    assert len(ticks) == 8


def test_weak_perspective_too(tmp_path):
    write_dataset(tmp_path / "out", weak=True)
    assert verify_dataset(tmp_path / "out").good


@pytest.mark.parametrize("twin_first", [False, True])
def test_twins_are_found_in_another_shard_and_in_either_order(tmp_path, twin_first):
    first, second = twin_pair(0, LEVELS), twin_pair(1, (0, 0, 0, 0), (0, 0, 3, 0))
    halves = [[first[1], second[0]], [first[0], second[1]]]
    report = verify_dataset(make(tmp_path / "out", *(halves if twin_first else halves[::-1])))
    assert report.good and report.pairs == 2


def test_a_good_shard_is_checked_beside_a_broken_one(copy):
    (copy / "shards" / "000000.tar").write_bytes(b"no tar")
    report = verify_dataset(copy)
    assert (report.shards, report.samples) == (2, 4)
    assert not report.good


def test_verifying_changes_nothing(copy):
    before = {p: p.stat().st_mtime_ns for p in copy.rglob("*")}
    verify_dataset(copy)
    assert {p: p.stat().st_mtime_ns for p in copy.rglob("*")} == before


# edge: files


def test_no_dataset_is_an_error(tmp_path):
    with pytest.raises(UserError, match="no dataset here"):
        verify_dataset(tmp_path)


@pytest.mark.parametrize("name", ["shards/000001.tar", "annotations/000001.npz"])
def test_one_flipped_bit_is_told(copy, name):
    path = copy / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert f"{path}: its SHA-256 is not the one in dataset.json" in problems(copy)


@pytest.mark.parametrize("name", ["shards/000000.tar", "annotations/000000.npz", "shards/000000.json"])
@pytest.mark.parametrize("damage", ["remove", "truncate", "empty"])
def test_a_missing_or_truncated_file_is_told(copy, name, damage):
    path = copy / name
    data = path.read_bytes()
    if damage == "remove":
        path.unlink()
    else:
        path.write_bytes(b"" if damage == "empty" else data[: len(data) // 2])
    found = problems(copy)
    assert any(str(path) in problem for problem in found)
    assert all("\n" not in problem for problem in found)


def test_the_shard_and_member_of_a_truncated_tar_are_named(copy):
    path = copy / "shards" / "000000.tar"
    member = next(m for m in iter_members(path) if m.name == "000000002.jpg")
    path.write_bytes(path.read_bytes()[: member.offset + 10])
    assert any("000000.tar: damaged at 000000002.jpg" in problem for problem in problems(copy))


def test_files_that_the_manifest_does_not_know(copy):
    shutil.copy(copy / "shards" / "000000.tar", copy / "shards" / "000009.tar")
    shutil.copy(copy / "annotations" / "000000.npz", copy / "annotations" / "000009.npz")
    assert [p.rsplit(": ", 1)[1] for p in problems(copy)] == ["not in dataset.json"] * 2


def edit_json(path: Path, change) -> None:
    tree = json.loads(path.read_bytes())
    change(tree)
    path.write_text(json.dumps(tree))


@pytest.mark.parametrize(
    "change, told",
    [
        (lambda t: t["counts"].update(people=13), "dataset.json: counts 13 of people, there are 12"),
        (
            lambda t: t["counts"]["group"].update(white=1),
            "dataset.json: counts 1 of group/white, there are 0",
        ),
        (lambda t: t["shards"][0].update(samples=5), "4 samples and 6 people can be read"),
        (lambda t: t.update(seed=9), "config.json: does not agree with dataset.json"),
        (lambda t: t["shards"][0]["tar"].update(size=1), "dataset.json says 1"),
        (lambda t: t["shards"][0]["tar"].update(sha256="00"), "000000.json: does not agree"),
    ],
)
def test_a_manifest_that_says_otherwise(copy, change, told):
    edit_json(copy / "dataset.json", change)
    assert any(told in problem for problem in problems(copy))


def test_a_note_with_other_counts(copy):
    path = copy / "shards" / "000000.json"
    edit_json(path, lambda tree: tree["counts"].update(people=7))
    assert problems(copy) == [f"{path}: its counts are not those of the shard"]


def restamp_npz(folder: Path, change) -> None:
    """Change the arrays and all hashes with them: only the comparison with the records can tell."""
    path = folder / "annotations" / "000000.npz"
    arrays = read_npz(path)
    change(arrays)
    new = npz_bytes(arrays)
    path.write_bytes(new)
    stamp = {"size": len(new), "sha256": hashlib.sha256(new).hexdigest()}
    edit_json(folder / "shards/000000.json", lambda tree: tree.update(npz=stamp))
    edit_json(folder / "dataset.json", lambda tree: tree["shards"][0].update(npz=stamp))


def test_an_npz_that_says_something_else_than_the_records(copy):
    def change(arrays):
        arrays["limb_levels"] = arrays["limb_levels"].copy()
        arrays["limb_levels"][3, 0] = 3
        arrays["betas"] = arrays["betas"][:2]
        arrays["extra"] = np.zeros(6)
        del arrays["labels"]

    restamp_npz(copy, change)
    path = copy / "annotations" / "000000.npz"
    assert sorted(problems(copy)) == [
        f"{path}: array betas has shape (2, 10), the shard's people need (6, 10)",
        f"{path}: array extra is not of this schema",
        f"{path}: array labels is missing",
        f"{path}: array limb_levels differs from the shard's records at row 3 (000000002)",
    ]


# edge: samples


def test_wrong_labels_are_told_with_shard_and_key(tmp_path):
    record, twin = twin_pair(0, LEVELS)
    points = record.people[0].keypoints_2d.copy()
    points[0, 0] += 3
    record = replace(record, people=(changed(record.people[0], keypoints_2d=points),))
    (found,) = problems(make(tmp_path / "out", [record, twin]))
    assert found.endswith(
        "000000.tar: 000000000: person 0: j44 nose lies 3.00 px from its projected 3D point"
    )


@pytest.mark.parametrize(
    "spoil, told",
    [
        (lambda jpg: jpg[: len(jpg) // 2], "no whole JPEG"),
        (lambda jpg: b"", "no whole JPEG"),
        (lambda jpg: b"\xff\xd8" + b"x" * 50 + b"\xff\xd9", "not a picture"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_a_picture_that_does_not_decode(tmp_path, spoil, told):
    record, twin = twin_pair(0, LEVELS)
    folder = make(tmp_path / "out", [record, twin], drawn=lambda r: (spoil(draw(r)[0]), draw(r)[1]))
    assert any(told in problem for problem in problems(folder))


def test_a_picture_of_another_size(tmp_path):
    record, twin = twin_pair(0, LEVELS)
    wide = draw(twin_pair(0, LEVELS, (0, 0, 0, 0))[0])[0]
    found = problems(make(tmp_path / "out", [record, twin], drawn=lambda r: (wide, draw(r)[1])))
    assert all("the picture is 220 x 200, its record 160 x 200" in problem for problem in found)
    assert len(found) == 2


def test_a_mask_that_does_not_decode(tmp_path):
    record, twin = twin_pair(0, LEVELS)
    found = problems(make(tmp_path / "out", [record, twin], drawn=lambda r: (draw(r)[0], b"png")))
    assert len(found) == 2 and all("mask.png: not a part mask" in problem for problem in found)


def test_a_key_in_two_shards(tmp_path):
    record, twin = twin_pair(0, LEVELS)
    found = problems(make(tmp_path / "out", [record, twin], [twin]))
    assert any("shard 000000 has a sample of this key too" in problem for problem in found)


def test_one_photo_in_two_splits(tmp_path):
    one, other = twin_pair(0, LEVELS), twin_pair(2, LEVELS)  # the same photo
    folder = make(tmp_path / "out", list(one), [replace(r, split="test") for r in other])
    assert any("photo photo-0 is in split train too" in problem for problem in problems(folder))


def test_a_twin_that_is_not_there(tmp_path):
    record, _ = twin_pair(0, LEVELS)
    (found,) = problems(make(tmp_path / "out", [record]))
    assert found.endswith("its intact twin 000000001 is not in the dataset")


def test_a_twin_on_another_background(tmp_path):
    record, twin = twin_pair(0, LEVELS)

    def drawn(r):
        jpg, mask = draw(r)
        return (draw(replace(r, photo=replace(r.photo, id="other")))[0], mask) if r is twin else (jpg, mask)

    (found,) = problems(make(tmp_path / "out", [record, twin], drawn=drawn))
    assert "the intact twin's background differs" in found


def test_a_damaged_record_is_told_and_the_others_are_read(copy):
    path = copy / "shards" / "000000.tar"
    with tarfile.open(path) as tar:
        member = tar.getmember("000000001.json")
    data = bytearray(path.read_bytes())
    data[member.offset_data] = ord("x")
    path.write_bytes(data)
    report = verify_dataset(copy)
    assert report.samples == 7
    assert any("000000001.json: not JSON" in problem for problem in report.problems)
    assert any("3 samples and 5 people can be read" in problem for problem in report.problems)


def test_only_so_many_problems_are_kept(copy, monkeypatch):
    monkeypatch.setattr(verify, "MAX_LISTED", 3)
    for number in range(2):
        remove_shard(copy, number)
    report = verify_dataset(copy)
    assert len(report.problems) == 3 < report.num_problems


# the body


def test_the_body_is_matched_by_its_hash(made):
    manifest = read_manifest(made)
    assert matching_body(manifest) is None
    from ajahr.body.data import load_body

    stamp = replace(manifest.run.body, sha256={"neutral": load_body().sha256})
    assert matching_body(replace(manifest, run=replace(manifest.run, body=stamp))) is not None
