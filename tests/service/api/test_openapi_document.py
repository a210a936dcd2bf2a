"""Who makes the OpenAPI document, and how often."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.app import create_app
from service.settings import Settings


@pytest.mark.parametrize("broken", ["make", "describe"])
async def test_a_document_that_could_not_be_made_is_made_for_the_next_who_asks(
    store: Path, monkeypatch: pytest.MonkeyPatch, broken: str
):
    """Whole: FastAPI keeps its own, which says nothing of errors and keys."""
    app = await asyncio.to_thread(
        create_app, Settings(model_store=store, session_store="memory://")
    )

    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        with monkeypatch.context() as patch:
            if broken == "make":
                patch.setattr("fastapi.applications.get_openapi", fail)
            else:
                patch.setattr("service.api.openapi_document.describe_errors", fail)
            failed = await asyncio.gather(*(client.get("/openapi.json") for _ in range(3)))
        answer = await client.get("/openapi.json")

    assert [500] * 3 == [each.status_code for each in failed]
    assert 200 == answer.status_code
    assert "ErrorResponse" in answer.json()["components"]["schemas"]
    assert "422" not in answer.json()["paths"]["/v1/completions"]["post"]["responses"]


async def test_the_document_is_made_once_and_not_on_the_event_loop(
    store: Path, monkeypatch: pytest.MonkeyPatch
):
    """Making it takes most of a second of a slow core, in which no stream would go on."""
    app = await asyncio.to_thread(
        create_app, Settings(model_store=store, session_store="memory://")
    )
    makers, make = [], app.openapi

    def openapi() -> dict[str, Any]:
        makers.append(threading.get_ident())
        return make()

    monkeypatch.setattr(app, "openapi", openapi)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answers = await asyncio.gather(*(client.get("/openapi.json") for _ in range(3)))

    assert len(makers) == 1
    assert threading.get_ident() not in makers
    assert {answer.status_code for answer in answers} == {200}
    assert answers[0].json() == make()
    assert len({answer.content for answer in answers}) == 1
