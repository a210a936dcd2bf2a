"""Who sends a request."""

from __future__ import annotations

import hashlib

from fastapi import Request

from service.inference.start import Client


def client_of(request: Request) -> Client:
    """By address; where API keys are used (by a proxy, say), each has its own cached prompts."""
    address = request.client.host if request.client else ""
    key = request.headers.get("authorization", "")
    return Client(name=address, salt=hashlib.sha256(key.encode()).hexdigest() if key else "")
