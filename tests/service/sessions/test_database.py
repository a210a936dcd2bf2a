"""What waits together, who leaves while it waits, and what the thread outlives."""

import asyncio
import sqlite3
import threading

import pytest

from service.sessions.errors import SessionBusy, StoreUnavailable
from service.sessions.session import SessionKey
from service.sessions.sqlite.schema import APPLICATION_ID
from tests.service.sessions.keeping import ROW, TURN, alter, create, ids, open_file


async def test_what_waits_is_one_transaction(path):
    """Hundreds of commits take a few flushes; one that fails by itself takes nobody along."""
    store = await open_file(path)
    sessions = await asyncio.gather(*(create(store) for _ in range(300)))
    keys = [SessionKey("me", session.id) for session in sessions]
    leases = await asyncio.gather(*(store.begin(key, lease_s=9) for key in keys))
    await store.delete(keys[7])

    ended = await asyncio.gather(
        *(store.commit(lease, ROW, TURN) for lease in leases), return_exceptions=True
    )

    assert [7] == [n for n, each in enumerate(ended) if isinstance(each, Exception)]
    await store.close()


async def test_what_has_to_last_is_flushed_and_a_lease_waits_for_no_disk(path):
    """A turn's end outlives a loss of power; its beginning ends with the run in any case."""
    store = await open_file(path)
    flushing: list[int] = []
    flushed = {1: False, 2: True}

    def look(connection: sqlite3.Connection) -> bool:
        [(level,)] = connection.execute("PRAGMA synchronous")
        flushing.append(level)
        return flushed[level]

    attend = store._database._attend
    store._database._attend = lambda connection: (look(connection), attend(connection))
    session = await create(store)
    lease = await store.begin(SessionKey("me", session.id), lease_s=9)
    await store.commit(lease, ROW, TURN)
    assert [2, 1, 2] == flushing

    run = store._database.run
    assert [True, True] == await asyncio.gather(run(look, must_last=False), run(look))
    assert not await run(look, must_last=False)
    await store.close()


async def test_who_leaves_while_a_turn_begins_leaves_no_lease(path):
    """The client has gone before the store has answered."""
    store = await open_file(path)
    key = SessionKey("me", (await create(store)).id)
    beginning = asyncio.create_task(store.begin(key, lease_s=300))
    await asyncio.sleep(0)
    beginning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await beginning

    for _ in range(100):
        try:
            await store.begin(key, lease_s=9)
            break
        except SessionBusy:
            await asyncio.sleep(0.01)
    else:
        pytest.fail("the session is still leased")
    await store.close()


async def test_a_turn_whose_client_has_left_is_not_committed(path):
    """Before its commit had begun: the session is what it was."""
    store = await open_file(path)
    mine = SessionKey("me", (await create(store)).id)
    lease = await store.begin(mine, lease_s=300)
    held = threading.Event()
    holding = asyncio.create_task(store._database.run(lambda _: held.wait(10)))
    await asyncio.sleep(0.05)
    committing = asyncio.create_task(store.commit(lease, ROW, TURN))
    await asyncio.sleep(0)
    committing.cancel()
    await asyncio.sleep(0)
    held.set()
    await holding

    assert 0 == (await store.get(mine)).version
    await store.close()


async def test_a_newer_file_that_appears_later_ends_nobody(path):
    """Not the thread either: it is said, and when the file is gone all is well."""
    path.parent.write_text("in the way")
    store = await open_file(path)
    path.parent.unlink()
    path.parent.mkdir()
    await asyncio.to_thread(alter, path, f"PRAGMA application_id = {APPLICATION_ID}")
    await asyncio.to_thread(alter, path, "PRAGMA user_version = 99")
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="schema 99"):
            await create(store)

    path.unlink()
    await create(store)
    await store.close()


async def test_another_server_may_take_its_time(path):
    """A flush of a slow disk takes seconds: who waits for it is not refused."""
    store = await open_file(path)
    session = await create(store)
    other = await asyncio.to_thread(sqlite3.connect, path, check_same_thread=False)
    await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")
    waiting = asyncio.create_task(store.begin(SessionKey("me", session.id), lease_s=60))
    await asyncio.sleep(6)
    assert not waiting.done()
    await asyncio.to_thread(other.close)

    after = await store.commit(await waiting, ROW, TURN)
    assert 1 == after.version
    await store.close()


async def test_a_lease_that_could_not_be_given_back_is_when_it_can(path):
    """The file was locked at that moment: the next turn begins none the less."""
    store = await open_file(path)
    mine = SessionKey("me", (await create(store)).id)
    lease = await store.begin(mine, lease_s=300)
    await store._database.run(lambda connection: connection.execute("PRAGMA busy_timeout = 1"))
    other = await asyncio.to_thread(sqlite3.connect, path, check_same_thread=False)
    await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")
    await store.release(lease)
    with pytest.raises(StoreUnavailable, match="locked"):
        await store.get(mine)
    await asyncio.to_thread(other.close)

    await store.release(await store.begin(mine, lease_s=9))
    await store.close()


@pytest.mark.parametrize("is_replaced", [True, False])
async def test_a_file_that_was_taken_away_is_not_written_to(path, is_replaced, caplog):
    """What is in its place now is; so a backup can be put there while a server runs."""
    store = await open_file(path)
    old = await create(store)
    backup = path.with_name("backup")
    with sqlite3.connect(backup) as copy, sqlite3.connect(path) as origin:
        origin.backup(copy)
    copy.close()
    origin.close()
    late = await create(store)
    if is_replaced:
        backup.replace(path)
    else:
        path.unlink()

    fresh = await create(store)

    assert ([old.id, fresh.id] if is_replaced else [fresh.id]) == await ids(store)
    assert late.id not in await ids(store)
    assert "was replaced" in caplog.text
    await store.close()
    with sqlite3.connect(path) as connection:
        assert [("ok",)] == connection.execute("PRAGMA integrity_check").fetchall()
    connection.close()


async def test_servers_that_start_at_once_make_the_file_once(tmp_path):
    """Each of them finds it whole."""
    for n in range(10):
        path = tmp_path / str(n) / "sessions.sqlite3"
        stores = await asyncio.gather(*(open_file(path) for _ in range(4)))
        assert [None] * 4 == [store.fault for store in stores]
        made = [await create(store) for store in stores]
        assert [session.id for session in made] == await ids(stores[0])
        for store in stores:
            await store.close()


async def test_who_asks_after_the_end_is_refused(path):
    """And does not wait for ever."""
    store = await open_file(path)
    await store.close()

    with pytest.raises(StoreUnavailable, match="the server ends"):
        await create(store)


async def test_who_asks_while_it_ends_is_answered_or_refused(path):
    """However many they are: none waits for ever."""
    store = await open_file(path)
    asked = [asyncio.ensure_future(create(store)) for _ in range(600)]
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(store.close())
    late = []
    while not closing.done():
        late.append(asyncio.ensure_future(create(store)))
        await asyncio.sleep(0)

    await asyncio.wait_for(asyncio.gather(*asked), 30)
    ends = await asyncio.wait_for(asyncio.gather(*late, return_exceptions=True), 30)
    assert ends
    assert {StoreUnavailable} >= {type(end) for end in ends if isinstance(end, BaseException)}
    with pytest.raises(StoreUnavailable):
        await create(store)
