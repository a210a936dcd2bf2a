"""Where sessions are kept: the Protocol that every kind of store fulfils."""

from __future__ import annotations

from typing import Protocol

from service.rows.row import Row
from service.sessions.session import Session


class SessionStore(Protocol):
    """Keeps sessions; one turn at a time on each.

    A turn is a transaction: between `begin_turn` and `commit_turn` nobody else can begin one, and
    the session stays what it was until the commit. A `commit_turn` that does not fail, or an
    `abandon_turn`, follows every `begin_turn`.

    All methods raise SessionUnknown for an id that never was, and SessionGone, with the reason, for
    one that is over.
    """

    async def create(self, *, owner: str, model: str, row: Row | None, seed: int) -> Session:
        """Keep a new session; may evict one of whoever has the most, not used for longest."""

    async def get(self, session_id: str) -> Session:
        """Look at a session; does not count as use."""

    async def page(
        self, owner: str, *, older_than_s: float | None, limit: int
    ) -> tuple[list[Session], bool]:
        """Live sessions of an owner, the newest first.

        Args:
            owner: Whose.
            older_than_s: Only those created before this; that of the last one goes on from there.
            limit: At most so many.

        Returns:
            The sessions, and whether there are more.
        """

    async def delete(self, session_id: str) -> None:
        """End a session; a turn that runs on it will fail to commit."""

    async def begin_turn(self, session_id: str) -> Session:
        """Reserve a session for one turn.

        Raises:
            SessionBusy: Another turn is running.
        """

    async def commit_turn(self, session: Session, row: Row) -> Session:
        """End a turn: the session now goes on from `row`; returns the new session."""

    async def abandon_turn(self, session: Session) -> None:
        """End a turn and leave the session as it was; never fails."""

    def expires_s(self, session: Session) -> float:
        """Unix time at which a session will be over if nobody uses it."""
