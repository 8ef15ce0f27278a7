"""What is in a WebDataset tar and where, damaged parts left out.

Training tars are many and old. A member with a broken header or a cut-off end costs that sample; it is named
and counted, and the rest of the tar is read on from the next whole header.
"""

from __future__ import annotations

import tarfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ajahr.data.shards import Member
from ajahr.errors import UserError

PICTURES = ("jpg", "jpeg", "png")


@dataclass
class TarContents:
    """Samples of a tar in its order: key to extension to member; and what could not be read."""

    samples: dict[str, dict[str, Member]] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def drop(self, reason: str, where: str, count: int = 1) -> None:
        """Count what is left out, and name the first."""
        self.dropped[reason] += count
        self.examples.setdefault(reason, where)


def scan_tar(path: Path) -> TarContents:
    """Headers of a tar. As in WebDataset a key ends at the first dot of the file name, and keeps its folders.

    Reasons in ``dropped``: ``damaged_header`` (how often the chain of headers was lost), ``truncated_member``,
    ``member_twice``.

    Raises:
        UserError: the file is missing, cannot be read, or holds not one member.
    """
    contents = TarContents()
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            _scan(file, size, path, contents)
    except FileNotFoundError:
        raise UserError(f"{path}: no such tar; check the dataset's folder") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check the file and its disk") from None
    if not contents.samples:
        raise UserError(f"{path}: not one member can be read; is it a tar? get it again")
    return contents


def _scan(file: BinaryIO, size: int, path: Path, contents: TarContents) -> None:
    last, expected = "its start", 0
    try:
        # ignore_zeros: go on after a damaged block, and after the end of one of several tars put together
        with tarfile.TarFile(fileobj=file, ignore_zeros=True) as tar:
            while (info := tar.next()) is not None:
                if _damaged(file, expected, info.offset):
                    contents.drop("damaged_header", f"{path}: after {last}")
                last = info.name
                expected = info.offset_data + -(-info.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
                if not info.isfile():
                    continue
                if info.offset_data + info.size > size:
                    contents.drop("truncated_member", f"{path}: {info.name}")
                    continue
                folder, slash, name = info.name.removeprefix("./").rpartition("/")
                stem, _, extension = name.partition(".")
                members = contents.samples.setdefault(f"{folder}{slash}{stem}", {})
                member = Member(info.name, info.offset_data, info.size)
                if members.setdefault(extension.lower(), member) is not member:
                    contents.drop("member_twice", f"{path}: {info.name}")
    except tarfile.TarError:
        if expected <= size:  # else: said already, of the member that is cut off
            contents.drop("damaged_header", f"{path}: after {last}")
        return
    if _damaged(file, expected, size):
        contents.drop("damaged_header", f"{path}: after {last}")


def _damaged(file: BinaryIO, start: int, stop: int) -> bool:
    """Is there anything but zeros between two offsets?"""
    if stop <= start:
        return False
    place = file.tell()
    file.seek(start)
    left, found = stop - start, False
    while left > 0 and not found:
        chunk = file.read(min(left, 1 << 20))
        if not chunk:
            break
        found = bool(chunk.strip(b"\0"))
        left -= len(chunk)
    file.seek(place)
    return found
