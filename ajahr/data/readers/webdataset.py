"""HMR2's and BEDLAM's training tars: a picture and a pickled list of the people in it per sample.

The pickles are read by the allow-list of `ajahr.body.unpickle`: arrays, numbers, strings, lists and dicts.
"""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ajahr.body import unpickle
from ajahr.data.hmr.tar_index import PICTURES, TarContents
from ajahr.data.readers.npz_file import plain
from ajahr.data.shards import Member
from ajahr.errors import UserError

_ANNOTATION = "data.pyd"
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")


@dataclass(frozen=True)
class TarPerson:
    """One person of a sample, the fields still to be resolved."""

    key: str
    """Sample key and number of the person: ``aic-train-vitpose/0a1b/0``."""
    picture: Member
    fields: dict[str, Any]


def expand_tars(pattern: str | Sequence[str], root: str | Path = ".") -> list[Path]:
    """Tars of a folder, a glob, or names with ``{000000..000312}``, below ``root``, in order.

    Raises:
        UserError: nothing matches, or a named tar is not there.
    """
    found: list[Path] = []
    for one in [pattern] if isinstance(pattern, str) else pattern:
        ranges = [
            [str(n).zfill(max(len(first), len(last))) for n in range(int(first), int(last) + 1)]
            for first, last in _RANGE.findall(one)
        ]
        pieces = _RANGE.split(one)[::3]
        for numbers in itertools.product(*ranges):
            name = "".join(itertools.chain(*itertools.zip_longest(pieces, numbers, fillvalue="")))
            path = Path(root) / name
            if any(letter in name for letter in "*?["):
                found += sorted(Path(root).glob(name))
            elif path.is_dir():
                found += sorted(path.glob("*.tar"))
            else:
                found.append(path)
    missing = [path for path in found if not path.is_file()]
    if missing:
        raise UserError(
            f"{missing[0]}: no such tar ({len(missing)} of {len(found)} are missing); download them, "
            "or name only those that are there"
        )
    if not found:
        raise UserError(f"{Path(root) / str(pattern)}: no tar matches; check the folder and the pattern")
    return found


def iter_people(path: Path, contents: TarContents, skip: frozenset[str] = frozenset()) -> Iterator[TarPerson]:
    """Everybody in a scanned tar; samples without a picture or a readable annotation are dropped by name.

    Reasons: ``no_picture``, ``no_annotation``, ``bad_annotation``.
    """
    with path.open("rb") as file:
        for key, members in contents.samples.items():
            if key in skip:
                contents.drop("known_bad", f"{path}: {key}")
                continue
            picture = next((members[kind] for kind in PICTURES if kind in members), None)
            if picture is None:
                contents.drop("no_picture", f"{path}: {key}")
                continue
            if _ANNOTATION not in members:
                contents.drop("no_annotation", f"{path}: {key}")
                continue
            member = members[_ANNOTATION]
            file.seek(member.offset)
            try:
                people = unpickle._Reader(io.BytesIO(file.read(member.size)), path / member.name).load()
                if not isinstance(people, list) or not all(isinstance(person, dict) for person in people):
                    raise ValueError("no list of dicts")
            except Exception as error:  # a broken pickle can fail in any way; a forbidden name is a UserError
                contents.drop("bad_annotation", f"{path}: {member.name}: {error}")
                continue
            for number, person in enumerate(people):
                yield TarPerson(f"{key}/{number}", picture, person)


def values(fields: dict[str, Any], name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A field as finite float32 of ``shape``. ValueError, naming the field, if it is not."""
    if name not in fields:
        raise ValueError(f"{name} is missing")
    array = np.asarray(plain(fields[name]), np.float32)
    if array.size != int(np.prod(shape)) or not np.isfinite(array).all():
        raise ValueError(f"{name} is {array.shape}, expected finite numbers {shape}")
    return array.reshape(shape)
