"""The time of a request counts from its arrival, whatever it waits for before its route."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.api.bodies import Bodies
from service.api.native import append
from service.app import create_app
from service.settings import Settings

_INFER = {
    "inputs": [{"name": "text_input", "shape": [2], "datatype": "BYTES", "data": ["A", "B"]}],
    "parameters": {"max_tokens": 1, "timeout": 100_000},
}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/generate", {"max_tokens": 1, "timeout_s": 0.1}),
        ("/generate", {"max_tokens": 1, "timeout_s": 0.1, "n": 2}),
        ("/generate", {"choices": ["A", "B"], "timeout_s": 0.1}),
        ("/score", {"texts": ["A"], "timeout_s": 0.1}),
        ("/inspect", {"text": "A", "timeout_s": 0.1}),
        ("/v2/models/tiny/infer", _INFER),
    ],
)
def test_what_its_body_waits_for_counts(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, path: str, body: dict[str, Any]
):
    """Behind a crowd; and afterwards nothing of it is left."""
    read = Bodies.read

    async def read_late(*args: Any) -> bytes:
        await asyncio.sleep(0.2)
        return await read(*args)

    monkeypatch.setattr(Bodies, "read", read_late)
    answer = client.post(path, json=body)

    assert 504 == answer.status_code, answer.text
    monkeypatch.undo()
    assert 200 == client.post("/generate", json={"max_tokens": 1, "timeout_s": 20}).status_code


def test_each_part_of_a_text_of_any_length_has_its_time(
    store: Path, monkeypatch: pytest.MonkeyPatch
):
    """All of it takes longer than a request may."""

    class SlowText:
        def __init__(self, *_: Any):
            self.num_left = 4

        async def has_come(self) -> bool:
            await asyncio.sleep(0.5)
            return self.num_left > 0

        def take(self) -> str:
            self.num_left -= 1
            return "Once "

    monkeypatch.setattr(append, "PlainText", SlowText)
    with TestClient(create_app(Settings(model_store=store, max_rows=2, max_timeout_s=1))) as client:
        session = client.post("/sessions", json={}).json()["id"]
        answer = client.post(
            f"/sessions/{session}/append", content=b"-", headers={"content-type": "text/plain"}
        )

    assert (200, 4) == (answer.status_code, answer.json().get("num_turns")), answer.text
