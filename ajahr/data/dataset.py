"""A dataset folder: which configuration it belongs to, its dataset.json, and reading it.

    config.json     written first: seed and resolved configuration the folder belongs to
    dataset.json    written last: the above, code, packages, body, counts, drops, and a stamp per shard

Both are functions of the configuration and the shards' notes, so that an interrupted run, resumed, ends with
the same bytes as one that was not.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import ajahr
from ajahr.data.fields import SCHEMA_VERSION, FieldReader, parse_json
from ajahr.data.files import make_folder, remove_stale, sha256_of, write_atomic
from ajahr.data.npz import NpzArrays, read_npz
from ajahr.data.shards import (
    Counts,
    FileStamp,
    Member,
    Sample,
    counts_from_tree,
    counts_to_tree,
    index_shard,
    iter_shard,
    read_bytes,
    read_note,
    read_sample,
    shard_is_whole,
    shard_name,
    shard_paths,
)
from ajahr.errors import UserError

CONFIG_NAME, MANIFEST_NAME = "config.json", "dataset.json"
PACKAGES = ("numpy", "opencv-python-headless", "numba", "scipy", "scikit-image", "pillow")
"""Packages whose version may change a dataset's bytes."""


def code_version() -> str:
    """The git commit this code is at (``+changes`` when files differ from it), else the package's version."""
    root = Path(ajahr.__file__).resolve().parents[1]
    if (root / ".git").exists():
        try:
            done = subprocess.run(
                ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+changes"],
                cwd=root,
                env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},  # only look
                capture_output=True,
                text=True,
                timeout=20,
                check=True,
            )
            return done.stdout.strip()
        except (OSError, subprocess.SubprocessError):
            pass  # no git here, or not a checkout of the user's
    return f"ajahr {ajahr.__version__}"


def package_versions() -> dict[str, str]:
    """Installed versions of `PACKAGES`."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # another distribution of the same module, such as opencv-python
    return versions


@dataclass(frozen=True)
class BodyStamp:
    """The body a dataset was made with. ``sha256`` maps the gender of each file used to its SHA-256."""

    name: str
    licence: str
    sha256: dict[str, str]


@dataclass(frozen=True)
class RunStamp:
    """What a dataset folder belongs to; runs that share it may share the folder."""

    seed: int
    config: dict[str, Any]
    body: BodyStamp
    code: str
    inputs: dict[str, str] = field(default_factory=dict)
    """SHA-256 of what the configuration only names: the bank of backgrounds, files of poses."""

    def tree(self) -> dict[str, Any]:
        return {
            "schema_version": SCHEMA_VERSION,
            "seed": self.seed,
            "config": self.config,
            "body": vars(self.body),
            "code": self.code,
            "inputs": self.inputs,
        }

    @staticmethod
    def read(fields: FieldReader) -> RunStamp:
        body = fields.object("body")
        stamp = RunStamp(
            seed=fields.take("seed", int),
            config=fields.take("config", dict),
            body=BodyStamp(body.take("name", str), body.take("licence", str), body.take("sha256", dict)),
            code=fields.take("code", str),
            inputs=fields.take("inputs", dict) if fields.has("inputs") else {},
        )
        body.done()
        return stamp


def _dump(tree: dict[str, Any]) -> bytes:
    return (json.dumps(tree, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _difference(old: Any, new: Any, path: str = "") -> str | None:
    """The first place where two JSON trees differ, in words."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            found = _difference(old.get(key), new.get(key), f"{path}.{key}" if path else key)
            if found is not None:
                return found
        return None
    return None if old == new else f"{path} was {json.dumps(old)[:60]} and is now {json.dumps(new)[:60]}"


def claim_folder(folder: Path, stamp: RunStamp) -> RunStamp:
    """Make ``folder`` a dataset folder of ``stamp``, or check that it is one; clear what killed runs left.

    Any number of runs of the same configuration may claim one folder at once. A newer code may go on with a
    folder: the first one's version stays in config.json, and dataset.json names both.

    Returns:
        The stamp the folder carries.

    Raises:
        UserError: it holds something else, belongs to another configuration (the first different key is
            named), or cannot be written.
    """
    path = folder / CONFIG_NAME
    make_folder(folder)
    new = json.loads(_dump(stamp.tree()))
    if not path.exists():
        foreign = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
        if foreign:
            raise UserError(
                f"{folder}: holds other things ({foreign[0]}); choose an empty or a new output folder"
            )
        write_atomic(path, _dump(stamp.tree()))
    found = read_stamp(folder)
    old = found.tree()
    difference = _difference({**old, "code": None}, {**new, "code": None})
    if difference is not None:
        raise UserError(
            f"{folder}: made with another configuration ({difference}); "
            "choose another output folder or delete this one"
        )
    for place in (folder, folder / "shards", folder / "annotations"):
        if place.is_dir():
            remove_stale(place)
    return found


def read_stamp(folder: Path) -> RunStamp:
    """config.json of a folder. UserError if there is none or it is not of this schema."""
    path = folder / CONFIG_NAME
    fields = FieldReader(parse_json(read_bytes(path), str(path)), str(path))
    fields.take_version()
    stamp = RunStamp.read(fields)
    fields.done()
    return stamp


@dataclass(frozen=True)
class ShardEntry:
    """One shard in dataset.json."""

    name: str
    samples: int
    people: int
    tar: FileStamp
    npz: FileStamp


