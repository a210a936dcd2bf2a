"""Answers that are made piece by piece, on an application side without a server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

from service.api.json_pieces import JsonInPieces
from service.inference.turnstile import Turnstile

_NUM_PIECES = 200


class Client:
    """Takes all that is sent, in silence after it has left, as uvicorn does for it.

    Args:
        leaves_after: So many pieces; None: never.
    """

    def __init__(self, leaves_after: int | None) -> None:
        self.num_made = self.num_closed = 0
        self.messages: list[Any] = []
        self._leaves_after = leaves_after
        self._left = asyncio.Event()

    async def ask(self) -> None:
        """Be answered."""
        answer = JsonInPieces({"id": 1}, "all", self._pieces(), Turnstile(), self._close)
        async with asyncio.timeout(30):
            await answer({"type": "http"}, self._receive, self._send)

    @property
    def body(self) -> bytes:
        """All that it has got."""
        return b"".join(message.get("body", b"") for message in self.messages)

    def _pieces(self) -> Iterator[list[int]]:
        for piece in range(_NUM_PIECES):
            self.num_made += 1
            yield [piece]

    async def _receive(self) -> dict[str, str]:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if not self._left.is_set():
            self.messages.append(message)
        if self.num_made == self._leaves_after:
            self._left.set()

    async def _close(self) -> None:
        self.num_closed += 1


async def test_nothing_more_is_made_for_who_has_left():
    """And what was held for it is free at once."""
    client = Client(leaves_after=5)
    await client.ask()

    assert 5 <= client.num_made < 20
    assert 1 == client.num_closed


async def test_who_stays_gets_all_of_it():
    """As the JSON that it is."""
    client = Client(leaves_after=None)
    await client.ask()

    assert {"id": 1, "all": list(range(_NUM_PIECES))} == json.loads(client.body)
    assert (1, False) == (client.num_closed, client.messages[-1]["more_body"])
