"""What belongs to a key's name, and how much it may ask for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from tests.service.api.keyed import ADMIN, JSON, A, B, bearer, code_of, new_app


@pytest.fixture(scope="module")
def app(store: Path) -> FastAPI:
    """With keys."""
    return new_app(store)


@pytest.fixture(scope="module")
def keyed(app: FastAPI) -> Iterator[TestClient]:
    """The application with keys."""
    with TestClient(app) as client:
        yield client


def test_sessions_belong_to_the_name(keyed: TestClient):
    """Of whichever of its keys; for others there are none."""
    made = keyed.post("/sessions", headers=A, json={"prompt": "Hi", "seed": 1}).json()["id"]
    path = f"/sessions/{made}"

    again = {"x-api-key": "key-a2"}
    assert 200 == keyed.get(path, headers=again).status_code
    assert [made] == [s["id"] for s in keyed.get("/sessions", headers=again).json()["sessions"]]
    for key in (B, ADMIN):
        assert [] == keyed.get("/sessions", headers=key).json()["sessions"]
        asked = [
            keyed.get(path, headers=key),
            keyed.get(f"{path}/log", headers=key),
            keyed.delete(path, headers=key),
            keyed.post(f"{path}/fork", headers=key, json={}),
            keyed.post(f"{path}/append", headers=key, json={"text": "x"}),
            keyed.post("/generate", headers=key, json={"session": made, "max_tokens": 1}),
        ]
        assert {(404, "session_not_found")} == {code_of(response) for response in asked}
    assert 204 == keyed.delete(path, headers=A).status_code


def test_keys_share_no_cached_prompts(keyed: TestClient):
    """Nobody learns from `cached_tokens` what others have sent."""
    body = {"prompt": "A prompt that is long enough to be kept. " * 20, "max_tokens": 1}

    def cached(key: dict[str, str]) -> int:
        return int(keyed.post("/generate", headers=key, json=body).json()["usage"]["cached_tokens"])

    assert 0 == cached(A)
    assert cached({"x-api-key": "key-a2"}) > 0
    assert 0 == cached(B)


def test_sessions_from_before_there_were_keys(store: Path, tmp_path: Path):
    """Those that had no owner are there for whoever knows their id; those of a header are not."""
    place = f"sqlite:///{tmp_path}/sessions.db"
    with TestClient(create_app(Settings(model_store=store, session_store=place))) as client:
        free, held = (
            client.post("/sessions", headers=headers, json={}).json()["id"] for headers in (JSON, A)
        )
    with TestClient(new_app(store, session_store=place)) as client:
        assert 200 == client.get(f"/sessions/{free}", headers=B).status_code
        assert [] == client.get("/sessions", headers=B).json()["sessions"]
        assert 404 == client.get(f"/sessions/{held}", headers=A).status_code
        named = client.post("/sessions", headers=A, json={}).json()["id"]
    with TestClient(create_app(Settings(model_store=store, session_store=place))) as client:
        for headers in ({}, A, {"authorization": "alice"}, {"authorization": "key:alice"}):
            assert 404 == client.get(f"/sessions/{named}", headers=headers).status_code


def test_requests_per_minute(keyed: TestClient):
    """The fourth is told which limit it is, and when to come back."""
    slow = bearer("key-slow")
    assert [200] * 3 == [keyed.get("/models", headers=slow).status_code for _ in range(3)]

    refused = keyed.get("/models", headers=slow)
    error = refused.json()["error"]
    assert (429, "rate_limited") == code_of(refused)
    assert "requests_per_minute" == error["param"]
    assert 1 <= int(refused.headers["retry-after"]) <= 20
    assert 200 == keyed.get("/models", headers=A).status_code


def test_tokens_per_minute(keyed: TestClient):
    """What is written and read counts, also by sessions; others notice nothing."""
    short = bearer("key-short")
    body = {"prompt": "ab", "max_tokens": 8}
    assert 200 == keyed.post("/generate", headers=short, json=body).status_code

    refused = keyed.post("/generate", headers=short, json=body | {"max_tokens": 15})
    assert (429, "rate_limited") == code_of(refused)
    assert "tokens_per_minute" == refused.json()["error"]["param"]
    assert 1 <= int(refused.headers["retry-after"]) <= 15
    read = {"prompt": "a" * 60}
    assert 201 == keyed.post("/sessions", headers=short, json=read).status_code
    for path, asked in [("/sessions", read), ("/generate", body | {"stream": True})]:
        assert (429, "rate_limited") == code_of(keyed.post(path, headers=short, json=asked))
    assert 200 == keyed.post("/generate", headers=A, json=body).status_code


def test_streams(app: FastAPI, keyed: TestClient):
    """A place is free again once a text is over, also one that has failed."""
    single = bearer("key-single")
    body = {"prompt": "ab", "max_tokens": 2}
    ring = app.state.service.keys
    held = ring.find(b"key-single").allowance.begin(1)

    refused = keyed.post("/generate", headers=single, json=body)
    assert (429, "streams") == (refused.status_code, refused.json()["error"]["param"])
    assert "1" == refused.headers["retry-after"]
    held.close(0)
    for asked in (body, body | {"model": "none"}, body | {"stream": True}, body):
        status = keyed.post("/generate", headers=single, json=asked).status_code
        assert (404 if "model" in asked else 200) == status
