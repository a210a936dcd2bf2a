"""An application with keys of all kinds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import FastAPI

from service.access.keys import entry_of
from service.app import create_app
from service.settings import Settings

JSON = {"content-type": "application/json"}


def bearer(key: str) -> dict[str, str]:
    """Headers of a request with a key."""
    return JSON | {"authorization": f"Bearer {key}"}


A, B, ADMIN, METRICS = map(bearer, ("key-a", "key-b", "key-admin", "key-metrics"))
ENTRIES = ",".join(
    [
        entry_of("alice", "key-a"),
        entry_of("alice", "key-a2"),
        entry_of("bob", "key-b"),
        entry_of("root", "key-admin", ["admin"]),
        entry_of("prometheus", "key-metrics", ["metrics"]),
        entry_of("slow", "key-slow", ["requests=3"]),
        entry_of("short", "key-short", ["tokens=20"]),
        entry_of("single", "key-single", ["streams=1"]),
    ]
)


def new_app(store: Path, **settings: Any) -> FastAPI:
    """An application with these keys."""
    given: dict[str, Any] = {"session_store": "memory://", "api_keys": ENTRIES} | settings
    return create_app(Settings(model_store=store, **given))


def code_of(response: Any) -> tuple[int, str]:
    """Status and code of an error."""
    return response.status_code, response.json()["error"]["code"]
