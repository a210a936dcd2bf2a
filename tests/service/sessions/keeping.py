"""What tests of stores have in common."""

import asyncio
import sqlite3

from service.sessions.session import KeptRow, SessionKey, TurnRecord
from service.sessions.sqlite.store import SqliteSessionStore
from tests.service.limits import session_limits

ROW = KeptRow(b"a row of thirty bytes or so ...", 5)
TURN = TurnRecord("g_1", 1, 2, 3, "", "length", "{}", None, None)


def key(session, owner="me"):
    """For somebody who asks for a session."""
    return SessionKey(owner, session.id)


async def create(store, row=None, owner="me"):
    """A new session."""
    return await store.create(owner=owner, account=owner, model="tiny@1", row=row, seed=7)


async def open_file(path):
    """The store in a file."""
    return await asyncio.to_thread(SqliteSessionStore, path, session_limits())


def alter(path, statement):
    """Do something to a file behind the store's back."""
    with sqlite3.connect(path) as connection:
        connection.execute(statement)


async def begin(store, session, lease_s=100):
    """A turn of its owner's."""
    return await store.begin(key(session, session.owner), lease_s=lease_s)


async def ids(store, owner="me"):
    """Of all sessions of an owner, the oldest first."""
    sessions, are_more = await store.page(owner, older_than_s=None, limit=10_000)
    assert not are_more
    return [session.id for session in reversed(sessions)]
