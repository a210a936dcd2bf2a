"""Sessions in the memory of this process: gone with it, and bounded in number, bytes and time."""

from __future__ import annotations

import itertools
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf, nextafter

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
        max_sessions: More than these, and some are evicted.
        max_bytes: The same for their memory.
        max_owner_sessions: The same for those of one owner.
    """

    idle_ttl_s: float
    max_age_s: float
    max_sessions: int
    max_bytes: int
    max_owner_sessions: int


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
        # Ids by owner, in the order of creation.
        self._owned: dict[str, dict[str, None]] = {}
        self._owned_bytes: Counter[str] = Counter()
        self._busy: set[str] = set()
        self._num_bytes = 0
        self._last_created_s = 0.0
        # Why a session is over, for as many of them as there is room to remember.
        self._tombstones: OrderedDict[str, str] = OrderedDict()

    async def create(self, *, owner: str, model: str, row: Row | None, seed: int) -> Session:
        """Keep a new session; evicts others where there is no room."""
        # No two of one moment: pages go on from a time.
        now_s = self._last_created_s = max(self._clock(), nextafter(self._last_created_s, inf))
        session = Session(
            id=new_session_id(),
            owner=owner,
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

    async def page(
        self, owner: str, *, older_than_s: float | None, limit: int
    ) -> tuple[list[Session], bool]:
        """Live sessions of an owner, the newest first."""
        self._sweep()
        now_s = self._clock()
        newest_first = (self._sessions[n] for n in reversed(self._owned.get(owner, {})))
        found = (
            session
            for session in newest_first
            if (older_than_s is None or session.created_s < older_than_s)
            and self.expires_s(session) > now_s
        )
        sessions = list(itertools.islice(found, limit + 1))
        return sessions[:limit], len(sessions) > limit

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
        """Keep a session, new or changed, as the most recently used one."""
        previous = self._sessions.pop(session.id, None)
        self._account(session.owner, session.num_bytes - (previous.num_bytes if previous else 0))
        self._sessions[session.id] = session
        self._owned.setdefault(session.owner, {})[session.id] = None

    def _bury(self, session_id: str, reason: str) -> None:
        session = self._sessions.pop(session_id)
        self._account(session.owner, -session.num_bytes)
        owned = self._owned[session.owner]
        del owned[session_id]
        if not owned:
            del self._owned[session.owner], self._owned_bytes[session.owner]
        self._tombstones[session_id] = reason
        if len(self._tombstones) > _MAX_TOMBSTONES:
            self._tombstones.popitem(last=False)

    def _account(self, owner: str, num_bytes: int) -> None:
        self._num_bytes += num_bytes
        self._owned_bytes[owner] += num_bytes

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
        """Make room: first among the owner's own, then among those of whoever has the most.

        So nobody who has little loses it to somebody who hoards.
        """
        owner = self._sessions[keep].owner
        while len(self._owned[owner]) > self._limits.max_owner_sessions:
            if not self._evict_one_of(owner, keep):
                break
        # All others may have turns running: then it is over the limits for a moment.
        while not self._is_within_limits() and self._evict_one_of_the_richest(keep):
            pass

    def _evict_one_of_the_richest(self, keep: str) -> bool:
        def wealth(owner: str) -> int:
            if len(self._sessions) > self._limits.max_sessions:
                return len(self._owned[owner])
            return self._owned_bytes[owner]

        if self._evict_one_of(max(self._owned, key=wealth), keep):
            return True
        owners = sorted(self._owned, key=wealth, reverse=True)
        return any(self._evict_one_of(owner, keep) for owner in owners)

    def _evict_one_of(self, owner: str, keep: str) -> bool:
        """Bury the longest unused session of an owner on which no turn runs."""
        spared = self._busy | {keep}
        if self._owned[owner].keys() <= spared:
            return False
        unused = next(s for s in self._sessions.values() if s.owner == owner and s.id not in spared)
        self._bury(unused.id, "it was evicted to make room, as the longest unused one of its owner")
        return True

    def _is_within_limits(self) -> bool:
        return (
            len(self._sessions) <= self._limits.max_sessions
            and self._num_bytes <= self._limits.max_bytes
        )
