"""Limb levels out of annotation files, in whatever form they are there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int8

from ajahr.anatomy import (
    INTACT_INDEX,
    NUM_CLASSES,
    NUM_LEVELS,
    NUM_LIMBS,
    from_ajahr_index,
    indices_to_levels,
)
from ajahr.data.hmr.samples import UNKNOWN_LEVEL
from ajahr.errors import UserError

LABEL_COLUMNS = ("limb_levels", "ajahr_conf", "labels")
_NAME_LABEL = re.compile(r"amp_(\d+)")
_LIMB_OF = np.array([limb for i in range(NUM_CLASSES) for limb, _ in [from_ajahr_index(i) or (0, 0)]])
_LEVEL_OF = np.array([level for i in range(NUM_CLASSES) for _, level in [from_ajahr_index(i) or (0, 0)]])


def limb_labels(
    columns: dict[str, np.ndarray], names: Sequence[str], path: Path
) -> Int8[np.ndarray, "people limbs=4"]:
    """Levels of everybody in a file; -1 where it does not say.

    Read are, the first that is there: ``limb_levels`` (N, 4); ``ajahr_conf`` (N, 12), several hot; ``labels``,
    AJAHR-Indices per person, 12 intact; ``amp_<index>`` in the pictures' names, as A3D's README has it, names
    without it being intact people of such a file. A file with none of these says nothing.

    Raises:
        UserError: a value outside its range, or two levels for one limb; it names the person.
    """
    count = len(names)
    if "limb_levels" in columns:
        levels = columns["limb_levels"]
        if levels.shape != (count, NUM_LIMBS) or levels.dtype.kind not in "iu":
            raise UserError(
                f"{path}: limb_levels is {levels.dtype} {levels.shape}, expected whole numbers (N, 4)"
            )
        _check(
            (levels >= UNKNOWN_LEVEL) & (levels < NUM_LEVELS),
            levels,
            "limb_levels are 0..3, or -1",
            names,
            path,
        )
        return levels.astype(np.int8)
    if "ajahr_conf" in columns:
        hot = columns["ajahr_conf"]
        if hot.size != count * NUM_CLASSES or hot.dtype.kind not in "biuf":
            raise UserError(f"{path}: ajahr_conf is {hot.dtype} {hot.shape}, expected numbers (N, 12)")
        hot = hot.reshape(count, NUM_CLASSES)
        _check((hot == 0) | (hot == 1), hot, "ajahr_conf is 0 or 1", names, path)
        return _levels_of(hot > 0, names, path)
    if "labels" in columns:
        return _from_indices([np.asarray(row).reshape(-1).tolist() for row in columns["labels"]], names, path)
    found = [_NAME_LABEL.search(name) for name in names]
    if any(found):
        return _from_indices([[int(match[1]) if match else INTACT_INDEX] for match in found], names, path)
    return np.full((count, NUM_LIMBS), UNKNOWN_LEVEL, np.int8)


def _check(good: np.ndarray, values: np.ndarray, what: str, names: Sequence[str], path: Path) -> None:
    if not good.all():
        person, column = np.argwhere(~good)[0]
        raise UserError(f"{path}: {what}, but {names[person]} has {values[person, column]}; fix the label")


def _levels_of(hot: np.ndarray, names: Sequence[str], path: Path) -> np.ndarray:
    """(N, 12) bool, several hot, to levels."""
    levels = np.zeros((len(hot), NUM_LIMBS), np.int8)
    per_limb = np.stack([hot[:, limb == _LIMB_OF].sum(1) for limb in range(NUM_LIMBS)], 1)
    _check(per_limb <= 1, per_limb, "a limb ends once", names, path)
    for index in range(NUM_CLASSES):
        levels[hot[:, index], _LIMB_OF[index]] = _LEVEL_OF[index]
    return levels


def _from_indices(rows: Sequence[Sequence[float | int]], names: Sequence[str], path: Path) -> np.ndarray:
    levels = np.zeros((len(rows), NUM_LIMBS), np.int8)
    if len(rows) != len(names):
        raise UserError(f"{path}: {len(rows)} labels for {len(names)} people")
    known: dict[tuple[float | int, ...], tuple[int, ...]] = {}
    for number, row in enumerate(rows):
        key = tuple(row)
        if key not in known:
            try:
                if any(index != int(index) for index in key):
                    raise ValueError(f"an AJAHR-Index is a whole number, got {key}")
                known[key] = indices_to_levels(int(index) for index in key)
            except (ValueError, TypeError) as error:
                raise UserError(f"{path}: label of {names[number]}: {error}; fix the label") from None
        levels[number] = known[key]
    return levels