@dataclass(frozen=True)
class Manifest:
    """What dataset.json says."""

    run: RunStamp
    packages: dict[str, str]
    finished_by: str
    counts: Counts
    drops: dict[str, int]
    shards: tuple[ShardEntry, ...]
    schema_version: int = SCHEMA_VERSION
    """Of the dataset, as read; what is written has the current one."""

    def encode(self) -> bytes:
        entries = [{**vars(entry), "tar": vars(entry.tar), "npz": vars(entry.npz)} for entry in self.shards]
        tree = {
            **self.run.tree(),
            "finished_by": self.finished_by,
            "packages": self.packages,
            "counts": counts_to_tree(self.counts),
            "drops": dict(sorted(self.drops.items())),
            "shards": entries,
        }
        return _dump(tree)

    @staticmethod
    def decode(data: bytes, where: str) -> Manifest:
        fields = FieldReader(parse_json(data, where), where)
        version = fields.take_version()
        shards = []
        for i, tree in enumerate(fields.take("shards", list)):
            entry = FieldReader(tree, f"{where}: shards[{i}]")
            tar, npz = entry.object("tar"), entry.object("npz")
            shards.append(
                ShardEntry(
                    entry.take("name", str),
                    entry.take("samples", int),
                    entry.take("people", int),
                    FileStamp(tar.take("size", int), tar.take("sha256", str)),
                    FileStamp(npz.take("size", int), npz.take("sha256", str)),
                )
            )
            for reader in (tar, npz, entry):
                reader.done()
        drops = counts_from_tree(fields.take("drops", dict), where)
        manifest = Manifest(
            run=RunStamp.read(fields),
            packages=fields.take("packages", dict),
            finished_by=fields.take("finished_by", str),
            counts=counts_from_tree(fields.take("counts", dict), where),
            drops={path[0]: count for path, count in drops.items()},
            shards=tuple(shards),
            schema_version=version,
        )
        fields.done()
        return manifest


def finish_dataset(
    folder: Path, stamp: RunStamp, num_shards: int, drops: dict[str, int] | None = None
) -> Manifest:
    """Write dataset.json from the notes of shards 0..num_shards-1, all of which must be whole.

    Args:
        folder: claimed by `claim_folder`.
        stamp: as returned by `claim_folder`.
        num_shards: how many shards the configuration asks for.
        drops: counts per reason of what was dropped before any shard (photographs); added to the shards' own.
    """
    missing = [n for n in range(num_shards) if not shard_is_whole(folder, n)]
    if missing:
        names = ", ".join(shard_name(n) for n in missing[:3])
        raise UserError(
            f"{folder}: {len(missing)} shards are not made yet ({names}); run the same command again"
        )
    counts: Counts = Counter()
    dropped = Counter(drops or {})
    entries = []
    for number in range(num_shards):
        note = read_note(shard_paths(folder, number).note)
        counts.update(note.counts)
        dropped.update(note.drops)
        samples, people = note.counts["samples",], note.counts["people",]
        entries.append(ShardEntry(shard_name(number), samples, people, note.tar, note.npz))
    manifest = Manifest(stamp, package_versions(), code_version(), counts, dict(dropped), tuple(entries))
    write_atomic(folder / MANIFEST_NAME, manifest.encode())
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """dataset.json of a folder. UserError if there is none or it is not of this schema."""
    path = folder / MANIFEST_NAME
    if not path.exists():
        if (folder / CONFIG_NAME).exists():
            raise UserError(f"{folder}: the dataset is not finished; run the command that makes it again")
        raise UserError(f"{folder}: no dataset here (no {MANIFEST_NAME}); make one with ajahr-synth generate")
    return Manifest.decode(read_bytes(path), str(path))


def damaged_shards(folder: Path, manifest: Manifest, tick: Callable[[], None] = lambda: None) -> list[int]:
    """Numbers of the shards of which a file is missing, is not what dataset.json says, or has lost its note."""
    damaged = []
    for number, entry in enumerate(manifest.shards):
        paths = shard_paths(folder, number)
        try:
            note = read_note(paths.note)
            whole = (note.tar, note.npz) == (entry.tar, entry.npz) and all(
                path.stat().st_size == stamp.size and sha256_of(path) == stamp.sha256
                for path, stamp in ((paths.tar, entry.tar), (paths.npz, entry.npz))
            )
        except (UserError, OSError):
            whole = False
        if not whole:
            damaged.append(number)
        tick()
    return damaged


class Dataset:
    """A finished dataset. Samples are read when asked for; the tars' headers once, when first needed."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder, self.manifest = folder, manifest

    def shard_path(self, entry: ShardEntry) -> Path:
        return self.folder / "shards" / f"{entry.name}.tar"

    def arrays(self, entry: ShardEntry) -> NpzArrays:
        """The people of a shard as arrays (`ajahr.data.npz`)."""
        return read_npz(self.folder / "annotations" / f"{entry.name}.npz")

    @cached_property
    def _index(self) -> dict[str, tuple[Path, dict[str, Member]]]:
        index = {}
        for entry in self.manifest.shards:
            path = self.shard_path(entry)
            for key, members in index_shard(path).items():
                if key in index:
                    raise UserError(
                        f"{path}: sample {key} is in {index[key][0].name} too; make the dataset again"
                    )
                index[key] = (path, members)
        return index

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """Sample keys in order."""
        return tuple(self._index)

    def __len__(self) -> int:
        return sum(entry.samples for entry in self.manifest.shards)

    def __getitem__(self, index: int | str) -> Sample:
        """A sample by its number or its key."""
        key = index if isinstance(index, str) else self.keys[index]
        if key not in self._index:
            raise KeyError(f"no sample {key} in {self.folder}")
        path, members = self._index[key]
        return read_sample(path, key, members)

    def __iter__(self) -> Iterator[Sample]:
        for entry in self.manifest.shards:
            yield from iter_shard(self.shard_path(entry))


def open_dataset(folder: str | Path) -> Dataset:
    """The finished dataset in ``folder``. UserError if there is none."""
    return Dataset(Path(folder), read_manifest(Path(folder)))
