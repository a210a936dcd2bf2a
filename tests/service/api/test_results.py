"""The memory of answers is accounted for until they are sent: who reads slowly holds his own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from service.api.native.logprobs import PIECE
from service.app import create_app
from service.settings import Settings

_TEXT = "Once upon a time " * 20


class Watched:
    """An application; notes of each part of an answer how much is held while it is sent."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self.accounts = app.state.service.inference.accounts
        self.held: list[int] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""

        async def noting(message: Message) -> None:
            if message.get("more_body"):
                self.held.append(self.accounts.num_result_bytes)
            await send(message)

        await self.app(scope, receive, noting)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/generate", {"max_tokens": 200, "logprobs": 1}),
        ("/generate", {"max_tokens": 200, "logprobs": 1, "n": 2}),
        ("/score", {"texts": [_TEXT, _TEXT], "logprobs": 1}),
        ("/inspect", {"text": _TEXT, "logprobs": 1}),
        ("/sessions/{session}/append", {"text": _TEXT, "logprobs": 1}),
    ],
)
def test_results_are_held_until_they_are_sent(store: Path, path: str, body: dict[str, Any]):
    """Piece by piece; then they are free."""
    watched = Watched(create_app(Settings(model_store=store, max_rows=4)))
    with TestClient(watched) as client:
        session = client.post("/sessions", json={}).json()["id"]
        answer = client.post(path.format(session=session), json=body)

    assert 200 == answer.status_code, answer.text
    assert len(watched.held) > 200 // PIECE
    assert 0 not in watched.held
    assert 0 == watched.accounts.num_result_bytes
