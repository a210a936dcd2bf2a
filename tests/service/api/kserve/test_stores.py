"""Sequences in every store of sessions."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from tests.service.sessions.redis_server import running_redis


def ask(client: TestClient, text: str, **parameters) -> tuple[int, str]:
    """Status and text of an answer."""
    body = {"text_input": text, "parameters": {"seed": 5, **parameters}}
    answer = client.post("/v2/models/tiny/generate", json=body)
    return answer.status_code, answer.json().get("text_output", "")


def check(store: Path, sessions: str) -> None:
    """A sequence of three requests is one text, and is over with its last one."""
    with TestClient(create_app(Settings(model_store=store, session_store=sessions))) as client:
        _, whole = ask(client, "Once ", max_tokens=60)
        parts = [
            ask(client, "Once ", max_tokens=20, sequence_id=7, sequence_start=True),
            ask(client, "", max_tokens=20, sequence_id=7),
        ]
        twice = ask(client, "Once ", sequence_id=7, sequence_start=True)
        parts.append(ask(client, "", max_tokens=20, sequence_id=7, sequence_end=True))
        gone = ask(client, "", sequence_id=7)
        left = client.get("/sessions").json()["sessions"]

    assert [(200, whole[start : start + 20]) for start in (0, 20, 40)] == parts
    assert [(409, ""), (404, "")] == [twice, gone]
    assert [] == left


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_sequence_in_one_process(store: Path, tmp_path: Path, kind: str):
    """In memory, and in a file."""
    check(store, f"sqlite:///{tmp_path}/kept.sqlite3" if kind == "sqlite" else "memory://")


def test_a_sequence_in_redis(store: Path, tmp_path: Path):
    """Which others may share."""
    with running_redis(tmp_path) as server:
        check(store, server.url)
