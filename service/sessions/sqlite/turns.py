"""What turns were: the latest of each session, in the order in which they were committed."""

from __future__ import annotations

import sqlite3
from dataclasses import astuple

from service.sessions import policy
from service.sessions.errors import KeyTaken
from service.sessions.session import Back, Idempotency, KeptTurn, TurnRecord
from service.sessions.sqlite.schema import RECORD


def remember(
    connection: sqlite3.Connection,
    number: int | None,
    version: int,
    at_s: float,
    num_tokens: int,
    record: TurnRecord,
    idempotency: Idempotency | None = None,
) -> int:
    """Keep what a turn was; returns how many bytes more the session takes, or fewer."""
    oldest = version - policy.MAX_TURNS
    [(num_forgotten,)] = connection.execute(
        "SELECT coalesce(sum(num_bytes), 0) FROM turns WHERE number = ? AND version <= ?",
        (number, oldest),
    )
    connection.execute("DELETE FROM turns WHERE number = ? AND version <= ?", (number, oldest))
    name = (idempotency.key, idempotency.digest) if idempotency else (None, None)
    values = (number, version, at_s, num_tokens, record.num_bytes, *name, *astuple(record))
    marks = ", ".join("?" * len(values))
    connection.execute(
        "INSERT INTO turns (number, version, at_s, num_tokens, num_bytes, idempotency_key, digest, "
        f"{RECORD}) VALUES ({marks})",
        values,
    )
    return record.num_bytes - int(num_forgotten)


def recall(
    connection: sqlite3.Connection, number: int, *, after: int, limit: int
) -> list[KeptTurn]:
    """Turns of a session, the oldest first."""
    found = connection.execute(
        f"SELECT version, at_s, num_tokens, {RECORD} FROM turns "
        "WHERE number = ? AND version > ? ORDER BY version LIMIT ?",
        (number, after, limit),
    )
    return [
        KeptTurn(version, at_s, num_tokens, TurnRecord(*values))
        for version, at_s, num_tokens, *values in found
    ]


def recall_between(
    connection: sqlite3.Connection, number: int, start: int, end: int
) -> list[KeptTurn]:
    """Turns that hold a token between two places, the oldest first."""
    found = connection.execute(
        f"SELECT version, at_s, num_tokens, {RECORD} FROM turns "
        "WHERE number = ? AND num_tokens > ? AND num_tokens - num_read - num_written < ? "
        "AND num_read + num_written > 0 ORDER BY version",
        (number, start, end),
    )
    return [
        KeptTurn(version, at_s, num_tokens, TurnRecord(*values))
        for version, at_s, num_tokens, *values in found
    ]


def replace_turns(connection: sqlite3.Connection, number: int, back: Back) -> int:
    """Forget the turns that end after a place; of one that it is inside of, a part is left.

    Returns:
        How many bytes more the session takes: mostly below 0.
    """
    gone = connection.execute(
        "DELETE FROM turns WHERE number = ? AND num_tokens > ? RETURNING version, at_s, num_bytes",
        (number, back.since),
    ).fetchall()
    grown = -sum(int(num_bytes) for _, _, num_bytes in gone)
    if back.cut is not None:
        version, at_s, _ = min(gone)
        # Without the name that a client gave to it: it is not what was asked for any more.
        grown += remember(connection, number, version, at_s, back.position, back.cut)
    return grown


def find(
    connection: sqlite3.Connection, number: int, idempotency: Idempotency
) -> TurnRecord | None:
    """The turn of a session that a client has named so.

    Raises:
        KeyTaken: It asked for something else.
    """
    found = connection.execute(
        f"SELECT digest, {RECORD} FROM turns WHERE number = ? AND idempotency_key = ?",
        (number, idempotency.key),
    ).fetchone()
    if found is None:
        return None
    if found[0] != idempotency.digest:
        raise KeyTaken("a turn that asked for something else had this key")
    return TurnRecord(*found[1:])


def copy_turns(connection: sqlite3.Connection, origin: int, number: int | None) -> None:
    """A fork has the past of its session, but not the names that its client gave to turns."""
    names = f"version, at_s, num_tokens, num_bytes, {RECORD}"
    connection.execute(
        f"INSERT INTO turns (number, {names}) SELECT ?, {names} FROM turns WHERE number = ?",
        (number, origin),
    )
