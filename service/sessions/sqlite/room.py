"""Room for sessions: those whose time is over go, and where there are too many, the unused ones."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from service.sessions import policy
from service.sessions.policy import Holding, SessionLimits
from service.sessions.session import Session
from service.sessions.sqlite.clocks import Moment
from service.sessions.sqlite.schema import COLUMNS
from service.sessions.tally import SessionTally

_MOST_SWEPT = 20
"""Sessions whose time is over that are buried at once: so that no request waits for thousands."""


def sweep(
    connection: sqlite3.Connection, limits: SessionLimits, now: Moment, tally: SessionTally
) -> None:
    """Bury some of those whose time is over."""
    for column, before_s in (
        ("used_s", now.unix_s - limits.idle_ttl_s),
        ("created_s", now.unix_s - limits.max_age_s),
    ):
        over = connection.execute(
            f"SELECT number, {COLUMNS} FROM sessions "
            f"WHERE {column} <= ? AND leased_until_s <= ? ORDER BY {column} LIMIT ?",
            (before_s, now.steady_s, _MOST_SWEPT),
        ).fetchall()
        for number, *values in over:
            session = Session(*values)
            reason = limits.why_over(session.created_s, session.used_s, now.unix_s)
            bury(connection, number, session, reason or "", tally)


def make_room(
    connection: sqlite3.Connection,
    limits: SessionLimits,
    now: Moment,
    keep: Sequence[int],
    tally: SessionTally,
) -> None:
    """Evict, except the sessions `keep`, which need the room; the last of them is the newest.

    All others may have turns running: then there are too many for a while.
    """
    [(account,)] = connection.execute("SELECT account FROM sessions WHERE number = ?", keep[-1:])
    while True:
        own = connection.execute(
            "SELECT num_sessions, num_bytes FROM holdings WHERE account = ?", (account,)
        ).fetchone()
        together = connection.execute("SELECT num_sessions, num_bytes FROM total").fetchone()
        what = policy.excess(Holding(*own), Holding(*together), limits)
        if what is None or not _evict_one(connection, what, account, keep, now, tally):
            return


def bury(
    connection: sqlite3.Connection,
    number: int,
    session: Session,
    reason: str,
    tally: SessionTally,
) -> None:
    """End a session, and remember why."""
    tally.ended[policy.end_reason(reason)] += 1
    connection.execute("DELETE FROM sessions WHERE number = ?", (number,))
    grave = connection.execute(
        "INSERT OR REPLACE INTO tombstones (id, owner, reason) VALUES (?, ?, ?)",
        (session.id, session.owner, reason),
    ).lastrowid
    connection.execute(
        "DELETE FROM tombstones WHERE number <= ?", ((grave or 0) - policy.MAX_TOMBSTONES,)
    )


def _evict_one(
    connection: sqlite3.Connection,
    what: str,
    account: str,
    keep: Sequence[int],
    now: Moment,
    tally: SessionTally,
) -> bool:
    accounts: Iterable[str] = [account]
    if what != "account":
        richest = connection.execute(f"SELECT account FROM holdings ORDER BY num_{what} DESC")
        accounts = (each for (each,) in richest)
    for each in accounts:
        unused = connection.execute(
            f"SELECT number, {COLUMNS} FROM sessions WHERE account = ? AND leased_until_s <= ? "
            f"AND number NOT IN ({', '.join('?' * len(keep))}) ORDER BY used_s, number LIMIT 1",
            (each, now.steady_s, *keep),
        ).fetchone()
        if unused is not None:
            bury(connection, unused[0], Session(*unused[1:]), policy.EVICTED, tally)
            return True
    return False
