import dataclasses

import pytest

from service.rows.row import Row, RowShape
from service.sessions.errors import SessionBusy, SessionGone, SessionUnknown
from service.sessions.memory import MemorySessionStore
from tests.service.limits import session_limits

_ROW = Row.start(RowShape(2, 3))


class Clock:
    """Time that passes when told to."""

    def __init__(self):
        self.now_s = 1000.0

    def __call__(self):
        """Now."""
        return self.now_s


@pytest.fixture
def clock():
    """A clock that stands still."""
    return Clock()


def _store(clock, **limits):
    return MemorySessionStore(session_limits(**limits), clock)


async def _create(store, row=None, owner="me"):
    return await store.create(owner=owner, model="tiny@1", row=row, seed=7)


async def _ids(store, owner="me"):
    """Of all sessions of an owner, the oldest first."""
    sessions, are_more = await store.page(owner, older_than_s=None, limit=10_000)
    assert not are_more
    return [session.id for session in reversed(sessions)]


async def test_a_turn_commits_as_a_whole(clock):
    """Until then the session is what it was."""
    store = _store(clock)
    session = await _create(store)
    turn = await store.begin_turn(session.id)
    row = dataclasses.replace(_ROW, num_tokens=5)
    before = await store.get(session.id)
    clock.now_s += 5

    after = await store.commit_turn(turn, row)

    assert (session, after) == (before, await store.get(session.id))
    assert (1, 5, 1005.0) == (after.version, after.num_tokens, after.used_s)
    assert (0, 0) == (session.num_tokens, session.num_bytes)
    assert _ROW.num_bytes == after.num_bytes


async def test_one_turn_at_a_time(clock):
    """A second one is refused until the first is committed or abandoned."""
    store = _store(clock)
    session = await _create(store)
    turn = await store.begin_turn(session.id)
    with pytest.raises(SessionBusy):
        await store.begin_turn(session.id)

    await store.abandon_turn(turn)

    assert session == await store.begin_turn(session.id)


async def test_deleting_a_session_fails_the_turn_that_runs(clock):
    """The commit finds it gone, and abandoning is harmless."""
    store = _store(clock)
    session = await _create(store)
    turn = await store.begin_turn(session.id)
    await store.delete(session.id)

    with pytest.raises(SessionGone, match="it was deleted"):
        await store.commit_turn(turn, _ROW)
    await store.abandon_turn(turn)
    with pytest.raises(SessionGone, match="it was deleted"):
        await store.delete(session.id)


async def test_a_session_that_never_was_is_unknown(clock):
    """That is another error than one that is over."""
    with pytest.raises(SessionUnknown):
        await _store(clock).get("s_none")


async def test_an_idle_session_is_over(clock):
    """Looking at it is no use of it; a turn that runs protects it."""
    store = _store(clock, idle_ttl_s=10)
    session, running = await _create(store), await _create(store)
    turn = await store.begin_turn(running.id)
    clock.now_s += 9
    await store.get(session.id)
    clock.now_s += 1.5

    with pytest.raises(SessionGone, match="not used for 10 s"):
        await store.get(session.id)
    assert [] == await _ids(store)
    assert 1020.5 == store.expires_s(await store.commit_turn(turn, _ROW))
    assert [running.id] == await _ids(store)


async def test_a_session_in_use_is_over_when_it_is_too_old(clock):
    """However much it is used."""
    store = _store(clock, idle_ttl_s=10, max_age_s=15)
    session = await _create(store)
    clock.now_s += 8
    await store.commit_turn(await store.begin_turn(session.id), _ROW)
    clock.now_s += 7

    assert [] == await _ids(store)
    with pytest.raises(SessionGone, match="older than 15 s"):
        await store.begin_turn(session.id)


