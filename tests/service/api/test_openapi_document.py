"""Who makes the OpenAPI document, and how often."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings


def test_the_document_is_made_once_and_not_on_the_event_loop(
    store: Path,
    monkeypatch: Any,
):
    """Making it takes most of a second of a slow core, in which no stream would go on."""
    app = create_app(Settings(model_store=store, session_store="memory://"))
    makers, loops, make = [], [], app.openapi

    def openapi() -> dict[str, Any]:
        makers.append(threading.get_ident())
        return make()

    async def who() -> None:
        loops.append(threading.get_ident())

    monkeypatch.setattr(app, "openapi", openapi)
    app.get("/who", include_in_schema=False)(who)
    with TestClient(app) as client:
        client.get("/who")
        answers = [client.get("/openapi.json") for _ in range(3)]

    assert len(makers) == 1
    assert makers != loops
    assert {answer.status_code for answer in answers} == {200}
    assert answers[0].json() == make()
    assert len({answer.content for answer in answers}) == 1
