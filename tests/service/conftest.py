"""A call that blocks an event loop is a failed test: it would stop every stream at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from blockbuster import blockbuster_ctx


@pytest.fixture(autouse=True)
def nothing_blocks_the_event_loop() -> Iterator[None]:
    """Sleeping, files, sockets and locks, when the service asks for them from a coroutine."""
    with blockbuster_ctx("service") as found:
        # Coverage's own lock, for a line that is run for the first time: none of ours.
        found.functions["threading.Lock.acquire"].can_block_in("coverage/collector.py", "lock_data")
        yield
