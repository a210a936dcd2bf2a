"""Finding a session: whether it is there for whoever asks, and whether a turn runs on it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from service.sessions import policy
from service.sessions.errors import SessionGone, SessionUnknown
from service.sessions.policy import SessionLimits
from service.sessions.session import Session, SessionKey
from service.sessions.sqlite.clocks import Clocks
from service.sessions.sqlite.holder import Holder
from service.sessions.sqlite.schema import COLUMNS


@dataclass(slots=True)
class Finder:
    """Looks into a database.

    Attributes:
        limits: Of the sessions.
        clocks: What time it is.
        holder: Who asks.
    """

    limits: SessionLimits
    clocks: Clocks
    holder: Holder

    def find(
        self, connection: sqlite3.Connection, key: SessionKey, *, at_any_age: bool = False
    ) -> tuple[int, Session]:
        """Number and value of a session.

        Raises:
            SessionUnknown, SessionGone: There is none for whoever asks.
        """
        found = connection.execute(
            f"SELECT number, {COLUMNS} FROM sessions WHERE id = ?", (key.id,)
        ).fetchone()
        if found is not None and policy.may_use(key.owner, found[2]):
            number, session = found[0], Session(*found[1:])
            reason = self.limits.why_over(session.created_s, session.used_s, self.clocks.unix())
            if reason is None or at_any_age or self.is_leased(connection, number):
                return number, session
            raise SessionGone(f"session {key.id} is over: {reason}")
        grave = connection.execute(
            "SELECT owner, reason FROM tombstones WHERE id = ?", (key.id,)
        ).fetchone()
        if found is None and grave is not None and policy.may_use(key.owner, grave[0]):
            raise SessionGone(f"session {key.id} is over: {grave[1]}")
        raise SessionUnknown(f"there is no session {key.id}")

    def read(self, connection: sqlite3.Connection, key: SessionKey) -> tuple[Session, bytes | None]:
        """A session, and the row that it goes on from.

        Raises:
            SessionUnknown, SessionGone: There is none for whoever asks.
        """
        number, session = self.find(connection, key)
        row = connection.execute(
            "SELECT content FROM session_rows WHERE number = ?", (number,)
        ).fetchone()
        return session, row[0] if row else None

    def is_leased(self, connection: sqlite3.Connection, number: int) -> bool:
        """Whether a turn runs on a session."""
        [(until_s, holder)] = connection.execute(
            "SELECT leased_until_s, holder FROM sessions WHERE number = ?", (number,)
        )
        return until_s > self.clocks.steady() and not self.holder.knows_dead(holder)
