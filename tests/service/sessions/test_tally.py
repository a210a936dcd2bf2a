"""Ends of sessions and refused turns are counted, in every kind of store."""

import pytest

from service.sessions.errors import SessionBusy, SessionChanged, SessionGone
from service.sessions.policy import Holding
from tests.service.sessions.keeping import ROW, begin, create, key


async def test_ends_are_counted_by_their_reason(make, clock):
    """Deleted, evicted, idle and too old."""
    store = await make(max_owner_sessions=2, idle_ttl_s=10, max_age_s=25)
    first = await create(store, ROW)
    assert Holding(1, first.num_bytes) == await store.holding()
    await store.delete(key(first))
    assert {"deleted": 1} == store.tally.ended
    for _ in range(3):
        await create(store, ROW)
    assert {"deleted": 1, "evicted": 1} == store.tally.ended
    clock.now_s += 11
    await create(store)
    assert {"deleted": 1, "evicted": 1, "idle": 2} == store.tally.ended
    assert 1 == (await store.holding()).num_sessions


@pytest.mark.parametrize("sweeper", ["create", "begin", "fork"])
async def test_whoever_sweeps_counts_what_was_too_old(make, clock, sweeper):
    """Used until the end, and over for its age all the same."""
    store = await make(idle_ttl_s=10, max_age_s=25)
    old = await create(store)
    for _ in range(2):
        clock.now_s += 9
        await store.commit(await begin(store, old), ROW, None)
    young = await create(store, ROW)
    clock.now_s += 8
    match sweeper:
        case "create":
            await create(store)
        case "begin":
            await begin(store, young)
        case "fork":
            await store.fork(key(young), "me", [1])

    assert {"age": 1} == store.tally.ended


async def test_a_turn_that_comes_too_late_is_a_conflict(make, clock):
    """Somebody else has begun one meanwhile."""
    store = await make()
    session = await create(store)
    late = await begin(store, session, lease_s=1)
    clock.now_s += 2
    await begin(store, session)
    with pytest.raises(SessionBusy):
        await store.commit(late, ROW, None)

    assert {"busy": 1} == store.tally.conflicts


async def test_refused_turns_are_counted_by_their_reason(make):
    """Another one runs, or has changed the session."""
    store = await make()
    session = await create(store)
    with pytest.raises(SessionChanged):
        await store.begin(key(session), lease_s=9, version=4)
    await begin(store, session)
    for _ in range(2):
        with pytest.raises(SessionBusy):
            await begin(store, session)

    assert {"changed": 1, "busy": 2} == store.tally.conflicts


async def test_nothing_is_counted_where_nothing_happens(make):
    """A session that is not there is not a conflict."""
    store = await make()
    session = await create(store)
    await store.delete(key(session))
    with pytest.raises(SessionGone):
        await begin(store, session)

    assert {} == store.tally.conflicts
    assert Holding(0, 0) == await store.holding()
