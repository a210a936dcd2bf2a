"""The `SessionStore` in SQLite: each method is a piece of one transaction."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from math import inf, nextafter
from pathlib import Path

from service.sessions import policy
from service.sessions.errors import SessionBusy, SessionGone, SessionUnknown
from service.sessions.policy import Holding, SessionLimits
from service.sessions.session import KeptRow, Lease, Session, SessionKey, new_session_id
from service.sessions.sqlite.database import Database
from service.sessions.sqlite.holder import Holder

_SESSION = "id, owner, model, seed, version, num_tokens, num_bytes, created_s, used_s"
_MOST_SWEPT = 20
"""Sessions whose time is over that are buried at once: so that no request waits for thousands."""


class SqliteSessionStore:
    """Sessions in a file, or in memory.

    Several servers of one machine may share a file; those of several machines may not.

    Args:
        path: Of the file; None: in memory.
        limits: Bounds.
        clock: Unix time.

    Raises:
        StoreTooNew: The file was written by a newer program.
    """

    def __init__(
        self, path: Path | None, limits: SessionLimits, clock: Callable[[], float] = time.time
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._database = Database(path)
        self._holder = Holder.this_process()
        self._last_created_s = 0.0

    @property
    def fault(self) -> str | None:
        """Why nothing could be read or written when that was last tried."""
        return self._database.fault

    async def create(self, *, owner: str, model: str, row: KeptRow | None, seed: int) -> Session:
        """Keep a new session; may evict one of whoever has the most, not used for longest."""
        # No two of one moment: pages go on from a time.
        now_s = self._last_created_s = max(self._clock(), nextafter(self._last_created_s, inf))
        session = Session(
            id=new_session_id(),
            owner=owner,
            model=model,
            seed=seed,
            version=0,
            num_tokens=row.num_tokens if row else 0,
            num_bytes=len(row.content) if row else 0,
            created_s=now_s,
            used_s=now_s,
        )

        def work(connection: sqlite3.Connection) -> None:
            self._sweep(connection)
            values = [getattr(session, name) for name in _SESSION.split(", ")]
            marks = ", ".join("?" * len(values))
            number = connection.execute(
                f"INSERT INTO sessions ({_SESSION}) VALUES ({marks})", values
            ).lastrowid
            if row is not None:
                connection.execute("INSERT INTO session_rows VALUES (?, ?)", (number, row.content))
            self._evict(connection, owner, number)

        await self._database.run(work)
        return session

    async def get(self, key: SessionKey) -> Session:
        """Look at a session; does not count as use."""
        return await self._database.run(lambda connection: self._find(connection, key)[1])

    async def page(
        self, owner: str, *, older_than_s: float | None, limit: int
    ) -> tuple[list[Session], bool]:
        """Live sessions of an owner, the newest first."""
        now_s = self._clock()
        bounds = {
            "owner": owner,
            "older_than_s": inf if older_than_s is None else older_than_s,
            "used_after_s": now_s - self._limits.idle_ttl_s,
            "created_after_s": now_s - self._limits.max_age_s,
            "now_s": now_s,
            "limit": limit + 1,
        }
        query = f"""
            SELECT {_SESSION} FROM sessions
            WHERE owner = :owner AND created_s < :older_than_s
            AND (leased_until_s > :now_s
                 OR (used_s > :used_after_s AND created_s > :created_after_s))
            ORDER BY created_s DESC LIMIT :limit
        """
        found = await self._database.run(
            lambda connection: [Session(*row) for row in connection.execute(query, bounds)]
        )
        return found[:limit], len(found) > limit

    async def delete(self, key: SessionKey) -> None:
        """End a session; a turn that runs on it will fail to commit."""

        def work(connection: sqlite3.Connection) -> None:
            number, session = self._find(connection, key)
            _bury(connection, number, session, policy.DELETED)

        await self._database.run(work)

    async def begin(self, key: SessionKey, *, lease_s: float) -> Lease:
        """Reserve a session for one turn."""

        def work(connection: sqlite3.Connection) -> Lease:
            self._sweep(connection)
            number, session = self._find(connection, key)
            if self._is_leased(connection, number):
                raise SessionBusy(f"another turn is running on session {session.id}")
            [(fence,)] = connection.execute(
                "UPDATE sessions SET fence = fence + 1, leased_until_s = ?, holder = ? "
                "WHERE number = ? RETURNING fence",
                (self._clock() + lease_s, str(self._holder), number),
            ).fetchall()
            row = connection.execute(
                "SELECT content FROM session_rows WHERE number = ?", (number,)
            ).fetchone()
            return Lease(session, row[0] if row else None, fence)

        beginning = asyncio.ensure_future(self._database.run(work))
        try:
            return await asyncio.shield(beginning)
        except asyncio.CancelledError:
            beginning.add_done_callback(self._release_unwanted)
            raise

    async def commit(self, lease: Lease, row: KeptRow) -> Session:
        """End a turn: the session now goes on from `row`."""

        def work(connection: sqlite3.Connection) -> Session:
            key = SessionKey(lease.session.owner, lease.session.id)
            number, session = self._find(connection, key, at_any_age=True)
            now_s = self._clock()
            committed = connection.execute(
                "UPDATE sessions SET version = version + 1, num_tokens = ?, num_bytes = ?, "
                "used_s = ?, leased_until_s = 0 WHERE number = ? AND fence = ? "
                f"AND leased_until_s > 0 RETURNING {_SESSION}",
                (row.num_tokens, len(row.content), now_s, number, lease.fence),
            ).fetchone()
            if committed is None:
                raise SessionBusy(f"another turn has begun on session {session.id} meanwhile")
            connection.execute(
                "INSERT INTO session_rows VALUES (?, ?) "
                "ON CONFLICT (number) DO UPDATE SET content = excluded.content",
                (number, row.content),
            )
            self._evict(connection, session.owner, number)
            return Session(*committed)

        return await self._database.run(work)

    async def release(self, lease: Lease) -> None:
        """End a turn and leave the session as it was; never fails, and waits for nothing."""
        self._release(lease)

    def expires_s(self, session: Session) -> float:
        """Unix time at which a session will be over if nobody uses it."""
        return self._limits.expires_s(session.created_s, session.used_s)

    async def close(self) -> None:
        """Finish what has begun; nothing may be asked any more."""
        await self._database.close()

    def _release_unwanted(self, beginning: asyncio.Future[Lease]) -> None:
        """Whoever asked for a lease has left before it came."""
        if not beginning.cancelled() and beginning.exception() is None:
            self._release(beginning.result())

    def _release(self, lease: Lease) -> None:
        self._database.post(
            lambda connection: connection.execute(
                "UPDATE sessions SET leased_until_s = 0 WHERE id = ? AND fence = ?",
                (lease.session.id, lease.fence),
            )
        )

    # Parts of transactions

    def _find(
        self, connection: sqlite3.Connection, key: SessionKey, *, at_any_age: bool = False
    ) -> tuple[int, Session]:
        found = connection.execute(
            f"SELECT number, {_SESSION} FROM sessions WHERE id = ?", (key.id,)
        ).fetchone()
        if found is not None and policy.may_use(key.owner, found[2]):
            number, session = found[0], Session(*found[1:])
            reason = self._limits.why_over(session.created_s, session.used_s, self._clock())
            if reason is None or at_any_age or self._is_leased(connection, number):
                return number, session
            raise SessionGone(f"session {key.id} is over: {reason}")
        grave = connection.execute(
            "SELECT owner, reason FROM tombstones WHERE id = ?", (key.id,)
        ).fetchone()
        if found is None and grave is not None and policy.may_use(key.owner, grave[0]):
            raise SessionGone(f"session {key.id} is over: {grave[1]}")
        raise SessionUnknown(f"there is no session {key.id}")

    def _is_leased(self, connection: sqlite3.Connection, number: int) -> bool:
        [(until_s, holder)] = connection.execute(
            "SELECT leased_until_s, holder FROM sessions WHERE number = ?", (number,)
        )
        return until_s > self._clock() and not self._holder.knows_dead(holder)

    def _sweep(self, connection: sqlite3.Connection) -> None:
        """Bury some of those whose time is over."""
        now_s = self._clock()
        for column, before_s in (
            ("used_s", now_s - self._limits.idle_ttl_s),
            ("created_s", now_s - self._limits.max_age_s),
        ):
            over = connection.execute(
                f"SELECT number, {_SESSION} FROM sessions "
                f"WHERE {column} <= ? AND leased_until_s <= ? ORDER BY {column} LIMIT ?",
                (before_s, now_s, _MOST_SWEPT),
            ).fetchall()
            for number, *values in over:
                session = Session(*values)
                reason = self._limits.why_over(session.created_s, session.used_s, now_s)
                _bury(connection, number, session, reason or "")

    def _evict(self, connection: sqlite3.Connection, owner: str, keep: int | None) -> None:
        """Make room; all others may have turns running: then it is over the limits for a while."""
        while True:
            own = connection.execute(
                "SELECT num_sessions, num_bytes FROM holdings WHERE owner = ?", (owner,)
            ).fetchone()
            together = connection.execute("SELECT num_sessions, num_bytes FROM total").fetchone()
            what = policy.excess(Holding(*own), Holding(*together), self._limits)
            if what is None or not self._evict_one(connection, what, owner, keep):
                return

    def _evict_one(
        self, connection: sqlite3.Connection, what: str, owner: str, keep: int | None
    ) -> bool:
        if what == "owner":
            owners = [owner]
        else:
            column = f"num_{what}"
            richest = connection.execute(f"SELECT owner FROM holdings ORDER BY {column} DESC")
            owners = (each for (each,) in richest)  # type: ignore[assignment]
        for each in owners:
            unused = connection.execute(
                f"SELECT number, {_SESSION} FROM sessions WHERE owner = ? AND number <> ? "
                "AND leased_until_s <= ? ORDER BY used_s, number LIMIT 1",
                (each, keep, self._clock()),
            ).fetchone()
            if unused is not None:
                _bury(connection, unused[0], Session(*unused[1:]), policy.EVICTED)
                return True
        return False


def _bury(connection: sqlite3.Connection, number: int, session: Session, reason: str) -> None:
    connection.execute("DELETE FROM sessions WHERE number = ?", (number,))
    grave = connection.execute(
        "INSERT OR REPLACE INTO tombstones (id, owner, reason) VALUES (?, ?, ?)",
        (session.id, session.owner, reason),
    ).lastrowid
    connection.execute(
        "DELETE FROM tombstones WHERE number <= ?", ((grave or 0) - policy.MAX_TOMBSTONES,)
    )
