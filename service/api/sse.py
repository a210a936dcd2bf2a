"""Server-sent events: a generation as a response body."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.api.disconnect import unless_client_leaves
from service.api.errors import ClientGone, error_body

_log = logging.getLogger(__name__)
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_HEADERS = {
    "Cache-Control": "no-cache",
    # Proxies that buffer (nginx by default) would turn a stream into one late answer.
    "X-Accel-Buffering": "no",
}


class EventStream(Response):
    """Sends events as they are made; a failure after the first byte is an `error` event.

    Args:
        events: What to send.
        close: Called once in any case: after the last event or a failure, or when the client leaves
            or takes nothing for `write_timeout_s`. (The iterator's own `finally` would not do: it
            never runs if the client leaves before the first event.)
        write_timeout_s: Time that a client has to take one event.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        events: AsyncIterator[dict[str, Any]],
        *,
        close: Callable[[], Awaitable[None]],
        write_timeout_s: float,
    ) -> None:
        self._events = events
        self._close = close
        self._write_timeout_s = write_timeout_s
        self._sending = False
        self._num_sent = 0
        self.status_code = 200
        self.background = None
        self.init_headers(_HEADERS)

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send the whole stream."""
        try:
            await unless_client_leaves(receive, self._write(send), self._stall())
        except ClientGone:
            _log.debug("a client left in mid-stream")
        finally:
            await self._close()

    async def _write(self, send: Send) -> None:
        await send(
            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        )
        try:
            async for event in self._events:
                await self._send(send, _encode(event))
        # The status is sent, so the only place left to tell of a failure is the stream itself.
        except Exception as error:  # noqa: BLE001
            body = error_body(error)
            if body.error.code == "internal_error":
                _log.exception("a stream failed")
            await self._send(send, _encode(body.model_dump(), event="error"))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send(self, send: Send, body: bytes) -> None:
        self._sending = True
        await send({"type": "http.response.body", "body": body, "more_body": True})
        self._sending = False
        self._num_sent += 1

    async def _stall(self) -> None:
        """Return when the client has not taken an event for `write_timeout_s`.

        One timer for a stream: one for every event would be a tenth of the server's time.
        """
        num_sent = -1
        while not self._sending or self._num_sent != num_sent:
            num_sent = self._num_sent
            await asyncio.sleep(self._write_timeout_s)


def _encode(data: dict[str, Any], event: str | None = None) -> bytes:
    # JSON escapes every line break, so the data is one line whatever the text holds.
    lines = f"data: {_ENCODER.encode(data)}\n\n"
    return (f"event: {event}\n{lines}" if event else lines).encode()
