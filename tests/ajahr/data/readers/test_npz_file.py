"""Members of .npz files, Python objects among them, without executing anything."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ajahr.data.readers.npz_file import column_names, numbers, read_columns, strings
from ajahr.errors import UserError


class Evil:
    def __reduce__(self):
        return (Path.touch, (Path("pwned"),))


def test_strings_and_lists_in_object_arrays(tmp_path):
    labels = np.empty(3, object)
    labels[:] = [[3], [3, 7], np.array([12])]
    np.savez(
        tmp_path / "a.npz",
        imgname=np.array(["a.jpg", "bb.jpg", "c.jpg"], object),
        raw=np.array([b"x", b"\xc3\xbc", b"z"]),
        labels=labels,
        scale=np.ones((3, 1)),
    )
    columns = read_columns(tmp_path / "a.npz", ["imgname", "scale"], ["labels", "raw", "absent"])
    assert set(columns) == {"imgname", "scale", "labels", "raw"}
    assert strings(columns, "imgname", 3, tmp_path) == ["a.jpg", "bb.jpg", "c.jpg"]
    assert strings(columns, "raw", 3, tmp_path) == ["x", "ü", "z"]
    assert [np.asarray(row).tolist() for row in columns["labels"]] == [[3], [3, 7], [12]]
    assert column_names(tmp_path / "a.npz") == {"imgname", "raw", "labels", "scale"}


def test_nothing_is_executed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "a.npz", imgname=np.array([Evil()], object))
    with pytest.raises(UserError, match=r"touch|getattr|Path"):
        read_columns(tmp_path / "a.npz", ["imgname"])
    assert not (tmp_path / "pwned").exists()


def test_a_missing_key_is_named_in_one_line(tmp_path):
    np.savez(tmp_path / "a.npz", imgname=np.array(["a"]))
    with pytest.raises(UserError, match=r"a\.npz: no key 'center' in it \(it has imgname\)") as caught:
        read_columns(tmp_path / "a.npz", ["imgname", "center"])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"nothing", None])
def test_no_npz(tmp_path, data):
    path = tmp_path / "a.npz"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(UserError, match=r"a\.npz: no (whole|such)"):
        read_columns(path, ["imgname"])


def test_a_truncated_file(tmp_path):
    np.savez(tmp_path / "a.npz", imgname=np.array(["a"]), x=np.zeros(1000))
    whole = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"no whole \.npz"):
        read_columns(tmp_path / "a.npz", ["imgname"])


def test_numbers_and_their_shapes(tmp_path):
    columns = {"center": np.ones((3, 1, 2)), "bad": np.array([1.0, np.nan, 2]), "text": np.array(["x"] * 3)}
    assert numbers(columns, "center", (3, 2), tmp_path).shape == (3, 2)
    with pytest.raises(UserError, match="'bad' of person 1 is not finite"):
        numbers(columns, "bad", (3,), tmp_path)
    assert np.isnan(numbers(columns, "bad", (3,), tmp_path, finite=False)[1])
    for name, shape in (("text", (3,)), ("center", (3, 3))):
        with pytest.raises(UserError, match=f"'{name}' is"):
            numbers(columns, name, shape, tmp_path)
    with pytest.raises(UserError, match="expected 4 strings"):
        strings(columns, "text", 4, tmp_path)
