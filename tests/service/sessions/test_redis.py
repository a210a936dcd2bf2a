"""What only a store in Redis can go through."""

from __future__ import annotations

import asyncio

import pytest
import redis

from service.sessions.errors import SessionBusy, StoreTooNew, StoreUnavailable
from service.sessions.places import open_store
from service.sessions.policy import Holding
from service.sessions.redis.store import RedisSessionStore
from service.sessions.session import Back, Idempotency, KeptRow, Lease, Recorded
from tests.service.limits import session_limits
from tests.service.sessions.keeping import ROW, TURN, begin, create, ids, key
from tests.service.sessions.redis_server import running_redis

NAME = Idempotency("my turn", b"digest")


@pytest.fixture
async def store(redis_url):
    """One server's."""
    store = RedisSessionStore(redis_url, session_limits())
    yield store
    await store.close()


@pytest.fixture
async def other(redis_url):
    """Another server's."""
    store = RedisSessionStore(redis_url, session_limits())
    yield store
    await store.close()


def lose_answers(store: RedisSessionStore, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The connection breaks after every script: once it has been run, its answer is lost."""
    lost: list[str] = []
    scripts = store._scripts._scripts
    for name, script in list(scripts.items()):

        async def run(args, name=name, script=script):
            answer = await script(args=args)
            if lost.count(name) <= sum(each == f"{name} again" for each in lost):
                lost.append(name)
                raise redis.ConnectionError("the connection broke")
            lost.append(f"{name} again")
            return answer

        monkeypatch.setitem(scripts, name, run)
    monkeypatch.setattr("service.sessions.redis.scripts._PAUSE_S", 0)
    return lost


async def test_what_is_asked_again_is_done_once(store, other, monkeypatch):
    """An answer that was lost is asked for again, and whatever the script did it did once."""
    lost = lose_answers(store, monkeypatch)
    session = await store.create(
        owner="me", account="me", model="tiny@1", seed=7, row=ROW, record=TURN
    )
    [fork] = await store.fork(key(session), "me", [8])
    lease = await store.begin(key(session), lease_s=9, idempotency=NAME)
    assert isinstance(lease, Lease)
    after = await store.commit(lease, KeptRow(b"a new row", 8), TURN)
    again = await store.begin(key(session), lease_s=9, idempotency=NAME)
    second = await begin(store, session)
    await store.release(second)
    await asyncio.wait(store._leases._paying)

    assert {"create", "fork", "begin", "commit", "release"} <= set(lost)
    assert (1, 1) == (lease.fence, after.version)
    assert isinstance(again, Recorded)
    assert 2 == second.fence
    assert [session.id, fork.id] == await ids(other)
    assert after == await other.get(key(session))
    with_names, _ = await other.log(key(session), after=-1, limit=9)
    assert [0, 1] == [turn.version for turn in with_names]
    assert 3 == (await begin(other, session)).fence


async def test_each_server_counts_what_it_does_and_sees_what_all_hold(store, other):
    """Sessions are of all of them; ends and refused turns are of the one that met them."""
    first = await create(store, ROW)
    second = await create(other, ROW)
    await begin(store, first)
    with pytest.raises(SessionBusy):
        await begin(other, first)
    await other.delete(key(second))

    assert Holding(1, first.num_bytes) == await store.holding() == await other.holding()
    assert ({}, {}) == (store.tally.ended, store.tally.conflicts)
    assert ({"deleted": 1}, {"busy": 1}) == (other.tally.ended, other.tally.conflicts)


async def test_the_lease_of_a_dead_server_is_void(store, other, redis_server):
    """As soon as Redis has not heard of it for long enough; if it lives after all, it is late."""
    session = await create(store)
    lost = await begin(store, session, lease_s=300)
    with pytest.raises(SessionBusy, match="another turn is running"):
        await begin(other, session)
    with redis_server.client() as client:
        assert 0 < client.pttl(f"lstm:alive:{store._leases.holder}") <= 10_000
        client.delete(f"lstm:alive:{store._leases.holder}")

    lease = await begin(other, session)

    assert lease.fence > lost.fence
    with pytest.raises(SessionBusy, match="meanwhile"):
        await store.commit(lost, ROW, TURN)
    await store.release(lost)
    assert 1 == (await other.commit(lease, ROW, TURN)).version


async def test_a_server_that_lives_says_so(redis_url, redis_server):
    """Again and again, until it ends: then its leases are void at once."""
    store = RedisSessionStore(redis_url, session_limits(), alive_s=2)
    session = await create(store)
    await begin(store, session)
    alive = f"lstm:alive:{store._leases.holder}"
    with redis_server.client() as client:
        left_ms = [client.pttl(alive)]
        while left_ms == sorted(left_ms, reverse=True):
            await asyncio.sleep(0.05)
            left_ms.append(client.pttl(alive))
        assert max(left_ms) <= 2000
        await store.close()
        assert not client.exists(alive)


async def test_who_leaves_before_the_lease_comes_holds_none(store):
    """It is given back when it has come."""
    session = await create(store)
    beginning = asyncio.ensure_future(begin(store, session))
    await asyncio.sleep(0)
    beginning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await beginning

    for _ in range(200):
        try:
            lease = await begin(store, session)
        except SessionBusy:
            await asyncio.sleep(0.01)
        else:
            break
    assert isinstance(lease, Lease)


async def test_a_lease_that_nobody_heard_of_is_given_back(store, other, monkeypatch):
    """The script was run, and no answer came however often it was asked: the session is free."""
    session = await create(store)
    begin_it = store._scripts._scripts["begin"]

    async def run(args):
        await begin_it(args=args)
        raise redis.ConnectionError("the connection broke")

    monkeypatch.setattr("service.sessions.redis.scripts._PAUSE_S", 0)
    monkeypatch.setitem(store._scripts._scripts, "begin", run)
    with pytest.raises(StoreUnavailable):
        await begin(store, session)
    await asyncio.wait(store._leases._paying)

    assert 2 == (await begin(other, session)).fence


@pytest.mark.parametrize(
    ("words", "error"),
    [("<TCPTransport closed=True>; the handler is closed", StoreUnavailable), ("?", RuntimeError)],
)
async def test_a_connection_that_is_closed_while_it_is_made_is_tried_again(
    store, monkeypatch, words, error
):
    """Uvloop says that with an error that redis-py does not expect; others are faults."""
    session = await create(store)
    begin_it = store._scripts._scripts["begin"]
    tries: list[object] = []

    async def run(args):
        tries.append(args)
        raise RuntimeError(words)

    monkeypatch.setattr("service.sessions.redis.scripts._PAUSE_S", 0)
    monkeypatch.setitem(store._scripts._scripts, "begin", run)
    with pytest.raises(error):
        await begin(store, session)
    monkeypatch.setitem(store._scripts._scripts, "begin", begin_it)
    assert (3 if error is StoreUnavailable else 1) == len(tries)
    await begin(store, session)


async def test_nothing_is_kept_of_owners_without_sessions(store, redis_server):
    """There may be very many of them."""
    for n in range(5):
        session = await create(store, ROW, owner=str(n))
        lease = await store.begin(key(session, str(n)), lease_s=9, idempotency=NAME)
        assert isinstance(lease, Lease)
        await store.commit(lease, KeptRow(b"later", 9), TURN, checkpoints=[ROW])
        await store.delete(key(session, str(n)))

    with redis_server.client() as client:
        left = {name.decode() for name in client.scan_iter()}
        assert b"0" == client.get("lstm:bytes")
    alive = f"lstm:alive:{store._leases.holder}"
    graves = {"lstm:graves", "lstm:graves:order", "lstm:graves:number"}
    assert {*graves, alive, "lstm:bytes", "lstm:last_created", "lstm:schema"} == left


async def test_the_name_of_a_turn_goes_with_it(store, redis_server):
    """When the session goes back before it: nothing is left of the name, and it may come again."""
    session = await create(store, ROW)
    for n in range(3):
        name = Idempotency(f"turn {n}", b"digest")
        lease = await store.begin(key(session), lease_s=9, idempotency=name)
        assert isinstance(lease, Lease)
        await store.commit(lease, KeptRow(b"later", 8 + 3 * n), TURN)
    lease = await begin(store, session)
    await store.commit(lease, ROW, None, back=Back(5, 5, ROW, None))

    with redis_server.client() as client:
        assert not client.exists(f"lstm:k:{session.id}", f"lstm:m:{session.id}")
    name = Idempotency("turn 1", b"another digest")
    assert isinstance(await store.begin(key(session), lease_s=9, idempotency=name), Lease)


async def test_a_redis_that_is_away_loses_nothing(tmp_path, monkeypatch, caplog):
    """Killed in any moment, it has what it has confirmed; meanwhile all is refused."""
    monkeypatch.setattr("service.sessions.redis.scripts._PAUSE_S", 0.01)
    with running_redis(tmp_path) as server:
        store = RedisSessionStore(server.url, session_limits())
        session = await create(store)
        for n in range(1, 20):
            lease = await begin(store, session)
            after = await store.commit(lease, KeptRow(b"x" * n * 100, n), TURN)
        lease = await begin(store, session)
        server.stop()
        with pytest.raises(StoreUnavailable, match="cannot be read or written now"):
            await store.commit(lease, ROW, TURN)
        await store.release(lease)
        assert store.fault
        server.start()

        assert (after, b"x" * 1900) == await store.read(key(session))
        assert store.fault is None
        for _ in range(500):
            try:
                lease = await begin(store, session)
            except SessionBusy:  # the lease is given back soon
                await asyncio.sleep(0.01)
            else:
                break
        assert 20 == (await store.commit(lease, ROW, TURN)).version
        await store.close()
    assert 1 == len(caplog.records)


async def test_a_redis_that_is_full_takes_nothing_by_halves(tmp_path):
    """It reads, and writes again when there is room."""
    with running_redis(tmp_path) as server, server.client() as client:
        store = RedisSessionStore(server.url, session_limits())
        session = await create(store)
        lease = await begin(store, session)
        client.config_set("maxmemory", "100kb")
        before = client.hgetall(f"lstm:s:{session.id}")
        with pytest.raises(StoreUnavailable):
            await store.commit(lease, ROW, TURN)
        assert before == client.hgetall(f"lstm:s:{session.id}")
        assert store.fault is not None
        assert "maxmemory" in store.fault
        client.config_set("maxmemory", "0")

        assert 1 == (await store.commit(lease, ROW, TURN)).version
        await store.close()


async def test_a_newer_programs_redis_is_refused(store, redis_url, redis_server):
    """At the start; and while it runs, sessions are refused and left as they are."""
    session = await create(store)
    with redis_server.client() as client:
        client.set("lstm:schema", 99)

    with pytest.raises(StoreUnavailable):
        await store.get(key(session))
    assert "schema 99, of a newer program" in (store.fault or "")
    with pytest.raises(StoreTooNew, match="schema 99"):
        await asyncio.to_thread(open_store, redis_url, session_limits())


async def test_a_server_starts_without_its_redis(tmp_path):
    """And has sessions as soon as that is there."""
    with running_redis(tmp_path) as server:
        server.stop()
        store = await asyncio.to_thread(open_store, server.url, session_limits())
        assert store.fault
        server.start()
        await create(store)
        assert store.fault is None
        await store.close()
