"""A server that the clients of others talk to: two models, one of which ends its texts."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.e2e.running_server import PLAIN, RunningServer, running_server
from tests.tiny_model import publish
from tests.waiting import wait_for


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """On a port of its own."""
    folder = tmp_path_factory.mktemp("clients")
    store = folder / "store"
    publish(store, created_at="2026-01-01T00:00:00Z")
    publish(store, "ending", end="K", created_at="2026-01-02T00:00:00Z")
    with running_server(store, folder, max_rows=16) as server:
        yield server


@pytest.fixture(autouse=True)
def _every_row_is_free_in_the_end(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a client did, also one that has left."""
    yield
    if "server" in request.fixturenames:
        server = request.getfixturevalue("server")
        wait_for(lambda: num_rows(server) == 0, "an engine without a row", timeout_s=60)


def num_rows(server: RunningServer) -> int:
    """Texts that are in the engines of all models."""
    report = httpx.get(f"{server.url}/health/ready", timeout=30, verify=PLAIN).json()
    models = report["models"].values()
    return sum(each["running"] + each["waiting"] + each["parked"] for each in models)
