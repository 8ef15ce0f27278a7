"""Check a finished dataset again: every file, hash, count and label, from what lies on the disk alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ajahr.data.dataset import (
    CONFIG_NAME,
    Manifest,
    ShardEntry,
    read_manifest,
    read_stamp,
)
from ajahr.data.files import sha256_of
from ajahr.data.npz import SINCE_VERSION, people_arrays, read_npz
from ajahr.data.record import ImageRecord
from ajahr.data.shards import (
    Counts,
    FileStamp,
    Sample,
    count_record,
    index_shard,
    read_note,
    read_sample,
    shard_paths,
)
from ajahr.errors import UserError
from synth.label_checks import PosableBody, check_backgrounds, check_mask, check_person, check_twins

MAX_LISTED = 1000
"""No more problems than this are kept; the others are counted."""


@dataclass
class VerifyReport:
    """What was looked at and what is wrong with it."""

    shards: int = 0
    samples: int = 0
    people: int = 0
    pairs: int = 0
    problems: list[str] = field(default_factory=list)
    num_problems: int = 0

    @property
    def good(self) -> bool:
        return self.num_problems == 0

    def add(self, problem: str) -> None:
        self.num_problems += 1
        if len(self.problems) < MAX_LISTED:
            self.problems.append(problem)


def verify_dataset(
    folder: str | Path,
    *,
    body: PosableBody | None = None,
    tick: Callable[[], None] | None = None,
) -> VerifyReport:
    """Check the dataset in ``folder``.

    Args:
        folder: a finished dataset.
        body: the body it was made with (`matching_body`), to pose again and compare; None leaves that out.
        tick: called once per sample of the manifest.

    Returns:
        The report. A damaged shard is a problem in it, no exception; the others are checked all the same.

    Raises:
        UserError: there is no finished dataset.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    report = VerifyReport()
    _check_folder(folder, manifest, report)
    pairs = _Twins(report)
    counts: Counts = Counts()
    keys: dict[str, str] = {}
    splits: dict[str, str] = {}
    for number, entry in enumerate(manifest.shards):
        records = []
        for sample in _samples(folder, number, entry, report):
            problems = _check_sample(sample, body)
            for problem in problems:
                report.add(f"{sample.where}: {problem}")
            record = sample.record
            if keys.setdefault(record.key, entry.name) != entry.name:
                report.add(f"{sample.where}: shard {keys[record.key]} has a sample of this key too")
            if splits.setdefault(record.photo.id, record.split) != record.split:
                report.add(
                    f"{sample.where}: photo {record.photo.id} is in split {splits[record.photo.id]} too"
                )
            pairs.add(sample, whole=not problems)
            counts.update(count_record(record))
            records.append(record)
            report.samples += 1
            report.people += len(record.people)
            if tick is not None:
                tick()
        _check_arrays(folder, number, records, manifest.schema_version, report)
        report.shards += 1
        pairs.end_shard(shard_paths(folder, number).tar)
    pairs.finish()
    _check_counts(counts, manifest, report)
    return report


def matching_body(manifest: Manifest) -> PosableBody | None:
    """The embedded body, if the dataset was made with it."""
    from ajahr.body.data import load_body
    from ajahr.body.fast import FastBody

    body = load_body()
    made_with = manifest.run.body.sha256
    return FastBody(body) if list(made_with.values()) == [body.sha256] else None


# --------------------------------------------------------------------------------------------- the files


def _check_folder(folder: Path, manifest: Manifest, report: VerifyReport) -> None:
    try:
        if read_stamp(folder).tree() != manifest.run.tree():
            report.add(f"{folder / CONFIG_NAME}: does not agree with dataset.json")
    except UserError as error:
        report.add(str(error))
    named = {entry.name for entry in manifest.shards}
    for place, pattern in (("shards", "*.tar"), ("annotations", "*.npz")):
        for path in sorted((folder / place).glob(pattern)):
            if path.stem not in named:
                report.add(f"{path}: not in dataset.json")


def _check_file(path: Path, stamp: FileStamp, report: VerifyReport) -> None:
    try:
        if path.stat().st_size != stamp.size:
            report.add(f"{path}: {path.stat().st_size} bytes, dataset.json says {stamp.size}")
        elif sha256_of(path) != stamp.sha256:
            report.add(f"{path}: its SHA-256 is not the one in dataset.json")
    except OSError as error:
        report.add(f"{path}: cannot be read ({error.strerror})")


def _samples(folder: Path, number: int, entry: ShardEntry, report: VerifyReport) -> Iterator[Sample]:
    """The readable samples of a shard; everything wrong with its files goes into the report."""
    paths = shard_paths(folder, number)
    _check_file(paths.tar, entry.tar, report)
    _check_file(paths.npz, entry.npz, report)
    try:
        note = read_note(paths.note)
        if (note.tar, note.npz) != (entry.tar, entry.npz):
            report.add(f"{paths.note}: does not agree with dataset.json")
        samples = index_shard(paths.tar)
    except UserError as error:
        report.add(str(error))
        return
    found: Counts = Counts()
    for key, members in samples.items():
        try:
            sample = read_sample(paths.tar, key, members)
        except UserError as error:
            report.add(str(error))
            continue
        found.update(count_record(sample.record))
        yield sample
    if (found["samples",], found["people",]) != (entry.samples, entry.people):
        report.add(
            f"{paths.tar}: {found['samples',]} samples and {found['people',]} people can be read, "
            f"dataset.json says {entry.samples} and {entry.people}"
        )
    if +found != note.counts:
        report.add(f"{paths.note}: its counts are not those of the shard")


