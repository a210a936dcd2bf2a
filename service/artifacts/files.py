"""Files that may be anything: links, pipes and what cannot be read are refused by their names."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.artifacts.errors import IntegrityError, Unreadable

_UNKNOWN_TO_FILE_SYSTEM = (
    errno.EINVAL,
    errno.ENOTSUP,
    errno.EOPNOTSUPP,
    errno.EPERM,
    errno.EACCES,
    errno.EBADF,
    errno.ENOSYS,
)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Within it, what the operating system refuses is Unreadable."""
    try:
        yield
    except OSError as error:
        raise Unreadable(path, error) from error


def read_small(path: Path, max_bytes: int) -> bytes:
    """The bytes of a file that may hold anything.

    Raises:
        IntegrityError: It is missing, a link, no file, or larger than `max_bytes`.
        Unreadable: The operating system refuses it.
    """
    with reading(path):
        require_plain_file(path)
        if path.stat().st_size > max_bytes:
            raise IntegrityError(path, f"is larger than {max_bytes} bytes")
        return path.read_bytes()


def require_plain_file(path: Path) -> None:
    """Raise IntegrityError if it is a link, missing, or no file."""
    if path.is_symlink():
        raise IntegrityError(path, "is a symbolic link")
    if not path.exists():
        raise IntegrityError(path, "is missing")
    if not path.is_file():  # reading a pipe would wait for ever
        raise IntegrityError(path, "is not a plain file")


@contextmanager
def as_far_as_possible() -> Iterator[None]:
    """Some file systems know no permissions, or no flushing of folders; a full disk is an error."""
    try:
        yield
    except OSError as error:
        if error.errno not in _UNKNOWN_TO_FILE_SYSTEM:
            raise
