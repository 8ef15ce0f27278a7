"""Rows of a dataset made once, kept on disk, and mapped by every process that trains on it.

Parts (tars, usually) are read one by one, by several processes if asked to, and each is kept as soon as it is
done: an interrupted run goes on where it was. The file lies in ``.ajahr_index`` beside the data, or, where that
cannot be written, in ``$XDG_CACHE_HOME/ajahr/index`` (``~/.cache``). Its name carries a hash of everything it
depends on: files with sizes and times, options, the layout of rows.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from ajahr.data.files import write_atomic
from ajahr.data.hmr.samples import row_dtype
from ajahr.errors import UserError

_VERSION = 1
_LOG = logging.getLogger(__name__)
IN_MEMORY_BYTES = 64 << 20
"""Smaller tables out of a single file are made anew every time; they are quickly made."""


@dataclass
class Part:
    """Rows of one file, and what was left out of it."""

    rows: np.ndarray
    dropped: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)


def cached_rows(
    name: str,
    files: Sequence[Path],
    options: Mapping[str, Any],
    read: Callable[[int], Part],
    *,
    cache: str | Path | None = None,
    processes: int = 1,
    always: bool = True,
) -> Part:
    """All rows of ``files``, in order.

    Args:
        name: of the dataset; part of the file's name.
        files: the parts.
        options: everything else the rows depend on; goes through JSON.
        read: the rows of part number n; must pickle if ``processes`` is above 1.
        cache: folder of the index instead of the two above.
        processes: that read parts.
        always: keep small tables too.
    """
    with_stat = [_stamp(path) for path in files]
    described = json.dumps(
        [_VERSION, name, dict(options), with_stat, str(row_dtype(1).descr)], sort_keys=True
    )
    digest = hashlib.sha256(described.encode()).hexdigest()[:16]
    stem = f"{name}-{digest}"
    for folder in _folders(files, cache):
        found = _load(folder / f"{stem}.npy")
        if found is not None:
            return found
    folder = next((folder for folder in _folders(files, cache) if _writable(folder)), None)
    if folder is None:
        _LOG.warning("%s: no index can be written, so it is made again by every process", name)
        return _joined([read(number) for number in range(len(files))])
    if len(files) == 1:
        part = read(0)
        if always or part.rows.nbytes > IN_MEMORY_BYTES:
            _save(folder / f"{stem}.npy", [part])
            return _load(folder / f"{stem}.npy") or part
        return part
    kept = folder / f"{stem}.parts"
    kept.mkdir(exist_ok=True)
    _read_parts(read, len(files), kept, processes)
    _save(folder / f"{stem}.npy", [_load(kept / f"{number}.npy") for number in range(len(files))])
    shutil.rmtree(kept, ignore_errors=True)
    found = _load(folder / f"{stem}.npy")
    if found is None:
        raise UserError(f"{folder / stem}.npy: the index cannot be read back; check the disk")
    return found


def _stamp(path: Path) -> tuple[str, int, int]:
    try:
        stat = path.stat()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    return path.name, stat.st_size, stat.st_mtime_ns


def _folders(files: Sequence[Path], cache: str | Path | None) -> list[Path]:
    if cache is not None:
        return [Path(cache)]
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return [files[0].resolve().parent / ".ajahr_index", home / "ajahr" / "index"]


def _writable(folder: Path) -> bool:
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        return os.access(folder, os.W_OK | os.X_OK)
    return False


def _read_parts(read: Callable[[int], Part], count: int, kept: Path, processes: int) -> None:
    missing = [number for number in range(count) if not (kept / f"{number}.json").exists()]
    _LOG.info("indexing %d of %d files into %s", len(missing), count, kept.parent)
    for number, part in _parts(read, missing, processes):
        _save(kept / f"{number}.npy", [part])


def _parts(read: Callable[[int], Part], numbers: list[int], processes: int) -> Iterator[tuple[int, Part]]:
    if processes <= 1 or len(numbers) < 2:
        yield from ((number, read(number)) for number in numbers)
        return
    # spawn: a fork would copy whatever threads and locks the caller has
    with ProcessPoolExecutor(min(processes, len(numbers)), get_context("spawn")) as pool:
        yield from zip(numbers, pool.map(read, numbers), strict=True)


def _joined(parts: Iterable[Part]) -> Part:
    parts = list(parts)
    size = max((part.rows.dtype["key"].itemsize for part in parts), default=1)
    rows = np.concatenate([part.rows.astype(row_dtype(size), copy=False) for part in parts])
    return Part(rows, *_drops(parts))


def _drops(parts: Iterable[Part]) -> tuple[Counter[str], dict[str, str]]:
    dropped: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for part in parts:
        dropped.update(part.dropped)
        examples = {**part.examples, **examples}
    return dropped, examples


def _save(path: Path, parts: Sequence[Part | None]) -> None:
    """One .npy of all rows, part after part, and a .json of what was dropped, which comes last."""
    whole = [part for part in parts if part is not None]
    size = max((part.rows.dtype["key"].itemsize for part in whole), default=1)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            header = {
                "descr": np.lib.format.dtype_to_descr(row_dtype(size)),
                "fortran_order": False,
                "shape": (sum(len(part.rows) for part in whole),),
            }
            np.lib.format.write_array_header_2_0(file, header)
            for part in whole:
                file.write(np.ascontiguousarray(part.rows.astype(row_dtype(size), copy=False)).data)
        temporary.replace(path)
    except OSError as error:
        raise UserError(f"{path}: the index cannot be written ({error.strerror}); free space there") from None
    finally:
        temporary.unlink(missing_ok=True)
    dropped, examples = _drops(whole)
    write_atomic(
        path.with_suffix(".json"), json.dumps({"dropped": dropped, "examples": examples}, indent=1).encode()
    )


def _load(path: Path) -> Part | None:
    note = path.with_suffix(".json")
    if not (path.exists() and note.exists()):
        return None
    try:
        tree = json.loads(note.read_bytes())
        with path.open("rb") as file:  # nothing can be mapped of no rows
            np.lib.format.read_magic(file)
            shape, _, dtype = np.lib.format.read_array_header_2_0(file)
        rows = np.load(path, mmap_mode="r") if shape[0] else np.zeros(0, dtype)
    except (OSError, ValueError):
        return None  # cut off while the disk was full: made anew
    if rows.dtype.names != row_dtype(1).names:
        return None
    return Part(rows, Counter(tree["dropped"]), tree["examples"])
