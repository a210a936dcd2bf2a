"""What turns were: the latest of each session, in the order in which they were committed."""

from __future__ import annotations

import sqlite3
from dataclasses import astuple

from service.sessions import policy
from service.sessions.session import KeptTurn, TurnRecord
from service.sessions.sqlite.schema import RECORD


def remember(
    connection: sqlite3.Connection,
    number: int | None,
    version: int,
    at_s: float,
    num_tokens: int,
    record: TurnRecord,
) -> int:
    """Keep what a turn was; returns how many bytes more the session takes, or fewer."""
    oldest = version - policy.MAX_TURNS
    [(num_forgotten,)] = connection.execute(
        "SELECT coalesce(sum(num_bytes), 0) FROM turns WHERE number = ? AND version <= ?",
        (number, oldest),
    )
    connection.execute("DELETE FROM turns WHERE number = ? AND version <= ?", (number, oldest))
    values = (number, version, at_s, num_tokens, record.num_bytes, *astuple(record))
    marks = ", ".join("?" * len(values))
    connection.execute(
        f"INSERT INTO turns (number, version, at_s, num_tokens, num_bytes, {RECORD}) "
        f"VALUES ({marks})",
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


def copy(connection: sqlite3.Connection, origin: int, number: int | None) -> None:
    """A fork has the past of its session."""
    names = f"version, at_s, num_tokens, num_bytes, {RECORD}"
    connection.execute(
        f"INSERT INTO turns (number, {names}) SELECT ?, {names} FROM turns WHERE number = ?",
        (number, origin),
    )
