"""One HTTP/1 connection: uvicorn's, with bounds on what the other side may send and leave unread.

uvicorn and its parser (httptools) take a head of any length, drop the body of a request that offers
an upgrade, answer errors of their own in plain text, and wait for ever for bytes that never come.
"""

from __future__ import annotations

from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from service.server.connections import Connections
from service.server.offers import head_without_offer
from service.server.refusals import refusal
from service.server.targets import path_of
from service.server.unframed import unframed
from service.server.unread import Unread

_MAX_HEAD_BYTES = 64 << 10
_MAX_HEADERS = 100
_FIRST_BYTE_S = 30.0
_HEAD_S = 10.0
_REST_S = 5.0
_MAX_REST_BYTES = 1 << 20
_MAX_REST_OF_BODY_BYTES = 16 << 20
_MAX_PIPELINED = 16


class _TooMany(Exception):
    """Of requests that wait behind another one; ends the parsing of what has come."""


class Connection(HttpToolsProtocol):
    """Refuses what no client sends: long heads, slow heads, broken HTTP; in the one error shape.

    What a client still sends after it was refused is read and dropped for a while, and then left
    unread: were the socket closed at once, the client would see a reset in place of the answer.

    Args:
        connections: All of them.
        probes: Paths of those that are answered when there are too many connections.
        write_timeout_s: The connection ends when nothing is taken of what is sent for so long.
        options: uvicorn's.
    """

    def __init__(
        self,
        *,
        connections: Connections,
        probes: frozenset[bytes],
        write_timeout_s: float,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._connections = connections
        self._probes = probes
        self._write_timeout_s = write_timeout_s
        now_s = self.loop.time()
        # When each of these began, None while it does not last.
        self._silent_since_s: float | None = now_s  # no byte of a first request
        self._head_since_s: float | None = None  # a head, or a trailer, is not complete
        self._rest_since_s: float | None = None  # bytes come that nobody wants any more
        self._unread = Unread(now_s)
        self._num_bytes_in_head = 0
        self._num_bytes_of_rest = 0
        self._body = bytearray()  # that came in one read: chunks may be of a single byte
        self._is_refused = False
        self._has_too_many = False  # requests that wait
        self._running: RequestResponseCycle = None  # type: ignore[assignment] # like `cycle`

    # What uvicorn and the event loop call

    def connection_made(self, transport: Any) -> None:
        """Take a place among the connections."""
        super().connection_made(transport)
        self._connections.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back, and tell the request that is running.

        uvicorn tells the last one that has come; those that wait behind the running one never run.
        """
        self._connections.leave(self)
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()
        self.pipeline.clear()
        self._unset_keepalive_if_required()  # after a reset uvicorn does not
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what has come, within bounds."""
        if self.transport.is_closing():
            return
        self._silent_since_s = None
        if self._is_refused or self._is_answered:
            self._drop_rest(data)
            if self._is_refused:
                return
        if self._head_since_s is None:
            self._head_since_s = self.loop.time()
        self._num_bytes_in_head += len(data)
        self._parse(data)
        if self._num_bytes_in_head > _MAX_HEAD_BYTES:
            self._refuse(431, f"the head is larger than {_MAX_HEAD_BYTES} bytes")

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP."""
        self._refuse(400, msg)

    # What the parser calls

    def on_message_begin(self) -> None:
        """A request begins."""
        if len(self.pipeline) >= _MAX_PIPELINED:
            self._has_too_many = True
            raise _TooMany
        super().on_message_begin()
        self._num_head_bytes = len(b"GET  HTTP/1.1\r\n")

    def on_url(self, url: bytes) -> None:
        """A part of the target."""
        if self._fits_in_head(len(url)):
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer."""
        if self._fits_in_head(len(name) + len(value) + 4):
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """A head is complete: its request begins, unless it is refused."""
        self._head_is_complete()
        if self._is_refused or self.parser.should_upgrade():
            return
        path = path_of(self.url)
        if path is None:
            self._refuse(400, "the target of the request is no URL with a path")
            return
        if self._connections.are_too_many and path not in self._probes:
            self._refuse(429, "there are too many connections", (b"retry-after: 2\r\n",))
            return
        self._connections.set_idle(self, idle=False)
        super().on_headers_complete()
        if self.scope["http_version"] == "1.0":
            self.cycle.send = unframed(self.cycle)  # type: ignore[assignment, method-assign]

    def on_body(self, body: bytes) -> None:
        """A part of a body."""
        self._head_is_complete()
        self._body += body

    def on_message_complete(self) -> None:
        """A request is complete."""
        self._head_is_complete()
        self._hand_over_body()
        if not self._is_refused and not self.parser.should_upgrade():
            super().on_message_complete()
            if self.cycle.response_complete:  # it was answered before it had come to its end
                self.cycle.more_body = False
                self._rest_since_s = None
                self._num_bytes_of_rest = 0
                self.on_response_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """A request's turn has come: those of one connection run one after the other."""
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """An answer was sent; the body that it answers may still be coming."""
        super().on_response_complete()
        if self.cycle.response_complete and self.cycle.more_body:
            self._rest_since_s = self.loop.time()
        elif self.cycle.response_complete:
            self._connections.set_idle(self, idle=True)

    # What `Connections` calls

    def overdue(self, now_s: float) -> bool:
        """Whether the other side has been silent, or has taken nothing, for too long."""
        unread_s = self._unread.seconds(self.transport.get_write_buffer_size(), now_s)
        if self._is_over(self._head_since_s, _HEAD_S, now_s) and not self._is_refused:
            self._refuse(408, f"the head did not come within {_HEAD_S:g} s")
            return False
        return (
            self._is_over(self._silent_since_s, _FIRST_BYTE_S, now_s)
            or self._is_over(self._rest_since_s, _REST_S, now_s)
            or unread_s > self._write_timeout_s
        )

    def drop(self) -> None:
        """End it, whatever it is doing."""
        self._connections.leave(self)
        self.transport.abort()

    # Parts of these

    @property
    def _is_answered(self) -> bool:
        """Whether the body that comes is one whose request was answered without it."""
        return self._rest_since_s is not None

    @staticmethod
    def _is_over(since_s: float | None, most_s: float, now_s: float) -> bool:
        return since_s is not None and now_s - since_s > most_s

    def _fits_in_head(self, num_bytes: int) -> bool:
        self._num_head_bytes += num_bytes
        if self._num_head_bytes > _MAX_HEAD_BYTES or len(self.headers) >= _MAX_HEADERS:
            self._refuse(431, f"more than {_MAX_HEADERS} headers, or {_MAX_HEAD_BYTES} bytes")
        return not self._is_refused

    def _head_is_complete(self) -> None:
        self._head_since_s = None
        self._num_bytes_in_head = 0

    def _parse(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        left: bytes | None = data
        while left is not None:
            left = self._parse_to_offer(left)
        self._hand_over_body()

    def _hand_over_body(self) -> None:
        """All that came in one read, since uvicorn copies what is there with each part."""
        if self._body and not self._is_refused:
            super().on_body(bytes(self._body))
        self._body.clear()

    def _parse_to_offer(self, data: bytes) -> bytes | None:
        """Parse up to an offer to upgrade; returns what is to be parsed in its stead, if any."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return self._without_offer(data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError:
            if not self._has_too_many:
                raise
            self._end_after_those_that_wait()
        except httptools.HttpParserError as error:
            self._refuse(400, f"this is not HTTP/1: {error}")
        return None

    def _without_offer(self, rest: bytes) -> bytes | None:
        """The request without its offer, and the rest.

        The parser takes all that follows the head for another protocol, and so loses the body.
        """
        if self.parser.get_method() == b"CONNECT":
            self._refuse(405, "CONNECT is for proxies")
            return None
        head = head_without_offer(self.parser, self.url, self.headers)
        self.parser = httptools.HttpRequestParser(self)
        return head + rest

    def _end_after_those_that_wait(self) -> None:
        """Take no more requests: of those that are here the last one closes the connection."""
        self._is_refused = True
        self.cycle.keep_alive = False
        self.flow.pause_reading()

    def _refuse(self, status: int, message: str, headers: tuple[bytes, ...] = ()) -> None:
        """Answer below the application, and close when the other side has seen it."""
        if self._is_refused or self.transport.is_closing():
            return
        self._is_refused = True
        if not self._is_answered and self._answers_before():
            return
        if not self._is_answered:
            self._rest_since_s = self.loop.time()
            self._connections.set_idle(self, idle=True)  # whoever comes needs the place more
            self.transport.write(refusal(status, message, headers, self.client))
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _answers_before(self) -> bool:
        """Whether another answer is on its way, into which nothing may be written: the last one."""
        if self.pipeline and self.cycle.more_body:  # it will never be whole, and is not begun
            self.pipeline.popleft()
            self.cycle = self.pipeline[0][0] if self.pipeline else self._running
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            return False
        if cycle.response_started or not cycle.more_body:
            cycle.keep_alive = False
            return True
        # The rest of the body will never come: for the application the client is gone.
        cycle.disconnected = True
        cycle.waiting_for_100_continue = False  # or uvicorn would write that behind the refusal
        cycle.message_event.set()
        return False

    def _drop_rest(self, data: bytes) -> None:
        self._num_bytes_of_rest += len(data)
        most = _MAX_REST_BYTES if self._is_refused else _MAX_REST_OF_BODY_BYTES
        if self._num_bytes_of_rest > most:
            self.transport.pause_reading()  # until it is overdue
