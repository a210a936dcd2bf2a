"""Forks, versions and logs of sessions, in every kind of store."""

import asyncio

import pytest

from service.sessions import policy
from service.sessions.errors import KeyTaken, SessionBusy, SessionChanged, SessionGone
from service.sessions.session import Idempotency, KeptRow, Lease, TurnRecord
from tests.service.sessions.keeping import ROW, TURN, begin, create, ids, key


async def test_a_fork_goes_on_from_where_its_session_is(make):
    """With a row, a seed and an id of its own; neither of the two changes the other."""
    store = await make()
    session = await create(store, ROW)
    turn = await begin(store, session)

    forks = await store.fork(key(session, "you"), "me", [3, 4])

    assert [(3, session.id, "you", 0), (4, session.id, "you", 0)] == [
        (fork.seed, fork.parent, fork.owner, fork.version) for fork in forks
    ]
    assert 3 == len({session.id, *(fork.id for fork in forks)})
    lease = await begin(store, forks[0])
    assert ROW.content == lease.row
    after = await store.commit(lease, KeptRow(b"other", 9), TURN)
    assert (9, 5) == (after.num_tokens, (await store.get(key(forks[1]))).num_tokens)
    assert ROW.content == turn.row
    await store.delete(key(session))
    assert ROW.content == (await begin(store, forks[1])).row
    with pytest.raises(SessionGone):
        await store.fork(key(session), "me", [1])


async def test_forks_make_room_among_the_others(make):
    """Neither their session nor one of them goes for another one; all have its row."""
    store = await make(max_owner_sessions=4)
    session = await create(store, ROW)
    others = [await create(store, ROW) for _ in range(3)]
    forks = await store.fork(key(session), "me", [1, 2, 3])

    assert [session.id, *(fork.id for fork in forks)] == await ids(store)
    assert [ROW.content] * 3 == [(await begin(store, fork)).row for fork in forks]
    with pytest.raises(SessionGone):
        await store.get(key(others[0]))


async def test_a_turn_may_ask_for_a_version(make):
    """Another one is refused and leaves no lease."""
    store = await make()
    session = await create(store)
    mine = key(session)
    for wrong in (1, 7):
        with pytest.raises(SessionChanged, match=f"version 0, not {wrong}"):
            await store.begin(mine, lease_s=9, version=wrong)

    await store.commit(await store.begin(mine, lease_s=9, version=0), ROW, TURN)
    assert 1 == (await store.begin(mine, lease_s=9, version=1)).session.version


def _record(n, text="so it goes"):
    return TurnRecord(f"g_{n}", 1, n, 3, "{}", "stop", "{}", f"prompt {n}", text)


async def test_turns_are_remembered_in_their_order(make, clock):
    """With the prompt that the session began with; a fork has the same past, and its own future."""
    store = await make()
    session = await store.create(
        owner="me", account="me", model="m@1", seed=7, row=ROW, record=_record(0)
    )
    for n in (1, 2, 3):
        clock.now_s += 1
        await store.commit(await begin(store, session), KeptRow(b"row", 10 * n), _record(n))
    [fork] = await store.fork(key(session), "me", [8])
    await store.commit(await begin(store, fork), KeptRow(b"row", 99), _record(9))

    first, are_more = await store.log(key(session), after=-1, limit=3)
    last, are_none = await store.log(key(session), after=first[-1].version, limit=3)
    found = [*first, *last]
    assert (True, False) == (are_more, are_none)
    assert [(0, 1000, 5), (1, 1001, 10), (2, 1002, 20), (3, 1003, 30)] == [
        (turn.version, turn.at_s, turn.num_tokens) for turn in found
    ]
    assert [_record(n) for n in range(4)] == [turn.record for turn in found]
    forked, _ = await store.log(key(fork), after=-1, limit=9)
    assert found == forked[:4]
    assert [(4, _record(9))] == [(turn.version, turn.record) for turn in forked[4:]]


async def test_texts_count_and_are_bounded(make, monkeypatch):
    """The oldest turns are forgotten; what they took is given back."""
    monkeypatch.setattr(policy, "MAX_TURNS", 2)
    store = await make()
    session = await create(store)
    for n in range(1, 6):
        text = "é" * n
        session = await store.commit(await begin(store, session), ROW, _record(n, text))

    turns, _ = await store.log(key(session), after=-1, limit=9)
    assert [4, 5] == [turn.version for turn in turns]
    assert [8 + 8 + 4, 8 + 10 + 4] == [turn.record.num_bytes for turn in turns]
    assert len(ROW.content) + 42 == session.num_bytes
    assert session == await store.get(key(session))


