"""Strict reading of JSON objects: every complaint names the file and the key. And rounding before they are written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from ajahr.errors import UserError

SCHEMA_VERSION = 3
"""Of everything in a dataset folder: records, shard notes, dataset.json. Version 2 added `hard_cases` and
`prosthesis` of every person, version 3 `residual_limbs`."""
READABLE_VERSIONS = (1, 2, 3)
DECIMALS = {"px": 3, "m": 6, "rad": 6, "betas": 6, "focal": 4, "share": 6, "mm": 2, "ml": 2}


def rounded(values: Any, unit: str) -> Any:
    """A number or nested lists of numbers with the decimals of their unit; ValueError if one is not finite."""
    array = np.asarray(values, np.float64)
    if not np.isfinite(array).all():
        raise ValueError("a record holds finite numbers only")
    return (np.round(array, DECIMALS[unit]) + 0.0).tolist()  # + 0.0 turns -0.0 into 0.0


def parse_json(data: bytes, where: str) -> Any:
    """The JSON value in ``data``; `UserError` naming ``where`` if it is none."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise UserError(f"{where}: not JSON ({str(error).splitlines()[0]}); remake this file") from None


def _is_one_of(value: Any, kinds: tuple[type, ...]) -> bool:
    """Like isinstance, but a bool is no int, and an int will do for a float."""
    if isinstance(value, bool):
        return bool in kinds
    return isinstance(value, (*kinds, int) if float in kinds else kinds)


def _names(kinds: tuple[type, ...]) -> str:
    return " or ".join("null" if kind is type(None) else kind.__name__ for kind in kinds)


class FieldReader:
    """Takes the keys out of one JSON object, each once, and complains with the place about what is wrong."""

    def __init__(self, tree: Any, where: str) -> None:
        if not isinstance(tree, dict):
            raise UserError(f"{where}: expected an object, found {type(tree).__name__}; remake this file")
        self._tree, self.where = dict(tree), where

    def fail(self, key: str, problem: str) -> UserError:
        return UserError(f"{self.where}: key '{key}' {problem}; remake this file")

    def has(self, key: str) -> bool:
        """Whether the key is there and not taken."""
        return key in self._tree

    def take(self, key: str, *kinds: type) -> Any:
        """The value of ``key``, of one of ``kinds``."""
        if key not in self._tree:
            raise self.fail(key, "is missing")
        value = self._tree.pop(key)
        if not _is_one_of(value, kinds):
            raise self.fail(key, f"is {json.dumps(value)[:40]}, expected {_names(kinds)}")
        return value

    def take_list(self, key: str, length: int | None, *kinds: type) -> list[Any]:
        """A list of ``length`` values of ``kinds``, of any length with None."""
        values = self.take(key, list)
        if length is not None and len(values) != length:
            raise self.fail(key, f"has {len(values)} entries, expected {length}")
        for value in values:
            if not _is_one_of(value, kinds):
                raise self.fail(key, f"holds {json.dumps(value)[:40]}, expected {_names(kinds)}")
        return values

    def take_array(self, key: str, shape: tuple[int, ...]) -> np.ndarray:
        """A float64 array of ``shape`` with finite values."""
        values = self.take(key, list)
        try:
            array = np.array(values, np.float64)
        except (TypeError, ValueError):
            raise self.fail(key, "is not an array of numbers") from None
        if array.shape != shape:
            raise self.fail(key, f"has shape {array.shape}, expected {shape}")
        if not np.isfinite(array).all():
            raise self.fail(key, "holds numbers that are not finite")
        return array

    def take_choice(self, key: str, choices: Sequence[str]) -> str:
        value = self.take(key, str)
        if value not in choices:
            raise self.fail(key, f"is '{value}', expected one of {', '.join(choices)}")
        return value

    def take_version(self) -> int:
        """``schema_version``, which must be one this code reads."""
        version = self.take("schema_version", int)
        if version not in READABLE_VERSIONS:
            raise UserError(
                f"{self.where}: schema version {version} is not one this ajahr reads "
                f"({', '.join(map(str, READABLE_VERSIONS))}); install the ajahr that made it, or remake it"
            )
        return version

    def object(self, key: str) -> FieldReader:
        return FieldReader(self.take(key, dict), f"{self.where}: {key}")

    def done(self) -> None:
        """Every key has been taken; any other is an error."""
        if self._tree:
            raise self.fail(next(iter(self._tree)), "is not in the schema")
