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


async def _create(store, row=None):
    return await store.create(model="tiny@1", row=row, seed=7)


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
    clock.now_s += 1

    with pytest.raises(SessionGone, match="not used for 10 s"):
        await store.get(session.id)
    assert [] == await store.list_all()
    assert 1020.0 == store.expires_s(await store.commit_turn(turn, _ROW))
    assert [running.id] == [s.id for s in await store.list_all()]


async def test_a_session_in_use_is_over_when_it_is_too_old(clock):
    """However much it is used."""
    store = _store(clock, idle_ttl_s=10, max_age_s=15)
    session = await _create(store)
    clock.now_s += 8
    await store.commit_turn(await store.begin_turn(session.id), _ROW)
    clock.now_s += 7

    assert [] == await store.list_all()
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
    assert [first.id, third.id] == [s.id for s in await store.list_all()]


async def test_sessions_are_bounded_in_bytes(clock):
    """A commit that grows one evicts others, and deleting gives the bytes back."""
    store = _store(clock, max_bytes=2 * _ROW.num_bytes)
    sessions = [await _create(store, _ROW) for _ in range(3)]
    assert sessions[:0:-1] == await store.list_all()

    await store.delete(sessions[2].id)
    await _create(store, _ROW)

    assert sessions[1] == await store.get(sessions[1].id)


async def test_running_turns_may_exceed_the_limits_for_a_moment(clock):
    """Nobody's turn is evicted."""
    store = _store(clock, max_sessions=1)
    first = await _create(store)
    turn = await store.begin_turn(first.id)
    second = await _create(store)
    assert 2 == len(await store.list_all())

    await store.commit_turn(turn, _ROW)

    assert [first.id] == [s.id for s in await store.list_all()]
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
