"""Shards: pictures, part masks and records in WebDataset tars, with the same people as arrays beside them.

    shards/000000.tar          KEY.jpg, KEY.mask.png, KEY.json of each sample
    shards/000000.json         note: counts, drops, sizes and SHA-256 of the two others
    annotations/000000.npz     the people as arrays (`ajahr.data.npz`)

The bytes are a pure function of what was added: no time, no owner, no compression whose output depends on a
library's version. The tar takes its name last, so a shard with a tar is whole; one without is made anew.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from ajahr.anatomy import LIMBS, level_name
from ajahr.data.fields import SCHEMA_VERSION, FieldReader, parse_json
from ajahr.data.files import AtomicFile, make_folder
from ajahr.data.mask import decode_mask
from ajahr.data.npz import npz_bytes, people_arrays
from ajahr.data.record import ImageRecord, decode_record, encode_record
from ajahr.errors import UserError

EXTENSIONS = ("jpg", "mask.png", "json")
Counts = Counter[tuple[str, ...]]
"""How often what was drawn; the keys are paths such as ``("limb_level", "left_arm", "elbow")``."""


@dataclass(frozen=True)
class ShardPaths:
    """The three files of one shard."""

    tar: Path
    note: Path
    npz: Path


def shard_name(number: int) -> str:
    return f"{number:06d}"


def shard_paths(folder: Path, number: int) -> ShardPaths:
    name = shard_name(number)
    return ShardPaths(
        tar=folder / "shards" / f"{name}.tar",
        note=folder / "shards" / f"{name}.json",
        npz=folder / "annotations" / f"{name}.npz",
    )


# ---------------------------------------------------------------------------------------------- counts


def count_record(record: ImageRecord) -> Counts:
    """What one picture adds to the counts of its shard."""
    counts: Counts = Counter()
    counts["samples",] += 1
    counts["people",] += len(record.people)
    counts["with_intact_twin",] += int(record.intact_twin is not None)
    counts["split", record.split] += 1
    counts["photo", record.photo.id] += 1
    counts["licence", record.photo.licence] += 1
    for person in record.people:
        for limb in LIMBS:
            name = limb.name.lower()
            counts["limb_level", name, level_name(limb, person.limb_levels[limb])] += 1
            counts["limb_status", name, str(person.limb_status[limb])] += 1
        for index in person.ajahr_index:
            counts["ajahr_index", str(index)] += 1
        counts["limbs_lost", str(sum(level > 0 for level in person.limb_levels))] += 1
        counts["group", person.appearance.group] += 1
        counts["gender", person.appearance.gender] += 1
        for case in person.hard_cases:
            counts["hard_case", case] += 1
        for kind in person.prosthesis:
            if kind is not None:
                counts["prosthesis", kind] += 1
        source = person.pose_source
        counts["pose", source.kind if source.name == source.kind else f"{source.kind}/{source.name}"] += 1
    return counts


def counts_to_tree(counts: Counts) -> dict[str, Any]:
    """Nested dicts of the counts, in one order (numbers by value), for JSON."""
    tree: dict[str, Any] = {}
    for path in sorted(
        counts, key=lambda path: [(p.isdigit(), len(p) if p.isdigit() else 0, p) for p in path]
    ):
        node = tree
        for part in path[:-1]:
            node = node.setdefault(part, {})
        node[path[-1]] = counts[path]
    return tree


def counts_from_tree(tree: Any, where: str, path: tuple[str, ...] = ()) -> Counts:
    """`counts_to_tree` undone. UserError if the tree holds anything but whole numbers."""
    if isinstance(tree, dict):
        counts: Counts = Counter()
        for key, node in tree.items():
            counts.update(counts_from_tree(node, where, (*path, key)))
        return counts
    if isinstance(tree, bool) or not isinstance(tree, int) or tree < 0:
        raise UserError(f"{where}: the count of {'/'.join(path)} is no whole number; remake this file")
    return Counter({path: tree})


# ------------------------------------------------------------------------------------------------ note


@dataclass(frozen=True)
class FileStamp:
    """Size in bytes and SHA-256 of a file."""

    size: int
    sha256: str


@dataclass(frozen=True)
class ShardNote:
    """What the note beside a shard says."""

    counts: Counts
    drops: dict[str, int]
    tar: FileStamp
    npz: FileStamp

    def encode(self) -> bytes:
        tree = {
            "schema_version": SCHEMA_VERSION,
            "counts": counts_to_tree(self.counts),
            "drops": dict(sorted(self.drops.items())),
            "tar": vars(self.tar),
            "npz": vars(self.npz),
        }
        return (json.dumps(tree, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()

    @staticmethod
    def decode(data: bytes, where: str) -> ShardNote:
        fields = FieldReader(parse_json(data, where), where)
        fields.take_version()
        tar, npz = fields.object("tar"), fields.object("npz")
        drops = counts_from_tree(fields.take("drops", dict), where)
        note = ShardNote(
            counts=counts_from_tree(fields.take("counts", dict), where),
            drops={path[0]: count for path, count in drops.items()},
            tar=FileStamp(tar.take("size", int), tar.take("sha256", str)),
            npz=FileStamp(npz.take("size", int), npz.take("sha256", str)),
        )
        for reader in (tar, npz, fields):
            reader.done()
        return note


def read_note(path: Path) -> ShardNote:
    return ShardNote.decode(read_bytes(path), str(path))


def read_bytes(path: Path) -> bytes:
    """The file's bytes. UserError if it is not there or cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such file; make the dataset again with the command that made it"
        ) from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check the file and its disk") from None


