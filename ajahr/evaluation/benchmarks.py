"""Benchmarks on disk: found, read, and checked against their protocol before a model sees them.

benchmark = open_benchmark("3dpw=data/3DPW", bodies="models/smpl")
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from ajahr.anatomy import absent_joint_mask
from ajahr.data.hmr.samples import PeopleTable
from ajahr.data.readers.a3d import EVALUATION, find_a3d, read_a3d
from ajahr.data.readers.emdb import read_emdb
from ajahr.data.readers.hmr2_npz import read_hmr2_npz
from ajahr.data.readers.itw_amputee import read_itw_amputee
from ajahr.data.readers.npz_file import numbers, read_columns
from ajahr.data.readers.shards import read_shards
from ajahr.data.readers.threedoh50k import read_3doh50k
from ajahr.data.readers.threedpw import read_3dpw
from ajahr.errors import UserError
from ajahr.evaluation.protocols import PROTOCOLS, Benchmark, Protocol


@dataclass(frozen=True, eq=False)
class Dataset:
    """People to measure a model on."""

    label: str
    """Of columns and files."""
    protocol: Protocol
    tables: tuple[PeopleTable, ...]
    box_sides: Float[np.ndarray, " people"]
    """Longer side of each one's box, px, for PCK."""
    notes: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.box_sides)

    def column(self, name: str) -> np.ndarray:
        """A label of everybody, tables one after the other."""
        return np.concatenate([table.rows[name] for table in self.tables])

    @property
    def keys(self) -> list[str]:
        return [table.key(i) for table in self.tables for i in range(len(table))]

    @property
    def clusters(self) -> list[str]:
        """What each person is drawn together with in a bootstrap (`Protocol.resample`)."""
        if self.protocol.resample == "person":
            return self.keys
        images = [f"{t.name}/{image.decode()}" for t in self.tables for image in t.rows["image"]]
        if self.protocol.resample == "picture":
            return images
        return [image.rpartition("/")[0] for image in images]

    def limited(self, people: int | None) -> Dataset:
        """At most so many people, spread evenly."""
        if people is None or len(self) <= people:
            return self
        chosen = np.linspace(0, len(self) - 1, people).astype(int)
        tables, start = [], 0
        for table in self.tables:
            mine = chosen[(chosen >= start) & (chosen < start + len(table))] - start
            start += len(table)
            if len(mine):
                tables.append(table.subset(mine))
        note = f"{people} of {len(self)} people, spread evenly: not the benchmark's number"
        return Dataset(self.label, self.protocol, tuple(tables), self.box_sides[chosen], (*self.notes, note))


def open_benchmark(
    text: str,
    *,
    images: str | Path | None = None,
    bodies: str | Path | None = None,
    splits: Sequence[str] = (),
    limit: int | None = None,
) -> Dataset:
    """A dataset as a command names it.

    Args:
        text: BENCHMARK=PATH, or BENCHMARK:LABEL=PATH where one benchmark is evaluated on several sets.
        images: What picture names are relative to, where it is not beside the annotations.
        bodies: SMPL's folder, for files that have parameters and no 3D joints.
        splits: Of shards; empty: everybody.
        limit: People, spread evenly.

    Raises:
        UserError: no such benchmark or file, an empty split, joints or labels that the protocol needs and that
            are not there.
    """
    protocol, label, path = parse_dataset(text)
    if not path.exists():
        raise UserError(f"{path}: no such file or folder; give {protocol.name}=PATH")
    tables = [t for t in _READERS[protocol.name](path, images, bodies, splits) if len(t)]
    if not tables:
        where = f" in the split {', '.join(splits)}" if splits else ""
        raise UserError(f"{path}: nobody{where}; an empty set has no error to report")
    sides = np.concatenate([_box_sides(path, table) for table in tables])
    left_out = [
        f"{table.name}: {count} left out ({reason.replace('_', ' ')})"
        for table in tables
        for reason, count in table.dropped.items()
        if count
    ]
    dataset = Dataset(label, protocol, tuple(tables), sides, tuple(left_out))
    check_labels(dataset)
    return dataset.limited(limit)


def parse_dataset(text: str) -> tuple[Protocol, str, Path]:
    """Protocol, label and path of BENCHMARK[:LABEL]=PATH."""
    names, equals, path = text.partition("=")
    name, _, label = names.partition(":")
    if not equals or not path:
        raise UserError(f"'{text}' is no BENCHMARK=PATH; benchmarks are {', '.join(PROTOCOLS)}")
    found: Mapping[str, Protocol] = {str(key): value for key, value in PROTOCOLS.items()}
    if name not in found:
        close = difflib.get_close_matches(name, found, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(found)}"
        raise UserError(f"'{name}' is no benchmark; {hint}")
    return found[name], label or name, Path(path)


def check_labels(dataset: Dataset) -> None:
    """Refuse a dataset that its protocol cannot measure.

    Raises:
        UserError: limb labels missing, joints the protocol counts that nobody has, no body to compare meshes with.
    """
    protocol = dataset.protocol
    unknown = (dataset.column("levels") < 0).any(1)
    if protocol.needs_limb_labels and unknown.any():
        raise UserError(
            f"{dataset.label}: {int(unknown.sum())} of {len(dataset)} people have no limb labels, the first "
            f"{dataset.keys[int(unknown.argmax())]}; {protocol.title} is measured with them: label or drop them"
        )
    if protocol.true_joints == "labels" and protocol.pelvis:
        seen = np.asarray((dataset.column("keypoints_3d")[..., 3] > 0).any(0))
        _require(dataset, seen[[*protocol.joint_rows, *protocol.pelvis_rows]], "3D")
    if protocol.pck_at:
        seen = (dataset.column("keypoints_2d")[:, protocol.joint_rows, 2] > 0).any(0)
        _require(dataset, np.asarray(seen), "2D")
    if protocol.true_joints == "mesh" and not has_body(dataset).any():
        raise UserError(
            f"{dataset.label}: nobody in it has both pose and betas, which {protocol.title}'s joints are made of; "
            "give a file with them"
        )


