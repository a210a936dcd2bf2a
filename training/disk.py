"""Files that are there whole or not at all, and what is said when a disk is full."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from service.artifacts.files import as_far_as_possible
from training.errors import DiskError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def whole_file(path: Path, num_bytes: int | None = None) -> Iterator[BinaryIO]:
    """A file to write into; it takes the place of `path` when the block ends, flushed to disk.

    If the block raises, or the disk is full, `path` is as it was and nothing lies beside it.

    Args:
        path: Where it will be.
        num_bytes: How large it will be, about, for the message.

    Raises:
        DiskError: it cannot be written; the message says what is needed and what helps.
    """
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            flush_descriptor(file.fileno())
        part.replace(path)
        flush_folder(path.parent)
    except OSError as error:
        raise DiskError(cannot_write(error, path, num_bytes)) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


class Steadfast:
    """A file that keeps its first failure: torch's writer takes none, and aborts the process."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.fault: OSError | None = None

    def write(self, content: bytes | memoryview) -> int:
        """Write, or keep why not."""
        if self.fault is None:
            try:
                self._file.write(content)
            except OSError as error:
                self.fault = error
        return len(content)

    def flush(self) -> None:
        """Flush, or keep why not."""
        if self.fault is None:
            try:
                self._file.flush()
            except OSError as error:
                self.fault = error

    def require(self) -> None:
        """Raise what was kept.

        Raises:
            OSError: something was not written.
        """
        if self.fault is not None:
            raise self.fault


def flush_descriptor(descriptor: int) -> None:
    """To the disk itself, where the file system can do that."""
    with as_far_as_possible():
        os.fsync(descriptor)


def flush_folder(folder: Path) -> None:
    """The names in a folder, likewise; some file systems cannot even open one."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        flush_descriptor(descriptor)
    finally:
        os.close(descriptor)


def is_full(error: BaseException) -> bool:
    """Whether a disk, a quota or the size that a file may have is what failed."""
    return isinstance(error, OSError) and error.errno in _FULL


def cannot_write(error: OSError, path: Path, num_bytes: int | None = None) -> str:
    """What is said of a file that cannot be written: which, why, what it needs, what helps."""
    told = f"cannot write {path}: {error.strerror or error}"
    if not is_full(error):
        return f"{told}; make its folder writable, or choose another place"
    needs = "" if num_bytes is None else f"it needs about {in_bytes(num_bytes)}, and "
    free = free_bytes(path.parent)
    there = "how much is free cannot be told" if free is None else f"{in_bytes(free)} are free"
    return f"{told}; {needs}{there}: make room on that disk, or choose a place on another one"


def free_bytes(folder: Path) -> int | None:
    """What can still be written there, or in the nearest folder above that exists."""
    for place in (folder, *folder.absolute().parents):
        with contextlib.suppress(OSError):
            return shutil.disk_usage(place).free
    return None


def in_bytes(number: int) -> str:
    """For people: `999 bytes`, `12.3 MB`."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number} bytes"
