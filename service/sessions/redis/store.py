"""The `SessionStore` in Redis: each method is a script, which Redis runs as a whole."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from typing import Any

from service.sessions import policy
from service.sessions.errors import StoreUnavailable
from service.sessions.policy import Holding, SessionLimits
from service.sessions.redis.changes import HeldSession, back_of, commit_of, turn_as_asked
from service.sessions.redis.leases import Leases
from service.sessions.redis.records import pack_record, session_of, turn_of, unpack_record
from service.sessions.redis.scripts import Scripts
from service.sessions.redis.transactions import Transactions
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
    new_session_id,
)

_ALIVE_S = 10.0


class RedisSessionStore:
    """Sessions in one database of one Redis, which any number of servers share.

    Redis runs a script at a time and to its end, so a script is a transaction. Its clock counts.

    Args:
        url: `redis://[user:password@]host[:port]/database`, `rediss://` or `unix://`.
        limits: Bounds.
        clock: Unix time; None: that of Redis.
        alive_s: A server that Redis has not heard of for this long holds no lease any more.

    Attributes:
        tally: What this server has done to the sessions.
    """

    def __init__(
        self,
        url: str,
        limits: SessionLimits,
        clock: Callable[[], float] | None = None,
        alive_s: float = _ALIVE_S,
    ) -> None:
        self._limits = limits
        self._scripts = Scripts(url)
        self._transactions = Transactions(self._scripts, limits, clock)
        self.tally = self._transactions.tally
        self._leases = Leases(self._scripts, alive_s)

    @property
    def fault(self) -> str | None:
        """Why nothing could be read or written when that was last tried."""
        return self._scripts.fault

    def check(self) -> None:
        """See whether Redis answers, before there is an event loop; a `fault` if it does not.

        Raises:
            StoreTooNew: What it holds is of a newer program.
        """
        self._scripts.check()

    async def holding(self) -> Holding:
        """What there is of all sessions together, those of other servers included."""
        [[_, _, num_sessions, num_bytes]] = await self._transactions.run("holding", {})
        return Holding(int(num_sessions), int(num_bytes))

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
        """Keep a new session; may evict one of the account that has the most."""
        identity = new_session_id()
        asked: dict[str, Any] = {
            "id": identity,
            "owner": owner,
            "protected": policy.protected(owner),
            "account": account,
            "model": model,
            "seed": str(seed),
            "num_tokens": row.num_tokens if row else 0,
            "num_bytes": (len(row.content) if row else 0) + (record.num_bytes if record else 0),
            "has_row": row is not None,
        }
        if record is not None:
            asked["turn"] = turn_as_asked(record)
        content = [row.content if row else b"", pack_record(record) if record else b""]
        values, holdings = await self._transactions.run("create", asked, *content)
        await self._make_room(account, holdings, keep=[identity])
        return session_of(values)

    async def get(self, key: SessionKey) -> Session:
        """Look at a session; does not count as use."""
        values, _ = await self._transactions.run("read", _named(key) | {"with_row": False})
        return session_of(values)

    async def read(self, key: SessionKey) -> tuple[Session, bytes | None]:
        """A session, and the row that it goes on from; does not count as use."""
        values, row = await self._transactions.run("read", _named(key) | {"with_row": True})
        return session_of(values), row

    async def page(
        self, owner: str, *, older_than_s: float | None, limit: int
    ) -> tuple[list[Session], bool]:
        """Live sessions of an owner, the newest first."""
        older_than = "+inf" if older_than_s is None else f"({older_than_s!r}"
        asked = {"owner": owner, "older_than": older_than, "limit": limit}
        [found] = await self._transactions.run("page", asked)
        return [session_of(values) for values in found[:limit]], len(found) > limit

    async def delete(self, key: SessionKey) -> None:
        """End a session; a turn that runs on it will fail to commit."""
        await self._transactions.run("delete", _named(key))

    async def past(self, key: SessionKey, position: int) -> Past:
        """How to get to a place of a session."""
        row, start, turns, places = await self._transactions.run(
            "past", _named(key) | {"position": position}
        )
        return Past(row, int(start), [turn_of(each) for each in turns], sorted(map(int, places)))

    async def fork(
        self, key: SessionKey, account: str, seeds: Sequence[int], back: Back | None = None
    ) -> list[Session]:
        """Copies of a session as it is now, or was, of whoever asks."""
        copies = [{"id": new_session_id(), "seed": str(seed)} for seed in seeds]
        asked = _named(key) | {
            "protected": policy.protected(key.owner),
            "account": account,
            "copies": copies,
        }
        content: list[bytes] = []
        if back is not None:
            asked["back"], *content = back_of(back)
        found, holdings = await self._transactions.run("fork", asked, *content)
        # All at once: neither the session nor an earlier copy makes room for a later one.
        keep = [key.id, *(copy["id"] for copy in copies)]
        await self._make_room(account, holdings, keep)
        return [session_of(values) for values in found]

    async def begin(
        self,
        key: SessionKey,
        *,
        lease_s: float,
        version: int | None = None,
        idempotency: Idempotency | None = None,
    ) -> Lease | Recorded:
        """Reserve a session for one turn."""
        beginning = asyncio.ensure_future(self._begin(key, lease_s, version, idempotency))
        try:
            return await asyncio.shield(beginning)
        except asyncio.CancelledError:
            beginning.add_done_callback(self._release_unwanted)
            raise

    async def log(self, key: SessionKey, *, after: int, limit: int) -> tuple[list[KeptTurn], bool]:
        """Turns of a session, the oldest that is remembered first."""
        [found] = await self._transactions.run(
            "log", _named(key) | {"after": after, "limit": limit + 1}
        )
        return [turn_of(values) for values in found[:limit]], len(found) > limit

    async def commit(
        self,
        lease: Lease,
        row: KeptRow | None,
        record: TurnRecord | None,
        *,
        checkpoints: Sequence[KeptRow] = (),
        back: Back | None = None,
    ) -> Session:
        """End a turn: the session now goes on from `row`."""
        every = self._limits.checkpoint_every
        asked, content = commit_of(lease, row, record, checkpoints, back, every)
        values, holdings, account = await self._transactions.run("commit", asked, *content)
        await self._make_room(account.decode(), holdings, keep=[lease.session.id])
        return session_of(values)

    async def release(self, lease: Lease) -> None:
        """End a turn and leave the session as it was; never fails, and waits for nothing."""
        self._leases.give_back(lease)

    def expires_s(self, session: Session) -> float:
        """Unix time at which a session will be over if nobody uses it."""
        return self._limits.expires_s(session.created_s, session.used_s)

    async def close(self) -> None:
        """Finish what has begun; nothing may be asked any more."""
        await self._leases.close()
        await self._scripts.close()

    async def _begin(
        self,
        key: SessionKey,
        lease_s: float,
        version: int | None,
        idempotency: Idempotency | None,
    ) -> Lease | Recorded:
        self._leases.begin()
        asked = _named(key) | {
            "lease_s": lease_s,
            "holder": self._leases.holder,
            "alive_ms": self._leases.alive_ms,
            "reservation": secrets.token_hex(8),
        }
        if version is not None:
            asked["version"] = version
        if idempotency is not None:
            asked["name"] = idempotency.key
        digest = idempotency.digest if idempotency else b""
        try:
            values, row, *rest = await self._transactions.run("begin", asked, digest)
        except StoreUnavailable:
            self._leases.give_up(key.id, asked["reservation"])
            raise
        session = session_of(values)
        if not rest:
            return Recorded(session, unpack_record(row))
        fence, places = rest
        return HeldSession(session, row, int(fence), idempotency, tuple(map(int, places)))

    def _release_unwanted(self, beginning: asyncio.Future[Lease | Recorded]) -> None:
        """Whoever asked for a lease has left before it came."""
        if not beginning.cancelled() and beginning.exception() is None:
            begun = beginning.result()
            if isinstance(begun, Lease):
                self._leases.give_back(begun)

    async def _make_room(self, account: str, holdings: list[bytes], keep: list[str]) -> None:
        """Evict, but not `keep`; all others may have turns running: then there are too many."""
        while True:
            own_sessions, own_bytes, num_sessions, num_bytes = map(int, map(float, holdings))
            own, together = Holding(own_sessions, own_bytes), Holding(num_sessions, num_bytes)
            what = policy.excess(own, together, self._limits)
            if what is None:
                return
            asked = {"what": what, "account": account, "keep": keep}
            found = await self._transactions.evict(asked)
            if found is None:
                return
            holdings = found


def _named(key: SessionKey) -> dict[str, Any]:
    return {"id": key.id, "asker": key.owner}
