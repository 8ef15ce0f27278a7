from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from tokenizer.errors import InputError
from tokenizer.mapping import map_arrays

FLOATS = np.arange(12, dtype=np.float32).reshape(4, 3)
BOOLS = np.array([[True, False], [False, True]])


def _write(path: Path, **arrays: np.ndarray) -> Path:
    if path.suffix == ".npz":
        np.savez(path, **arrays)  # pyright: ignore[reportArgumentType]
    else:
        save_file(arrays, path)
    return path


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_members_are_mapped_and_equal(tmp_path: Path, suffix: str) -> None:
    path = _write(tmp_path / f"a{suffix}", bools=BOOLS, floats=FLOATS, doubles=FLOATS.astype(np.float64))
    arrays = map_arrays(path, ("floats", "doubles", "bools", "absent"))
    assert set(arrays) == {"floats", "doubles", "bools"}
    for name, expected in (("floats", FLOATS), ("doubles", FLOATS), ("bools", BOOLS)):
        assert isinstance(arrays[name], np.memmap)
        assert not arrays[name].flags.writeable
        np.testing.assert_array_equal(arrays[name], expected)
    assert arrays["doubles"].dtype == np.float64


def test_fortran_order_compressed_and_empty_members(tmp_path: Path) -> None:
    np.savez(tmp_path / "f.npz", a=np.asfortranarray(FLOATS), none=np.empty((0, 3), np.float32))
    arrays = map_arrays(tmp_path / "f.npz", ("a", "none"))
    np.testing.assert_array_equal(arrays["a"], FLOATS)
    assert arrays["none"].shape == (0, 3)
    np.savez_compressed(tmp_path / "c.npz", a=FLOATS)
    np.testing.assert_array_equal(map_arrays(tmp_path / "c.npz", ("a",))["a"], FLOATS)


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize("keep", [0, 5, 60, -1])
def test_a_truncated_file_is_one_clear_line(tmp_path: Path, suffix: str, keep: int) -> None:
    path = _write(tmp_path / f"a{suffix}", floats=FLOATS)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match="no whole") as caught:
        map_arrays(path, ("floats",))
    assert "\n" not in str(caught.value)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        map_arrays(tmp_path / "a.npz", ())
    (tmp_path / "a.pkl").write_bytes(b"x")
    with pytest.raises(InputError, match=r"neither \.npz nor \.safetensors"):
        map_arrays(tmp_path / "a.pkl", ())


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_objects_are_never_unpickled(tmp_path: Path, save) -> None:
    class Bomb:
        def __reduce__(self):
            return Path.touch, (tmp_path / "went-off",)

    save(tmp_path / "bomb.npz", floats=np.array([Bomb()], dtype=object))
    with pytest.raises(InputError, match="cannot be read"):
        map_arrays(tmp_path / "bomb.npz", ("floats",))
    assert not (tmp_path / "went-off").exists()
