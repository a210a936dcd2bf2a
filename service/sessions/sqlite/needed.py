"""Which models the sessions of a file need, without opening it to write."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from service.sessions.policy import SessionLimits


def num_sessions_of(path: Path, model: str, limits: SessionLimits, now_s: float) -> int | None:
    """How many live sessions go on with a model, as `name@version`.

    Args:
        path: Of the file.
        model: Of the sessions.
        limits: How long they live.
        now_s: Unix time.

    Returns:
        0 without the file; None where it cannot be told.
    """
    if not path.exists():
        return 0
    query = "SELECT created_s, used_s FROM sessions WHERE model = ?"
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            times = connection.execute(query, (model,)).fetchall()
    except sqlite3.Error:
        return None
    return sum(limits.why_over(created_s, used_s, now_s) is None for created_s, used_s in times)
