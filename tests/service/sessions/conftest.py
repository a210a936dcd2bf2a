"""Stores of every kind, and a clock for them."""

import asyncio

import pytest

from service.sessions.sqlite.store import SqliteSessionStore
from tests.service.limits import session_limits


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


@pytest.fixture
def path(tmp_path):
    """Of the file; its folder is made when it is needed."""
    return tmp_path / "kept" / "sessions.sqlite3"