def shard_is_whole(folder: Path, number: int) -> bool:
    """Are all files of the shard there, with the sizes the note gives? Hashes are left to ``verify``."""
    paths = shard_paths(folder, number)
    try:
        note = read_note(paths.note)
        return paths.tar.stat().st_size == note.tar.size and paths.npz.stat().st_size == note.npz.size
    except (UserError, OSError):
        return False


def remove_shard(folder: Path, number: int) -> None:
    """Delete what there is of a shard, the tar first."""
    paths = shard_paths(folder, number)
    for path in (paths.tar, paths.note, paths.npz):
        path.unlink(missing_ok=True)


# ---------------------------------------------------------------------------------------------- writing


class ShardWriter:
    """Writes one shard; leaving ``with`` publishes it, an exception leaves nothing behind.

    >>> with ShardWriter(folder, 0) as shard:
    ...     shard.add(record, jpg, mask_png)
    ...     shard.drop("no person left")
    >>> shard.note.counts

    A shard that is whole by the time this one is ready (another machine made it) is left as it is.

    Raises:
        UserError: the disk is full, or the folder cannot be written.
    """

    note: ShardNote

    def __init__(self, folder: Path, number: int) -> None:
        self._folder, self._number = folder, number
        self._paths = shard_paths(folder, number)
        make_folder(self._paths.tar.parent)
        make_folder(self._paths.npz.parent)
        self._file = AtomicFile(self._paths.tar)
        self._tar = tarfile.TarFile(fileobj=self._file, mode="w", format=tarfile.USTAR_FORMAT)  # pyright: ignore[reportArgumentType]
        self._records: list[ImageRecord] = []
        self._keys: set[str] = set()
        self._counts: Counts = Counter()
        self._drops: Counter[str] = Counter()

    def add(self, record: ImageRecord, jpg: bytes, mask_png: bytes) -> None:
        """One picture, encoded. A key that this shard has already is a ValueError."""
        if record.key in self._keys:
            raise ValueError(f"sample {record.key} is in shard {self._number} already")
        data = encode_record(record)
        self._keys.add(record.key)
        for extension, content in zip(EXTENSIONS, (jpg, mask_png, data), strict=True):
            member = tarfile.TarInfo(f"{record.key}.{extension}")  # owner 0, time 0, mode 0644
            member.size = len(content)
            self._tar.addfile(member, io.BytesIO(content))
        # as it will be read: the npz holds the rounded numbers of the JSON
        self._records.append(decode_record(data, record.key))
        self._counts.update(count_record(record))

    def drop(self, reason: str, count: int = 1) -> None:
        """Count what this shard did not become."""
        self._drops[reason] += count

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        with self._file:
            if kind is None:
                self._publish()

    def _publish(self) -> None:
        self._tar.close()
        self._file.finish()
        arrays = people_arrays(self._records, shard_name(self._number))
        with AtomicFile(self._paths.npz) as npz, AtomicFile(self._paths.note) as note:
            npz.write(npz_bytes(arrays))
            stamps = FileStamp(self._file.size, self._file.sha256), FileStamp(npz.size, npz.sha256)
            self.note = ShardNote(self._counts, dict(self._drops), *stamps)
            note.write(self.note.encode())
            note.finish()
            npz.finish()
            if shard_is_whole(self._folder, self._number):
                self.note = read_note(self._paths.note)
                return
            npz.publish()
            note.publish()
            self._file.publish()


