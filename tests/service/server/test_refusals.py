"""What is refused below the application, and where its refusal may be written."""

import pytest

from tests.service.server.peers import settle


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
