"""Files that are whole or absent: written under a temporary name in the same folder, then renamed.

A temporary file is held locked by its writer for as long as it is written. What a killed run leaves behind is
told from the work of a living one by that lock, on the machine that made it only: the name carries the host.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from ajahr.errors import UserError

try:
    import fcntl
except ImportError:  # not on Windows, where stale temporaries are left alone
    fcntl = None

_HOST = "".join(c if c.isalnum() else "-" for c in socket.gethostname()) or "host"
_FULL = (errno.ENOSPC, errno.EDQUOT)
_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)


def user_error(error: OSError, path: Path) -> UserError | None:
    """What to tell the user about a failed write to ``path``; None if it is no fault the user can mend."""
    if error.errno in _FULL:
        return UserError(f"{path}: the disk is full; free space and run the same command again")
    if error.errno in _DENIED:
        return UserError(f"{path}: no permission to write; choose another folder or change its permissions")
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return UserError(f"{path}: a file is where a folder is needed; choose another folder")
    if error.errno == errno.ENOENT:
        return UserError(f"{path}: cannot be made there; choose another folder")
    if error.errno == errno.ENAMETOOLONG:
        return UserError(f"{path}: the name is too long for this disk; choose a shorter one")
    return None


@contextmanager
def _mendable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        told = user_error(error, path)
        if told is None:
            raise
        raise told from error


def make_folder(folder: Path) -> None:
    """The folder and its parents. UserError if it cannot be made or written."""
    with _mendable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "not writable")


class AtomicFile:
    """A file under a temporary name beside ``path``; `publish` renames it, leaving ``with`` removes it.

    >>> with AtomicFile(path) as file:
    ...     file.write(b"...")
    ...     file.publish()

    Counts and hashes what is written. A full disk or a folder without permission is a UserError.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._hash = hashlib.sha256()
        with _mendable(path):
            self.temporary, self._file = self._open()

    def _open(self) -> tuple[Path, IO[bytes]]:
        while True:
            temporary = self.path.with_name(
                f".{self.path.name}.{_HOST}.{os.getpid()}.{secrets.token_hex(4)}.tmp"
            )
            file = temporary.open("xb")
            if fcntl is None or not _lock(file) or temporary.exists():
                return temporary, file
            file.close()  # another run took it for a stale one before it was locked

    def write(self, data: bytes | bytearray | memoryview) -> int:
        with _mendable(self.path):
            self._file.write(data)
        self._hash.update(data)
        self.size += len(data)
        return len(data)

    def tell(self) -> int:
        return self.size

    @property
    def sha256(self) -> str:
        """Of what has been written so far."""
        return self._hash.hexdigest()

    def finish(self) -> None:
        """Everything written reaches the disk. No more writing after it."""
        with _mendable(self.path):
            self._file.flush()
            os.fsync(self._file.fileno())

    def publish(self) -> None:
        """`finish`, then the final name, replacing what has it."""
        self.finish()
        with _mendable(self.path):
            self.temporary.replace(self.path)
            sync_folder(self.path.parent)
        self._file.close()

    def __enter__(self) -> AtomicFile:
        return self

    def __exit__(self, *_: Any) -> None:
        if not self._file.closed:
            with suppress(OSError):  # closing flushes, which a full disk refuses
                self._file.close()
            self.temporary.unlink(missing_ok=True)


def write_atomic(path: Path, data: bytes) -> None:
    """``path`` holds ``data``, or what it held before."""
    with AtomicFile(path) as file:
        file.write(data)
        file.publish()


def sync_folder(folder: Path) -> None:
    """Renames inside ``folder`` reach the disk, where the file system can do that."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def _lock(file: IO[bytes]) -> bool:
    """Take the exclusive lock; False where another has it or the file system knows no locks."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def remove_stale(folder: Path) -> list[Path]:
    """Delete temporaries in ``folder`` whose writer, on this machine, is gone.

    Those of other machines, and those still locked, stay; where the file system has no locks, all do.

    Returns:
        What was deleted.
    """
    removed = []
    for path in sorted(folder.glob(f".*.{_HOST}.*.tmp")):
        try:
            with path.open("rb") as file:
                if _lock(file):
                    path.unlink(missing_ok=True)
                    removed.append(path)
        except OSError:
            continue  # gone meanwhile, or not ours to open
    return removed


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
