"""One connection against time, on a transport and a clock of the test's own."""

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.api.access import OPEN
from tests.service.server.peers import WRITE_TIMEOUT_S, after, settle


async def test_a_silent_connection_goes(peer):
    """Without a first byte for 30 s."""
    after(peer, 29)
    assert "open" == peer.transport.state
    after(peer, 2)

    assert ("aborted", b"") == (peer.transport.state, peer.transport.written)


@pytest.mark.parametrize("part", [b"G", b"GET /models HTTP/1.1\r\nHost: x\r\nX-Y: "])
async def test_a_head_has_ten_seconds(peer, part):
    """However often a byte comes; the refusal stays to be read, and then the connection goes."""
    for byte in part:
        peer.connection.data_received(bytes([byte]))
    for _ in range(9):
        after(peer, 1)
        peer.connection.data_received(b"x" if len(part) > 1 else b"")
    assert "open" == peer.transport.state
    after(peer, 2)
    assert (408, "request_timeout") == peer.transport.error()
    assert "half-closed" == peer.transport.state
    peer.connection.data_received(b"more")
    after(peer, 6)

    assert "aborted" == peer.transport.state


async def test_a_request_has_its_own_time(peer):
    """The connection waits for it as long as it may take."""
    peer.connection.data_received(b"GET /models HTTP/1.1\r\nHost: x\r\n\r\n")
    await settle()
    after(peer, 1000)
    peer.gate.set()
    await settle()

    assert peer.transport.written.startswith(b"HTTP/1.1 200")
    assert "open" == peer.transport.state


async def test_who_takes_nothing_goes(peer):
    """Whether the answer is complete or not; a slow reader stays."""
    peer.connection.data_received(b"GET /models HTTP/1.1\r\nHost: x\r\n\r\n")
    peer.gate.set()
    await settle()
    for size in (500, 400, 300):
        peer.transport.num_unread = size
        after(peer, WRITE_TIMEOUT_S - 1)
        assert "open" == peer.transport.state
    after(peer, WRITE_TIMEOUT_S + 1)

    assert "aborted" == peer.transport.state


async def test_a_body_that_nobody_wants_any_more_is_dropped_for_a_while(peer):
    """Its request was answered: the client sees that, sends the rest, and may ask again."""
    peer.gate.set()
    peer.connection.data_received(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234")
    await settle()
    peer.connection.data_received(b"56789")
    after(peer, 6)
    assert "open" == peer.transport.state
    assert peer.connection in peer.connections._idle

    peer.connection.data_received(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234")
    await settle()
    assert 2 == peer.transport.written.count(b"HTTP/1.1 200")
    after(peer, 6)
    assert "aborted" == peer.transport.state


async def test_so_much_of_it_and_no_more(peer):
    """Sixteen megabytes; the client may still read its answer."""
    peer.gate.set()
    peer.connection.data_received(b"POST /x HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n0")
    await settle()
    for _ in range(260):
        peer.connection.data_received(b"a" * 65_536)

    assert ("open", False) == (peer.transport.state, peer.transport.is_read)
    after(peer, 6)
    assert "aborted" == peer.transport.state


async def test_garbage_behind_a_request_waits_for_its_answer(peer):
    """Nothing is written into the middle of it; it is the last one."""
    peer.connection.data_received(b"GET /models HTTP/1.1\r\nHost: x\r\n\r\n")
    await settle()
    peer.connection.data_received(b"\x00garbage\r\n\r\n")
    after(peer, 1000)
    assert (b"", "open") == (peer.transport.written, peer.transport.state)
    peer.gate.set()
    await settle()

    assert 1 == peer.transport.written.count(b"HTTP/1.1")
    assert b"connection: close" in peer.transport.written
    assert "closed" == peer.transport.state


@pytest.mark.parametrize(
    "target", [b"/models", b"/no/health/live", b"/v2/models", b"/?/health/live"]
)
async def test_beyond_the_most_only_probes_are_answered(peer, target):
    """Others are told to come back."""
    peer.connections.most = 0
    peer.connection.data_received(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n")

    assert (429, "overloaded") == peer.transport.error()
    assert b"retry-after" in peer.transport.written


@pytest.mark.parametrize("prefix", [b"", b"/text", b"http://x:80", b"http://x/text"])
@pytest.mark.parametrize("path", sorted(OPEN))
async def test_beyond_the_most_probes_are_answered(peer, prefix, path):
    """As if nothing were; also in KServe's dialect, and below the server's prefix."""
    peer.connections.most = 0
    peer.gate.set()
    target = prefix + path.encode() + b"?verbose"
    peer.connection.data_received(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    await settle()

    assert peer.transport.written.startswith(b"HTTP/1.1 200")


async def test_a_connection_that_is_reset_is_forgotten(peer):
    """Its timer for idle ones would keep it, and all that it holds, for ten minutes."""
    peer.connection.data_received(b"GET /models HTTP/1.1\r\nHost: x\r\n\r\n")
    peer.gate.set()
    await settle()
    timer = peer.connection.timeout_keep_alive_task
    peer.transport.abort()
    peer.connection.connection_lost(ConnectionResetError())

    assert timer.cancelled()
    assert 0 == len(peer.connections)


async def test_a_head_that_is_late_on_a_connection_that_closes_is_nobodys(peer):
    """Nothing can be written any more; the sweep goes on to the others."""
    peer.connection.data_received(b"GET /mod")
    peer.transport.close()
    after(peer, 11)

    assert b"" == peer.transport.written


async def test_a_body_in_pieces_of_one_byte_is_handed_over_by_the_read(peer, monkeypatch):
    """Each hand-over copies all that is there, and one read holds 40,000 such pieces."""
    handed_over = []
    on_body = HttpToolsProtocol.on_body

    def noted(self: HttpToolsProtocol, body: bytes) -> None:
        handed_over.append(body)
        on_body(self, body)

    monkeypatch.setattr(HttpToolsProtocol, "on_body", noted)
    peer.connection.data_received(b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(3):
        peer.connection.data_received(b"1\r\na\r\n" * 9_999 + b"1\r")
        peer.connection.data_received(b"\nb\r\n")
    behind = b"POST /y HTTP/1.1\r\nContent-Length: 2\r\n\r\nxy"
    peer.connection.data_received(b"1\r\nc\r\n0\r\n\r\n" + behind)

    assert [b"a" * 9_999, b"b"] * 3 + [b"c", b"xy"] == handed_over
    assert peer.connection.cycle.body == b"xy"