def _require(dataset: Dataset, there: Bool[np.ndarray, " joints"], kind: str) -> None:
    if there.all():
        return
    protocol = dataset.protocol
    names = [*protocol.joints, *protocol.pelvis]
    missing = [names[i] for i in np.flatnonzero(~there).tolist()]
    if len(missing) == len(there) and kind == "3D":
        raise UserError(
            f"{dataset.label}: nobody has 3D joints; give --bodies with SMPL's folder to make them from the "
            "parameters, or a file that has them"
        )
    raise UserError(
        f"{dataset.label}: other joints than the protocol: nobody has a {kind} label of {', '.join(missing)}; "
        f"give {protocol.title}'s own file"
    )


def has_body(dataset: Dataset) -> Bool[np.ndarray, " people"]:
    """People whose pose and betas are labelled; poses of lost joints need not be."""
    lost = absent_joint_mask(np.maximum(dataset.column("levels"), 0).astype(np.int64))
    return (dataset.column("has_pose") | lost).all(1) & dataset.column("has_betas")


# --------------------------------------------------------------------------------------------- readers


def _a3d(path: Path, images: str | Path | None, bodies: object, splits: object) -> list[PeopleTable]:
    parts = {file.part for file in find_a3d(path)}
    chosen = [part for part in EVALUATION if part in parts]
    if not chosen:
        raise UserError(f"{path}: no {' or '.join(EVALUATION)} in it, the parts A3D is evaluated on")
    return list(read_a3d(path, chosen).values())


def _itw_amputee(path: Path, images: str | Path | None, bodies: object, splits: object) -> list[PeopleTable]:
    file = _one_npz(path)
    return [read_itw_amputee(file, images or _pictures_beside(file))]


def _3dpw(path: Path, images: str | Path | None, bodies: str | Path | None, s: object) -> list[PeopleTable]:
    sequences = path / "sequenceFiles" / "test"
    if path.is_dir() and not sequences.is_dir():
        found = sorted(path.glob("*3dpw_test*.npz"))
        sequences = found[0] if found else path
    source = sequences if path.is_dir() else path
    root = path if path.is_dir() else path.parent
    return [read_3dpw(source, images or root, bodies=bodies)]


def _emdb(path: Path, images: str | Path | None, bodies: str | Path | None, s: object) -> list[PeopleTable]:
    return [read_emdb(path, images, bodies=bodies, part="emdb1")]


def _3doh50k(
    path: Path, images: str | Path | None, bodies: str | Path | None, s: object
) -> list[PeopleTable]:
    places = (path, path / "testset" / "annots.json", path / "annots.json")
    file = next((place for place in places if place.is_file()), None)
    if file is None:
        raise UserError(f"{path}: no testset/annots.json in it; give 3DOH50K's folder or that file")
    return [read_3doh50k(file, images, bodies=bodies)]


def _h36m(path: Path, images: str | Path | None, bodies: object, s: object) -> list[PeopleTable]:
    file = _one_npz(path, "*h36m_val_p2*.npz")
    return [read_hmr2_npz(file, images or file.parent, name="H36M-P2", trusted_3d=True, limbs="intact")]


def _coco(path: Path, images: str | Path | None, bodies: object, s: object) -> list[PeopleTable]:
    file = _one_npz(path, "*coco_val*.npz")
    return [read_hmr2_npz(file, images or file.parent, name="COCO-val")]


def _shards(path: Path, images: object, bodies: object, splits: Sequence[str]) -> list[PeopleTable]:
    return [read_shards(path, splits=splits)]


_READERS: dict[Benchmark, Callable[..., list[PeopleTable]]] = {
    "a3d": _a3d, "itw_amputee": _itw_amputee, "3dpw": _3dpw, "emdb1": _emdb, "3doh50k": _3doh50k,
    "h36m_p2": _h36m, "coco": _coco, "shards": _shards,
}  # fmt: skip


def _one_npz(path: Path, pattern: str = "*.npz") -> Path:
    if path.is_file():
        return path
    found = sorted(path.rglob(pattern))
    if len(found) != 1:
        what = "no" if not found else f"{len(found)}"
        raise UserError(f"{path}: {what} {pattern} in it; give the annotation file itself")
    return found[0]


def _pictures_beside(file: Path) -> Path:
    places = (file.parent / "Images", file.parent.parent / "Images")
    return next((place for place in places if place.is_dir()), file.parent)


def _box_sides(path: Path, table: PeopleTable) -> np.ndarray:
    """As the file has them; of the square crop where it was not kept: a box of 3:4 has that side."""
    if table.name == "COCO-val":
        file = _one_npz(path, "*coco_val*.npz")
        scale = read_columns(file, ("scale",))
        count = len(table)
        return numbers(scale, "scale", (count, scale["scale"].size // count), file).max(1).astype(np.float64)
    return table.rows["side"].astype(np.float64)
