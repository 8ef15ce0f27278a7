"""What two datasets share: photographs, textures, people, scenes. A test set must share none with training data."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ajahr.data.dataset import Dataset, open_dataset
from ajahr.errors import UserError

KINDS = ("photograph", "texture", "identity", "scene")
_SIDE = 64
_SAME_LEVELS = 10.0
"""Two pictures whose backgrounds differ less on average, in grey levels at `_SIDE` px, show one photograph."""


@dataclass(frozen=True)
class Overlap:
    """Names of what is shared, by `KINDS`; people and scenes are named by a picture of the first dataset."""

    shared: dict[str, list[str]]

    @property
    def none(self) -> bool:
        return not any(self.shared.values())


@dataclass(frozen=True)
class _Contents:
    """What is in a dataset: of each kind its names or fingerprints, and a picture that has it."""

    dataset: Dataset
    names: dict[str, dict[str, str]]
    prints: dict[str, tuple[np.ndarray, np.ndarray]]


def overlap(folder: str | Path, other: str | Path) -> Overlap:
    """What ``folder`` shares with ``other``.

    A person is known by their shape, which is drawn from a continuum; a scene by everybody's pose and place. A
    photograph that is in both under two sources' names is found by its file name and then its pixels.

    Raises:
        UserError: one is no finished dataset or is damaged, or both are the same folder.
    """
    if Path(folder).resolve() == Path(other).resolve():
        raise UserError(f"{other}: is the dataset itself; name another one")
    one, two = _contents(Path(folder)), _contents(Path(other))
    shared = {
        kind: sorted(one.names[kind].keys() & two.names[kind].keys()) for kind in ("photograph", "texture")
    }
    shared["photograph"] += _same_photographs(one, two)
    for kind in ("identity", "scene"):
        (prints, keys), (others, _) = one.prints[kind], two.prints[kind]
        both = np.isin(prints, others)
        shared[kind] = sorted(set(keys[both].tolist()))
    return Overlap(shared)


def _contents(folder: Path) -> _Contents:
    dataset = open_dataset(folder)
    names: dict[str, dict[str, str]] = {"photograph": {}, "texture": {}}
    rows: dict[str, list[np.ndarray]] = {"identity": [], "scene": []}
    keys: list[np.ndarray] = []
    for entry in dataset.manifest.shards:
        arrays = dataset.arrays(entry)
        for kind, column in (("photograph", "source_photo"), ("texture", "texture_id")):
            for name, key in zip(arrays[column].tolist(), arrays["key"].tolist(), strict=True):
                names[kind].setdefault(name, key)
        rows["identity"].append(_fingerprints(arrays["betas"]))
        rows["scene"].append(_fingerprints(np.concatenate([arrays["body_pose"], arrays["transl"]], axis=1)))
        keys.append(arrays["key"].astype(np.str_))
    where = np.concatenate([*keys, np.zeros(0, "<U1")])
    prints = {kind: (np.concatenate([*found, np.zeros(0, np.int64)]), where) for kind, found in rows.items()}
    return _Contents(dataset, names, prints)


def _fingerprints(rows: np.ndarray) -> np.ndarray:
    """Eight bytes a row; different rows have the same by a chance of one in 10^19."""
    found = [hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in np.ascontiguousarray(rows)]
    return np.frombuffer(b"".join(found), np.int64)


def _same_photographs(one: _Contents, two: _Contents) -> list[str]:
    """Photographs of one file name under different sources, whose backgrounds look alike."""
    by_stem: dict[str, list[str]] = {}
    for name in two.names["photograph"]:
        by_stem.setdefault(name.rpartition("/")[2], []).append(name)
    found = []
    for name, key in one.names["photograph"].items():
        for rival in by_stem.get(name.rpartition("/")[2], ()):
            if rival != name and _look_alike(one.dataset, key, two.dataset, two.names["photograph"][rival]):
                found.append(f"{name} (there {rival})")
    return sorted(found)


def _look_alike(one: Dataset, key: str, two: Dataset, other: str) -> bool:
    pictures, empty = [], np.ones((_SIDE, _SIDE), bool)
    for sample in (one[key], two[other]):
        image = cv2.resize(sample.image(), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
        pictures.append(image.astype(np.float32).mean(2))
        people = cv2.resize(
            (sample.mask() > 0).astype(np.float32), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA
        )
        empty &= cv2.dilate((people > 0).astype(np.uint8), np.ones((5, 5), np.uint8)) == 0
    if empty.sum() < _SIDE:
        return True  # the people fill both: the name has to do
    return float(np.abs(pictures[0] - pictures[1])[empty].mean()) < _SAME_LEVELS
