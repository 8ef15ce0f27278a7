"""Arrays out of .npz and .safetensors files without reading them: memory maps of the members.

Arrays stored compressed (``np.savez_compressed``) cannot be mapped and are read whole. Nothing is ever
unpickled.
"""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from tokenizer.errors import InputError

_ZIP_LOCAL_HEADER = 30
_SAFETENSORS_DTYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "BOOL": "?", "U8": "u1"}


def map_arrays(path: str | Path, wanted: Iterable[str]) -> dict[str, np.ndarray]:
    """The arrays among ``wanted`` that the file has, read-only, mapped where the file allows.

    Raises:
        InputError: missing, empty, truncated or foreign file; an array of Python objects.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the path")
    if path.suffix == ".safetensors":
        return _map_safetensors(path, set(wanted))
    if path.suffix == ".npz":
        return _map_npz(path, set(wanted))
    raise InputError(f"{path}: neither .npz nor .safetensors; convert it")


def _map_safetensors(path: Path, wanted: set[str]) -> dict[str, np.ndarray]:
    try:
        with safe_open(path, framework="numpy"):  # checks the header against the file's size
            pass
    except SafetensorError as error:
        raise InputError(f"{path}: no whole safetensors file ({error}); make or copy it again") from error
    with path.open("rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
    arrays = {}
    for name in wanted & set(header):
        entry = header[name]
        if entry["dtype"] not in _SAFETENSORS_DTYPES:
            raise InputError(f"{path}: {name} has type {entry['dtype']}; store floating point or bool")
        dtype, shape = np.dtype(_SAFETENSORS_DTYPES[entry["dtype"]]), tuple(entry["shape"])
        arrays[name] = _mapped(path, dtype, shape, 8 + size + entry["data_offsets"][0])
    return arrays


def _map_npz(path: Path, wanted: set[str]) -> dict[str, np.ndarray]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            return {name: _npz_member(path, archive, members[name]) for name in wanted & set(members)}
    except (zipfile.BadZipFile, EOFError, OSError, struct.error) as error:
        raise InputError(f"{path}: no whole .npz file ({error}); make or copy it again") from error
    except ValueError as error:  # numpy: a broken or pickled member
        raise InputError(
            f"{path}: a member cannot be read ({error}); make it again with plain arrays"
        ) from error


def _npz_member(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    if info.compress_type != zipfile.ZIP_STORED:
        with archive.open(info) as member:
            return np.lib.format.read_array(member, allow_pickle=False)
    with path.open("rb") as file:
        file.seek(info.header_offset)
        local = file.read(_ZIP_LOCAL_HEADER)
        name_length, extra_length = struct.unpack("<HH", local[26:30])  # the central directory's may differ
        start = info.header_offset + _ZIP_LOCAL_HEADER + name_length + extra_length
        file.seek(start)
        version = np.lib.format.read_magic(file)
        read_header = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, fortran_order, dtype = read_header(file)
        if dtype.hasobject:
            raise ValueError(f"{info.filename} holds Python objects")
        return _mapped(path, dtype, shape, file.tell(), "F" if fortran_order else "C")


def _mapped(path: Path, dtype: np.dtype, shape: tuple[int, ...], offset: int, order: str = "C") -> np.ndarray:
    if 0 in shape:  # nothing to map
        return np.empty(shape, dtype)
    return np.memmap(path, dtype, "r", offset, shape, order)  # pyright: ignore[reportCallIssue, reportArgumentType]
