"""What waits together, who leaves while it waits, and what the thread outlives."""

import asyncio
import sqlite3
import threading

import pytest

from service.sessions.errors import SessionBusy, StoreUnavailable
from service.sessions.session import KeptRow, SessionKey, TurnRecord
from service.sessions.sqlite.schema import APPLICATION_ID
from service.sessions.sqlite.store import SqliteSessionStore
from tests.service.limits import session_limits

_ROW = KeptRow(b"row", 1)
_TURN = TurnRecord("g_1", 1, 2, 3, "", "length", "{}", None, None)


@pytest.fixture
def path(tmp_path):
    """Of the file; its folder is made when it is needed."""
    return tmp_path / "kept" / "sessions.sqlite3"


async def _open(path):
    return await asyncio.to_thread(SqliteSessionStore, path, session_limits())


async def _create(store):
    return await store.create(owner="me", model="tiny@1", row=None, seed=7)


def _foreign(path, statement):
    with sqlite3.connect(path) as connection:
        connection.execute(statement)


async def test_what_waits_is_one_transaction(path):
    """Hundreds of commits take a few flushes; one that fails by itself takes nobody along."""
    store = await _open(path)
    sessions = await asyncio.gather(*(_create(store) for _ in range(300)))
    keys = [SessionKey("me", session.id) for session in sessions]
    leases = await asyncio.gather(*(store.begin(key, lease_s=9) for key in keys))
    await store.delete(keys[7])

    ended = await asyncio.gather(
        *(store.commit(lease, _ROW, _TURN) for lease in leases), return_exceptions=True
    )

    assert [7] == [n for n, each in enumerate(ended) if isinstance(each, Exception)]
    await store.close()


async def test_who_leaves_while_a_turn_begins_leaves_no_lease(path):
    """The client has gone before the store has answered."""
    store = await _open(path)
    key = SessionKey("me", (await _create(store)).id)
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
    store = await _open(path)
    mine = SessionKey("me", (await _create(store)).id)
    lease = await store.begin(mine, lease_s=300)
    held = threading.Event()
    holding = asyncio.create_task(store._database.run(lambda _: held.wait(10)))
    await asyncio.sleep(0.05)
    committing = asyncio.create_task(store.commit(lease, _ROW, _TURN))
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
    store = await _open(path)
    path.parent.unlink()
    path.parent.mkdir()
    await asyncio.to_thread(_foreign, path, f"PRAGMA application_id = {APPLICATION_ID}")
    await asyncio.to_thread(_foreign, path, "PRAGMA user_version = 99")
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="schema 99"):
            await _create(store)

    path.unlink()
    await _create(store)
    await store.close()
