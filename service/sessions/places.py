"""From the setting to the store: where sessions are kept."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_data_path

from service.sessions.policy import SessionLimits
from service.sessions.sqlite.store import SqliteSessionStore
from service.sessions.store import SessionStore

_FILE = "sessions.sqlite3"


def open_store(url: str, limits: SessionLimits) -> SessionStore:
    """The store that a URL names.

    Args:
        url: `memory://`; `sqlite:///path`; `sqlite://` for a file in the platform's data folder.
        limits: Of the sessions.

    Raises:
        StoreTooNew: It was written by a newer program.
        ValueError: There is no such kind of store.
    """
    return SqliteSessionStore(path_of(url), limits)


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
    raise ValueError(f"{url!r} is none of memory://, sqlite:// and sqlite:///path")
