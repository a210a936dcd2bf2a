"""One connection, on a transport and a clock of the test's own."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from service.server.connection import Connection
from service.server.connections import Connections
from service.server.targets import probes_below
from tests.service.server.peers import WRITE_TIMEOUT_S, Clock, Transport


@pytest.fixture
async def peer(monkeypatch):
    """A connection that was just made; `app` answers when its gate is open.

    /stream begins before that.
    """
    gate, clock, connections = asyncio.Event(), Clock(), Connections(most=9)

    async def app(scope, _receive, send):
        start = {"type": "http.response.start", "status": 200, "headers": []}
        if scope["path"] == "/stream":
            await send(start)
            await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await gate.wait()
        if scope["path"] != "/stream":
            await send(start)
        await send({"type": "http.response.body", "body": b"hello", "more_body": False})

    connection = Connection(
        connections=connections,
        probes=probes_below("/text"),
        write_timeout_s=WRITE_TIMEOUT_S,
        config=uvicorn.Config(app, lifespan="off", log_config=None),
        server_state=ServerState(),
        app_state={},
        _loop=asyncio.get_running_loop(),
    )
    loop: Any = SimpleNamespace(
        time=clock.time,
        create_task=connection.loop.create_task,
        call_later=connection.loop.call_later,
    )
    connection.loop = loop
    connection._silent_since_s = clock.now_s
    transport: Any = Transport()
    connection.connection_made(transport)
    yield SimpleNamespace(
        connection=connection, transport=transport, gate=gate, clock=clock, connections=connections
    )
    gate.set()
    await asyncio.sleep(0)
    if connection.timeout_keep_alive_task:
        connection.timeout_keep_alive_task.cancel()