# ---------------------------------------------------------------------------------------------- reading


@dataclass(frozen=True, eq=False)
class Sample:
    """One picture of a dataset, still encoded, and its record."""

    record: ImageRecord
    jpg: bytes
    mask_png: bytes
    where: str
    """Shard and key, for messages."""

    @property
    def key(self) -> str:
        return self.record.key

    def image(self) -> UInt8[np.ndarray, "height width 3"]:
        """The picture, RGB. UserError if it does not decode."""
        raw = np.frombuffer(self.jpg, np.uint8)
        image = cv2.imdecode(raw, cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION) if raw.size else None
        if image is None:
            raise UserError(f"{self.where}.jpg: not a picture; remake this shard")
        return image.astype(np.uint8, copy=False)

    def mask(self) -> UInt8[np.ndarray, "height width"]:
        """The part mask (`ajahr.data.mask`)."""
        return decode_mask(self.mask_png, f"{self.where}.mask.png")


@dataclass(frozen=True)
class Member:
    """Where one member's bytes lie in a tar."""

    name: str
    offset: int
    size: int


def iter_members(path: Path) -> Iterator[Member]:
    """Every member of a tar, in order.

    tarfile takes a damaged header after the first member for the end of the archive; here that is an error.

    Raises:
        UserError: missing, truncated or damaged, naming the shard and the member after which it happens.
    """
    last = "the first member"
    try:
        size = path.stat().st_size
        with path.open("rb") as file, tarfile.TarFile(fileobj=file) as tar:
            while (info := tar.next()) is not None:
                last = info.name
                if info.offset_data + info.size > size:
                    raise tarfile.ReadError("unexpected end of data")
                yield Member(info.name, info.offset_data, info.size)
            file.seek(tar.offset)
            if file.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:
                raise tarfile.ReadError("no end-of-archive block")
    except FileNotFoundError:
        raise UserError(f"{path}: no such shard; run the command that made the dataset again") from None
    except tarfile.TarError as error:
        raise UserError(f"{path}: damaged at {last} ({error}); delete it and run generate again") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check the file and its disk") from None


def index_shard(path: Path) -> dict[str, dict[str, Member]]:
    """Members per sample key and extension, in the tar's order. UserError if a sample is not complete."""
    samples: dict[str, dict[str, Member]] = {}
    for member in iter_members(path):
        key, _, extension = member.name.partition(".")
        if samples.setdefault(key, {}).setdefault(extension, member) is not member:
            raise UserError(
                f"{path}: member {member.name} is there twice; delete the shard and run generate again"
            )
    for key, members in samples.items():
        for extension in EXTENSIONS:
            if extension not in members:
                raise UserError(
                    f"{path}: member {key}.{extension} is missing; delete the shard and run generate again"
                )
    return samples


def read_sample(path: Path, key: str, members: dict[str, Member]) -> Sample:
    """One sample of a shard by its place in the index."""
    where = f"{path}: {key}"
    with path.open("rb") as file:
        contents = []
        for extension in EXTENSIONS:
            file.seek(members[extension].offset)
            contents.append(file.read(members[extension].size))
    record = decode_record(contents[2], f"{where}.json")
    if record.key != key:
        raise UserError(f"{where}.json: key 'key' is '{record.key}', not the member's; remake this shard")
    return Sample(record, contents[0], contents[1], where)


def iter_shard(path: Path) -> Iterator[Sample]:
    """The samples of a shard in order; UserError, naming shard and member, where it is damaged."""
    for key, members in index_shard(path).items():
        yield read_sample(path, key, members)
