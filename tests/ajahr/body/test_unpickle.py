from __future__ import annotations

import io
import os
import pickle
import pickletools
import subprocess

import numpy as np
import pytest
import scipy.sparse

from ajahr.body.unpickle import read_pickle, resolve
from ajahr.errors import UserError

ARRAYS = {
    "f8": np.arange(6.0).reshape(2, 3),
    "f4 Fortran": np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
    "u4": np.arange(6, dtype=np.uint32),
    "i8": -np.arange(6),
    "bool": np.array([True, False]),
    "big-endian": np.arange(5, dtype=">f8"),
    "empty": np.zeros((0, 3)),
    "scalar": np.array(2.5),
}


# --- law


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("name", ARRAYS)
def test_every_protocol_gives_the_array_back(tmp_path, name, protocol):
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps({"a": ARRAYS[name]}, protocol=protocol))
    found = resolve(read_pickle(path)["a"])
    np.testing.assert_array_equal(found, ARRAYS[name])
    assert found.dtype == ARRAYS[name].dtype


@pytest.mark.parametrize("name", ARRAYS)
def test_python_2_gives_the_array_back(tmp_path, files, name):
    path = tmp_path / "a.pkl"
    path.write_bytes(files.python2_pickle({"a": ARRAYS[name], "text": "lrotmin"}))
    content = read_pickle(path)
    np.testing.assert_array_equal(resolve(content["a"]), ARRAYS[name])
    assert content["text"] == "lrotmin"


@pytest.mark.parametrize(
    "kind", ["csc_matrix", "csr_matrix", "coo_matrix", "csc_array", "csr_array", "coo_array"]
)
@pytest.mark.parametrize("protocol", [2, 5])
def test_sparse_matrices_become_dense(tmp_path, kind, protocol):
    rng = np.random.default_rng(0)
    dense = rng.random((4, 7)) * (rng.random((4, 7)) < 0.4)
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(getattr(scipy.sparse, kind)(dense), protocol=protocol))
    np.testing.assert_array_equal(resolve(read_pickle(path)), dense)


def test_chumpy_arrays_and_selections(tmp_path, files):
    whole = np.arange(24.0).reshape(2, 3, 4)
    indices = np.arange(24).reshape(2, 3, 4)[..., :2].ravel()
    content = {
        "plain": files.Chumpy(whole),
        "part": files.ChumpySelect(files.Chumpy(whole), indices, (2, 3, 2)),
    }
    path = tmp_path / "a.pkl"
    path.write_bytes(files.python2_pickle(content))
    assert b"chumpy.ch\nCh" in path.read_bytes() and b"chumpy.reordering\nSelect" in path.read_bytes()
    found = read_pickle(path)
    np.testing.assert_array_equal(resolve(found["plain"]), whole)
    np.testing.assert_array_equal(resolve(found["part"]), whole[..., :2])


def test_numpy_scalars(tmp_path):
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(np.float64(1.25)))
    assert resolve(read_pickle(path)) == 1.25


# --- edge: what must not run


class Bomb:
    def __init__(self, call, *args):
        self.call, self.args = call, args

    def __reduce__(self):
        return self.call, self.args


def bombs(marker: str) -> dict[str, object]:
    shell = f"touch {marker}"
    return {
        "posix.system": Bomb(os.system, shell),
        "subprocess.Popen": Bomb(subprocess.Popen, ["touch", marker]),
        "builtins.eval": Bomb(eval, f"open({marker!r}, 'w')"),
        "builtins.getattr": Bomb(getattr, os, "system"),
        "numpy.load": Bomb(np.load, marker),
    }


@pytest.mark.parametrize("name", bombs(""))
@pytest.mark.parametrize("where", ["top", "in a dictionary", "in a chumpy stub", "in an object array"])
def test_a_bomb_is_refused_by_name_and_does_not_go_off(tmp_path, files, name, where):
    marker = tmp_path / "went_off"
    bomb = bombs(str(marker))[name]
    if name == "builtins.getattr":
        bomb = Bomb(getattr, "text", "upper")  # a module does not pickle
    content = {
        "top": bomb,
        "in a dictionary": {"v_template": bomb},
        "in a chumpy stub": {"v_template": files.Chumpy(bomb)},
        "in an object array": np.array([bomb, 1], dtype=object),
    }[where]
    path = tmp_path / "body.pkl"
    data = pickle.dumps(content, protocol=2).replace(b"builtins", b"__builtin__")
    path.write_bytes(data.replace(files.Chumpy.__module__.encode() + b"\nChumpy", b"chumpy.ch\nCh"))
    with pytest.raises(UserError) as error:
        resolve(read_pickle(path))
    assert name.split(".")[-1] in str(error.value) and str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert not marker.exists()


