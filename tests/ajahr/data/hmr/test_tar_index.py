"""Headers of tars, whole and damaged."""

from __future__ import annotations

import tarfile

import pytest
from fake_people import write_tar

from ajahr.data.hmr.tar_index import scan_tar
from ajahr.errors import UserError


def members(count: int = 4) -> dict[str, bytes]:
    found = {}
    for n in range(count):
        found[f"set/k{n}.jpg"] = b"J" * (700 + n)
        found[f"set/k{n}.data.pyd"] = b"P" * (300 + n)
    return found


def header_of(path, name: str) -> int:
    with tarfile.open(path) as tar:
        return tar.getmember(name).offset


def test_samples_and_offsets(tmp_path):
    path = tmp_path / "a.tar"
    write_tar(path, members())
    contents = scan_tar(path)
    assert list(contents.samples) == [f"set/k{n}" for n in range(4)] and not contents.dropped
    data = path.read_bytes()
    for n in range(4):
        jpg, annotation = contents.samples[f"set/k{n}"]["jpg"], contents.samples[f"set/k{n}"]["data.pyd"]
        assert data[jpg.offset : jpg.offset + jpg.size] == b"J" * (700 + n)
        assert data[annotation.offset : annotation.offset + annotation.size] == b"P" * (300 + n)


def test_keys_end_at_the_first_dot_of_the_file_name(tmp_path):
    write_tar(tmp_path / "a.tar", {"./v1.0/x.y.JPG": b"1", "v1.0/x.data.pyd": b"2"})
    assert {key: sorted(parts) for key, parts in scan_tar(tmp_path / "a.tar").samples.items()} == {
        "v1.0/x": ["data.pyd", "y.jpg"]
    }


def test_long_names(tmp_path):
    name = f"{'d' * 150}/{'k' * 120}.jpg"
    write_tar(tmp_path / "a.tar", {name: b"1", "b.jpg": b"2"})
    contents = scan_tar(tmp_path / "a.tar")
    assert list(contents.samples) == [name.removesuffix(".jpg"), "b"] and not contents.dropped


@pytest.mark.parametrize("length", [8, 512, 2000])
def test_a_damaged_header_costs_its_member_only(tmp_path, length):
    path = tmp_path / "a.tar"
    write_tar(path, members())
    data = bytearray(path.read_bytes())
    start = header_of(path, "set/k1.jpg")
    data[start : start + min(length, 600)] = b"\xff" * min(length, 600)
    path.write_bytes(data)
    contents = scan_tar(path)
    assert "jpg" not in contents.samples["set/k1"] and "jpg" in contents.samples["set/k2"]
    assert contents.dropped == {"damaged_header": 1}
    assert contents.examples["damaged_header"] == f"{path}: after set/k0.data.pyd"


def test_a_cut_off_tar_keeps_what_is_whole(tmp_path):
    path = tmp_path / "a.tar"
    write_tar(path, members())
    path.write_bytes(path.read_bytes()[: header_of(path, "set/k2.jpg") + 512 + 100])
    contents = scan_tar(path)
    assert [key for key, parts in contents.samples.items() if len(parts) == 2] == ["set/k0", "set/k1"]
    assert contents.dropped == {"truncated_member": 1}
    assert contents.examples["truncated_member"] == f"{path}: set/k2.jpg"


def test_tars_put_together_are_one(tmp_path):
    write_tar(tmp_path / "a.tar", {"a.jpg": b"1"})
    write_tar(tmp_path / "b.tar", {"b.jpg": b"2"})
    both = tmp_path / "both.tar"
    both.write_bytes((tmp_path / "a.tar").read_bytes() + (tmp_path / "b.tar").read_bytes())
    contents = scan_tar(both)
    assert list(contents.samples) == ["a", "b"] and not contents.dropped


def test_members_of_one_name_are_counted(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for _ in range(2):
            tar.addfile(tarfile.TarInfo("a.jpg"))
    assert scan_tar(tmp_path / "a.tar").dropped == {"member_twice": 1}


@pytest.mark.parametrize("data", [b"", b"no tar at all" * 100, b"\0" * 10240])
def test_no_tar(tmp_path, data):
    (tmp_path / "a.tar").write_bytes(data)
    with pytest.raises(UserError, match=r"a\.tar: not one member can be read"):
        scan_tar(tmp_path / "a.tar")


def test_missing_tar(tmp_path):
    with pytest.raises(UserError, match=r"a\.tar: no such tar"):
        scan_tar(tmp_path / "a.tar")
