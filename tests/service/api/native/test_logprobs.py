"""Answers with many log-probabilities: complete, and bounded in memory."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fastapi.testclient import TestClient

from service.api.native.schemas import GenerateResponse
from service.app import create_app
from service.settings import Settings
from tests.service.api.native.test_generate import BODY, events, generate
from tests.waiting import wait_for


def test_many_log_probabilities_are_those_of_the_events(client: TestClient):
    """An answer that is made in pieces, of a text with a few hundred tokens."""
    options = {"max_tokens": 200, "logprobs": 2}
    answer = generate(client, **options)
    found = events(client, **options)

    GenerateResponse.model_validate(answer)
    assert 200 == len(answer["logprobs"])
    assert answer["logprobs"] == [token for event in found for token in event["logprobs"]]
    assert 64 >= max(event["num_tokens"] for event in found)


def test_results_in_memory_are_bounded(store: Path):
    """Answers with log-probabilities that nobody could hold all at once; streams are no matter."""
    settings = Settings(model_store=store, max_result_bytes=100_000, max_rows=2)
    body = BODY | {"max_tokens": 16_000, "logprobs": 10, "timeout_s": 60}
    with TestClient(create_app(settings)) as client, ThreadPoolExecutor(1) as pool:
        first = pool.submit(client.post, "/generate", json=body)
        inference = client.app.state.service.inference  # type: ignore[attr-defined]
        wait_for(lambda: inference.accounts.num_unfinished == 1, "the first answer")
        second = client.post("/generate", json=body)
        stream = client.post("/generate", json=BODY | {"logprobs": 10, "stream": True})

        assert (429, "overloaded") == (second.status_code, second.json()["error"]["code"])
        assert int(second.headers["retry-after"]) >= 1
        assert 200 == stream.status_code
        assert 16_000 == len(first.result().json()["logprobs"])
        assert 200 == client.post("/generate", json=BODY | {"logprobs": 10}).status_code
