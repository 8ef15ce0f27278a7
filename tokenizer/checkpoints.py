"""Reading .pth and .ckpt files without running what is in them."""

from __future__ import annotations

import pickle
import struct
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from tokenizer.errors import InputError


def read_checkpoint(
    path: str | Path, stand_ins: Iterable[tuple[type, str]] = (), *, mapped: bool = False
) -> dict[str, Any]:
    """A checkpoint's dict, tensors on the CPU, by torch's restricted unpickler.

    Args:
        stand_ins: Classes of ours to use where the file names a class, as (ours, "module.Name").
        mapped: Leave large tensors in the file and read them when used, where its format allows. The file must
            then stay as it is.

    Raises:
        InputError: no such file, truncated, no checkpoint, or it names a class outside the allow-list.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such checkpoint; check the path")
    try:
        with torch.serialization.safe_globals(list(stand_ins)):
            mapped = mapped and zipfile.is_zipfile(path)
            checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        named = str(error).split("GLOBAL ")  # torch's message is a page; the class it refused matters
        if len(named) > 1:
            name = named[1].split()[0]
            raise InputError(
                f"{path}: refused, it names the class {name}; get it from its publisher"
            ) from error
        raise InputError(f"{path}: no torch checkpoint; check the path") from error
    except (RuntimeError, EOFError, OSError, KeyError, ValueError, struct.error) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"{path}: no whole checkpoint ({reason}); copy it again") from error
    if not isinstance(checkpoint, dict):
        raise InputError(f"{path}: holds a {type(checkpoint).__name__}, no checkpoint; check the path")
    return checkpoint
