"""Sessions in the memory of this process: gone with it, and bounded in number, bytes and time."""

from __future__ import annotations

import itertools
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from service.rows.row import Row
from service.sessions.errors import SessionBusy, SessionGone, SessionUnknown
from service.sessions.session import Session, new_session_id

_MAX_TOMBSTONES = 65_536


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """Bounds of a session store.

    Attributes:
        idle_ttl_s: A session is over when it was not used for this long.
        max_age_s: And when it is this old, however much it is used.
        max_sessions: More than these, and the longest unused ones are evicted.
        max_bytes: The same for their memory.
    """

    idle_ttl_s: float
    max_age_s: float
    max_sessions: int
    max_bytes: int


class MemorySessionStore:
    """A `SessionStore` in a dict; used on one event loop.

    Args:
        limits: Bounds.
        clock: Unix time.
    """

    def __init__(self, limits: SessionLimits, clock: Callable[[], float] = time.time) -> None:
        self._limits = limits
        self._clock = clock
        # In the order of use, the longest unused first.
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._busy: set[str] = set()
        self._num_bytes = 0
        # Why a session is over, for as many of them as there is room to remember.
        self._tombstones: OrderedDict[str, str] = OrderedDict()

    async def create(self, *, model: str, row: Row | None, seed: int) -> Session:
        """Keep a new session; evicts the longest unused ones where there is no room."""
        now_s = self._clock()
        session = Session(
            id=new_session_id(),
            model=model,
            row=row,
            seed=seed,
            version=0,
            created_s=now_s,
            used_s=now_s,
        )
        self._sweep()
        self._put(session)
        self._evict(keep=session.id)
        return session

    async def get(self, session_id: str) -> Session:
        """Look at a session."""
        self._sweep()
        return self._get(session_id)

    async def list_all(self) -> list[Session]:
        """All live sessions, the most recently used first."""
        self._sweep()
        now_s = self._clock()
        return [s for s in reversed(self._sessions.values()) if self.expires_s(s) > now_s]

    async def delete(self, session_id: str) -> None:
        """End a session."""
        self._sweep()
        self._get(session_id)
        self._bury(session_id, "it was deleted")

    async def begin_turn(self, session_id: str) -> Session:
        """Reserve a session for one turn."""
        self._sweep()
        session = self._get(session_id)
        if session_id in self._busy:
            raise SessionBusy(f"another turn is running on session {session_id}")
        self._busy.add(session_id)
        return session

    async def commit_turn(self, session: Session, row: Row) -> Session:
        """End a turn: the session goes on from `row`."""
        try:
            self._get(session.id)  # while it is busy: its time cannot be over under a turn
        finally:
            self._busy.discard(session.id)
        committed = replace(session, row=row, version=session.version + 1, used_s=self._clock())
        self._put(committed)
        self._evict(keep=session.id)
        return committed

    async def abandon_turn(self, session: Session) -> None:
        """End a turn and leave the session as it was."""
        self._busy.discard(session.id)

    def expires_s(self, session: Session) -> float:
        """Unix time at which a session is over if nobody uses it."""
        return min(
            session.used_s + self._limits.idle_ttl_s, session.created_s + self._limits.max_age_s
        )

    def _get(self, session_id: str) -> Session:
        session = self._sessions.get(session_id)
        if session is not None and self._bury_if_over(session):
            session = None
        if session is not None:
            return session
        if (reason := self._tombstones.get(session_id)) is not None:
            raise SessionGone(f"session {session_id} is over: {reason}")
        raise SessionUnknown(f"there is no session {session_id}")

    def _put(self, session: Session) -> None:
        previous = self._sessions.pop(session.id, None)
        self._num_bytes += session.num_bytes - (previous.num_bytes if previous else 0)
        self._sessions[session.id] = session

    def _bury(self, session_id: str, reason: str) -> None:
        self._num_bytes -= self._sessions.pop(session_id).num_bytes
        self._tombstones[session_id] = reason
        if len(self._tombstones) > _MAX_TOMBSTONES:
            self._tombstones.popitem(last=False)

    def _sweep(self) -> None:
        """Bury what was idle for too long: a few at the front of the order, so this is cheap.

        One that is used all the time and too old is found by `_get`, when it is used next.
        """
        for session in list(itertools.takewhile(self._is_idle, self._sessions.values())):
            self._bury_if_over(session)

    def _is_idle(self, session: Session) -> bool:
        return session.used_s + self._limits.idle_ttl_s <= self._clock()

    def _bury_if_over(self, session: Session) -> bool:
        """Bury a session whose time is over, but never under a running turn."""
        if self.expires_s(session) > self._clock() or session.id in self._busy:
            return False
        if self._is_idle(session):
            reason = f"it was not used for {self._limits.idle_ttl_s:g} s"
        else:
            reason = f"it was older than {self._limits.max_age_s:g} s"
        self._bury(session.id, reason)
        return True

    def _evict(self, keep: str) -> None:
        while not self._is_within_limits():
            spare = (s for s in self._sessions if s != keep and s not in self._busy)
            session_id = next(spare, None)
            if session_id is None:  # all others have turns running: over the limit for a moment
                return
            self._bury(session_id, "it was evicted to make room, as the longest unused one")

    def _is_within_limits(self) -> bool:
        return (
            len(self._sessions) <= self._limits.max_sessions
            and self._num_bytes <= self._limits.max_bytes
        )
