"""A turn: one request on a session, as a transaction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from service.rows.arrays import Int64
from service.rows.row import Row
from service.sessions.session import KeptRow, Lease
from service.sessions.store import SessionStore


class Turn:
    """Holds a session from `begin` until `commit` or `abandon`, whichever comes first.

    Attributes:
        lease: What was reserved.
        session: As it was when the turn began, and after `commit` as it is then.
    """

    def __init__(self, sessions: SessionStore, lease: Lease) -> None:
        self.lease = lease
        self.session = lease.session
        self._sessions = sessions
        self._open = True

    async def commit(self, row: KeptRow) -> None:
        """The session goes on from `row`.

        Raises:
            SessionGone: It was deleted meanwhile.
            StoreUnavailable: It cannot be kept; the session is as it was.
        """
        self.session = await self._sessions.commit(self.lease, row)
        self._open = False

    async def abandon(self) -> None:
        """Leave the session as it was; harmless after a commit."""
        if self._open:
            self._open = False
            await self._sessions.release(self.lease)


def counted_as_generated(row: Row, past: Row | None, generated_T: Int64) -> Row:
    """`row` with `generated_T` counted as generated after `past`, though the engine has read them.

    A text that was cut at a stop string is read again from where the turn began, which tells the
    engine nothing of who wrote it.
    """
    counts_V = np.bincount(generated_T, minlength=len(row.generated_V)).astype(np.int32)
    if past is not None:
        counts_V += past.generated_V
    return replace(row, generated_V=counts_V)
