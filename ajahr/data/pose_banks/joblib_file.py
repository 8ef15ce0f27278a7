"""Arrays out of a joblib file (MOYO's .pkl) without running it and without joblib.

joblib writes a pickle in which an array is a ``NumpyArrayWrapper`` followed by the array's bytes. The names a
file may use are those of `ajahr.body.unpickle` and that wrapper; any other is refused.
"""

from __future__ import annotations

import math
import pickle
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np

from ajahr.body import unpickle
from ajahr.errors import UserError

_WRAPPER = ("joblib.numpy_pickle", "NumpyArrayWrapper")


class _Wrapper:
    """State of joblib's wrapper: shape, order, dtype, perhaps the alignment of the bytes that follow."""

    shape: Any
    order: Any
    dtype: Any
    numpy_array_alignment_bytes: Any = None

    def __setstate__(self, state: Any) -> None:
        self.shape, self.order, self.dtype = state["shape"], state["order"], state["dtype"]
        self.numpy_array_alignment_bytes = state.get("numpy_array_alignment_bytes")

    def read(self, file: BinaryIO) -> np.ndarray:
        dtype = self.dtype.resolve()
        if self.numpy_array_alignment_bytes is not None:
            file.read(file.read(1)[0])  # a byte that says how many bytes of padding follow
        size = math.prod(int(n) for n in self.shape) * dtype.itemsize
        raw = file.read(size)
        if len(raw) != size:
            raise EOFError("an array is cut off")
        order = "F" if self.order == "F" else "C"
        return np.frombuffer(raw, dtype).reshape([int(n) for n in self.shape], order=order)


_Base: Any = pickle._Unpickler  # pyright: ignore[reportAttributeAccessIssue]
"""The unpickler written in Python: its opcodes can be watched."""


class _Reader(_Base):
    def __init__(self, file: BinaryIO, path: Path) -> None:
        super().__init__(file, encoding="latin1")
        self._file, self._path = file, path

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == _WRAPPER:
            return _Wrapper
        allowed = unpickle._ALLOWED.get(f"{module}.{name}")
        if allowed is None:
            raise UserError(
                f"{self._path} names {module}.{name}, which no pose file needs, so it was not read; "
                "get the file again from its publisher"
            )
        return allowed

    def load_build(self) -> None:
        super().load_build()
        if isinstance(self.stack[-1], _Wrapper):
            self.stack[-1] = self.stack[-1].read(self._file)

    dispatch: ClassVar[dict[int, Any]] = {**_Base.dispatch, pickle.BUILD[0]: load_build}


def read_joblib(path: str | Path) -> dict[str, Any]:
    """The dict a joblib file or a plain pickle holds, arrays as arrays.

    Raises:
        UserError: missing, truncated or compressed file, no dict, or a name outside the list.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            found = _Reader(file, path).load()
        if not isinstance(found, dict):
            raise ValueError(f"it holds a {type(found).__name__}, not a dict")
        return {key: unpickle.resolve(value) for key, value in found.items()}
    except UserError:
        raise
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; check the path") from None
    except Exception as error:  # a broken pickle can fail in any way
        raise UserError(
            f"{path}: no whole, uncompressed joblib file ({type(error).__name__}: {error}); get it again, or "
            "save its arrays as .npz"
        ) from error