def _check_counts(counts: Counts, manifest: Manifest, report: VerifyReport) -> None:
    for path in sorted(counts.keys() | manifest.counts.keys()):
        if counts[path] != manifest.counts[path]:
            name = "/".join(path)
            report.add(f"dataset.json: counts {manifest.counts[path]} of {name}, there are {counts[path]}")


def _check_arrays(
    folder: Path, number: int, records: list[ImageRecord], version: int, report: VerifyReport
) -> None:
    """The npz of a shard holds what its records say."""
    path = shard_paths(folder, number).npz
    try:
        found = read_npz(path)
    except UserError as error:
        report.add(str(error))
        return
    expected = people_arrays(records, path.stem)
    expected = {name: array for name, array in expected.items() if SINCE_VERSION.get(name, 1) <= version}
    for name in sorted(expected.keys() ^ found.keys()):
        report.add(f"{path}: array {name} is {'missing' if name in expected else 'not of this schema'}")
    for name in expected.keys() & found.keys():
        one, other = expected[name], found[name]
        if one.shape != other.shape:
            report.add(f"{path}: array {name} has shape {other.shape}, the shard's people need {one.shape}")
            continue
        same = (one == other) | ((one != one) & (other != other))  # NaN stands for none
        if one.dtype.kind != other.dtype.kind or not same.all():
            rows = np.flatnonzero(~same.reshape(len(same), -1).all(1)) if len(same) else []
            where = f" at row {rows[0]} ({expected['key'][rows[0]]})" if len(rows) else ""
            report.add(f"{path}: array {name} differs from the shard's records{where}")


# ------------------------------------------------------------------------------------------- one picture


def _check_sample(sample: Sample, body: PosableBody | None) -> list[str]:
    record, problems = sample.record, []
    for n, person in enumerate(record.people):
        problems += [f"person {n}: {problem}" for problem in check_person(person, body)]
    try:
        if not (sample.jpg.startswith(b"\xff\xd8") and sample.jpg.endswith(b"\xff\xd9")):
            problems.append("the picture is no whole JPEG")
        height, width = sample.image().shape[:2]
        if (width, height) != (record.width, record.height):
            problems.append(f"the picture is {width} x {height}, its record {record.width} x {record.height}")
        problems += check_mask(sample.mask(), record)
    except UserError as error:
        problems.append(str(error).removeprefix(f"{sample.where}."))
    return problems


@dataclass
class _Waiting:
    """A picture whose intact twin has not come yet. ``sample`` is dropped when its shard ends."""

    record: ImageRecord
    where: str
    sample: Sample | None


class _Twins:
    """Brings pictures and their intact twins together, in whatever order and shards they come."""

    def __init__(self, report: VerifyReport) -> None:
        self._report = report
        self._waiting: dict[str, list[_Waiting]] = {}
        """By the twin's key."""
        self._here: dict[str, Sample] = {}
        """Possible twins of this shard, by their own key."""
        self._elsewhere: dict[str, Path] = {}
        """Shards of those before."""

    def add(self, sample: Sample, *, whole: bool) -> None:
        """A sample; the pixels are compared only of those whose picture and mask are ``whole``."""
        record, pixels = sample.record, sample if whole else None
        if record.intact_twin is None:
            self._here[sample.key] = sample
            for one in self._waiting.pop(sample.key, []):
                self._compare(one, record, pixels)
            return
        one = _Waiting(record, sample.where, pixels)
        if record.intact_twin in self._here:
            twin = self._here[record.intact_twin]
            self._compare(one, twin.record, twin if whole else None)
        elif record.intact_twin in self._elsewhere:
            path = self._elsewhere[record.intact_twin]
            twin = read_sample(path, record.intact_twin, index_shard(path)[record.intact_twin])
            self._compare(one, twin.record, None)
        else:
            self._waiting.setdefault(record.intact_twin, []).append(one)

    def _compare(self, one: _Waiting, twin: ImageRecord, pixels: Sample | None) -> None:
        self._report.pairs += 1
        problems = list(check_twins(one.record, twin))
        if not problems and one.sample is not None and pixels is not None:
            anybody = (one.sample.mask() > 0) | (pixels.mask() > 0)
            problems += check_backgrounds(one.sample.image(), pixels.image(), anybody)
        for problem in problems:
            self._report.add(f"{one.where}: {problem}")

    def end_shard(self, path: Path) -> None:
        """Pictures are kept no longer than their shard: memory stays flat however large the dataset is."""
        self._elsewhere.update(dict.fromkeys(self._here, path))
        self._here.clear()
        for waiting in self._waiting.values():
            for one in waiting:
                one.sample = None

    def finish(self) -> None:
        for key, waiting in self._waiting.items():
            for one in waiting:
                self._report.add(f"{one.where}: its intact twin {key} is not in the dataset")
