"""What every store of sessions does, whatever it keeps them in."""

import asyncio
import dataclasses

import pytest

from service.sessions import policy
from service.sessions.errors import SessionBusy, SessionChanged, SessionGone, SessionUnknown
from service.sessions.session import KeptRow, SessionKey
from service.sessions.sqlite.store import SqliteSessionStore
from tests.service.limits import session_limits

_ROW = KeptRow(b"a row of thirty bytes or so ...", 5)


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


@pytest.fixture(params=["memory", "file"])
async def make(request, tmp_path, clock):
    """Makes stores; the same place each time, if it is a file."""
    made = []

    async def make_one(**limits):
        path = tmp_path / "sessions.sqlite3" if request.param == "file" else None
        opening = asyncio.to_thread(SqliteSessionStore, path, session_limits(**limits), clock)
        made.append(await opening)
        return made[-1]

    yield make_one
    for store in made:
        await store.close()


def _key(session, owner="me"):
    return SessionKey(owner, session.id)


async def _create(store, row=None, owner="me"):
    return await store.create(owner=owner, model="tiny@1", row=row, seed=7)


async def _begin(store, session, lease_s=100):
    return await store.begin(_key(session, session.owner), lease_s=lease_s)


async def _ids(store, owner="me"):
    """Of all sessions of an owner, the oldest first."""
    sessions, are_more = await store.page(owner, older_than_s=None, limit=10_000)
    assert not are_more
    return [session.id for session in reversed(sessions)]


async def test_a_turn_commits_as_a_whole(make, clock):
    """Until then the session is what it was."""
    store = await make()
    session = await _create(store)
    turn = await _begin(store, session)
    row = dataclasses.replace(_ROW, num_tokens=5)
    before = await store.get(_key(session))
    clock.now_s += 5

    after = await store.commit(turn, row)

    assert (session, after) == (before, await store.get(_key(session)))
    assert (1, 5, 1005.0) == (after.version, after.num_tokens, after.used_s)
    assert (0, 0) == (session.num_tokens, session.num_bytes)
    assert len(_ROW.content) == after.num_bytes


async def test_one_turn_at_a_time(make, clock):
    """A second one is refused until the first is committed or abandoned."""
    store = await make()
    session = await _create(store)
    turn = await _begin(store, session)
    with pytest.raises(SessionBusy):
        await _begin(store, session)

    await store.release(turn)

    assert session == (await _begin(store, session)).session


async def test_deleting_a_session_fails_the_turn_that_runs(make, clock):
    """The commit finds it gone, and abandoning is harmless."""
    store = await make()
    session = await _create(store)
    turn = await _begin(store, session)
    await store.delete(_key(session))

    with pytest.raises(SessionGone, match="it was deleted"):
        await store.commit(turn, _ROW)
    await store.release(turn)
    with pytest.raises(SessionGone, match="it was deleted"):
        await store.delete(_key(session))


async def test_a_session_that_never_was_is_unknown(make, clock):
    """That is another error than one that is over."""
    with pytest.raises(SessionUnknown):
        await (await make()).get(SessionKey("me", "s_none"))


async def test_an_idle_session_is_over(make, clock):
    """Looking at it is no use of it; a turn that runs protects it."""
    store = await make(idle_ttl_s=10)
    session, running = await _create(store), await _create(store)
    turn = await _begin(store, running)
    clock.now_s += 9
    await store.get(_key(session))
    clock.now_s += 1.5

    with pytest.raises(SessionGone, match="not used for 10 s"):
        await store.get(_key(session))
    assert [running.id] == await _ids(store)
    assert 1020.5 == store.expires_s(await store.commit(turn, _ROW))
    assert [running.id] == await _ids(store)


async def test_a_session_in_use_is_over_when_it_is_too_old(make, clock):
    """However much it is used."""
    store = await make(idle_ttl_s=10, max_age_s=15)
    session = await _create(store)
    clock.now_s += 8
    await store.commit(await _begin(store, session), _ROW)
    clock.now_s += 7

    assert [] == await _ids(store)
    with pytest.raises(SessionGone, match="older than 15 s"):
        await _begin(store, session)


async def test_the_longest_unused_session_makes_room(make, clock):
    """By number; one with a running turn is spared."""
    store = await make(max_sessions=2)
    first, second = await _create(store), await _create(store)
    turn = await _begin(store, first)
    third = await _create(store)

    with pytest.raises(SessionGone, match="evicted to make room"):
        await store.get(_key(second))
    await store.commit(turn, _ROW)
    assert [first.id, third.id] == await _ids(store)


async def test_sessions_are_bounded_in_bytes(make, clock):
    """A commit that grows one evicts others, and deleting gives the bytes back."""
    store = await make(max_bytes=2 * len(_ROW.content))
    sessions = [await _create(store, _ROW) for _ in range(3)]
    assert [session.id for session in sessions[1:]] == await _ids(store)

    await store.delete(_key(sessions[2]))
    await _create(store, _ROW)

    assert sessions[1] == await store.get(_key(sessions[1]))


