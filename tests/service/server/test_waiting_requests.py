"""Requests that wait behind another on one connection, and connections that keep others out."""

import pytest

from tests.service.server.peers import Other, settle


@pytest.mark.parametrize("number", [1, 17, 18, 20_000])
async def test_few_requests_wait_behind_another(peer, number):
    """Those that do are answered, the last one closes; what comes after them is not parsed."""
    peer.connection.data_received(b"GET /models HTTP/1.1\r\nHost: x\r\n\r\n" * number)
    await settle()
    assert min(number, 17) == 1 + len(peer.connection.pipeline)
    peer.gate.set()
    for _ in range(40):
        await settle()

    assert min(number, 17) == peer.transport.written.count(b"HTTP/1.1 200")
    assert ("closed" if number > 17 else "open") == peer.transport.state
    assert (number > 17) == (b"connection: close" in peer.transport.written)


async def test_offers_to_upgrade_that_wait_are_few_too(peer):
    """Each is parsed again without its offer."""
    offer = b"GET /models HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"
    peer.connection.data_received(offer * 5000)
    peer.gate.set()
    for _ in range(40):
        await settle()

    assert 17 == peer.transport.written.count(b"HTTP/1.1 200")


async def test_who_leaves_with_requests_waiting_is_noticed_by_the_one_that_runs(peer):
    """And those that wait never run."""
    peer.connection.data_received(b"GET /models HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
    await settle()
    running = peer.connection._running
    peer.connection.connection_lost(ConnectionResetError())

    assert running.disconnected
    assert running.message_event.is_set()
    assert not peer.connection.pipeline


@pytest.mark.parametrize("sent", [b"", b"GET /mo", b"GET /models HTTP/1.1\r\nHost: x\r\n"])
async def test_half_a_head_keeps_nobody_out(peer, sent):
    """It is dropped for a newcomer as one that says nothing."""
    peer.connection.data_received(sent) if sent else None
    peer.connections.most = 1
    peer.connections.enter(Other())

    assert "aborted" == peer.transport.state


async def test_a_refused_one_keeps_nobody_out(peer):
    """While what it still sends is read and dropped."""
    peer.connections.most = 0
    peer.connection.data_received(b"POST /generate HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf")
    assert (429, "overloaded") == peer.transport.error()
    peer.connections.enter(Other())

    assert "aborted" == peer.transport.state


async def test_an_offer_of_an_old_client_is_answered_in_its_version(peer):
    """HTTP/1.0 knows no chunks, and nothing comes after an answer."""
    peer.gate.set()
    peer.connection.data_received(
        b"GET /models HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"
    )
    await settle()

    assert b"chunked" not in peer.transport.written
    assert peer.transport.written.endswith(b"\r\n\r\nhello")
    assert "closed" == peer.transport.state
