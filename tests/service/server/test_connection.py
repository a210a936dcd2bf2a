"""One connection against time, on a transport and a clock of the test's own."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from service.server.connection import Connection
from service.server.connections import Connections

WRITE_TIMEOUT_S = 60.0


class Transport:
    """A socket that keeps what is written; the peer takes as much of it as it likes."""

    def __init__(self):
        self.written = b""
        self.num_unread = 0
        self.state = "open"
        self.is_read = True

    def write(self, data):
        """Keep it."""
        self.written += data

    def get_write_buffer_size(self):
        """What the peer has not taken."""
        return self.num_unread

    def is_closing(self):
        """Whether it is on its way down."""
        return self.state in ("closed", "aborted")

    def close(self):
        """Close when all is taken."""
        self.state = "closed"

    def abort(self):
        """Close at once."""
        self.state = "aborted"

    def can_write_eof(self):
        """Like TCP."""
        return True

    def write_eof(self):
        """No more from here."""
        self.state = "half-closed"

    def get_extra_info(self, _name, default=None):
        """Nothing is known."""
        return default

    def pause_reading(self):
        """No more bytes."""
        self.is_read = False

    def resume_reading(self):
        """More bytes."""
        self.is_read = True

    def error(self) -> tuple[int, str]:
        """Status and code of a refusal."""
        head, _, body = self.written.partition(b"\r\n\r\n")
        assert b"x-request-id: r_" in head
        return int(head.split()[1]), json.loads(body)["error"]["code"]


class Clock:
    """The loop's time."""

    def __init__(self):
        self.now_s = 100.0

    def time(self):
        """Now."""
        return self.now_s


@pytest.fixture
async def peer(monkeypatch):
    """A connection that was just made; `app` answers when its gate is open."""
    gate, clock, connections = asyncio.Event(), Clock(), Connections(most=9)

    async def app(_scope, _receive, send):
        await gate.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello", "more_body": False})

    connection = Connection(
        connections=connections,
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


def _after(peer, seconds):
    peer.clock.now_s += seconds
    peer.connections.sweep(peer.clock.now_s)


async def _settle():
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_silent_connection_goes(peer):
    """Without a first byte for 30 s."""
    _after(peer, 29)
    assert "open" == peer.transport.state
    _after(peer, 2)

    assert ("aborted", b"") == (peer.transport.state, peer.transport.written)


@pytest.mark.parametrize("part", [b"G", b"GET /models HTTP/1.1\r\nHost: x\r\nX-Y: "])
async def test_a_head_has_ten_seconds(peer, part):
    """However often a byte comes; the refusal stays to be read, and then the connection goes."""
    for byte in part:
        peer.connection.data_received(bytes([byte]))
    for _ in range(9):
        _after(peer, 1)
        peer.connection.data_received(b"x" if len(part) > 1 else b"")
    assert "open" == peer.transport.state
    _after(peer, 2)
    assert (408, "request_timeout") == peer.transport.error()
    assert "half-closed" == peer.transport.state
    peer.connection.data_received(b"more")
    _after(peer, 6)

    assert "aborted" == peer.transport.state


async def test_a_request_has_its_own_time(peer):
    """The connection waits for it as long as it may take."""
    peer.connection.data_received(b"GET /models HTTP/1.1\r\nHost: x\r\n\r\n")
    await _settle()
    _after(peer, 1000)
    peer.gate.set()
    await _settle()

    assert peer.transport.written.startswith(b"HTTP/1.1 200")
    assert "open" == peer.transport.state


async def test_who_takes_nothing_goes(peer):
    """Whether the answer is complete or not; a slow reader stays."""
    peer.connection.data_received(b"GET /models HTTP/1.1\r\nHost: x\r\n\r\n")
    peer.gate.set()
    await _settle()
    for size in (500, 400, 300):
        peer.transport.num_unread = size
        _after(peer, WRITE_TIMEOUT_S - 1)
        assert "open" == peer.transport.state
    _after(peer, WRITE_TIMEOUT_S + 1)

    assert "aborted" == peer.transport.state


async def test_a_body_that_nobody_wants_any_more_is_dropped_for_a_while(peer):
    """Its request was answered: the client sees that, sends the rest, and may ask again."""
    peer.gate.set()
    peer.connection.data_received(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234")
    await _settle()
    peer.connection.data_received(b"56789")
    _after(peer, 6)
    assert "open" == peer.transport.state
    assert peer.connection in peer.connections._idle

    peer.connection.data_received(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234")
    await _settle()
    assert 2 == peer.transport.written.count(b"HTTP/1.1 200")
    _after(peer, 6)
    assert "aborted" == peer.transport.state


async def test_so_much_of_it_and_no_more(peer):
    """Sixteen megabytes; the client may still read its answer."""
    peer.gate.set()
    peer.connection.data_received(b"POST /x HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n0")
    await _settle()
    for _ in range(260):
        peer.connection.data_received(b"a" * 65_536)

    assert ("open", False) == (peer.transport.state, peer.transport.is_read)
    _after(peer, 6)
    assert "aborted" == peer.transport.state


async def test_garbage_behind_a_request_waits_for_its_answer(peer):
    """Nothing is written into the middle of it; it is the last one."""
    peer.connection.data_received(b"GET /models HTTP/1.1\r\nHost: x\r\n\r\n")
    await _settle()
    peer.connection.data_received(b"\x00garbage\r\n\r\n")
    _after(peer, 1000)
    assert (b"", "open") == (peer.transport.written, peer.transport.state)
    peer.gate.set()
    await _settle()

    assert 1 == peer.transport.written.count(b"HTTP/1.1")
    assert b"connection: close" in peer.transport.written
    assert "closed" == peer.transport.state


async def test_beyond_the_most_only_probes_are_answered(peer):
    """Others are told to come back."""
    peer.connections.most = 0
    peer.connection.data_received(b"GET /models HTTP/1.1\r\nHost: x\r\n\r\n")

    assert (429, "overloaded") == peer.transport.error()
    assert b"retry-after" in peer.transport.written


async def test_beyond_the_most_probes_are_answered(peer):
    """As if nothing were."""
    peer.connections.most = 0
    peer.gate.set()
    peer.connection.data_received(b"GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n")
    await _settle()

    assert peer.transport.written.startswith(b"HTTP/1.1 200")


async def test_a_head_that_is_late_on_a_connection_that_closes_is_nobodys(peer):
    """Nothing can be written any more; the sweep goes on to the others."""
    peer.connection.data_received(b"GET /mod")
    peer.transport.close()
    _after(peer, 11)

    assert b"" == peer.transport.written
