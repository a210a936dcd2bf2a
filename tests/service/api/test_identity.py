"""Who sends a request: for shares, for caches and sessions."""

from ipaddress import ip_address

import pytest
from starlette.requests import Request

from service.api.identity import identity_of


def _identity(host, key=None):
    headers = [(b"authorization", key.encode())] if key else []
    return identity_of(Request({"type": "http", "client": (host, 1), "headers": headers}))


def test_a_key_buys_no_larger_share():
    """Nobody checks it; it only tells owners at one address apart."""
    plain, one, other = (_identity("192.0.2.1", key) for key in (None, "Bearer a", "Bearer b"))

    assert {"192.0.2.1"} == {plain.client, one.client, other.client}
    assert 3 == len({plain.owner, one.owner, other.owner})
    assert "Bearer" not in one.owner


def test_a_key_is_the_same_owner_everywhere():
    """On the way to work, too."""
    assert _identity("192.0.2.1", "k").owner == _identity("198.51.100.7", "k").owner


@pytest.mark.parametrize(
    ("host", "client"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", str(ip_address("::ffff:192.0.2.1"))),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_a_client_is_an_address_and_of_ipv6_a_network(host, client):
    """One customer has all of it: each address of it would be a share."""
    assert (client, client) == (_identity(host).client, _identity(host).owner)
