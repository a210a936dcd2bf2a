"""Whatever is asked of them in whatever order, a store in Redis says what one in SQLite says."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import asdict, replace

import pytest

from service.sessions.errors import SessionError, SessionGone
from service.sessions.redis.store import RedisSessionStore
from service.sessions.session import (
    Back,
    Idempotency,
    KeptRow,
    Lease,
    Recorded,
    SessionKey,
    TurnRecord,
)
from service.sessions.sqlite.clocks import Clocks
from service.sessions.sqlite.store import SqliteSessionStore
from service.sessions.store import SessionStore
from tests.service.limits import session_limits

_OWNERS = ("me", "you", "key:them")
_ACTIONS = (
    *("create", "delete", "release", "fork", "page"),
    *("begin", "commit") * 3,
    *("read",) * 2,
)
_NUM_ACTIONS = 400
_LIMITS = session_limits(
    idle_ttl_s=60, max_age_s=200, max_sessions=9, max_owner_sessions=5, max_bytes=3000,
    checkpoint_every=4,
)  # fmt: skip


class Side:
    """One of two stores, whose sessions have names that both share."""

    def __init__(self, store: SessionStore) -> None:
        self.store = store
        self.ids: list[str] = []
        self.leases: dict[int, Lease] = {}

    def named(self, value):
        """An answer, with the numbers of sessions in place of their ids."""
        text = repr(value)
        for number, identity in enumerate(self.ids):
            text = text.replace(identity, f"#{number}")
        return text

    async def do(self, action: str, owner: str, number: int, **details):
        """Ask; returns what is said, in words that do not depend on the store."""
        known = self.ids[number] if number < len(self.ids) else "s_none"
        try:
            found = await getattr(self, action)(SessionKey(owner, known), number, **details)
        except SessionGone as error:  # of two reasons it matters which was seen first
            return type(error).__name__, ""
        except SessionError as error:
            return type(error).__name__, self.named(str(error))
        return self.named(found)

    async def create(self, key, _number, *, row, record):
        """A session with a row or without."""
        made = await self.store.create(
            owner=key.owner, account=key.owner, model="m@1", seed=2**62, row=row, record=record
        )
        self.ids.append(made.id)
        return self.timeless(made)

    async def fork(self, key, _number, *, back):
        """Two copies."""
        forks = await self.store.fork(key, key.owner, [1, 2], back)
        self.ids += [fork.id for fork in forks]
        return [self.timeless(fork) for fork in forks]

    async def begin(self, key, number, *, version, name):
        """A turn."""
        lease = await self.store.begin(key, lease_s=10_000, version=version, idempotency=name)
        if isinstance(lease, Recorded):
            return self.timeless(lease.session), lease.record
        self.leases[number] = lease
        return self.timeless(lease.session), lease.row, lease.fence

    async def commit(self, _key, number, *, row, record, checkpoints, back):
        """The last turn that was begun."""
        if number not in self.leases:
            return None
        lease = self.leases[number]
        after = await self.store.commit(lease, row, record, checkpoints=checkpoints, back=back)
        del self.leases[number]
        return self.timeless(after)

    async def release(self, _key, number):
        """The last turn that was begun."""
        if number in self.leases:
            await self.store.release(self.leases[number])
            if isinstance(self.store, RedisSessionStore):
                await self.store._leases._pay()

    async def delete(self, key, _number):
        """It."""
        await self.store.delete(key)

    async def read(self, key, _number):
        """It, its turns and what there is at each place."""
        session, row = await self.store.read(key)
        turns, _ = await self.store.log(key, after=-1, limit=5)
        places = range(0, session.num_tokens + 1, 3)
        pasts = [await self.store.past(key, place) for place in places]
        return self.timeless(session), row, turns, pasts

    async def page(self, key, _number):
        """Somebody's."""
        found, are_more = await self.store.page(key.owner, older_than_s=None, limit=4)
        return [self.timeless(session) for session in found], are_more

    @staticmethod
    def timeless(session):
        """Without the last digits of its times: moments of creation are made unlike others."""
        times = {name: f"{getattr(session, name):.3f}" for name in ("created_s", "used_s")}
        return asdict(session) | times


class Script:
    """What is asked, drawn from a seed."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.ends: Counter[int] = Counter()

    def row(self, num_tokens: int) -> KeptRow:
        """Any row."""
        return KeptRow(bytes(self.draw.choices(range(256), k=self.draw.randint(1, 60))), num_tokens)

    def record(self, num_read: int, num_written: int) -> TurnRecord:
        """Any turn."""
        has_text = self.draw.random() < 0.7
        return TurnRecord(
            f"g_{self.draw.random()}", num_read, num_written, 2**63 - 1, '{"a":1}', "length", "{}",
            "猫\n\x00" if has_text else None, "w" * num_written if has_text else None,
            b"\x01\n\xff" if has_text else None, b"" if has_text else None,
        )  # fmt: skip

    def back(self, end: int) -> Back:
        """Any earlier place, inside of a turn or not."""
        position = self.draw.randint(0, end)
        since = max(0, position - self.draw.randint(0, 1))
        row = self.row(position) if position else None
        return Back(position, since, row, None)

    def next(self, num_sessions: int):
        """The next action: its name, who asks, of which session, and what goes with it."""
        action = self.draw.choice(_ACTIONS)
        owner = self.draw.choice(_OWNERS)
        number = max(0, num_sessions - self.draw.randint(0, 6))
        details: dict[str, object] = {}
        if action == "create":
            row = self.row(3) if self.draw.random() < 0.5 else None
            details = {"row": row, "record": self.record(3, 0) if row else None}
        elif action == "begin":
            name = Idempotency(str(self.draw.randint(0, 5)), bytes([self.draw.randint(0, 1)]) * 4)
            details = {
                "version": self.draw.choice([None, None, 1]),
                "name": self.draw.choice([None, name]),
            }
        elif action == "commit":
            read, written = self.draw.randint(0, 5), self.draw.randint(0, 9)
            end = self.draw.randint(0, 30) + read + written
            places = sorted(self.draw.sample(range(1, end + 2), k=min(3, end + 1)))
            details = {
                "row": self.row(end) if end else None,
                "record": self.draw.choice([None, self.record(read, written)]),
                "checkpoints": [self.row(place) for place in places],
                "back": None,
            }
        elif action == "fork":
            details = {"back": None}
        return action, owner, number, details


@pytest.mark.parametrize("seed", range(12))
async def test_the_stores_agree(redis_url, clock, seed):
    """Each answer and each refusal is the same, and so is what is left."""
    script = Script(seed)
    sqlite = Side(await asyncio.to_thread(SqliteSessionStore, None, _LIMITS, Clocks(clock, clock)))
    other = Side(RedisSessionStore(redis_url, _LIMITS, clock))
    said = Counter[str]()
    for _ in range(_NUM_ACTIONS):
        action, owner, number, details = script.next(len(sqlite.ids))
        if action in ("commit", "fork") and script.draw.random() < 0.3:
            session = number in sqlite.leases and sqlite.leases[number].session
            back = script.back(session.num_tokens if session else 3)
            details["back"] = back
            if action == "commit":
                details["record"] = None
                details["row"] = replace(back.row) if back.row else None
        answers = [await side.do(action, owner, number, **details) for side in (sqlite, other)]
        assert answers[0] == answers[1], (action, owner, number, details)
        said[answers[0][0] if isinstance(answers[0], tuple) else action] += 1
        clock.now_s += script.draw.choice([1, 1, 2, 20])
    assert {"create", "begin", "commit", "read"} <= said.keys()
    for side in (sqlite, other):
        await side.store.close()
