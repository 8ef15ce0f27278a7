"""ITW-amputee (``AJAHR_IDW``): HMR2's keys and ``labels``, AJAHR-Indices per person, several per person too."""

from __future__ import annotations

from pathlib import Path

from ajahr.data.hmr.samples import PeopleTable
from ajahr.data.readers.hmr2_npz import read_hmr2_npz
from ajahr.data.readers.npz_file import column_names
from ajahr.errors import UserError


def read_itw_amputee(path: str | Path, images: str | Path, *, name: str = "ITW-amputee") -> PeopleTable:
    """The people of the evaluation set. Upstream reads the first label only; all of them count here.

    Args:
        path: the .npz.
        images: ``AJAHR_IDW/Images``.
        name: of the dataset in keys.

    Raises:
        UserError: no ``labels``, or as `read_hmr2_npz`.
    """
    if "labels" not in column_names(path):
        raise UserError(f"{path}: no key 'labels' in it, which ITW-amputee has; is this the right file?")
    return read_hmr2_npz(path, images, name=name, body_3d=True, trusted_3d=True)
