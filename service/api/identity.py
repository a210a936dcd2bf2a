"""Who sends a request."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from fastapi import Request
from starlette.types import Scope

from service.inference.identity import Identity


def identity_of(request: Request) -> Identity:
    """A client is an address. An owner is whoever sends the same API key, else the client.

    Keys are not checked, so they must not buy a larger share: those are by address.
    """
    client = client_of(request.scope)
    key = request.headers.get("authorization", "")
    owner = "key:" + hashlib.sha256(key.encode()).hexdigest() if key else client
    return Identity(client, owner)


def client_of(scope: Scope) -> str:
    """Who gets a share: an address."""
    return _client((scope.get("client") or ("",))[0])


@lru_cache(1 << 12)
def _client(host: str) -> str:
    """The address; of IPv6 the network that one customer has (RFC 6177), who may use all of it."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address) and not address.ipv4_mapped:
        return str(IPv6Address(int(address) >> 64 << 64)) + "/64"
    return str(address)