def test_the_same_bomb_goes_off_without_the_list(tmp_path):
    """Without this, the test above could pass because the bombs are duds."""
    marker = tmp_path / "went_off"
    pickle.loads(pickle.dumps(bombs(str(marker))["posix.system"]))
    assert marker.exists()


def handmade(*operations: bytes) -> bytes:
    data = b"\x80\x02" + b"".join(operations) + b"."
    pickletools.dis(data, out=io.StringIO())  # raises unless it is a well-formed pickle
    return data


@pytest.mark.parametrize(
    "data",
    {
        # set an attribute of an allowed class: the second of a (dict, slots) state
        "BUILD on a class": handmade(b"cnumpy\nndarray\n", b"N}U\x01xK\x05s\x86", b"b"),
        "BUILD on a function": handmade(b"c_codecs\nencode\n", b"}U\x01xK\x05s", b"b"),
        "another codec": handmade(b"c_codecs\nencode\n", b"U\x01xU\x05rot13\x86", b"R"),
        "reconstructing a foreign class": handmade(b"ccopy_reg\n_reconstructor\n", b"K\x05K\x05N\x87", b"R"),
        "an extension code": handmade(b"\x82\x01"),
        "a persistent id": handmade(b"U\x01xQ"),
    }.items(),
    ids=lambda item: item[0],
)
def test_forged_pickles_are_refused(tmp_path, data):
    path = tmp_path / "a.pkl"
    path.write_bytes(data[1])
    with pytest.raises(UserError, match="not a whole pickle"):
        read_pickle(path)


def forged_dtype() -> bytes:
    """An object dtype whose state pretends to hold no objects: numpy would take the bytes for pointers."""
    dtype = b"cnumpy\ndtype\nU\x02O8K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
    return handmade(array, b"(K\x01(K\x01t", dtype, b"\x89U\x08AAAAAAAAtb")


def test_bytes_are_never_taken_for_pointers(tmp_path):
    path = tmp_path / "a.pkl"
    path.write_bytes(forged_dtype())
    with pytest.raises(ValueError, match="array of type"):
        resolve(read_pickle(path))


@pytest.mark.parametrize(
    ("state", "message"),
    [((3, 2), "does not add up"), ((1, 1 << 40), "does not add up"), ((-1, 6), "does not add up")],
)
def test_a_shape_that_does_not_fit_its_bytes(tmp_path, state, message):
    good = pickle.dumps(np.arange(4, dtype=np.int32).reshape(2, 2), protocol=2)
    path = tmp_path / "a.pkl"
    shape = pickle.dumps(state, protocol=2)[2:-1]
    bad = good.replace(b"K\x02K\x02\x86", shape, 1)
    assert bad != good
    path.write_bytes(bad)
    with pytest.raises(ValueError, match=message):
        resolve(read_pickle(path))


def test_object_arrays_and_chumpy_expressions_are_named(tmp_path, files):
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(np.array([{}, 1], dtype=object)))
    with pytest.raises(ValueError, match="Python objects"):
        resolve(read_pickle(path))
    path.write_bytes(files.python2_pickle(files.ChumpySelect(None, None, None)).replace(b"idxs", b"lost"))
    with pytest.raises(ValueError, match="chumpy expression"):
        resolve(read_pickle(path))


@pytest.mark.parametrize("keep", [0, 1, 10, 200, -1])
def test_a_cut_off_file(tmp_path, keep):
    whole = pickle.dumps({"a": np.arange(100.0)}, protocol=2)
    path = tmp_path / "a.pkl"
    path.write_bytes(whole[:keep])
    with pytest.raises(UserError, match="not a whole pickle"):
        read_pickle(path)
