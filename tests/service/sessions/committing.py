"""A process that commits turns and says so, until somebody kills it: `python committing.py FILE`.

Each row is full of its own version's number, so that half a row would be seen.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from service.sessions.session import KeptRow, Lease, SessionKey, TurnRecord
from service.sessions.sqlite.store import SqliteSessionStore
from tests.service.limits import session_limits

_SESSIONS = 4


def row_of(version: int) -> KeptRow:
    """What a session holds after so many turns."""
    return KeptRow(version.to_bytes(4, "little") * 2000, version)


def record_of(version: int) -> TurnRecord:
    """What its log says of such a turn."""
    return TurnRecord(f"g_{version}", 1, 2, 3, "{}", "length", "{}", "prompt", str(version) * 50)


async def _talk(store: SqliteSessionStore, key: SessionKey) -> None:
    while True:
        lease = await store.begin(key, lease_s=300)
        assert isinstance(lease, Lease)
        version = lease.session.version + 1
        await store.commit(lease, row_of(version), record_of(version))
        # One write of few bytes: it is there as a whole or not at all.
        sys.stdout.write(f"{key.id} {version}\n")
        sys.stdout.flush()


async def _main(path: Path) -> None:
    store = await asyncio.to_thread(SqliteSessionStore, path, session_limits())
    found, _ = await store.page("me", older_than_s=None, limit=_SESSIONS)
    while len(found) < _SESSIONS:
        found.append(await store.create(owner="me", account="me", model="tiny@1", row=None, seed=1))
    await asyncio.gather(*(_talk(store, SessionKey("me", session.id)) for session in found))


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
