"""JSON that is made and sent piece by piece."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.api.disconnect import unless_client_leaves
from service.api.errors import ClientGone
from service.api.identity import client_of
from service.api.json_bytes import json_bytes
from service.inference.turnstile import Turnstile

_log = logging.getLogger(__name__)
_PIECE_S = 0.001


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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the whole of it, or as much as there is a client for."""
        try:
            # What is sent to nobody is taken in silence: it would be made to its end.
            await unless_client_leaves(receive, self._write(send, client_of(scope)))
        except ClientGone:  # the status is sent, and nothing else could be told
            _log.debug("a client left in mid-answer")
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
