"""Earlier places: what a store keeps of them, and what is forgotten when a session goes back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.sessions.errors import SessionBusy, SessionGone, SessionUnknown
from service.sessions.session import Back, Idempotency, KeptRow, Lease, SessionKey
from tests.service.sessions.keeping import TURN, begin, create, ids, key


def row(num_tokens, size=30):
    """A row of a place."""
    return KeptRow(bytes([num_tokens % 256]) * size, num_tokens)


def record(num_read, num_written, text="abc"):
    """A turn of so many tokens."""
    return replace(
        TURN,
        num_read=num_read,
        num_written=num_written,
        prompt="p",
        text=text,
        read=b"\x01" * (1 + num_read),
        written=b"\x01" * (1 + num_written),
    )


async def turn(store, session, end, num_read, num_written, checkpoints=(), back=None):
    """A turn that ends where the text has `end` tokens."""
    lease = await begin(store, session)
    return await store.commit(
        lease, row(end), record(num_read, num_written), checkpoints=checkpoints, back=back
    )


async def talk(store):
    """Three turns of 10, 20 and 30 tokens, with rows inside the last one."""
    session = await create(store)
    await turn(store, session, 10, 4, 6)
    await turn(store, session, 30, 5, 15)
    return await turn(store, session, 60, 10, 20, checkpoints=[row(38), row(47)])


@pytest.mark.parametrize(
    ("position", "start", "ends"),
    [(0, 0, []), (7, 0, [10]), (10, 10, []), (29, 10, [30]), (30, 30, []), (41, 38, [60])],
)
async def test_the_way_to_a_place_begins_at_the_last_row_before_it(make, position, start, ends):
    """And goes along the turns from there, the one that it ends in as a whole."""
    store = await make(checkpoint_every=4)
    session = await talk(store)
    past = await store.past(key(session), position)

    assert (start, ends) == (past.num_tokens, [each.num_tokens for each in past.turns])
    assert (None if start == 0 else row(start).content) == past.row
    assert [10, 30, 38, 47] == past.places
    assert row(60).content == (await store.past(key(session), 60)).row


async def test_rows_that_are_near_another_are_not_kept(make):
    """But the one where the last turn began always is."""
    store = await make(checkpoint_every=25)
    session = await talk(store)
    assert [10, 30, 47] == (await store.past(key(session), 0)).places
    await turn(store, session, 62, 1, 1)
    assert [10, 30, 60] == (await store.past(key(session), 0)).places


async def test_what_comes_after_a_place_is_forgotten(make):
    """Its turns, and its rows; of a turn that it is inside of, a part is left without its name."""
    store = await make(checkpoint_every=4)
    session = await create(store)
    await turn(store, session, 10, 4, 6)
    lease = await store.begin(key(session), lease_s=9, idempotency=Idempotency("k", b"d"))
    await store.commit(lease, row(30), record(5, 15), checkpoints=[row(16), row(24)])
    lease = await begin(store, session)
    cut = replace(record(5, 7, "ab"), finish_reason="rewound")
    after = await store.commit(lease, row(22), None, back=Back(22, 22, row(22), cut))
    turns, _ = await store.log(key(session), after=-1, limit=9)
    again = await store.begin(key(session), lease_s=9, idempotency=Idempotency("k", b"d"))

    assert (22, 3) == (after.num_tokens, after.version)
    assert after == await store.get(key(session))
    assert [(1, 10), (2, 22)] == [(each.version, each.num_tokens) for each in turns]
    assert cut == turns[1].record
    assert [10, 16] == (await store.past(key(session), 0)).places
    assert isinstance(again, Lease)
    assert row(22).content == again.row


async def test_a_turn_takes_the_place_of_others(make):
    """At the place that it goes on from a row is kept."""
    store = await make(checkpoint_every=4)
    session = await talk(store)
    after = await turn(store, session, 35, 2, 3, back=Back(30, 30, row(30), None))
    turns, _ = await store.log(key(session), after=-1, limit=9)

    assert [(1, 10), (2, 30), (4, 35)] == [(each.version, each.num_tokens) for each in turns]
    assert [10, 30] == (await store.past(key(session), 0)).places
    assert 4 == after.version


async def test_a_session_may_go_back_to_nothing(make):
    """Without a row, as it began."""
    store = await make(checkpoint_every=4)
    session = await talk(store)
    lease = await begin(store, session)
    after = await store.commit(lease, None, None, back=Back(0, 0, None, None))
    lease = await begin(store, session)

    assert (0, None, 0) == (after.num_tokens, lease.row, after.num_bytes)
    assert ([], False) == await store.log(key(session), after=-1, limit=9)


async def test_bytes_are_counted_whatever_happens(make):
    """Those of rows, places and turns: as of a session that has had only what is left."""
    store = await make(checkpoint_every=4)
    session = await talk(store)
    lease = await begin(store, session)
    back = Back(30, 30, row(30), None)
    after = await store.commit(lease, row(30), None, back=back)
    short = await create(store)
    await turn(store, short, 10, 4, 6)
    short = await turn(store, short, 30, 5, 15)
    [copy] = await store.fork(key(await talk(store)), "me", [1], back)

    assert short.num_bytes == after.num_bytes == copy.num_bytes
    assert copy == await store.get(key(copy))


async def test_a_fork_begins_at_an_earlier_place(make):
    """Its session stays as it is; both can go back to what they share."""
    store = await make(checkpoint_every=4)
    session = await talk(store)
    back = Back(22, 22, row(22), record(5, 7, "ab"))
    copies = await store.fork(key(session, "you"), "me", [1, 2], back)
    lease = await begin(store, copies[0])
    turns, _ = await store.log(key(copies[0], "you"), after=-1, limit=9)

    assert session == await store.get(key(session))
    assert [(22, 3, "you")] * 2 == [(one.num_tokens, one.version, one.owner) for one in copies]
    assert row(22).content == lease.row
    assert [10, 22] == [each.num_tokens for each in turns]
    assert [10] == (await store.past(key(copies[1], "you"), 0)).places
    assert 3 == len(await ids(store)) + len(await ids(store, "you"))


async def test_a_late_turn_does_not_go_back(make, clock):
    """Its lease is over, and somebody else has begun: nothing is forgotten."""
    store = await make(checkpoint_every=4)
    session = await talk(store)
    late = await store.begin(key(session), lease_s=10)
    clock.now_s += 11
    await begin(store, session)
    with pytest.raises(SessionBusy):
        await store.commit(late, None, None, back=Back(0, 0, None, None))

    assert [10, 30, 38, 47] == (await store.past(key(session), 0)).places
    assert 3 == len((await store.log(key(session), after=-1, limit=9))[0])


async def test_places_are_for_who_may_use_the_session(make):
    """As all of it."""
    store = await make()
    session = await create(store, owner="key:a")
    with pytest.raises(SessionUnknown):
        await store.past(SessionKey("key:b", session.id), 0)
    await store.delete(key(session, "key:a"))
    with pytest.raises(SessionGone):
        await store.past(key(session, "key:a"), 0)
