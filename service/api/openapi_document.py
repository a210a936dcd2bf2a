"""GET /openapi.json: what every route takes and answers, as this server's settings have it.

Making the document takes most of a second of a slow core, so a thread makes it when it is first
asked for, and what was made is sent to all.
"""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import FastAPI
from starlette.responses import Response

from service.api.access import describe
from service.api.json_bytes import json_bytes
from service.api.rendering import describe_errors


def add_openapi_document(app: FastAPI, *, needs_keys: bool, **maxima: float) -> None:
    """Serve it; `app` must not serve FastAPI's own there, but may be asked for it (`app.openapi`).

    Args:
        app: Whose routes: those that it has when the document is first asked for.
        needs_keys: Whether requests need an API key.
        maxima: The largest values of some fields of `GenerateRequest`.
    """
    make = app.openapi
    made: asyncio.Task[bytes] | None = None

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = make()
            app.openapi_schema = None  # FastAPI keeps its own, which nobody may get if this fails
            app.openapi_schema = _described(document, needs_keys, maxima)
        return app.openapi_schema

    def forget_failure(task: asyncio.Task[bytes]) -> None:
        nonlocal made
        if task.cancelled() or task.exception():  # those who wait are told; the next one tries anew
            made = None

    async def openapi_document() -> Response:
        nonlocal made
        if made is None:  # one thread for all who ask meanwhile
            making = asyncio.to_thread(lambda: json_bytes(app.openapi()))
            made = asyncio.get_running_loop().create_task(making)
            made.add_done_callback(forget_failure)
        return Response(await asyncio.shield(made), media_type="application/json")

    app.openapi = openapi  # type: ignore[method-assign] # as FastAPI documents it
    app.get("/openapi.json", include_in_schema=False)(openapi_document)


def _described(
    document: dict[str, Any], needs_keys: bool, maxima: dict[str, float]
) -> dict[str, Any]:
    """FastAPI's document, with what it does not know."""
    describe_errors(document)
    schemas = document["components"]["schemas"]
    for name, most in maxima.items():
        schemas["GenerateRequest"]["properties"][name]["anyOf"][0]["maximum"] = most
    for schema in schemas.values():
        seed = schema.get("properties", {}).get("seed", {}).get("anyOf", [{}])[0]
        if seed.pop("exclusiveMaximum", None):  # FastAPI would round it
            seed["maximum"] = 2**63 - 1
    if needs_keys:
        describe(document)
    for path, methods in document["paths"].items():
        if path.startswith("/v1/"):  # there it is a 400, with what is no JSON
            for operation in methods.values():
                operation["responses"].pop("422", None)
    return document
