"""The application in this process, on a tiny model, without a socket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from tests.tiny_model import publish


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a tiny model."""
    root = tmp_path_factory.mktemp("api") / "store"
    publish(root)
    return root


@pytest.fixture(scope="session")
def client(store: Path) -> Iterator[TestClient]:
    """The application with default settings."""
    with TestClient(create_app(Settings(model_store=store, max_rows=8))) as client:
        yield client
