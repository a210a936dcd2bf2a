"""POST /generate with units that are held."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings

PROMPT = "Sing, O Muse! " * 8
ASKED = {"prompt": PROMPT, "max_tokens": 40, "seed": 3}
HELD = [{"name": "c", "unit": 2, "value": -1.5}, {"name": "h", "unit": 3, "value": 1}]


@pytest.fixture(scope="module")
def holding(store: Path) -> Iterator[TestClient]:
    """A server that allows it."""
    with TestClient(create_app(Settings(model_store=store, max_rows=8, max_clamps=2))) as client:
        yield client


def text(client: TestClient, **fields: object) -> str:
    """What is written."""
    answer = client.post("/generate", json={**ASKED, **fields})
    assert 200 == answer.status_code, answer.text
    return str(answer.json()["text"])


def test_it_writes_something_else_and_the_same_again(holding: TestClient, client: TestClient):
    """Whether the prompt was read free before, which must not be gone on from, or held."""
    free = text(holding)
    held = text(holding, clamp=HELD)

    assert free == text(client) == text(holding, clamp=[]) == text(holding, clamp=None)
    assert held != free
    assert held == text(holding, clamp=HELD)
    assert free == text(holding)
    other = [{**HELD[0], "value": 1.5}]
    assert text(holding, clamp=other) not in (free, held)


def test_a_prompt_that_was_read_held_is_read_once(holding: TestClient):
    """By those who hold the same."""
    asked = {**ASKED, "prompt": PROMPT + "Once", "clamp": HELD}
    cached = [holding.post("/generate", json=asked).json()["usage"]["cached_tokens"] for _ in "ab"]
    assert cached[0] < cached[1] == len(PROMPT + "Once")


def test_several_texts_and_streams(holding: TestClient):
    """All of them held: the first is the text alone."""
    several = holding.post("/generate", json={**ASKED, "clamp": HELD, "n": 2}).json()
    assert text(holding, clamp=HELD) == several["texts"][0]["text"]
    stream = holding.post("/generate", json={**ASKED, "clamp": HELD, "stream": True})
    assert 200 == stream.status_code


@pytest.mark.parametrize(
    ("clamp", "words"),
    [
        ([{"name": "g", "unit": 0, "value": 0}], "it has h, c"),
        ([{"name": "c", "unit": 16, "value": 0}], "0 to 15"),
        ([{"name": "c", "unit": -1, "value": 0}], "greater than or equal to 0"),
        ([{"name": "c", "unit": 0, "value": 1e9}], "1000"),
        ([HELD[0], HELD[0]], "twice"),
        ([{"name": "c", "unit": n, "value": 0} for n in range(3)], "at most 2"),
        ([{"name": "c", "unit": 0}], "required"),
    ],
)
def test_refusals(holding: TestClient, clamp: list, words: str):
    """By name."""
    answer = holding.post("/generate", json={**ASKED, "clamp": clamp})
    error = answer.json()["error"]

    assert (422, "clamp") == (answer.status_code, error["param"])
    assert words in error["message"]


def test_it_is_off_unless_allowed(client: TestClient):
    """And says what allows it."""
    answer = client.post("/generate", json={**ASKED, "clamp": HELD})
    assert (422, "clamp") == (answer.status_code, answer.json()["error"]["param"])
    assert "--max-clamps" in answer.json()["error"]["message"]


def test_sessions_and_receipts_are_written_free(holding: TestClient):
    """They say how a text came to be, and go on: nothing of the session changes."""
    session = holding.post("/sessions", json={"prompt": "Sing"}).json()
    refused = holding.post(
        "/generate", json={"session": session["id"], "max_tokens": 3, "clamp": HELD}
    )
    assert (422, "session") == (refused.status_code, refused.json()["error"]["param"])
    assert session["version"] == holding.get(f"/sessions/{session['id']}").json()["version"]
    refused = holding.post("/generate", json={**ASKED, "clamp": HELD, "receipt": True})
    assert (422, "receipt") == (refused.status_code, refused.json()["error"]["param"])
