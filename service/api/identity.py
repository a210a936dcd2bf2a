"""Who sends a request."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from fastapi import Request
from starlette.types import Scope

from service.access.errors import NotAllowed
from service.access.ring import Holder
from service.inference.identity import Identity

_IDENTITY = "identity"


def identity_of(request: Request) -> Identity:
    """Where API keys are checked, the name of the key is client and owner.

    Where they are not, a client is an address, and an owner is whoever sends the same key, else the
    client. Keys that nobody checks must not buy a larger share: those are by address.
    """
    known = _known(request.scope)
    if known is not None:
        return known
    client = client_of(request.scope)
    key = request.headers.get("authorization", "")
    owner = "key:" + hashlib.sha256(key.encode()).hexdigest() if key else client
    return Identity(client, owner)


def client_of(scope: Scope) -> str:
    """Who gets a share: the name of an API key that was checked, else an address."""
    known = _known(scope)
    if known is not None:
        return known.client
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


def remember(scope: Scope, holder: Holder) -> None:
    """Let a request be that of whoever has this key."""
    # As long as names are shorter than hashes, no key that nobody checked makes such an owner.
    owner = "key:" + holder.name
    identity = Identity(owner, owner, holder.name, holder.scopes, holder.allowance)
    scope.setdefault("state", {})[_IDENTITY] = identity


async def require_admin(request: Request) -> None:
    """A dependency of routes that change the server.

    Raises:
        NotAllowed: The request has no API key with the scope `admin`; without keys nobody has.
    """
    if "admin" not in identity_of(request).scopes:
        raise NotAllowed("this needs an API key with the scope admin")


def _known(scope: Scope) -> Identity | None:
    known = scope.get("state", {}).get(_IDENTITY)
    return known if isinstance(known, Identity) else None
