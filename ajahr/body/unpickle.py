"""Arrays out of a pickle without running it: for SMPL's files, Python 2's and Python 3's. No torch.

A pickle names callables and calls them. Here the names on a short list stand for inert recorders written in
this file, and every other name is refused, so reading imports nothing and calls nothing that is not below.
Not even numpy's own reconstruction is used, because a forged dtype state can make it take bytes for pointers.
chumpy and scipy need not be installed.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from ajahr.errors import UserError

_PLAIN_KINDS = "biuf"


class _Inert:
    """Takes whatever a pickle gives it and does nothing with it."""

    args: tuple[Any, ...]
    state: Any

    def __new__(cls, *args: Any) -> Any:
        self = super().__new__(cls)
        self.args = args
        self.state = None
        return self

    def __init__(self, *args: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def resolve(self) -> np.ndarray:
        raise _NotPlain("a Python object")


class _Object(_Inert):
    """``builtins.object``, the base that old protocols name."""


class _Dtype(_Inert):
    def resolve(self) -> np.dtype:
        code, state = self.args[0], self.state or ()
        dtype = np.dtype(code) if isinstance(code, str) and len(code) <= 4 else np.dtype(object)
        if dtype.kind not in _PLAIN_KINDS:
            raise _NotPlain(f"an array of type {code!r}")
        order = state[1] if len(state) > 1 else "="
        return dtype.newbyteorder(">") if order == ">" else dtype


class _Array(_Inert):
    """``numpy.ndarray``: state is (version, shape, dtype, is Fortran order, bytes or a list of objects)."""

    def resolve(self) -> np.ndarray:
        shape, dtype, fortran, raw = self.state[-4:]
        if isinstance(raw, list):
            raise _NotPlain("an array of Python objects")
        return _from_bytes(raw, dtype, shape, "F" if fortran else "C")


class _Sparse(_Inert):
    """A scipy.sparse matrix: its state is the attribute dictionary; `layout` is csc, csr or coo."""

    layout = ""

    def resolve(self) -> np.ndarray:
        state = {key: resolve(value) for key, value in self.state.items()}
        shape = tuple(int(n) for n in (state["_shape"] if "_shape" in state else state["shape"]))
        dense = np.zeros(shape)
        if self.layout == "coo":
            rows, columns = state["coords"] if "coords" in state else (state["row"], state["col"])
        else:
            major = np.repeat(np.arange(len(state["indptr"]) - 1), np.diff(state["indptr"]))
            rows, columns = (state["indices"], major) if self.layout == "csc" else (major, state["indices"])
        np.add.at(dense, (rows, columns), state["data"])
        return dense


class _Csc(_Sparse):
    layout = "csc"


class _Csr(_Sparse):
    layout = "csr"


class _Coo(_Sparse):
    layout = "coo"


class _Chumpy(_Inert):
    """A chumpy object: ``Ch`` holds its array as ``x``; ``Select`` picks elements of another one."""

    def resolve(self) -> np.ndarray:
        state = self.state if isinstance(self.state, dict) else {}
        if "x" in state:
            return np.asarray(resolve(state["x"]))
        if {"a", "idxs"} <= state.keys():
            picked = np.asarray(resolve(state["a"])).ravel()[np.asarray(resolve(state["idxs"]))]
            shape = resolve(state.get("preferred_shape"))
            return picked if shape is None else picked.reshape(shape)
        raise _NotPlain("a chumpy expression")


class _NotPlain(Exception):
    """Something that is no plain array stands where an array is wanted."""


class _Call:
    """A name that a pickle calls, bound to a function of this file. Its state cannot be set."""

    __slots__ = ("_function",)

    def __init__(self, function) -> None:
        self._function = function

    def __call__(self, *args: Any) -> Any:
        return self._function(*args)

    def __setstate__(self, state: Any) -> NoReturn:
        raise pickle.UnpicklingError("a function has no state")


def _from_bytes(raw: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    if not isinstance(dtype, _Dtype):
        raise pickle.UnpicklingError("an array without a dtype")
    # Python 2 strings arrive decoded as latin1, which maps bytes to characters one to one
    data = raw.encode("latin1") if isinstance(raw, str) else bytes(raw)
    shape = tuple(int(n) for n in shape)
    return np.frombuffer(data, dtype.resolve()).reshape(shape, order="F" if order == "F" else "C")


def _reconstruct_array(*args: Any) -> _Array:
    return _Array()  # what matters follows as its state


def _reconstructor(cls: Any, *args: Any) -> _Inert:
    if not (isinstance(cls, type) and issubclass(cls, _Inert)):
        raise pickle.UnpicklingError("copy_reg._reconstructor of something unknown")
    return cls()


def _encode(text: str, encoding: str = "latin1") -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"the codec {encoding!r}")
    return text.encode("latin1")


def _scalar(dtype: Any, raw: Any = b"") -> np.ndarray:
    return _from_bytes(raw, dtype, (), "C")


class _FromBuffer(_Inert):
    """``numpy._core.numeric._frombuffer(buffer, dtype, shape, order)``, pickle protocol 5."""

    def resolve(self) -> np.ndarray:
        return _from_bytes(*self.args)


_ALLOWED: dict[str, Any] = {
    "numpy.ndarray": _Array,
    "numpy.dtype": _Dtype,
    "_codecs.encode": _Call(_encode),
}
for _core in ("numpy.core", "numpy._core"):
    _ALLOWED[f"{_core}.multiarray._reconstruct"] = _Call(_reconstruct_array)
    _ALLOWED[f"{_core}.multiarray.scalar"] = _Call(_scalar)
    _ALLOWED[f"{_core}.numeric._frombuffer"] = _FromBuffer
for _module in ("copy_reg", "copyreg"):
    _ALLOWED[f"{_module}._reconstructor"] = _Call(_reconstructor)
for _module in ("__builtin__", "builtins"):
    _ALLOWED[f"{_module}.object"] = _Object
    _ALLOWED[f"{_module}.bytes"] = _Call(lambda: b"")  # Python 3 writes empty bytes so in old protocols
for _layout, _class in (("csc", _Csc), ("csr", _Csr), ("coo", _Coo)):
    for _module in (_layout, f"_{_layout}"):  # scipy renamed its modules in 1.8
        for _kind in ("matrix", "array"):
            _ALLOWED[f"scipy.sparse.{_module}.{_layout}_{_kind}"] = _class


class _Reader(pickle.Unpickler):
    def __init__(self, file: Any, path: Path) -> None:
        super().__init__(file, encoding="latin1")
        self._path = path

    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}"
        if module == "chumpy" or module.startswith("chumpy."):
            return _Chumpy
        if full not in _ALLOWED:
            raise UserError(
                f"{self._path} names {full}, which no body file needs, so it was not read; "
                "get the file again from its publisher"
            )
        return _ALLOWED[full]


def read_pickle(path: Path) -> Any:
    """What a pickle holds, its arrays not yet built: pass the parts you need to `resolve`.

    Raises:
        UserError: the file names a class outside the list, is cut off, or is no pickle.
    """
    with path.open("rb") as file:
        try:
            return _Reader(file, path).load()
        except UserError:
            raise
        except Exception as error:  # a broken pickle can fail in any way
            raise UserError(
                f"{path} is not a whole pickle ({type(error).__name__}: {error}); get the file again"
            ) from error


def resolve(value: Any) -> Any:
    """The plain value of something `read_pickle` returned: arrays from recorders, anything else as it is.

    Raises:
        ValueError: it is no plain numeric array; the message says what it is instead.
    """
    try:
        if isinstance(value, _Inert):
            return value.resolve()
        if isinstance(value, (tuple, list)):
            return type(value)(resolve(v) for v in value)
        return value
    except _NotPlain as error:
        raise ValueError(str(error)) from None
    except Exception as error:  # a forged state can fail in any way
        raise ValueError(f"an array that does not add up ({type(error).__name__}: {error})") from error
