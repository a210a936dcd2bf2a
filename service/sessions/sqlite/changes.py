"""What changes a session: its making, the end of a turn, a copy."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace

from service.sessions import policy
from service.sessions.errors import SessionBusy
from service.sessions.session import (
    Back,
    KeptRow,
    Lease,
    Session,
    TurnRecord,
    new_session_id,
)
from service.sessions.sqlite.past import copy_checkpoints, go_back, keep_checkpoints
from service.sessions.sqlite.schema import COLUMNS
from service.sessions.sqlite.turns import copy_turns, remember


@dataclass(frozen=True, slots=True)
class Turn:
    """What is committed: see `SessionStore.commit`."""

    lease: Lease
    row: KeptRow | None
    record: TurnRecord | None
    checkpoints: Sequence[KeptRow]
    back: Back | None

    @property
    def num_tokens(self) -> int:
        """Length of the text after it."""
        return self.row.num_tokens if self.row else 0

    @property
    def places(self) -> list[KeptRow]:
        """Rows before its end: its own, and the one that it went on from."""
        before = self.back.row if self.back else None
        if self.back is None and self.lease.row is not None:
            before = KeptRow(self.lease.row, self.lease.session.num_tokens)
        return [*([before] if before else []), *self.checkpoints]


def insert(connection: sqlite3.Connection, session: Session, account: str) -> int:
    """A new session, which takes room of an account; returns its number."""
    names = COLUMNS.split(", ")
    marks = ", ".join("?" * (1 + len(names)))
    values = [account, *(getattr(session, name) for name in names)]
    query = f"INSERT INTO sessions (account, {COLUMNS}) VALUES ({marks})"
    return connection.execute(query, values).lastrowid or 0


def set_row(connection: sqlite3.Connection, number: int, row: KeptRow | None) -> None:
    """What a session goes on from."""
    if row is None:
        connection.execute("DELETE FROM session_rows WHERE number = ?", (number,))
        return
    connection.execute(
        "INSERT INTO session_rows VALUES (?, ?) "
        "ON CONFLICT (number) DO UPDATE SET content = excluded.content",
        (number, row.content),
    )


def commit(
    connection: sqlite3.Connection, number: int, turn: Turn, now_s: float, every: int
) -> Session:
    """End a turn; one that has ended gives its answer again.

    Raises:
        SessionBusy: Its lease is over, and somebody else has begun one.
    """
    lease, row, record = turn.lease, turn.row, turn.record
    [found] = connection.execute(
        "UPDATE sessions SET version = version + 1, num_tokens = ?, used_s = ?, leased_until_s = 0 "
        "WHERE number = ? AND fence = ? AND leased_until_s > 0 "
        f"RETURNING committed, {COLUMNS}",
        (turn.num_tokens, now_s, number, lease.fence),
    ).fetchall() or [None]
    if found is None:
        return _committed_again(connection, number, lease)
    commits, session = found[0], Session(*found[1:])
    grown = (len(row.content) if row else 0) - len(lease.row or b"")
    set_row(connection, number, row)
    if turn.back is not None:
        grown += go_back(connection, number, turn.back)
    grown += keep_checkpoints(connection, number, turn.places, turn.num_tokens, every)
    if record is not None:
        grown += remember(
            connection, number, session.version, now_s, turn.num_tokens, record, lease.idempotency
        )
    after = replace(session, num_bytes=session.num_bytes + grown)
    latest = [*commits.split(), _as_committed(lease, after)][-policy.MAX_COMMITS :]
    connection.execute(
        "UPDATE sessions SET num_bytes = ?, committed = ? WHERE number = ?",
        (after.num_bytes, " ".join(latest), number),
    )
    return after


def _committed_again(connection: sqlite3.Connection, number: int, lease: Lease) -> Session:
    """The session as a turn has left it, if it is one of the latest that were committed."""
    [(commits,)] = connection.execute("SELECT committed FROM sessions WHERE number = ?", (number,))
    for commit in commits.split():
        fence, version, num_tokens, num_bytes, used_s = commit.split(":")
        if int(fence) == lease.fence:
            return replace(
                lease.session,
                version=int(version),
                num_tokens=int(num_tokens),
                num_bytes=int(num_bytes),
                used_s=float(used_s),
            )
    raise SessionBusy(f"another turn has begun on session {lease.session.id} meanwhile")


def _as_committed(lease: Lease, after: Session) -> str:
    return f"{lease.fence}:{after.version}:{after.num_tokens}:{after.num_bytes}:{after.used_s!r}"


def fork(
    connection: sqlite3.Connection,
    origin: int,
    session: Session,
    owner: str,
    account: str,
    seed: int,
    now_s: float,
    back: Back | None,
) -> tuple[int, Session]:
    """A copy of a session, as it is or at an earlier place; returns its number and value."""
    copy = replace(
        session,
        id=new_session_id(),
        owner=owner,
        parent=session.id,
        seed=seed,
        num_tokens=back.position if back else session.num_tokens,
        created_s=now_s,
        used_s=now_s,
    )
    number = insert(connection, copy, account)
    copy_turns(connection, origin, number)
    copy_checkpoints(connection, origin, number)
    if back is None:
        connection.execute(
            "INSERT INTO session_rows SELECT ?, content FROM session_rows WHERE number = ?",
            (number, origin),
        )
        return number, copy
    [(num_bytes,)] = connection.execute(
        "SELECT coalesce(sum(length(content)), 0) FROM session_rows WHERE number = ?", (origin,)
    )
    set_row(connection, number, back.row)
    grown = (len(back.row.content) if back.row else 0) - int(num_bytes)
    return number, _grown(connection, number, copy, grown + go_back(connection, number, back))


def _grown(connection: sqlite3.Connection, number: int, session: Session, grown: int) -> Session:
    """A session that takes so many bytes more than what is said of it."""
    connection.execute(
        "UPDATE sessions SET num_bytes = num_bytes + ? WHERE number = ?", (grown, number)
    )
    return replace(session, num_bytes=session.num_bytes + grown)
