import socket

import pytest

from service.server.listening import CannotListen, bound, listen, port_of


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("192.0.2.1", "Cannot assign"),  # of no machine: RFC 5737
        ("no.such.host.invalid", "not known|resolution|No address"),
        ("x" * 300, "too long"),
        ("2001:db8::1", "Cannot assign|not supported"),  # RFC 3849
    ],
)
def test_an_address_that_cannot_be_had_is_named(host: str, reason: str):
    """With its port and the reason, in one line."""
    with pytest.raises(CannotListen, match=reason) as caught, bound(host, 8000):
        pass

    name = f"[{host}]" if ":" in host else host
    assert str(caught.value).startswith(f"cannot listen on {name}:8000: ")
    assert "\n" not in str(caught.value)


def test_a_port_that_is_taken_is_named():
    """At once, and not after models were loaded; the other one keeps it."""
    with bound("127.0.0.1", 0) as first:
        listen(first)
        port = port_of(first)
        with pytest.raises(CannotListen, match=f"127.0.0.1:{port}: Address already in use"):
            bound("127.0.0.1", port).__enter__()
        socket.create_connection(("127.0.0.1", port)).close()


def test_a_port_that_is_taken_meanwhile_is_named():
    """By another server that was started at the same time."""
    with bound("127.0.0.1", 0) as first, bound("127.0.0.1", port_of(first)) as second:
        listen(first)
        with pytest.raises(CannotListen, match=f"127.0.0.1:{port_of(first)}: "):
            listen(second)


def test_a_free_port_is_the_same_for_all_addresses():
    """Of a name that has several of them; nobody can connect before it listens."""
    with bound("localhost", 0) as sockets:
        port = port_of(sockets)
        assert port > 0
        assert {port} == {each.getsockname()[1] for each in sockets}
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("localhost", port))
        listen(sockets)
        socket.create_connection(("localhost", port)).close()
