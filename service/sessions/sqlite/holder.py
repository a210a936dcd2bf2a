"""Who holds a lease, and whether that run of a server is over."""

from __future__ import annotations

import re
import secrets
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import BaseFileLock

_NAME = re.compile(r"[0-9a-f]{32}")


class Holder:
    """One run of a server, as the servers that share a file of sessions know each other.

    It is a random name, and a file of that name beside the database, which the run keeps locked
    (`flock`; `msvcrt.locking` on Windows) for as long as it lives. The system lets go of the lock
    when the process ends, however that ends. So whether a run lives can be seen from another
    container too, where neither numbers of processes nor names of hosts tell anything.

    Args:
        path: Of the database; None: in memory, which no other run can see.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock: BaseFileLock | None = None
        self._file: Path | None = None  # that is locked
        self.name = secrets.token_hex(16)
        """Of this run; another one after its file was taken away."""

    def hold(self) -> None:
        """Keep the file locked from now on, if it is not.

        Raises:
            OSError: The file cannot be made or locked.
        """
        if self._path is None or (self._file is not None and self._file.exists()):
            return
        self.leave()
        self.name = secrets.token_hex(16)
        self._lock = self._taken(self.name)
        if self._lock is None:
            raise BlockingIOError(f"{self._file_of(self.name)} is locked by another process")
        self._file = self._file_of(self.name)

    def knows_dead(self, name: str) -> bool:
        """Whether another run is certainly over; its leases are void then.

        If the file of one that lives is taken away, its leases are void too: their fences see to it
        that it commits nothing afterwards.
        """
        if self._path is None or name == self.name:
            return False
        if not _NAME.fullmatch(name):  # nobody's
            return True
        try:
            if not self._file_of(name).exists():
                return True
            lock = self._taken(name)
        except OSError:  # who cannot look does not know
            return False
        if lock is None:
            return False
        self._put_away(name, lock)
        return True

    def leave(self) -> None:
        """Let go of the file: this run is over."""
        if self._lock is not None:
            self._put_away(self.name, self._lock)
            self._lock = self._file = None

    def sweep(self) -> None:
        """Put the files of runs away that are over."""
        if self._path is None:
            return
        place = self._path.resolve()
        for file in place.parent.glob(f"{place.name}-run-*"):
            self.knows_dead(file.name.rpartition("-")[2])

    def _file_of(self, name: str) -> Path:
        """Beside the file itself, as SQLite's own: several names may lead there."""
        assert self._path is not None
        place = self._path.resolve()
        return place.with_name(f"{place.name}-run-{name}")

    def _taken(self, name: str) -> BaseFileLock | None:
        """The lock of a run, or None if that run has it."""
        # Here and not above: it takes a tenth of a second, and only a file needs it.
        from filelock import FileLock, Timeout

        lock = FileLock(self._file_of(name), timeout=0, mode=0o600, thread_local=False)
        try:
            lock.acquire()
        except Timeout:
            return None
        return lock

    def _put_away(self, name: str, lock: BaseFileLock) -> None:
        # Before it is let go, so that nobody finds it free; Windows lets that happen only after.
        with suppress(OSError):
            self._file_of(name).unlink()
        lock.release()
        with suppress(OSError):
            self._file_of(name).unlink()
