"""Rows kept on disk: made once, part by part, remade when anything they depend on changes."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from ajahr.data.hmr.samples import empty_rows
from ajahr.data.hmr.table_cache import Part, cached_rows
from ajahr.errors import UserError


class Reader:
    """Two rows per file; counts its calls, and can fail at one."""

    def __init__(self, files: list[Path]) -> None:
        self.files, self.calls, self.fails_at = files, [], -1

    def __call__(self, number: int) -> Part:
        if number == self.fails_at:
            raise KeyboardInterrupt
        self.calls.append(number)
        rows = empty_rows(2, [f"{'x' * number}{number}"])
        rows["key"] = f"{'x' * number}{number}".encode()
        rows["betas"] = number
        return Part(rows, Counter(bad=number), {"bad": f"in {number}"} if number else {})


@pytest.fixture
def files(tmp_path):
    found = [tmp_path / f"{n}.tar" for n in range(4)]
    for path in found:
        path.write_bytes(b"tar")
    return found


def test_rows_in_order_and_mapped(files):
    reader = Reader(files)
    part = cached_rows("set", files, {}, reader)
    assert part.rows["betas"][:, 0].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert part.rows["key"][-1] == b"xxx3", "the longest name fits"
    assert isinstance(part.rows, np.memmap)
    assert part.dropped == {"bad": 6} and part.examples == {"bad": "in 1"}
    again = cached_rows("set", files, {}, reader)
    assert (
        reader.calls == [0, 1, 2, 3]
        and again.rows.tobytes() == part.rows.tobytes()
        and again.dropped == {"bad": 6}
    )


def test_an_interrupted_index_goes_on(files):
    reader = Reader(files)
    reader.fails_at = 2
    with pytest.raises(KeyboardInterrupt):
        cached_rows("set", files, {}, reader)
    reader.fails_at = -1
    assert len(cached_rows("set", files, {}, reader).rows) == 8
    assert reader.calls == [0, 1, 2, 3]
    assert not list(files[0].parent.rglob("*.parts")), "parts are cleared away"


def test_anything_that_matters_makes_it_anew(files):
    reader = Reader(files)
    for options in ({"a": 1}, {"a": 2}):
        cached_rows("set", files, options, reader)
    cached_rows("other", files, {"a": 1}, reader)
    files[1].write_bytes(b"longer")
    cached_rows("set", files, {"a": 1}, reader)
    os.utime(files[2], ns=(1, 1))
    cached_rows("set", files, {"a": 1}, reader)
    assert len(reader.calls) == 5 * 4


def test_a_damaged_index_is_made_anew(files, tmp_path):
    reader = Reader(files)
    cached_rows("set", files, {}, reader, cache=tmp_path / "cache")
    (index,) = (tmp_path / "cache").glob("*.npy")
    index.write_bytes(index.read_bytes()[:300])
    assert len(cached_rows("set", files, {}, reader, cache=tmp_path / "cache").rows) == 8
    assert len(reader.calls) == 8


def test_where_it_lies(files, tmp_path, monkeypatch):
    cached_rows("set", files, {}, Reader(files))
    assert list((tmp_path / ".ajahr_index").glob("set-*.npy"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(
        "ajahr.data.hmr.table_cache._writable",
        lambda folder: folder.name == "index" and not folder.mkdir(parents=True),
    )
    cached_rows("set", files, {"other": 1}, Reader(files))
    assert list((tmp_path / "home" / "ajahr" / "index").glob("set-*.npy"))


def test_no_place_to_write_still_reads(files, monkeypatch):
    monkeypatch.setattr("ajahr.data.hmr.table_cache._writable", lambda folder: False)
    part = cached_rows("set", files, {}, Reader(files))
    assert len(part.rows) == 8 and part.dropped == {"bad": 6}


def test_nobody(files):
    def nobody(number: int) -> Part:
        return Part(empty_rows(0))

    for _ in range(2):
        assert len(cached_rows("set", files, {}, nobody).rows) == 0


def test_missing_file(files):
    files[3].unlink()
    with pytest.raises(UserError, match=r"3\.tar: cannot be read"):
        cached_rows("set", files, {}, Reader(files))
