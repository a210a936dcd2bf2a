"""From the setting to the store: where sessions are kept."""

from __future__ import annotations

import re
from pathlib import Path

from platformdirs import user_data_path

from service.sessions.policy import SessionLimits
from service.sessions.sqlite.store import SqliteSessionStore
from service.sessions.store import SessionStore

_REDIS = ("redis", "rediss", "unix")
_FILE = "sessions.sqlite3"


def open_store(url: str, limits: SessionLimits) -> SessionStore:
    """The store that a URL names.

    Args:
        url: `memory://`; `sqlite:///path`; `sqlite://` for a file in the platform's data folder;
            `redis://host:port/database`.
        limits: Of the sessions.

    Raises:
        StoreTooNew: It was written by a newer program.
        ValueError: There is no such kind of store.
    """
    if is_redis(url):
        # Here and not above: most servers have none, and it takes time to import.
        from service.sessions.redis.store import RedisSessionStore

        store = RedisSessionStore(url, limits)
        store.check()
        return store
    return SqliteSessionStore(path_of(url), limits)


def is_redis(url: str) -> bool:
    """Whether a URL names a Redis."""
    return url.partition("://")[0] in _REDIS


def shown(url: str) -> str:
    """A URL without the password that it may hold."""
    return re.sub(r"://[^@/]*@", "://***@", url)


def path_of(url: str) -> Path | None:
    """The file that a URL names; None for memory.

    Raises:
        ValueError: It is no URL of a store.
    """
    scheme, separator, place = url.partition("://")
    if separator and scheme == "memory" and not place:
        return None
    if separator and scheme == "sqlite" and not place:
        return user_data_path("lstm-serve", appauthor=False) / _FILE
    if separator and scheme == "sqlite" and place.startswith("/") and place[1:]:
        return Path(place[1:]).expanduser().absolute()
    raise ValueError(f"{url!r} is none of memory://, sqlite://, sqlite:///path and redis://host/0")
