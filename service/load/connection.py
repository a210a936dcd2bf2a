"""One client on one kept-alive connection."""

from __future__ import annotations

import asyncio
import re
import time

import httptools

from service.load.recorder import Exchange, Recorder
from service.load.target import Target

NO_CONNECTION = "no connection"
CONNECTION_LOST = "connection lost"
NOT_HTTP = "not HTTP"

_NUM_TOKENS = re.compile(rb'"(?:num|completion)_tokens":(\d+)')
_CODE = re.compile(rb'"code": ?"(\w+)"')


class Connection(asyncio.Protocol):
    """Sends a request when the last one has its answer, and records what comes of it."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._exchange: Exchange | None = None
        self._ended: asyncio.Future[None] | None = None
        self._is_stream = False
        self._body = b""
        self._now_s = 0.0

    @classmethod
    async def to(cls, target: Target, recorder: Recorder) -> Connection:
        """A new connection.

        Raises:
            OSError: There is nobody, or it is no TLS.
        """
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            lambda: cls(recorder), target.host, target.port, ssl=target.tls
        )
        return connection

    @property
    def is_open(self) -> bool:
        """Whether it takes another request."""
        return self._transport is not None and not self._transport.is_closing()

    async def exchange(self, request: bytes, since_s: float | None = None) -> Exchange:
        """Send a request and read its answer to the end.

        Args:
            request: Whole, with its head.
            since_s: From when it is timed; from now if None.
        """
        if self._transport is None:
            raise RuntimeError("it is not connected")
        exchange = Exchange(time.perf_counter() if since_s is None else since_s)
        self._exchange, self._body = exchange, b""
        self._ended = asyncio.get_running_loop().create_future()
        if self.is_open:
            self._transport.write(request)
        else:
            self._end(CONNECTION_LOST)
        await self._ended
        return exchange

    def close(self) -> None:
        """Leave; an answer that has not come counts for nothing."""
        self._exchange = None
        if self._transport is not None:
            self._transport.close()

    # --- what asyncio tells ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(f"not a stream: {transport!r}")
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the code says it
        """The other side has closed it."""
        self._end(CONNECTION_LOST)

    def data_received(self, data: bytes) -> None:
        """All that is in it came now."""
        self._now_s = time.perf_counter()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._end(NOT_HTTP)
            self.close()

    # --- what the parser tells ---

    def on_header(self, name: bytes, value: bytes) -> None:
        """Two of them matter."""
        name = name.lower()
        if name == b"content-type":
            self._is_stream = value.startswith(b"text/event-stream")
        elif name == b"retry-after" and value.isdigit() and self._exchange is not None:
            self._exchange.retry_after_s = float(value)

    def on_body(self, body: bytes) -> None:
        """A part of the answer."""
        self._body += body
        if self._is_stream:
            *events, self._body = self._body.split(b"\n\n")
            for event in events:
                self._see(event)

    def on_message_complete(self) -> None:
        """The answer is there."""
        if not self._is_stream:
            self._see(self._body)
        self._body = b""
        if not self._parser.should_keep_alive() and self._transport is not None:
            self._transport.close()
        self._end(None)

    def _see(self, event: bytes) -> None:
        exchange = self._exchange
        if exchange is None or event.startswith(b":"):  # a comment keeps the connection alive
            return
        status = self._parser.get_status_code()
        found = _NUM_TOKENS.search(event)
        if status != 200 or found is None:
            code = _CODE.search(event)
            exchange.error = f"{status} {code[1].decode() if code else 'without a code'}"
            return
        self._recorder.event(exchange, int(found[1]), self._now_s)

    def _end(self, error: str | None) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            return
        exchange.error = exchange.error or error
        self._recorder.ended(exchange, time.perf_counter())
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)
