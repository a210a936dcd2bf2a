"""Where sessions are kept: the Protocol that every kind of store fulfils."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from service.sessions.policy import Holding
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
)
from service.sessions.tally import SessionTally


class SessionStore(Protocol):
    """Keeps sessions; one turn at a time on each.

    A turn is a transaction: between `begin` and `commit` nobody else can begin one, and the session
    stays what it was until the commit. A `commit` that does not fail, or a `release`, follows every
    `begin`; where it cannot, the lease ends by itself.

    All methods raise SessionUnknown for an id that never was or that is not for whoever asks,
    SessionGone, with the reason, for one that is over, and StoreUnavailable when nothing can be
    read or written now.
    """

    tally: SessionTally
    """What has happened to the sessions since the server started."""

    @property
    def fault(self) -> str | None:
        """Why nothing could be read or written when that was last tried."""

    async def holding(self) -> Holding:
        """What there is of all sessions together, those of other servers included."""

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
        """Keep a new session; may evict one of the account that has the most, not used for longest.

        Args:
            owner: Whose.
            account: Whose room it takes.
            model: `name@version`.
            seed: What its turns draw with.
            row: What it has read.
            record: That, as a turn.
        """

    async def get(self, key: SessionKey) -> Session:
        """Look at a session; does not count as use."""

    async def read(self, key: SessionKey) -> tuple[Session, bytes | None]:
        """A session, and the row that it goes on from (None before the first token).

        It is as it is now, a turn that runs on it left out. Does not count as use.
        """

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

    async def delete(self, key: SessionKey) -> None:
        """End a session; a turn that runs on it will fail to commit."""

    async def past(self, key: SessionKey, position: int) -> Past:
        """How to get to a place of a session, a turn that runs on it left out.

        Args:
            key: Which.
            position: Length of the text there, in tokens; not beyond its end.
        """

    async def fork(
        self, key: SessionKey, account: str, seeds: Sequence[int], back: Back | None = None
    ) -> list[Session]:
        """Copies of a session as it is now, of whoever asks, a turn that runs on it left out.

        Args:
            key: Which.
            account: Whose room they take.
            seeds: What the turns of each copy draw with.
            back: The place that they begin at, if that is not its end.
        """

    async def begin(
        self,
        key: SessionKey,
        *,
        lease_s: float,
        version: int | None = None,
        idempotency: Idempotency | None = None,
    ) -> Lease | Recorded:
        """Reserve a session for one turn; or find out that this turn has been.

        Args:
            key: Which.
            lease_s: The turn will be over by then; if not, others may begin one.
            version: That the session must be of.
            idempotency: Of the turn.

        Raises:
            KeyTaken: A turn that asked for something else had the same key.
            SessionBusy: Another turn is running, or the same one.
            SessionChanged: It is of another version.
        """

    async def log(self, key: SessionKey, *, after: int, limit: int) -> tuple[list[KeptTurn], bool]:
        """Turns of a session, the oldest that is remembered first.

        Args:
            key: Which session.
            after: Only those of a higher version.
            limit: At most so many.

        Returns:
            The turns, and whether there are more.
        """

    async def commit(
        self,
        lease: Lease,
        row: KeptRow | None,
        record: TurnRecord | None,
        *,
        checkpoints: Sequence[KeptRow] = (),
        back: Back | None = None,
    ) -> Session:
        """End a turn: the session now goes on from `row`; returns the new session.

        A turn that was committed is not committed again: whoever asks once more, as the answer was
        lost, gets the same answer, also when others have come after it (`policy.MAX_COMMITS`).

        Args:
            lease: Of `begin`.
            row: At its end; None: the start.
            record: What it was; None if nothing was read or written.
            checkpoints: Earlier rows of it; `kept_checkpoints` says which stay.
            back: Where it began, if not at the session's end.

        Raises:
            SessionBusy: The lease is over, and somebody else has begun a turn.
        """

    async def release(self, lease: Lease) -> None:
        """End a turn and leave the session as it was; never fails."""

    def expires_s(self, session: Session) -> float:
        """Unix time at which a session will be over if nobody uses it."""

    async def close(self) -> None:
        """Finish what has begun; nothing may be asked any more."""
