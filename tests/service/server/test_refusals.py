"""What is refused below the application, and where its refusal may be written."""

import logging

import pytest

from tests.service.server.peers import after, settle

GET = b"GET /models HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = b"POST /y HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
BROKEN = [
    pytest.param(b"ZZ\r\n", id="not HTTP"),
    pytest.param(b"2\r\nab\r\n0\r\n" + b"X: y\r\n" * 101 + b"\r\n", id="trailers"),
    pytest.param(b"2;x=" + b"y" * 70_000, id="extension"),
]


@pytest.mark.parametrize(
    ("target", "status", "code"),
    [
        (b"http://host", 400, "invalid_http"),
        (b"http://host?query", 400, "invalid_http"),
        (b"http://host:65536/models", 400, "invalid_http"),
        (b"http://host:x/models", 400, "invalid_http"),
        (b"/" + b"y" * 65_520, 431, "head_too_large"),
        (b"/" + b"y" * 65_535, 431, "head_too_large"),
        (b"/" + b"y" * 120_000, 431, "head_too_large"),
        (b"/?" + b"y" * 250_000, 431, "head_too_large"),
    ],
)
@pytest.mark.parametrize("size", [60_000, 1 << 20])
async def test_a_target_that_cannot_be_served_is_refused(peer, target, status, code, size):
    """In one read, or in several that are each shorter than a head may be."""
    head = b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    for start in range(0, len(head), size):
        peer.connection.data_received(head[start : start + size])

    assert (status, code) == peer.transport.error()
    assert "half-closed" == peer.transport.state


@pytest.mark.parametrize("target", [b"http://host/models", b"/" + b"y" * 65_000, b"*"])
async def test_a_target_that_is_unusual_is_served(peer, target):
    """An absolute one, as for a proxy, and one that nearly fills the head."""
    peer.gate.set()
    peer.connection.data_received(b"OPTIONS " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    await settle()

    assert peer.transport.written.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("before", [[POST], [POST, GET], [POST, POST, GET]])
async def test_a_request_that_breaks_off_while_it_waits_spoils_no_answer(
    peer, caplog, before, broken
):
    """Those before it are answered whole, and the last one of them closes the connection."""
    peer.connection.data_received(b"".join([*before, CHUNKED, broken[:1]]))
    peer.connection.data_received(broken[1:])
    await settle()
    assert (b"", "open") == (peer.transport.written, peer.transport.state)
    peer.gate.set()
    for _ in range(len(before)):
        await settle()

    assert len(before) == peer.transport.written.count(b"HTTP/1.1 200")
    assert peer.transport.written.endswith(b"hello\r\n0\r\n\r\n")
    assert 1 == peer.transport.written.count(b"connection: close")
    assert b"HTTP/1.1 4" not in peer.transport.written
    assert "closed" == peer.transport.state
    assert [] == [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_request_that_is_slow_while_it_waits_spoils_no_answer(peer):
    """Its trailer does not come."""
    peer.connection.data_received(POST + CHUNKED + b"2\r\nab\r\n0\r\nX: ")
    peer.connection.data_received(b"y")
    after(peer, 11)
    assert (b"", "open") == (peer.transport.written, peer.transport.state)
    peer.gate.set()
    await settle()

    assert peer.transport.written.endswith(b"hello\r\n0\r\n\r\n")
    assert "closed" == peer.transport.state


@pytest.mark.parametrize("broken", BROKEN)
async def test_nothing_is_written_into_a_stream(peer, broken):
    """Nor is it cut off."""
    peer.connection.data_received(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
    await settle()
    peer.connection.data_received(CHUNKED + broken[:1])
    peer.connection.data_received(broken[1:])
    assert peer.transport.written.endswith(b"first\r\n")
    assert "open" == peer.transport.state
    peer.gate.set()
    await settle()

    assert peer.transport.written.endswith(b"\r\n\r\n5\r\nfirst\r\n5\r\nhello\r\n0\r\n\r\n")
    assert "closed" == peer.transport.state


@pytest.mark.parametrize("broken", BROKEN)
async def test_a_request_has_one_answer(peer, broken):
    """Though its body, which was answered before it had come, turns out to be broken."""
    peer.gate.set()
    peer.connection.data_received(CHUNKED)
    await settle()
    peer.connection.data_received(broken)

    assert 1 == peer.transport.written.count(b"HTTP/1.1")
    assert "half-closed" == peer.transport.state
    after(peer, 6)
    assert "aborted" == peer.transport.state


async def test_nobody_is_asked_to_go_on_after_a_refusal(peer):
    """The application may ask for the body only then."""
    head = CHUNKED.replace(b"Host: x", b"Host: x\r\nExpect: 100-continue")
    peer.connection.data_received(head + b"ZZ\r\n")
    assert (400, "invalid_http") == peer.transport.error()

    assert {"type": "http.disconnect"} == await peer.connection.cycle.receive()
    assert b"100 Continue" not in peer.transport.written
