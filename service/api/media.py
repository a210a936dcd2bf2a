"""Which bodies are read: JSON that says so, as it is."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic_core import from_json
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import Scope

_METHODS_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_SHOWN = 40
_LONG_BYTES = 32 << 10


def demand_json(request: Request) -> None:
    """Whoever changes something says that they send JSON.

    Even where no body is needed. The web pages of others cannot: they may send requests of other
    types without asking (https://fetch.spec.whatwg.org/#cors-safelisted-request-header).

    Raises:
        HTTPException: 415.
    """
    if request.method not in _METHODS_WITH_BODY:
        return
    given = request.headers.get("content-type", "")
    kind, _, subtype = given.partition(";")[0].strip().lower().partition("/")
    if kind != "application" or not (subtype == "json" or subtype.endswith("+json")):
        found = f"it is {given[:_SHOWN]!r}" if given else "there is none"
        raise HTTPException(
            415, f"the body must be JSON, and its content type application/json: {found}"
        )


class JsonRoute(APIRoute):
    """A route for JSON that says so; it parses long bodies three times as fast as Python does.

    Whatever changes something is such a route, or one for plain text.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's, over a request that parses itself."""
        handle = super().get_route_handler()

        async def handle_parsing(request: Request) -> Response:
            # Not as a dependency: FastAPI takes 50 us for each.
            demand_json(request)
            return await handle(_ParsingRequest(request.scope, request.receive))

        return handle_parsing


class PlainTextRoute(APIRoute):
    """A route for bodies of plain text, which it reads while they come; others pass it by."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a request is for it."""
        found, child_scope = super().matches(scope)
        if found is Match.FULL and is_plain_text(scope):
            return found, child_scope
        return Match.NONE, {}


def is_plain_text(scope: Scope) -> bool:
    """Whether a request says that its body is plain text, and may be sent such a one."""
    given = Headers(scope=scope).get("content-type", "").partition(";")[0].strip().lower()
    return given == "text/plain" and scope["path"].endswith("/append")


class _ParsingRequest(Request):
    async def json(self) -> Any:
        return parsed(await self.body())


def parsed(body: bytes) -> Any:
    """A body as JSON.

    Raises:
        ValueError, RecursionError: It is none; a JSONDecodeError says where.
    """
    if len(body) > _LONG_BYTES:
        try:
            return from_json(body, cache_strings="none")
        except ValueError:
            pass  # the other one says where the fault is, and takes lone surrogates
    return json.loads(body)


def refuse_compressed(headers: Headers) -> None:
    """Refuse a body that would have to be unpacked, before it is read.

    Raises:
        HTTPException: 415.
    """
    encoding = ", ".join(headers.getlist("content-encoding")).strip()
    if encoding.lower() not in {"", "identity"}:
        raise HTTPException(
            415,
            f"the content encoding {encoding[:_SHOWN]!r} is not known here: send the body as it is",
            {"Accept-Encoding": "identity"},
        )
