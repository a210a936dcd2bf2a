"""A call that blocks an event loop is a failed test: it would stop every stream at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from blockbuster import blockbuster_ctx
from coverage import Coverage


@pytest.fixture(scope="session", autouse=True)
def coverage_has_a_lock_that_is_not_watched() -> None:
    """Coverage takes its lock at every call, in coroutines too, and that is no fault of theirs.

    Reentrant, it also stays free for the next test when a test's time is over while it is held.
    """
    if coverage := Coverage.current():
        coverage._collector.data_lock = threading.RLock()  # type: ignore[union-attr]


@pytest.fixture(autouse=True)
def nothing_blocks_the_event_loop(coverage_has_a_lock_that_is_not_watched: None) -> Iterator[None]:
    """Sleeping, files, sockets and locks, when the service asks for them from a coroutine."""
    with blockbuster_ctx("service"):
        yield