async def test_a_late_commit_leaves_no_trace(make, clock):
    """The lease was over, and somebody else has had a turn."""
    store = await make()
    session = await create(store)
    late = await begin(store, session, lease_s=5)
    clock.now_s += 6
    await store.commit(await begin(store, session), ROW, _record(1))
    with pytest.raises(SessionBusy, match="meanwhile"):
        await store.commit(late, KeptRow(b"late", 9), _record(2))

    turns, _ = await store.log(key(session), after=-1, limit=9)
    assert [_record(1)] == [turn.record for turn in turns]
    assert ROW.content == (await begin(store, session)).row


async def test_a_turn_that_is_asked_for_again_is_not_had_twice(make):
    """By the key that its client gave it; another one with that key is refused."""
    store = await make()
    session = await create(store)
    name, mine = Idempotency("k", b"asked"), key(session)
    lease = await store.begin(mine, lease_s=9, idempotency=name)
    with pytest.raises(SessionBusy):
        await store.begin(mine, lease_s=9, idempotency=name)
    await store.commit(lease, ROW, _record(1))

    again = await store.begin(mine, lease_s=9, version=0, idempotency=name)
    assert _record(1) == again.record
    assert 1 == again.session.version
    with pytest.raises(KeyTaken):
        await store.begin(mine, lease_s=9, idempotency=Idempotency("k", b"else"))
    [fork] = await store.fork(mine, "me", [1])
    assert isinstance(await store.begin(key(fork), lease_s=9, idempotency=name), Lease)


async def test_a_turn_that_was_left_is_had_when_it_is_asked_for_again(make):
    """Its key is not taken by what never was."""
    store = await make()
    mine, name = key(await create(store)), Idempotency("k", b"asked")
    await store.release(await store.begin(mine, lease_s=9, idempotency=name))

    lease = await _begin_when_free(store, mine, name)
    assert 1 == (await store.commit(lease, ROW, _record(1))).version


async def _begin_when_free(store, mine, name):
    """A lease is given back soon: nobody waits for it."""
    for _ in range(500):
        try:
            return await store.begin(mine, lease_s=9, idempotency=name)
        except SessionBusy:
            await asyncio.sleep(0.01)
    raise AssertionError("the session is still leased")


async def test_a_commit_that_is_asked_for_again_gives_the_same_answer(make, clock):
    """Its answer was lost; also when others were committed since, and nothing is done twice."""
    store = await make(checkpoint_every=2)
    session = await create(store, ROW)
    told = []
    for n in range(1, policy.MAX_COMMITS + 2):
        clock.now_s += 0.1
        lease = await store.begin(key(session), lease_s=9, idempotency=Idempotency(str(n), b"d"))
        turn = (lease, KeptRow(b"row" * n, 9 + 3 * n), _record(n))
        told.append((turn, await store.commit(*turn, checkpoints=[KeptRow(b"way", 8 + 3 * n)])))
    now = await store.get(key(session))

    for turn, after in told[1:]:
        assert after == await store.commit(*turn)
    assert now == told[-1][1] == await store.get(key(session))
    turns, _ = await store.log(key(session), after=-1, limit=99)
    assert [_record(n) for n in range(1, policy.MAX_COMMITS + 2)] == [t.record for t in turns]
    with pytest.raises(SessionBusy, match="meanwhile"):  # remembered no more: a bound
        await store.commit(*told[0][0])


async def test_a_commit_that_is_asked_for_again_leaves_the_next_turn_alone(make):
    """It runs, and commits; a fork has committed nothing."""
    store = await make()
    session = await create(store)
    first = await begin(store, session)
    after = await store.commit(first, ROW, _record(1))
    second = await begin(store, session)
    assert after == await store.commit(first, ROW, _record(1))
    with pytest.raises(SessionBusy):
        await begin(store, session)

    assert 2 == (await store.commit(second, ROW, _record(2))).version
    [fork] = await store.fork(key(session), "me", [1])
    forked = await begin(store, fork)
    assert 3 == (await store.commit(forked, ROW, _record(3))).version
