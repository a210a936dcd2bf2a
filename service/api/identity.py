"""Who sends a request."""

from __future__ import annotations

import hashlib

from fastapi import Request

from service.inference.identity import Identity


def identity_of(request: Request) -> Identity:
    """A client is an address; requests with different API keys share no cached prompts."""
    address = request.client.host if request.client else ""
    key = request.headers.get("authorization", "")
    cache_salt = hashlib.sha256(key.encode()).hexdigest() if key else ""
    return Identity(client=address, cache_salt=cache_salt)
