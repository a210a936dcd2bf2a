"""What fails while it is written, and what is refused because too much is there."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from fastapi.testclient import TestClient

from service.api.kserve import answers as kserve
from service.api.openai import answers as openai
from service.api.sse import EventStream
from service.app import create_app
from service.engine.errors import NotFinite
from service.settings import Settings
from tests.tiny_model import publish
from tests.waiting import wait_for


async def _sent(**dialect) -> list[str]:
    """The events of a stream that fails after the first one."""
    sent: list[bytes] = []

    async def events():
        yield "", {"text": "a"}
        raise NotFinite("no numbers here")

    async def receive():
        await asyncio.Event().wait()

    async def send(message):
        sent.append(message.get("body", b""))

    async def close():
        """Nothing is held."""

    stream = EventStream(events(), close=close, about=dict, keep_alive_s=60, **dialect)
    async with asyncio.timeout(30):
        await stream({}, receive, send)
    return b"".join(sent).decode().split("\n\n")


async def test_a_failure_in_a_stream_is_told_as_clients_read_it():
    """OpenAI's raise an error at a chunk that has one; those of KServe look for a sentence."""
    first, failed, done, _ = await _sent(failure=openai.failure, end=openai.DONE)
    *_, sentence, _ = await _sent(failure=kserve.failure)
    error = json.loads(failed.removeprefix("data: "))["error"]

    assert 'data: {"text":"a"}' == first
    assert ("model_not_finite", "server_error") == (error["code"], error["type"])
    assert "data: [DONE]" == done
    assert {"error": "no numbers here"} == json.loads(sentence.removeprefix("data: "))


def test_all_texts_of_a_request_are_begun_or_none(tmp_path: Path):
    """What is too much is a 429, which says when to come back; nothing of it is left running."""
    publish(tmp_path)
    settings = Settings(model_store=tmp_path, max_rows=1, max_waiting_requests=2)
    with TestClient(create_app(settings)) as client:
        body = {"prompt": ["a", "b"], "n": 10, "max_tokens": 16_384}
        answer = client.post("/v1/completions", json=body)

        def is_free() -> bool:
            report = client.get("/health/ready").json()["models"]["tiny@1"]
            return (0, 0) == (report["running"], report["waiting"])

        wait_for(is_free, "the texts that were given up to be gone")  # the engine hears of it later
        after = client.post("/v1/completions", json={"prompt": "a", "max_tokens": 3})

    assert (429, "rate_limit_error") == (answer.status_code, answer.json()["error"]["type"])
    assert int(answer.headers["retry-after-ms"]) == 1000 * int(answer.headers["retry-after"])
    assert 3 == len(after.json()["choices"][0]["text"])
