"""An SQLite database in a thread of its own, which the event loop never waits for."""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from service.sessions.errors import StoreUnavailable
from service.sessions.sqlite.schema import migrate

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_MOST_AT_ONCE = 256
_BUSY_S = 15.0
"""How long another server may hold the file: SQLite's waiting is not fair, and one flush of a slow
disk may take seconds. Shorter than the half minute that a lease outlasts its turn."""
_CACHE_KB = 8192
_MOST_LOG_BYTES = 16 << 20
_NO_FILES: tuple[tuple[int, int] | None, ...] = (None, None)


@dataclass(frozen=True, slots=True)
class _Job:
    work: Callable[[sqlite3.Connection], Any]
    answer: asyncio.Future[Any]
    is_owed: bool = False
    must_last: bool = True


class Database:
    """Runs what it is given in transactions.

    All that waits at one moment is one transaction: under load, a disk that takes milliseconds to
    confirm a commit confirms many turns at once. What fails by itself takes nobody along.

    With a file, a commit that has returned survives the end of the process and, as far as the disk
    keeps what it confirms, a loss of power (WAL with `synchronous = FULL`: the log is flushed at
    each commit, https://sqlite.org/pragma.html#pragma_synchronous). What means nothing to who comes
    after a loss of power waits for no disk: with `NORMAL` it may be taken back by one, together
    with all that came after it, but never one without the other.

    Args:
        path: Of the file; None: in memory, and gone with this object.
        attend: Begins every transaction.

    Raises:
        StoreTooNew: It was written by a newer program.
    """

    def __init__(self, path: Path | None, attend: Callable[[sqlite3.Connection], None]) -> None:
        self._attend = attend
        self.fault: str | None = None
        self._is_closed = False
        self._path = path
        self._log_path = Path(f"{path}-wal")
        self._files = _NO_FILES  # that are open: the database and its log
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._connection: sqlite3.Connection | None = None
        self._flushes = True
        self._owed: list[_Job] = []  # posted, and to be tried again with what comes next
        try:
            self._connection = self._connect()
        except (sqlite3.Error, OSError) as error:
            self._fail(error)
        self._thread = threading.Thread(target=self._run, name="sessions", daemon=True)
        self._thread.start()

    async def run(self, work: Callable[[sqlite3.Connection], _T], *, must_last: bool = True) -> _T:
        """Do `work` in a transaction, in the thread.

        Args:
            work: What is to be done.
            must_last: Whether a loss of power must not take back what has returned.

        Raises:
            Exception: What `work` raised, which has changed nothing.
            StoreUnavailable: The database cannot be read or written now; nothing was changed.
        """
        return await self.begun(work, must_last=must_last)

    def begun(
        self, work: Callable[[sqlite3.Connection], _T], *, must_last: bool
    ) -> asyncio.Future[_T]:
        """What `work` will come to, as of `run`; it waits for the thread from now on."""
        if self._is_closed:  # nobody would answer
            raise StoreUnavailable("sessions cannot be read or written any more: the server ends")
        answer: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self._jobs.put(_Job(work, answer, must_last=must_last))
        return answer

    def post(self, work: Callable[[sqlite3.Connection], Any]) -> None:
        """Do `work`, which may be done twice, now or as soon as that can be; nobody waits.

        A loss of power may take it back.
        """
        answer = asyncio.get_running_loop().create_future()
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._jobs.put(_Job(work, answer, is_owed=True, must_last=False))

    async def close(self) -> None:
        """Do what was asked for, and end the thread."""
        self._is_closed = True
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    # In the thread

    def _run(self) -> None:
        is_over = False
        while not is_over:
            jobs = [self._jobs.get()]
            with suppress(queue.Empty):
                while len(jobs) < _MOST_AT_ONCE:
                    jobs.append(self._jobs.get_nowait())
            is_over = None in jobs
            # Who has left wants it no more: a turn that was left is not committed.
            wanted = [job for job in jobs if job is not None and not job.answer.cancelled()]
            if wanted := [*self._owed, *wanted]:
                self._owed = []
                self._answer(wanted)
        if self._connection is not None:
            self._connection.close()

    def _answer(self, jobs: list[_Job]) -> None:
        outcomes: list[tuple[Any, BaseException | None]]
        try:
            outcomes = self._transact(jobs)
            self.fault = None
        # Whatever it is: if the thread died, all that wait would wait for ever.
        except Exception as error:  # noqa: BLE001
            self._fail(error)
            self._owed = [job for job in jobs if job.is_owed]
            reason = error.strerror if isinstance(error, OSError) else error  # no path of ours
            failure = StoreUnavailable(f"sessions cannot be read or written now: {reason}")
            outcomes = [(None, failure)] * len(jobs)
        for job, (result, failed) in zip(jobs, outcomes, strict=True):
            # A loop that is closed has nobody who waits.
            with suppress(RuntimeError):
                job.answer.get_loop().call_soon_threadsafe(_settle, job.answer, result, failed)

    def _transact(self, jobs: list[_Job]) -> list[tuple[Any, BaseException | None]]:
        if self._connection is not None and self._files[0] not in (None, _identity(self._path)):
            self._let_go(self._connection)
        if self._connection is None:
            self._connection = self._connect()
        connection = self._connection
        self._flush_at_commit(connection, any(job.must_last for job in jobs))
        connection.execute("BEGIN IMMEDIATE")
        self._attend(connection)
        outcomes = [self._do(connection, job) for job in jobs]
        connection.execute("COMMIT")
        if self._files == _NO_FILES:
            self._files = _identity(self._path), _identity(self._log_path)
        return outcomes

    def _flush_at_commit(self, connection: sqlite3.Connection, flushes: bool) -> None:
        if flushes != self._flushes:
            connection.execute(f"PRAGMA synchronous = {'FULL' if flushes else 'NORMAL'}")
            self._flushes = flushes

    @staticmethod
    def _do(connection: sqlite3.Connection, job: _Job) -> tuple[Any, BaseException | None]:
        connection.execute("SAVEPOINT job")
        result, failure = None, None
        try:
            result = job.work(connection)
        except sqlite3.Error:  # of the database: it concerns everybody
            raise
        except Exception as error:  # noqa: BLE001
            connection.execute("ROLLBACK TO job")
            failure = error
        connection.execute("RELEASE job")
        return result, failure

    def _fail(self, error: Exception) -> None:
        """Begin anew next time; what is in memory has to be kept."""
        if self.fault is None:
            _log.error("sessions cannot be read or written: %s", error)
        self.fault = str(error)
        if self._connection is None:
            return
        with suppress(sqlite3.Error):
            self._connection.execute("ROLLBACK")
        if self._path is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _let_go(self, connection: sqlite3.Connection) -> None:
        """The file was replaced, or is gone: what is open belongs to nothing any more."""
        _log.warning("the file of the sessions was replaced: it is opened anew")
        connection.close()
        self._connection = None
        # SQLite leaves the log of a file that it does not find, and would apply it to the new one.
        if _identity(self._log_path) == self._files[1] is not None:
            self._log_path.unlink()

    def _connect(self) -> sqlite3.Connection:
        self._files = _NO_FILES
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # What people write is nobody else's; SQLite's other files take these permissions over.
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(
            ":memory:" if self._path is None else self._path,
            timeout=_BUSY_S,
            isolation_level=None,  # transactions are begun by hand
            check_same_thread=False,  # the thread takes over what this object has opened
        )
        try:
            migrate(connection)  # before anything that would change the file of another program
            _keep_a_log(connection)
            connection.execute("PRAGMA synchronous = FULL")
            self._flushes = True
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(f"PRAGMA journal_size_limit = {_MOST_LOG_BYTES}")
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
        except BaseException:
            connection.close()
            raise
        return connection


def _keep_a_log(connection: sqlite3.Connection) -> None:
    """Write-ahead logging. SQLite does not wait for others who switch to it at the same moment."""
    end_s = time.monotonic() + _BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end_s:
                raise
        time.sleep(0.01)


def _identity(path: Path | None) -> tuple[int, int] | None:
    """Device and number of the file that a path names now; None if there is none."""
    if path is None:
        return None
    with suppress(FileNotFoundError):
        there = path.stat()
        return there.st_dev, there.st_ino
    return None


def _settle(answer: asyncio.Future[Any], result: object, failure: BaseException | None) -> None:
    if answer.done():  # whoever waited has left
        return
    if failure is None:
        answer.set_result(result)
    else:
        answer.set_exception(failure)
