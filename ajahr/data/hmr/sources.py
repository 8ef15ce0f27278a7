"""Datasets by configuration: one entry per dataset, as lists of them stand in ``configs/hmr/data``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ajahr.data.hmr.samples import LimbsOf, PeopleTable
from ajahr.data.readers.a3d_people import read_a3d_people
from ajahr.data.readers.bedlam_tars import read_bedlam_tars
from ajahr.data.readers.emdb import read_emdb
from ajahr.data.readers.hmr2_npz import read_hmr2_npz
from ajahr.data.readers.hmr2_tars import Hmr2Filters, read_hmr2_tars
from ajahr.data.readers.itw_amputee import read_itw_amputee
from ajahr.data.readers.shards import read_shards
from ajahr.data.readers.threedoh50k import read_3doh50k
from ajahr.data.readers.threedpw import read_3dpw
from ajahr.errors import UserError

Kind = Literal["shards", "a3d", "itw_amputee", "hmr2_npz", "hmr2_tars", "bedlam", "3dpw", "emdb", "3doh50k"]


@dataclass(frozen=True)
class PeopleSource:
    """One dataset."""

    kind: Kind
    """Format of its files."""
    path: str
    """Annotation file, folder, or pattern of tars such as ``mpii-train/{000000..000009}.tar``; below the data
    root unless absolute."""
    images: str | None = None
    """Folder its picture names are relative to, where the format keeps pictures apart; below the data root."""
    name: str = ""
    """In keys, logs and indices; from the path when empty."""
    weight: float = 1.0
    """Among the datasets of its side of the mixture."""
    limbs: LimbsOf = "labels"
    """``intact``: its people without a label are known to have all limbs. ``labels``: they stay unknown."""
    trusted_3d: bool = False
    """For ``hmr2_npz`` and ``hmr2_tars``: labels are motion capture or rendered (H36M), never loosened."""
    splits: tuple[str, ...] = ()
    """For ``shards``: only these splits."""
    body: str | None = None
    """SMPL file or folder for ``bedlam`` (neutral) and for sequence files of ``3dpw``, ``emdb``, ``3doh50k``."""
    filters: Hmr2Filters = field(default_factory=Hmr2Filters)
    """For ``hmr2_tars``."""

    def open(
        self, root: str | Path = ".", *, cache: str | Path | None = None, processes: int = 1
    ) -> PeopleTable:
        """Its people.

        Args:
            root: the data root.
            cache: folder of indices of tars (`ajahr.data.hmr.table_cache`).
            processes: that make an index.

        Raises:
            UserError: a file is missing, damaged or of another kind.
        """
        path, name = str(Path(root) / self.path), self.name or Path(self.path).stem
        images = Path(root) / self.images if self.images is not None else None
        body = None if self.body is None else Path(root) / self.body
        match self.kind:
            case "shards":
                return read_shards(path, name=name, splits=self.splits)
            case "hmr2_tars":
                return read_hmr2_tars(
                    self.path, root=root, name=name, filters=self.filters, trusted_3d=self.trusted_3d,
                    limbs=self.limbs, cache=cache, processes=processes,
                )  # fmt: skip
            case "bedlam":
                return read_bedlam_tars(path, body=body, name=name, cache=cache, processes=processes)
            case "emdb":
                return read_emdb(path, images, bodies=body, name=name)
            case "3doh50k":
                return read_3doh50k(path, images, bodies=body, name=name)
        if images is None:
            raise UserError(
                f"{self.kind} {self.path}: its pictures are in a folder of their own; give images"
            )
        match self.kind:
            case "a3d":
                return read_a3d_people(path, images, name=name)
            case "itw_amputee":
                return read_itw_amputee(path, images, name=name)
            case "3dpw":
                return read_3dpw(path, images, bodies=body, name=name)
            case _:
                return read_hmr2_npz(path, images, name=name, trusted_3d=self.trusted_3d, limbs=self.limbs)


def open_sources(
    sources: Sequence[PeopleSource],
    root: str | Path = ".",
    *,
    cache: str | Path | None = None,
    processes: int = 1,
) -> list[PeopleTable]:
    """Every dataset, in order. UserError if none is given, or two have one name: keys would not tell them apart."""
    if not sources:
        raise UserError("no dataset is configured; list at least one under sources")
    tables = [source.open(root, cache=cache, processes=processes) for source in sources]
    names = [table.name for table in tables]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"two datasets are called {twice}; give each a name of its own")
    return tables
