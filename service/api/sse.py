"""Server-sent events: a generation as a response body."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.api.disconnect import unless_client_leaves
from service.api.errors import ClientGone, error_body
from service.api.json_bytes import json_bytes
from service.api.rendering import ErrorResponse

_log = logging.getLogger(__name__)
_HEADERS = {
    # A proxy that compresses would collect a stream until its end.
    "Cache-Control": "no-cache, no-transform",
    # Proxies that buffer (nginx by default) would turn a stream into one late answer.
    "X-Accel-Buffering": "no",
}
_KEEP_ALIVE = b": waiting\n\n"


def native_failure(body: ErrorResponse, about: dict[str, Any]) -> bytes:
    """An `error` event."""
    return encoded(body.model_dump() | about, event="error")


@dataclass(frozen=True, slots=True)
class Failure:
    """What failed of a stream that goes on, and what its `error` event says beside the error."""

    error: Exception
    about: dict[str, Any]


class EventStream(Response):
    """Sends events as they are made.

    The status is sent with the first event: a failure before it has a status of its own, one after
    it is an `error` event. While there are no events, comments keep the connection alive.

    Args:
        events: What to send: an id and data each, or what failed of it.
        close: Called once in any case: after the last event or a failure, or when the client
            leaves. (The iterator's own `finally` would not do: it never runs if the client leaves
            before the first event.)
        about: What an `error` event says beside the error.
        keep_alive_s: A comment is sent when nothing else was for this long.
        failure: How a failure after the first event is told, with what `about` says.
        end: What is sent last of all.
        goes_on: Asked after each event: whether the next one, or the end, comes at once; they are
            sent together.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        events: AsyncIterator[tuple[str, dict[str, Any]] | Failure],
        *,
        close: Callable[[], Awaitable[None]],
        about: Callable[[], dict[str, Any]],
        keep_alive_s: float,
        failure: Callable[[ErrorResponse, dict[str, Any]], bytes] = native_failure,
        end: bytes = b"",
        goes_on: Callable[[], bool] = lambda: False,
    ) -> None:
        self._goes_on = goes_on
        self._failure = failure
        self._end = end
        self._events = events
        self._close = close
        self._about = about
        self._keep_alive_s = keep_alive_s
        self._has_started = False
        self._num_sent = 0
        self._sending = asyncio.Lock()
        self.status_code = 200
        self.background = None
        self.init_headers(_HEADERS)

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send the whole stream.

        Raises:
            Exception: What the events raised before the first of them.
        """
        keep_alive = _KeepAlive(
            self._keep_alive_s, lambda: self._num_sent, partial(self._wait, send)
        )
        try:
            await unless_client_leaves(receive, self._write(send))
        except ClientGone:
            if not self._has_started:  # answered to nobody, but the log says what happened
                raise
            _log.debug("a client left in mid-stream")
        finally:
            await keep_alive.end()
            await self._close()

    async def _write(self, send: Send) -> None:
        together: list[bytes] = []
        try:
            async for event in self._events:
                if isinstance(event, Failure):
                    together.append(self._encode_failure(event))
                else:
                    event_id, data = event
                    together.append(encoded(data, event_id=event_id))
                if not self._goes_on():
                    await self._send(send, b"".join(together))
                    together.clear()
        except Exception as error:
            if not self._has_started and not together:
                raise
            together.append(self._encode_failure(Failure(error, self._about())))
        await self._send(send, b"".join((*together, self._end)), more_body=False)

    def _encode_failure(self, failure: Failure) -> bytes:
        body = error_body(failure.error)
        if body.error.code == "internal_error":
            _log.error("a stream failed", exc_info=failure.error)
        return self._failure(body, failure.about)

    async def _send(self, send: Send, body: bytes, *, more_body: bool = True) -> None:
        async with self._sending:
            if not self._has_started:
                self._has_started = True
                headers = self.raw_headers
                status = self.status_code
                await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body, "more_body": more_body})
            self._num_sent += 1

    async def _wait(self, send: Send) -> None:
        if not self._sending.locked():
            await self._send(send, _KEEP_ALIVE)


class _KeepAlive:
    """Does something whenever nothing was sent for a while.

    One timer for a stream: one for every event would be a tenth of the server's time. A stream that
    is over sooner has no task for it.

    Args:
        every_s: The while.
        num_sent: How much was sent up to now.
        work: What is done.
    """

    def __init__(
        self, every_s: float, num_sent: Callable[[], int], work: Callable[[], Awaitable[None]]
    ) -> None:
        self._every_s, self._num_sent, self._work = every_s, num_sent, work
        self._task: asyncio.Task[None] | None = None
        self._begins = asyncio.get_running_loop().call_later(every_s, self._begin)

    async def end(self) -> None:
        """There is nothing more to come."""
        self._begins.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _begin(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        num_sent = 0
        while True:
            if num_sent == self._num_sent():
                await self._work()
            num_sent = self._num_sent()
            await asyncio.sleep(self._every_s)


def encoded(
    data: dict[str, Any], *, event: str | None = None, event_id: str | None = None
) -> bytes:
    """An event as it is sent; one without an id has none, also if that is empty."""
    # JSON escapes every line break, so the data is one line whatever the text holds.
    lines = b"data: " + json_bytes(data) + b"\n"
    if event is not None:
        lines = b"event: " + event.encode() + b"\n" + lines
    if event_id:
        lines += b"id: " + event_id.encode() + b"\n"
    return lines + b"\n"
