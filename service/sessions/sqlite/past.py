"""Earlier places of sessions: rows that are kept to go back to, and turns that are taken back."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from service.sessions.policy import kept_checkpoints
from service.sessions.session import Back, KeptRow, Past, Session
from service.sessions.sqlite.turns import recall_between, replace_turns


def past_of(connection: sqlite3.Connection, number: int, session: Session, position: int) -> Past:
    """How to get to a place of a session."""
    places = [
        place
        for (place,) in connection.execute(
            "SELECT position FROM checkpoints WHERE number = ? ORDER BY position", (number,)
        )
    ]
    if position == session.num_tokens:
        start = position
        found = connection.execute("SELECT content FROM session_rows WHERE number = ?", (number,))
    else:
        start = max((place for place in places if place <= position), default=0)
        found = connection.execute(
            "SELECT content FROM checkpoints WHERE number = ? AND position = ?", (number, start)
        )
    row = found.fetchone()
    turns = recall_between(connection, number, start, position)
    return Past(row[0] if row else None, start, turns, places)


def go_back(connection: sqlite3.Connection, number: int, back: Back) -> int:
    """Forget what came after a place; returns how many bytes more the session takes: below 0."""
    grown = replace_turns(connection, number, back)
    forgotten = connection.execute(
        "DELETE FROM checkpoints WHERE number = ? AND position >= ? RETURNING length(content)",
        (number, back.since),
    ).fetchall()
    return grown - sum(int(num_bytes) for (num_bytes,) in forgotten)


def keep_checkpoints(
    connection: sqlite3.Connection, number: int, rows: Sequence[KeptRow], end: int, every: int
) -> int:
    """Keep those rows, and of the earlier ones, that a text of `end` tokens goes back to.

    Returns:
        How many bytes more the session takes.
    """
    kept = connection.execute(
        "SELECT position, length(content) FROM checkpoints WHERE number = ?", (number,)
    ).fetchall()
    there = dict(kept)
    fresh = {row.num_tokens: row.content for row in rows if row.num_tokens not in there}
    stay = set(kept_checkpoints([*there, *fresh], end, every))
    grown = 0
    for place in there.keys() - stay:
        connection.execute(
            "DELETE FROM checkpoints WHERE number = ? AND position = ?", (number, place)
        )
        grown -= there[place]
    for place in fresh.keys() & stay:
        connection.execute(
            "INSERT INTO checkpoints VALUES (?, ?, ?)", (number, place, fresh[place])
        )
        grown += len(fresh[place])
    return grown


def copy_checkpoints(connection: sqlite3.Connection, origin: int, number: int | None) -> None:
    """A fork can go back to where its session can."""
    connection.execute(
        "INSERT INTO checkpoints SELECT ?, position, content FROM checkpoints WHERE number = ?",
        (number, origin),
    )
