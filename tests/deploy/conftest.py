"""One server behind all proxies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.deploy.proxies import Proxy, caddy, free_port, nginx
from tests.deploy.upstream import PATIENCE_S, Upstream, upstream
from tests.e2e.running_server import PLAIN, RunningServer, running_server
from tests.tiny_model import publish


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A real one, with a tiny model, that believes a proxy of this machine."""
    folder = tmp_path_factory.mktemp("deploy")
    store: Path = folder / "store"
    publish(store)
    with running_server(
        store,
        folder,
        log_format="json",
        trusted_proxies="127.0.0.1",
        session_store="memory://",
    ) as server:
        yield server


@pytest.fixture(scope="module", params=[nginx, caddy], ids=["nginx", "caddy"])
def proxy(request: pytest.FixtureRequest) -> Proxy:
    """Each of them in turn."""
    found: Proxy = request.param
    return found


@pytest.fixture(scope="module")
def gateway(
    proxy: Proxy, server: RunningServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The URL of one before a port on which nothing listens and a real server."""
    with proxy(tmp_path_factory.mktemp("gateway"), free_port(), server.port) as url:
        yield url


@pytest.fixture
def one(proxy: Proxy, tmp_path: Path) -> Iterator[tuple[httpx.Client, Upstream]]:
    """A client of one before a server that answers as the test says, and that server."""
    with ExitStack() as stack:
        behind = stack.enter_context(upstream())
        url = stack.enter_context(proxy(tmp_path, behind.port))
        client = httpx.Client(base_url=url, timeout=PATIENCE_S, verify=PLAIN)
        yield stack.enter_context(client), behind
