"""Files that are whole or absent."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ajahr.data import files
from ajahr.data.files import AtomicFile, make_folder, remove_stale, sha256_of, write_atomic
from ajahr.errors import UserError

# law


def test_a_file_has_its_name_only_when_whole(tmp_path):
    path = tmp_path / "a.bin"
    with AtomicFile(path) as file:
        file.write(b"one")
        assert not path.exists()
        file.publish()
        assert path.read_bytes() == b"one"
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]


def test_size_and_hash_are_those_of_the_file(tmp_path):
    with AtomicFile(tmp_path / "a") as file:
        for part in (b"abc", b"", b"def" * 5000):
            file.write(part)
        file.publish()
    data = (tmp_path / "a").read_bytes()
    assert (file.size, file.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert sha256_of(tmp_path / "a") == file.sha256


def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError), AtomicFile(path) as file:
        file.write(b"new")
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_writing_without_publishing_leaves_nothing(tmp_path):
    with AtomicFile(tmp_path / "a") as file:
        file.write(b"x")
    assert list(tmp_path.iterdir()) == []


def test_an_old_file_is_replaced(tmp_path):
    path = tmp_path / "a"
    write_atomic(path, b"old")
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"


def test_a_living_writer_keeps_its_file(tmp_path):
    with AtomicFile(tmp_path / "a") as file:
        file.write(b"x")
        assert remove_stale(tmp_path) == []
        file.publish()
    assert (tmp_path / "a").read_bytes() == b"x"


WRITER = """
import sys, time
from pathlib import Path
from ajahr.data.files import AtomicFile
file = AtomicFile(Path(sys.argv[1]))
file.write(b"half of it")
print("ready", flush=True)
time.sleep(60)
"""


def test_what_a_killed_writer_leaves_is_cleared_and_a_living_ones_is_not(tmp_path):
    command = [sys.executable, "-c", WRITER, str(tmp_path / "a")]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]
    ) as writer:
        assert writer.stdout is not None and writer.stdout.readline() == "ready\n"
        left = list(tmp_path.iterdir())
        assert len(left) == 1 and remove_stale(tmp_path) == []
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        assert remove_stale(tmp_path) == left
    assert list(tmp_path.iterdir()) == []


def test_files_of_other_machines_and_other_names_stay(tmp_path, monkeypatch):
    for name in (".a.otherhost.12.abcd.tmp", "a.tmp", ".a", "a"):
        (tmp_path / name).write_bytes(b"")
    assert remove_stale(tmp_path) == []
    assert len(list(tmp_path.iterdir())) == 4


def test_without_locks_nothing_is_cleared(tmp_path, monkeypatch):
    """A file system that knows no locks cannot tell a living writer from a killed one."""

    def refuse(*_):
        raise OSError(errno.ENOTSUP, "no locks")

    monkeypatch.setattr(files.fcntl, "flock", refuse)
    with AtomicFile(tmp_path / "a") as file:
        assert remove_stale(tmp_path) == []
        file.write(b"x")
        file.publish()
    assert (tmp_path / "a").read_bytes() == b"x"


# edge


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, monkeypatch):
    full = Path("/dev/full").open("wb")  # noqa: SIM115 - the code under test closes it
    monkeypatch.setattr(AtomicFile, "_open", lambda self: (tmp_path / "t", full))
    with pytest.raises(UserError, match="disk is full") as error, AtomicFile(tmp_path / "a") as file:
        file.write(b"x" * 100_000)
        file.publish()
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "number, message",
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EDQUOT, "disk is full"),
        (errno.EROFS, "no permission"),
        (errno.EACCES, "no permission"),
        (errno.ENOTDIR, "a file is where a folder is needed"),
    ],
)
def test_failures_of_the_system_that_the_user_can_mend(tmp_path, monkeypatch, number, message):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(UserError, match=message):
        write_atomic(tmp_path / "a", b"x")
    assert list(tmp_path.iterdir()) == []


def test_other_failures_are_not_called_the_users(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.EIO, "broken disk")

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(OSError, match="broken disk"):
        write_atomic(tmp_path / "a", b"x")


def test_a_file_where_a_folder_is_needed(tmp_path):
    (tmp_path / "a").write_bytes(b"")
    for folder in (tmp_path / "a", tmp_path / "a" / "b"):
        with pytest.raises(UserError, match="a file is where a folder is needed"):
            make_folder(folder)


def test_a_folder_without_permission(tmp_path, monkeypatch):
    monkeypatch.setattr(files.os, "access", lambda *_: False)  # root may write everywhere
    with pytest.raises(UserError, match="no permission to write"):
        make_folder(tmp_path)
