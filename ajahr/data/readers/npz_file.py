"""Members of an .npz by name, Python objects in it read as plain strings and numbers, nothing executed.

numpy writes lists of strings as object arrays, which are pickles: HMR2's and A3D's files have them. They are
read by the allow-list of `ajahr.body.unpickle`.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ajahr.body import unpickle
from ajahr.errors import UserError

NpzColumns = dict[str, np.ndarray]


def column_names(path: str | Path) -> frozenset[str]:
    """Names of an .npz's members; nothing else is read. UserError as `read_columns`."""
    return frozenset(_names(Path(path)))


def _names(path: Path) -> set[str]:
    with _told(path), zipfile.ZipFile(path) as archive:
        return {name.removesuffix(".npy") for name in archive.namelist()}


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; check the path") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path}: no whole .npz file ({reason}); get it again") from error


def read_columns(path: str | Path, required: Sequence[str], optional: Iterable[str] = ()) -> NpzColumns:
    """The named members, others unread; an object array becomes one of strings or of lists.

    Raises:
        UserError: missing, truncated or foreign file, a required member that is not there, or a member that
            holds anything but numbers, strings and lists of them.
    """
    path = Path(path)
    there = _names(path)
    missing = [name for name in required if name not in there]
    if missing:
        raise UserError(
            f"{path}: no key '{missing[0]}' in it (it has {', '.join(sorted(there)[:8])}); "
            "is this the right kind of annotation file?"
        )
    wanted = [*required, *(name for name in optional if name in there)]
    with _told(path), zipfile.ZipFile(path) as archive:
        return {name: _member(archive, name, path) for name in wanted}


def _member(archive: zipfile.ZipFile, name: str, path: Path) -> np.ndarray:
    with archive.open(f"{name}.npy") as member:
        version = np.lib.format.read_magic(member)
        header = np.lib.format
        read = header.read_array_header_1_0 if version == (1, 0) else header.read_array_header_2_0
        shape, _, dtype = read(member)
        if dtype.hasobject:
            return _objects(unpickle._Reader(member, path).load(), name, shape)
    with archive.open(f"{name}.npy") as member:
        return np.lib.format.read_array(member, allow_pickle=False)


def _objects(array: Any, name: str, shape: tuple[int, ...]) -> np.ndarray:
    raw = array.state[-1] if isinstance(array, unpickle._Array) and array.state else None
    if not isinstance(raw, list):
        raise ValueError(f"{name} holds Python objects that are no list")
    values = [plain(value) for value in raw]
    if all(isinstance(value, str) for value in values):
        return np.array(values, np.str_).reshape(shape) if values else np.zeros(shape, "<U1")
    found = np.empty(len(values), object)
    found[:] = values
    return found.reshape(shape)


def plain(value: Any) -> Any:
    """Strings, numbers, lists and dicts of a pickle, arrays resolved. ValueError for anything else."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, str | int | float | bool | type(None)):
        return value
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, unpickle._Array) and value.state and isinstance(value.state[-1], list):
        return [plain(item) for item in value.state[-1]]  # an array of objects
    return unpickle.resolve(value)


def strings(columns: NpzColumns, name: str, count: int, path: Path) -> list[str]:
    """A column of strings, bytes decoded as UTF-8."""
    array = columns[name].reshape(-1)
    if len(array) != count or array.dtype.kind not in "US":
        raise UserError(f"{path}: '{name}' is {array.dtype} {array.shape}, expected {count} strings")
    return [item.decode("utf-8") if isinstance(item, bytes) else str(item) for item in array.tolist()]


def numbers(
    columns: NpzColumns, name: str, shape: tuple[int, ...], path: Path, *, finite: bool = True
) -> np.ndarray:
    """A column as float64 of ``shape``, axes of length one added or taken away as the release does.

    Raises:
        UserError: another number of values, not numbers, or NaN among them.
    """
    array = columns[name]
    if array.dtype.kind not in "biuf" or array.size != int(np.prod(shape)):
        raise UserError(f"{path}: '{name}' is {array.dtype} {array.shape}, expected numbers {shape}")
    array = array.astype(np.float64).reshape(shape)
    if finite and not np.isfinite(array).all():
        bad = int(np.flatnonzero(~np.isfinite(array).reshape(shape[0], -1).all(1))[0])
        raise UserError(f"{path}: '{name}' of person {bad} is not finite; fix the file or drop the person")
    return array
