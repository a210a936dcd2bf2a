"""Answers for HTTP/1.0, which knows no chunks: a body ends where the connection does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any


def unframed(cycle: Any) -> Callable[[Any], Awaitable[None]]:
    """A `send` of a request that writes no chunks."""
    send, is_framed = cycle.send, True

    async def send_unframed(message: Any) -> None:
        nonlocal is_framed
        if message["type"] == "http.response.start":
            names = {name.lower() for name, _ in message.get("headers", ())}
            is_framed = b"content-length" in names or message["status"] in (204, 304)
            cycle.chunked_encoding = None if is_framed else False
        elif not is_framed:  # uvicorn compares what it sends with what was announced
            cycle.expected_content_length = len(message.get("body", b""))
        await send(message)

    return send_unframed