async def test_the_longest_unused_session_makes_room(clock):
    """By number; one with a running turn is spared."""
    store = _store(clock, max_sessions=2)
    first, second = await _create(store), await _create(store)
    turn = await store.begin_turn(first.id)
    third = await _create(store)

    with pytest.raises(SessionGone, match="evicted to make room"):
        await store.get(second.id)
    await store.commit_turn(turn, _ROW)
    assert [first.id, third.id] == await _ids(store)


async def test_sessions_are_bounded_in_bytes(clock):
    """A commit that grows one evicts others, and deleting gives the bytes back."""
    store = _store(clock, max_bytes=2 * _ROW.num_bytes)
    sessions = [await _create(store, _ROW) for _ in range(3)]
    assert [session.id for session in sessions[1:]] == await _ids(store)

    await store.delete(sessions[2].id)
    await _create(store, _ROW)

    assert sessions[1] == await store.get(sessions[1].id)


async def test_running_turns_may_exceed_the_limits_for_a_moment(clock):
    """Nobody's turn is evicted."""
    store = _store(clock, max_sessions=1)
    first = await _create(store)
    turn = await store.begin_turn(first.id)
    second = await _create(store)
    assert 2 == len(await _ids(store))

    await store.commit_turn(turn, _ROW)

    assert [first.id] == await _ids(store)
    with pytest.raises(SessionGone):
        await store.get(second.id)


async def test_what_is_remembered_of_the_dead_is_bounded(clock, monkeypatch):
    """The oldest reasons are forgotten first."""
    monkeypatch.setattr("service.sessions.memory._MAX_TOMBSTONES", 1)
    store = _store(clock)
    first, second = await _create(store), await _create(store)
    await store.delete(first.id)
    await store.delete(second.id)

    with pytest.raises(SessionUnknown):
        await store.get(first.id)
    with pytest.raises(SessionGone):
        await store.get(second.id)


async def test_sessions_are_listed_by_owner_and_page(clock):
    """The newest first, each once, whatever is used, created or deleted between two pages."""
    store = _store(clock)
    mine = [await _create(store) for _ in range(7)]
    await _create(store, owner="you")
    first, are_more = await store.page("me", older_than_s=None, limit=3)
    assert (mine[:3:-1], True) == (first, are_more)
    await store.commit_turn(await store.begin_turn(mine[0].id), _ROW)
    await store.delete(first[-1].id)
    await _create(store)
    second, are_more = await store.page("me", older_than_s=first[-1].created_s, limit=4)

    assert ([s.id for s in mine[3::-1]], False) == ([s.id for s in second], are_more)
    assert ([], False) == await store.page("nobody", older_than_s=None, limit=3)


async def test_who_has_the_most_makes_room(clock):
    """Somebody who hoards sessions evicts his own; neither number nor bytes of others go for it."""
    for limits in ({"max_sessions": 6}, {"max_bytes": 6 * _ROW.num_bytes}):
        store = _store(clock, **limits)
        mine = await _create(store, _ROW, owner="me")
        for _ in range(20):
            await _create(store, _ROW, owner="hoarder")
        yours = await _create(store, _ROW, owner="you")

        assert ([mine.id], [yours.id]) == (await _ids(store, "me"), await _ids(store, "you"))
        assert 4 == len(await _ids(store, "hoarder"))


async def test_an_owner_has_a_limit_too(clock):
    """His own longest unused one goes, though there is room."""
    store = _store(clock, max_owner_sessions=2)
    first, second, third = [await _create(store) for _ in range(3)]
    other = await _create(store, owner="you")

    assert [second.id, third.id] == await _ids(store)
    assert [other.id] == await _ids(store, "you")
    with pytest.raises(SessionGone, match="evicted"):
        await store.get(first.id)


async def test_nothing_is_kept_of_owners_without_sessions(clock):
    """There may be very many of them."""
    store = _store(clock)
    for n in range(5):
        session = await _create(store, _ROW, owner=str(n))
        await store.delete(session.id)

    assert ({}, {}) == (store._owned, dict(store._owned_bytes))
