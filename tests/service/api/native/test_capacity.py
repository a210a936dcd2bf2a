"""What fits, as the server counts it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from tests.tiny_model import publish


def _client(store: Path, **settings: Any) -> TestClient:
    given = {"session_store": "memory://", "max_rows": 3, "num_lanes": 1, **settings}
    return TestClient(create_app(Settings.model_validate({"model_store": store, **given})))


def test_rows_and_caches_of_each_model_and_their_bounds(tmp_path: Path):
    """Models have rows of their own, and a cache of their own."""
    publish(tmp_path)
    publish(tmp_path, "other", seed=1)
    with _client(tmp_path, prefix_cache_bytes=50_000, max_waiting_requests=5) as client:
        before = client.get("/capacity").json()
        client.post("/generate", json={"prompt": "To be, or not to be, that", "model": "tiny"})
        after = client.get("/capacity").json()

    assert {"tiny@1", "other@1"} == {*before["models"]}
    tiny = before["models"]["tiny@1"]
    assert {"most": 3, "used": 0, "free": 3} == tiny["rows"]
    assert {"most": 5, "used": 0, "free": 5} == tiny["waiting"]
    assert {"most": 50_000, "used": 0, "free": 50_000} == tiny["cache_bytes"]
    cached = after["models"]["tiny@1"]
    assert cached["cache_bytes"]["used"] > cached["cached_rows"] * cached["row_bytes"] > 0
    assert 0 == after["models"]["other@1"]["cached_rows"]


def test_sessions_that_fit_are_sessions_that_can_be_had(tmp_path: Path):
    """By the bytes that the store counts: with one more, one of them has to go."""
    publish(tmp_path)
    with _client(tmp_path, keep_session_texts=False) as client:
        one = client.get("/capacity").json()["models"]["tiny@1"]["session_bytes"]
    with _client(tmp_path, keep_session_texts=False, max_session_bytes=3 * one + 1) as client:
        assert 3 == client.get("/capacity").json()["models"]["tiny@1"]["free_sessions"]
        made = [client.post("/sessions", json={"prompt": "a"}).json() for _ in range(2)]
        found = client.get("/capacity").json()

    assert {"most": 10_000, "used": 2, "free": 9_998} == found["sessions"]
    used = sum(session["num_bytes"] for session in made)
    most = 3 * one + 1
    assert {"most": most, "used": used, "free": most - used} == found["session_bytes"]
    assert max(session["num_bytes"] for session in made) <= one


def test_no_more_sessions_than_there_may_be(tmp_path: Path):
    """Whatever memory is left."""
    publish(tmp_path)
    with _client(tmp_path, max_sessions=2) as client:
        client.post("/sessions", json={})
        found = client.get("/capacity").json()

    assert {"most": 2, "used": 1, "free": 1} == found["sessions"]
    assert 1 == found["models"]["tiny@1"]["free_sessions"]
