"""One server that many tests share; tests that break or configure theirs start their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.running_server import RunningServer, running_server
from tests.tiny_model import publish


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a tiny model."""
    root = tmp_path_factory.mktemp("e2e") / "store"
    publish(root)
    return root


@pytest.fixture(scope="session")
def server(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with every default but short write and body timeouts."""
    folder = tmp_path_factory.mktemp("server")
    with running_server(store, folder, body_timeout_s=2, log_format="json") as server:
        yield server


@pytest.fixture(autouse=True)
def _every_row_is_free_in_the_end(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test did to the shared server, it lost no row."""
    yield
    if "server" in request.fixturenames:
        request.getfixturevalue("server").wait_until(running=0, waiting=0, parked=0)
