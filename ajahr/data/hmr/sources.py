"""Which reader makes people out of which kind of files: the names configurations use."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Literal

from ajahr.data.hmr.samples import PeopleTable

Reader = Literal[
    "shards", "a3d", "itw_amputee", "hmr2_npz", "hmr2_tars", "bedlam_tars", "3dpw", "emdb", "3doh50k"
]
READERS: dict[Reader, str] = {
    "shards": "ajahr.data.readers.shards:read_shards",
    "a3d": "ajahr.data.readers.a3d_people:read_a3d_people",
    "itw_amputee": "ajahr.data.readers.itw_amputee:read_itw_amputee",
    "hmr2_npz": "ajahr.data.readers.hmr2_npz:read_hmr2_npz",
    "hmr2_tars": "ajahr.data.readers.hmr2_tars:read_hmr2_tars",
    "bedlam_tars": "ajahr.data.readers.bedlam_tars:read_bedlam_tars",
    "3dpw": "ajahr.data.readers.threedpw:read_3dpw",
    "emdb": "ajahr.data.readers.emdb:read_emdb",
    "3doh50k": "ajahr.data.readers.threedoh50k:read_3doh50k",
}
"""Reader to its function, as ``module:function``; imported when asked for."""


def reader_function(reader: Reader) -> Callable[..., PeopleTable]:
    """The function of a reader; its arguments are what a configuration gives under ``arguments``."""
    module, name = READERS[reader].split(":")
    return getattr(importlib.import_module(module), name)
