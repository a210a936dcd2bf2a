"""What every store of sessions does, whatever it keeps them in."""

import dataclasses

import pytest

from service.sessions import policy
from service.sessions.errors import SessionBusy, SessionGone, SessionUnknown
from service.sessions.session import SessionKey
from tests.service.sessions.keeping import ROW, TURN, begin, create, ids, key


async def test_a_turn_commits_as_a_whole(make, clock):
    """Until then the session is what it was."""
    store = await make()
    session = await create(store)
    turn = await begin(store, session)
    row = dataclasses.replace(ROW, num_tokens=5)
    before = await store.get(key(session))
    clock.now_s += 5

    after = await store.commit(turn, row, TURN)

    assert (session, after) == (before, await store.get(key(session)))
    assert (1, 5, 1005.0) == (after.version, after.num_tokens, after.used_s)
    assert (0, 0) == (session.num_tokens, session.num_bytes)
    assert len(ROW.content) + TURN.num_bytes == after.num_bytes


async def test_one_turn_at_a_time(make, clock):
    """A second one is refused until the first is committed or abandoned."""
    store = await make()
    session = await create(store)
    turn = await begin(store, session)
    with pytest.raises(SessionBusy):
        await begin(store, session)

    await store.release(turn)

    assert session == (await begin(store, session)).session


async def test_deleting_a_session_fails_the_turn_that_runs(make, clock):
    """The commit finds it gone, and abandoning is harmless."""
    store = await make()
    session = await create(store)
    turn = await begin(store, session)
    await store.delete(key(session))

    with pytest.raises(SessionGone, match="it was deleted"):
        await store.commit(turn, ROW, TURN)
    await store.release(turn)
    with pytest.raises(SessionGone, match="it was deleted"):
        await store.delete(key(session))


async def test_a_session_that_never_was_is_unknown(make, clock):
    """That is another error than one that is over."""
    with pytest.raises(SessionUnknown):
        await (await make()).get(SessionKey("me", "s_none"))


async def test_an_idle_session_is_over(make, clock):
    """Looking at it is no use of it; a turn that runs protects it."""
    store = await make(idle_ttl_s=10)
    session, running = await create(store), await create(store)
    turn = await begin(store, running)
    clock.now_s += 9
    await store.get(key(session))
    clock.now_s += 1.5

    with pytest.raises(SessionGone, match="not used for 10 s"):
        await store.get(key(session))
    assert [running.id] == await ids(store)
    assert 1020.5 == store.expires_s(await store.commit(turn, ROW, TURN))
    assert [running.id] == await ids(store)


async def test_a_session_in_use_is_over_when_it_is_too_old(make, clock):
    """However much it is used."""
    store = await make(idle_ttl_s=10, max_age_s=15)
    session = await create(store)
    clock.now_s += 8
    await store.commit(await begin(store, session), ROW, TURN)
    clock.now_s += 7

    assert [] == await ids(store)
    with pytest.raises(SessionGone, match="older than 15 s"):
        await begin(store, session)


async def test_the_longest_unused_session_makes_room(make, clock):
    """By number; one with a running turn is spared."""
    store = await make(max_sessions=2)
    first, second = await create(store), await create(store)
    turn = await begin(store, first)
    third = await create(store)

    with pytest.raises(SessionGone, match="evicted to make room"):
        await store.get(key(second))
    await store.commit(turn, ROW, TURN)
    assert [first.id, third.id] == await ids(store)


async def test_sessions_are_bounded_in_bytes(make, clock):
    """A commit that grows one evicts others, and deleting gives the bytes back."""
    store = await make(max_bytes=2 * len(ROW.content))
    sessions = [await create(store, ROW) for _ in range(3)]
    assert [session.id for session in sessions[1:]] == await ids(store)

    await store.delete(key(sessions[2]))
    await create(store, ROW)

    assert sessions[1] == await store.get(key(sessions[1]))


async def test_running_turns_may_exceed_the_limits_for_a_moment(make, clock):
    """Nobody's turn is evicted."""
    store = await make(max_sessions=1)
    first = await create(store)
    turn = await begin(store, first)
    second = await create(store)
    assert 2 == len(await ids(store))

    await store.commit(turn, ROW, TURN)

    assert [first.id] == await ids(store)
    with pytest.raises(SessionGone):
        await store.get(key(second))


async def test_what_is_remembered_of_the_dead_is_bounded(make, monkeypatch):
    """The oldest reasons are forgotten first."""
    monkeypatch.setattr(policy, "MAX_TOMBSTONES", 1)
    store = await make()
    first, second = await create(store), await create(store)
    await store.delete(key(first))
    await store.delete(key(second))

    with pytest.raises(SessionUnknown):
        await store.get(key(first))
    with pytest.raises(SessionGone):
        await store.get(key(second))


async def test_sessions_are_listed_by_owner_and_page(make, clock):
    """The newest first, each once, whatever is used, created or deleted between two pages."""
    store = await make()
    mine = [await create(store) for _ in range(7)]
    await create(store, owner="you")
    first, are_more = await store.page("me", older_than_s=None, limit=3)
    assert (mine[:3:-1], True) == (first, are_more)
    await store.commit(await begin(store, mine[0]), ROW, TURN)
    await store.delete(key(first[-1]))
    await create(store)
    second, are_more = await store.page("me", older_than_s=first[-1].created_s, limit=4)

    assert ([s.id for s in mine[3::-1]], False) == ([s.id for s in second], are_more)
    assert ([], False) == await store.page("nobody", older_than_s=None, limit=3)


@pytest.mark.parametrize("limits", [{"max_sessions": 6}, {"max_bytes": 6 * len(ROW.content)}])
async def test_who_has_the_most_makes_room(make, limits):
    """Somebody who hoards sessions evicts his own; neither number nor bytes of others go for it."""
    store = await make(**limits)
    mine = await create(store, ROW, owner="me")
    for _ in range(20):
        await create(store, ROW, owner="hoarder")
    yours = await create(store, ROW, owner="you")

    assert ([mine.id], [yours.id]) == (await ids(store, "me"), await ids(store, "you"))
    assert 4 == len(await ids(store, "hoarder"))


async def test_an_owner_has_a_limit_too(make, clock):
    """His own longest unused one goes, though there is room."""
    store = await make(max_owner_sessions=2)
    first, second, third = [await create(store) for _ in range(3)]
    other = await create(store, owner="you")

    assert [second.id, third.id] == await ids(store)
    assert [other.id] == await ids(store, "you")
    with pytest.raises(SessionGone, match="evicted"):
        await store.get(key(first))


async def test_names_that_somebody_invents_take_room_of_one_account(make):
    """However many owners there are: who has few sessions keeps them."""
    store = await make(max_sessions=6)
    mine = [await create(store, owner="me") for _ in range(3)]
    for n in range(20):
        await store.create(owner=f"key:{n}", account="them", model="tiny@1", seed=7)

    assert [session.id for session in mine] == await ids(store)