async def test_running_turns_may_exceed_the_limits_for_a_moment(make, clock):
    """Nobody's turn is evicted."""
    store = await make(max_sessions=1)
    first = await _create(store)
    turn = await _begin(store, first)
    second = await _create(store)
    assert 2 == len(await _ids(store))

    await store.commit(turn, _ROW)

    assert [first.id] == await _ids(store)
    with pytest.raises(SessionGone):
        await store.get(_key(second))


async def test_what_is_remembered_of_the_dead_is_bounded(make, monkeypatch):
    """The oldest reasons are forgotten first."""
    monkeypatch.setattr(policy, "MAX_TOMBSTONES", 1)
    store = await make()
    first, second = await _create(store), await _create(store)
    await store.delete(_key(first))
    await store.delete(_key(second))

    with pytest.raises(SessionUnknown):
        await store.get(_key(first))
    with pytest.raises(SessionGone):
        await store.get(_key(second))


async def test_sessions_are_listed_by_owner_and_page(make, clock):
    """The newest first, each once, whatever is used, created or deleted between two pages."""
    store = await make()
    mine = [await _create(store) for _ in range(7)]
    await _create(store, owner="you")
    first, are_more = await store.page("me", older_than_s=None, limit=3)
    assert (mine[:3:-1], True) == (first, are_more)
    await store.commit(await _begin(store, mine[0]), _ROW)
    await store.delete(_key(first[-1]))
    await _create(store)
    second, are_more = await store.page("me", older_than_s=first[-1].created_s, limit=4)

    assert ([s.id for s in mine[3::-1]], False) == ([s.id for s in second], are_more)
    assert ([], False) == await store.page("nobody", older_than_s=None, limit=3)


@pytest.mark.parametrize("limits", [{"max_sessions": 6}, {"max_bytes": 6 * len(_ROW.content)}])
async def test_who_has_the_most_makes_room(make, limits):
    """Somebody who hoards sessions evicts his own; neither number nor bytes of others go for it."""
    store = await make(**limits)
    mine = await _create(store, _ROW, owner="me")
    for _ in range(20):
        await _create(store, _ROW, owner="hoarder")
    yours = await _create(store, _ROW, owner="you")

    assert ([mine.id], [yours.id]) == (await _ids(store, "me"), await _ids(store, "you"))
    assert 4 == len(await _ids(store, "hoarder"))


async def test_an_owner_has_a_limit_too(make, clock):
    """His own longest unused one goes, though there is room."""
    store = await make(max_owner_sessions=2)
    first, second, third = [await _create(store) for _ in range(3)]
    other = await _create(store, owner="you")

    assert [second.id, third.id] == await _ids(store)
    assert [other.id] == await _ids(store, "you")
    with pytest.raises(SessionGone, match="evicted"):
        await store.get(_key(first))


async def test_nothing_is_kept_of_owners_without_sessions(make, clock):
    """There may be very many of them."""
    store = await make()
    for n in range(5):
        session = await _create(store, _ROW, owner=str(n))
        await store.delete(_key(session))

    [(holdings, total)] = await store._database.run(
        lambda connection: connection.execute(
            "SELECT (SELECT count(*) FROM holdings), num_sessions + num_bytes FROM total"
        ).fetchall()
    )
    assert (0, 0) == (holdings, total)


async def test_a_fork_goes_on_from_where_its_session_is(make):
    """With a row, a seed and an id of its own; neither of the two changes the other."""
    store = await make()
    session = await _create(store, _ROW)
    turn = await _begin(store, session)

    forks = await store.fork(_key(session, "you"), [3, 4])

    assert [(3, session.id, "you", 0), (4, session.id, "you", 0)] == [
        (fork.seed, fork.parent, fork.owner, fork.version) for fork in forks
    ]
    assert 3 == len({session.id, *(fork.id for fork in forks)})
    lease = await _begin(store, forks[0])
    assert _ROW.content == lease.row
    after = await store.commit(lease, KeptRow(b"other", 9))
    assert (9, 5) == (after.num_tokens, (await store.get(_key(forks[1]))).num_tokens)
    assert _ROW.content == turn.row
    await store.delete(_key(session))
    assert _ROW.content == (await _begin(store, forks[1])).row
    with pytest.raises(SessionGone):
        await store.fork(_key(session), [1])


async def test_forks_are_bounded_like_all_others(make):
    """The longest unused ones of their owner make room."""
    store = await make(max_owner_sessions=4)
    session = await _create(store, _ROW)
    forks = await store.fork(_key(session), range(6))

    assert [fork.id for fork in forks[2:]] == await _ids(store)


async def test_a_turn_may_ask_for_a_version(make):
    """Another one is refused and leaves no lease."""
    store = await make()
    session = await _create(store)
    key = _key(session)
    for wrong in (1, 7):
        with pytest.raises(SessionChanged, match=f"version 0, not {wrong}"):
            await store.begin(key, lease_s=9, version=wrong)

    await store.commit(await store.begin(key, lease_s=9, version=0), _ROW)
    assert 1 == (await store.begin(key, lease_s=9, version=1)).session.version
