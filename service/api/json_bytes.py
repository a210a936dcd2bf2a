"""JSON as it is sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

from pydantic_core import to_json
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.api.identity import client_of
from service.inference.turnstile import Turnstile

_PIECE_S = 0.001
# Line breaks to Unicode, though not to JSON nor to SSE: clients that read line by line would break.
_LINE_BREAKS = {mark.encode(): f"\\u{ord(mark):04x}".encode() for mark in "\u0085\u2028\u2029"}


def json_bytes(value: Any) -> bytes:
    """`value` as JSON on one line, for every reader of lines."""
    text = to_json(value)
    for mark, escaped in _LINE_BREAKS.items():
        text = text.replace(mark, escaped)
    return text


class Json(Response):
    """A value as JSON; in a third of the time of starlette's, which matters when thousands ask."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """`json_bytes` of it."""
        return json_bytes(content)


def list_in_pieces(
    fields: dict[str, Any], name: str, pieces: Iterable[list[Any]]
) -> Iterator[bytes]:
    """An object whose last field is a long list, made piece by piece.

    Args:
        fields: The other fields, at least one.
        name: Of the list.
        pieces: Its elements, some at a time.
    """
    start = json_bytes(fields)[:-1] + b"," + json_bytes(name) + b":["
    comma = b""
    for piece in pieces:
        yield start + comma + json_bytes(piece)[1:-1]
        start, comma = b"", b","
    yield start + b"]}"


class JsonPieces(Response):
    """JSON that is made and sent piece by piece.

    Neither is the whole of it in memory, nor does making it hold up the event loop.

    Args:
        pieces: Of the text.
        turnstile: For each piece.
        close: Called when all is sent, or the client has left.
    """

    media_type = "application/json"

    def __init__(
        self,
        pieces: Iterable[bytes],
        turnstile: Turnstile,
        close: Callable[[], Awaitable[None]],
    ) -> None:
        self._pieces = iter(pieces)
        self._turnstile = turnstile
        self._close = close
        self.status_code = 200
        self.background = None
        self.init_headers({"Cache-Control": "no-transform"})

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Send the whole of it."""
        try:
            await self._write(send, client_of(scope))
        finally:
            await self._close()

    async def _write(self, send: Send, client: str) -> None:
        await send(
            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        )
        while (piece := await self._next_piece(client)) is not None:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _next_piece(self, client: str) -> bytes | None:
        await self._turnstile.enter(_PIECE_S, client)
        return next(self._pieces, None)


class JsonInPieces(JsonPieces):
    """An object whose last field is a long list; see `list_in_pieces`."""

    def __init__(
        self,
        fields: dict[str, Any],
        name: str,
        pieces: Iterable[list[Any]],
        turnstile: Turnstile,
        close: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(list_in_pieces(fields, name, pieces), turnstile, close)
