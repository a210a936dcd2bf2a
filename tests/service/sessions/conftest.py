"""Stores of every kind, and a clock for them."""

import asyncio

import pytest

from service.sessions.redis.store import RedisSessionStore
from service.sessions.sqlite.clocks import Clocks
from service.sessions.sqlite.store import SqliteSessionStore
from service.sessions.store import SessionStore
from tests.service.limits import session_limits
from tests.service.sessions.redis_server import running_redis


class Clock:
    """Time that passes when told to; for stores in SQLite both clocks are this one."""

    def __init__(self):
        self.now_s = 1000.0

    def __call__(self):
        """Now."""
        return self.now_s


@pytest.fixture
def clock():
    """A clock that stands still."""
    return Clock()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory):
    """A Redis for all of these tests."""
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis_url(redis_server):
    """Of an empty Redis."""
    with redis_server.client() as client:
        client.flushall()
    return redis_server.url


@pytest.fixture(params=["memory", "file", "redis"])
async def make(request, tmp_path, clock):
    """Makes stores; the same place each time, but for memory."""
    made: list[SessionStore] = []
    url = request.getfixturevalue("redis_url") if request.param == "redis" else None

    async def make_one(**limits):
        if url is not None:
            made.append(RedisSessionStore(url, session_limits(**limits), clock))
            return made[-1]
        path = tmp_path / "sessions.sqlite3" if request.param == "file" else None
        opening = asyncio.to_thread(
            SqliteSessionStore, path, session_limits(**limits), Clocks(clock, clock)
        )
        made.append(await opening)
        return made[-1]

    yield make_one
    for store in made:
        await store.close()


@pytest.fixture
def path(tmp_path):
    """Of the file; its folder is made when it is needed."""
    return tmp_path / "kept" / "sessions.sqlite3"
