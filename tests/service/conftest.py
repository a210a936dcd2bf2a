"""A call that blocks an event loop is a failed test: it would stop every stream at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from blockbuster import blockbuster_ctx


@pytest.fixture(autouse=True)
def nothing_blocks_the_event_loop() -> Iterator[None]:
    """Sleeping, files, sockets and locks, when the service asks for them from a coroutine."""
    with blockbuster_ctx("service"):
        yield
