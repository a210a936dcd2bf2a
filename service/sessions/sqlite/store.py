"""The `SessionStore` in SQLite: each method is a piece of one transaction."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from math import inf, nextafter
from pathlib import Path

from service.sessions import policy
from service.sessions.errors import SessionBusy, SessionChanged
from service.sessions.policy import Holding, SessionLimits
from service.sessions.session import (
    Back,
    Idempotency,
    KeptRow,
    KeptTurn,
    Lease,
    Past,
    Recorded,
    Session,
    SessionKey,
    TurnRecord,
    new_session_id,
)
from service.sessions.sqlite.changes import Turn, commit, fork, insert, set_row
from service.sessions.sqlite.clocks import Clocks
from service.sessions.sqlite.database import Database
from service.sessions.sqlite.finder import Finder
from service.sessions.sqlite.holder import Holder
from service.sessions.sqlite.past import past_of
from service.sessions.sqlite.room import bury, make_room, sweep
from service.sessions.sqlite.schema import COLUMNS
from service.sessions.sqlite.turns import find, recall, remember
from service.sessions.tally import SessionTally


class SqliteSessionStore:
    """Sessions in a file, or in memory.

    Several servers of one machine may share a file; those of several machines may not.

    Args:
        path: Of the file; None: in memory.
        limits: Bounds.
        clocks: What time it is.

    Attributes:
        tally: What has happened to the sessions.

    Raises:
        StoreTooNew: The file was written by a newer program.
    """

    def __init__(
        self, path: Path | None, limits: SessionLimits, clocks: Clocks | None = None
    ) -> None:
        self._limits = limits
        self._clocks = clocks or Clocks()
        self.tally = SessionTally()
        self._holder = Holder(path)
        self._finder = Finder(limits, self._clocks, self._holder)
        self._database = Database(path, self._attend)

    @property
    def fault(self) -> str | None:
        """Why nothing could be read or written when that was last tried."""
        return self._database.fault

    async def holding(self) -> Holding:
        """What there is of all sessions together."""
        query = "SELECT num_sessions, num_bytes FROM total"
        return await self._database.run(
            lambda connection: Holding(*connection.execute(query).fetchone())
        )

    async def create(
        self,
        *,
        owner: str,
        account: str,
        model: str,
        seed: int,
        row: KeptRow | None = None,
        record: TurnRecord | None = None,
    ) -> Session:
        """Keep a new session; may evict one of the account that has the most."""

        def work(connection: sqlite3.Connection) -> Session:
            now_s = self._new_moment(connection)
            session = Session(
                id=new_session_id(),
                owner=owner,
                parent=None,
                model=model,
                seed=seed,
                version=0,
                num_tokens=row.num_tokens if row else 0,
                num_bytes=(len(row.content) if row else 0) + (record.num_bytes if record else 0),
                created_s=now_s,
                used_s=now_s,
            )
            sweep(connection, self._limits, self._clocks.now(), self.tally)
            number = insert(connection, session, account)
            set_row(connection, number, row)
            if record is not None:
                remember(connection, number, 0, now_s, session.num_tokens, record)
            make_room(connection, self._limits, self._clocks.now(), [number], self.tally)
            return session

        return await self._database.run(work)

    async def get(self, key: SessionKey) -> Session:
        """Look at a session; does not count as use."""
        return await self._database.run(lambda connection: self._finder.find(connection, key)[1])

    async def read(self, key: SessionKey) -> tuple[Session, bytes | None]:
        """A session, and the row that it goes on from; does not count as use."""
        return await self._database.run(lambda connection: self._finder.read(connection, key))

    async def page(
        self, owner: str, *, older_than_s: float | None, limit: int
    ) -> tuple[list[Session], bool]:
        """Live sessions of an owner, the newest first."""
        now = self._clocks.now()
        bounds = {
            "owner": owner,
            "older_than_s": inf if older_than_s is None else older_than_s,
            "used_after_s": now.unix_s - self._limits.idle_ttl_s,
            "created_after_s": now.unix_s - self._limits.max_age_s,
            "now_s": now.steady_s,
            "limit": limit + 1,
        }
        query = f"""
            SELECT {COLUMNS} FROM sessions
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
            number, session = self._finder.find(connection, key)
            bury(connection, number, session, policy.DELETED, self.tally)

        await self._database.run(work)

    async def past(self, key: SessionKey, position: int) -> Past:
        """How to get to a place of a session."""

        def work(connection: sqlite3.Connection) -> Past:
            return past_of(connection, *self._finder.find(connection, key), position)

        return await self._database.run(work)

    async def fork(
        self, key: SessionKey, account: str, seeds: Sequence[int], back: Back | None = None
    ) -> list[Session]:
        """Copies of a session as it is now, or was, of whoever asks."""

        def work(connection: sqlite3.Connection) -> list[Session]:
            sweep(connection, self._limits, self._clocks.now(), self.tally)
            number, session = self._finder.find(connection, key)
            forks = []
            for seed in seeds:
                now_s = self._new_moment(connection)
                forks.append(
                    fork(connection, number, session, key.owner, account, seed, now_s, back)
                )
            # All at once: neither the session nor an earlier copy makes room for a later one.
            keep = [number, *(copy for copy, _ in forks)]
            make_room(connection, self._limits, self._clocks.now(), keep, self.tally)
            return [session for _, session in forks]

        return await self._database.run(work)

    async def begin(
        self,
        key: SessionKey,
        *,
        lease_s: float,
        version: int | None = None,
        idempotency: Idempotency | None = None,
    ) -> Lease | Recorded:
        """Reserve a session for one turn."""

        def work(connection: sqlite3.Connection) -> Lease | Recorded:
            sweep(connection, self._limits, self._clocks.now(), self.tally)
            number, session = self._finder.find(connection, key)
            if idempotency is not None and (record := find(connection, number, idempotency)):
                return Recorded(session, record)
            if self._finder.is_leased(connection, number):
                self.tally.conflicts["busy"] += 1
                raise SessionBusy(f"another turn is running on session {session.id}")
            if version is not None and version != session.version:
                self.tally.conflicts["changed"] += 1
                raise SessionChanged(
                    f"session {session.id} is of version {session.version}, not {version}"
                )
            [(fence,)] = connection.execute(
                "UPDATE sessions SET fence = fence + 1, leased_until_s = ?, holder = ? "
                "WHERE number = ? RETURNING fence",
                (self._clocks.steady() + lease_s, self._holder.name, number),
            ).fetchall()
            row = connection.execute(
                "SELECT content FROM session_rows WHERE number = ?", (number,)
            ).fetchone()
            return Lease(session, row[0] if row else None, fence, idempotency)

        # The lease ends with this run, and so at a loss of power: nobody has to wait for the disk.
        beginning = self._database.begun(work, must_last=False)
        try:
            return await asyncio.shield(beginning)
        except asyncio.CancelledError:
            beginning.add_done_callback(self._release_unwanted)
            raise

    async def log(self, key: SessionKey, *, after: int, limit: int) -> tuple[list[KeptTurn], bool]:
        """Turns of a session, the oldest that is remembered first."""

        def work(connection: sqlite3.Connection) -> list[KeptTurn]:
            number, _ = self._finder.find(connection, key)
            return recall(connection, number, after=after, limit=limit + 1)

        found = await self._database.run(work)
        return found[:limit], len(found) > limit

    async def commit(
        self,
        lease: Lease,
        row: KeptRow | None,
        record: TurnRecord | None,
        *,
        checkpoints: Sequence[KeptRow] = (),
        back: Back | None = None,
    ) -> Session:
        """End a turn: the session now goes on from `row`."""
        turn = Turn(lease, row, record, checkpoints, back)

        def work(connection: sqlite3.Connection) -> Session:
            key = SessionKey(lease.session.owner, lease.session.id)
            number, _ = self._finder.find(connection, key, at_any_age=True)
            now = self._clocks.now()
            try:
                after = commit(connection, number, turn, now.unix_s, self._limits.checkpoint_every)
            except SessionBusy:
                self.tally.conflicts["busy"] += 1
                raise
            make_room(connection, self._limits, now, [number], self.tally)
            return after

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
        await asyncio.to_thread(self._holder.leave)

    def _release_unwanted(self, beginning: asyncio.Future[Lease | Recorded]) -> None:
        """Whoever asked for a lease has left before it came."""
        if not beginning.cancelled() and beginning.exception() is None:
            begun = beginning.result()
            if isinstance(begun, Lease):
                self._release(begun)

    def _release(self, lease: Lease) -> None:
        self._database.post(
            lambda connection: connection.execute(
                "UPDATE sessions SET leased_until_s = 0 WHERE id = ? AND fence = ?",
                (lease.session.id, lease.fence),
            )
        )

    # Parts of transactions

    def _attend(self, connection: sqlite3.Connection) -> None:
        """Before all that a transaction does: others see that this run lives; the times fit."""
        self._holder.hold()
        self._clocks.follow(connection, self._holder)

    def _new_moment(self, connection: sqlite3.Connection) -> float:
        """Now, but no two of one moment: pages go on from a time."""
        [(last_s,)] = connection.execute("SELECT coalesce(max(created_s), 0) FROM sessions")
        return max(self._clocks.unix(), nextafter(last_s, inf))
