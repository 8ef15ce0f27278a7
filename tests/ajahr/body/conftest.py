"""Bodies and files to read: the embedded one, a random one of SMPL's size, pickles as Python 2 wrote them."""

from __future__ import annotations

import io
import json
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import scipy.sparse

from ajahr.anatomy import NUM_JOINTS, PARENTS
from ajahr.body.data import BodyData, load_body


class Chumpy:
    """Pickles as chumpy's Ch does: a class name and the attribute dictionary."""

    def __init__(self, x: np.ndarray) -> None:
        self.x = x


class ChumpySelect:
    """Pickles as ``some_ch[..., :n]``: another Ch, flat indices and a shape."""

    def __init__(self, a: Chumpy, idxs: np.ndarray, preferred_shape: tuple[int, ...]) -> None:
        self.a, self.idxs, self.preferred_shape = a, idxs, preferred_shape


_OLD_NAMES = {
    (Chumpy.__module__, "Chumpy"): ("chumpy.ch", "Ch"),
    (ChumpySelect.__module__, "ChumpySelect"): ("chumpy.reordering", "Select"),
    ("scipy.sparse._csc", "csc_matrix"): ("scipy.sparse.csc", "csc_matrix"),
    ("numpy._core.multiarray", "_reconstruct"): ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"): ("numpy.core.multiarray", "scalar"),
}


class Python2Pickler(pickle._Pickler):
    """Protocol 2 with Python 2's strings and module names, as SMPL's published files have them."""

    dispatch: ClassVar[dict] = dict(pickle._Pickler.dispatch)

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=2)

    def _save_string(self, text: str | bytes) -> None:
        raw = text.encode("latin1") if isinstance(text, str) else text
        self.write(b"T" + struct.pack("<i", len(raw)) + raw)
        self.memoize(text)

    dispatch[str] = _save_string
    dispatch[bytes] = _save_string

    def save_global(self, obj, name=None) -> None:
        module, name = obj.__module__, name or obj.__qualname__
        module, name = _OLD_NAMES.get((module, name), (module, name))
        module = {"builtins": "__builtin__", "copyreg": "copy_reg"}.get(module, module)
        self.write(b"c" + f"{module}\n{name}\n".encode())
        self.memoize(obj)

    dispatch[type] = save_global
    dispatch[type(struct.pack)] = save_global
    dispatch[type(json.dumps)] = save_global


def python2_pickle(content: object) -> bytes:
    out = io.BytesIO()
    Python2Pickler(out).dump(content)
    return out.getvalue()


@pytest.fixture(scope="session")
def embedded() -> BodyData:
    return load_body()


def smpl_arrays(body: BodyData) -> dict[str, object]:
    """A body's arrays by the keys and in the layouts of an SMPL file."""
    num_vertices = len(body.v_template)
    posedirs = np.zeros((num_vertices, 3, 207), np.float32)
    if body.posedirs is not None:
        posedirs = body.posedirs.T.reshape(posedirs.shape)
    tree = np.array([PARENTS, range(NUM_JOINTS)], np.int64)
    tree[0, 0] = 2**32 - 1  # as published
    return {
        "v_template": body.v_template,
        "shapedirs": body.shapedirs,
        "posedirs": posedirs,
        "J_regressor": scipy.sparse.csc_matrix(body.J_regressor),
        "weights": body.weights,
        "f": body.faces.astype(np.uint32),
        "kintree_table": tree,
        "J": np.zeros((NUM_JOINTS, 3)),
        "bs_type": "lrotmin",
    }


def random_arrays(num_vertices: int, seed: int = 0, scale: float = 0.01) -> dict[str, object]:
    """A random body in SMPL's format: every number that could be misplaced differs from its neighbours."""
    rng = np.random.default_rng(seed)
    weights = np.zeros((num_vertices, NUM_JOINTS))
    regressor = np.zeros((NUM_JOINTS, num_vertices))
    for v in range(num_vertices):
        weights[v, rng.choice(NUM_JOINTS, 4, replace=False)] = rng.dirichlet(np.ones(4))
    for j in range(NUM_JOINTS):
        regressor[j, rng.choice(num_vertices, 10, replace=False)] = rng.dirichlet(np.ones(10))
    tree = np.array([PARENTS, range(NUM_JOINTS)], np.int64)
    tree[0, 0] = 2**32 - 1
    return {
        "v_template": rng.normal(size=(num_vertices, 3)) * 0.4,
        "shapedirs": rng.normal(size=(num_vertices, 3, 10)) * scale,
        "posedirs": rng.normal(size=(num_vertices, 3, 207)) * scale,
        "J_regressor": scipy.sparse.csc_matrix(regressor),
        "weights": weights,
        "f": rng.integers(0, num_vertices, (50, 3)).astype(np.uint32),
        "kintree_table": tree,
        "bs_type": "lrotmin",
    }


@pytest.fixture(scope="session")
def files() -> SimpleNamespace:
    """Helpers for writing body files; a fixture, because test folders are not packages."""
    return SimpleNamespace(
        Chumpy=Chumpy,
        ChumpySelect=ChumpySelect,
        python2_pickle=python2_pickle,
        smpl_arrays=smpl_arrays,
        random_arrays=random_arrays,
    )


@pytest.fixture(scope="session")
def smpl_sized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random file of SMPL's size with full posedirs."""
    path = tmp_path_factory.mktemp("smpl") / "SMPL_NEUTRAL.pkl"
    path.write_bytes(pickle.dumps(random_arrays(6890)))
    return path


@pytest.fixture(scope="session")
def embedded_as_smpl(tmp_path_factory: pytest.TempPathFactory, embedded: BodyData) -> Path:
    """The embedded body written as an SMPL file."""
    path = tmp_path_factory.mktemp("embedded") / "body.pkl"
    path.write_bytes(pickle.dumps(smpl_arrays(embedded)))
    (path.parent / "vertex_ids.json").write_text(json.dumps(dict(embedded.vertex_ids)), encoding="utf-8")
    return path


@pytest.fixture
def small(tmp_path: Path) -> Callable[..., Path]:
    """Writes a small random body, with some arrays changed or taken away, and gives its path."""

    def write(name: str = "body.pkl", without: tuple[str, ...] = (), **changes: object) -> Path:
        content = random_arrays(60) | changes
        for key in without:
            del content[key]
        ids = json.dumps(dict.fromkeys(load_body().vertex_ids, 5))
        (tmp_path / "vertex_ids.json").write_text(ids, encoding="utf-8")
        path = tmp_path / name
        if path.suffix == ".npz":
            dense = {k: v.toarray() if scipy.sparse.issparse(v) else v for k, v in content.items()}
            np.savez(path, **dense)
        else:
            path.write_bytes(python2_pickle(content))
        return path

    return write
