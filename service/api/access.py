"""Who is let in, and to what: API keys, before a body is read.

Every path needs a key but those of `OPEN`, and of the page that asks people for theirs: a route
that is forgotten is closed, a mounted one too.
"""

from __future__ import annotations

from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from service.access.errors import AccessError, KeyRefused, NotAllowed
from service.access.ring import Holder, KeyRing
from service.api.errors import error_response, responses
from service.api.identity import client_of, remember
from service.inference.turnstile import Turnstile

OPEN = frozenset({"/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready"})
"""Paths of probes, which have no key. Not a prefix: nothing below it opens by accident."""
_SCOPES = {"metrics": "metrics", "admin": "admin"}
"""By the first part of a path; all other routes are for `text`."""
_DIALECTS = {"v1": "OpenAI", "v2": "KServe"}
"""Whose shape errors have, by the first part of a path."""
_REFUSAL_S = 0.0002


class Authenticate:
    """Lets requests in by their API key, and counts them.

    Args:
        app: What is behind the door.
        ring: Finds whose a key is.
        turnstile: For refusals, which whoever guesses keys makes many of.
        page: Paths of the files of the page, which hold nothing of anybody's.
    """

    def __init__(
        self,
        app: ASGIApp,
        ring: KeyRing,
        turnstile: Turnstile,
        page: frozenset[str] = frozenset(),
    ) -> None:
        self._app = app
        self._ring = ring
        self._turnstile = turnstile
        self._open = OPEN | page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, as that of its key's name; or refuse it."""
        if scope["type"] == "lifespan" or path_of(scope) in self._open:
            await self._app(scope, receive, send)
            return
        try:
            self._let_in(scope)
        except AccessError as error:
            await self._turnstile.enter(_REFUSAL_S, client_of(scope))
            await error_response(error, scope)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _let_in(self, scope: Scope) -> None:
        holder = self._ring.find(presented_key(scope))
        remember(scope, holder)
        scope["state"].setdefault("log", {})["key"] = holder.name
        _require(holder, path_of(scope))
        holder.allowance.take_request()


def presented_key(scope: Scope) -> bytes:
    """The API key of a request: `Authorization: Bearer KEY`, or `X-API-Key: KEY`.

    Other schemes of `Authorization` are somebody else's, say a proxy's.

    Raises:
        KeyRefused: There is none, or there are different ones.
    """
    keys = set()
    for name, value in scope["headers"]:
        if name == b"x-api-key":
            keys.add(value.strip())
        elif name == b"authorization":
            scheme, _, key = value.strip().partition(b" ")
            if scheme.lower() == b"bearer":
                keys.add(key.strip())
    if not keys:
        raise KeyRefused("an API key is needed: Authorization: Bearer KEY, or X-API-Key: KEY")
    if len(keys) > 1:
        raise KeyRefused("the request has different API keys")
    return bytes(keys.pop())


def path_of(scope: Scope) -> str:
    """The path below the server's prefix, as routes know it."""
    # Never of a URL that is put together with the Host header (CVE-2026-48710).
    path, root_path = str(scope["path"]), str(scope.get("root_path", ""))
    return path.removeprefix(root_path)


def describe(document: dict[str, Any]) -> None:
    """Say in an OpenAPI document that keys are needed, and what happens without one."""
    document.setdefault("components", {})["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    for path, operations in document["paths"].items():
        if path not in OPEN:
            dialect = _DIALECTS.get(path.split("/")[1], "")
            schema = {"schema": {"$ref": f"#/components/schemas/{dialect}ErrorResponse"}}
            content = {"application/json": schema}
            answers = {
                str(status): {"description": answer["description"], "content": content}
                for status, answer in responses(401, 403, 429).items()
            }
            for operation in operations.values():
                operation["security"] = [{"bearer": []}, {"header": []}]
                operation["responses"] = answers | operation["responses"]


def _require(holder: Holder, path: str) -> None:
    scope = _SCOPES.get(path.strip("/").partition("/")[0], "text")
    if not holder.scopes & {scope, "admin"}:
        raise NotAllowed(f"this needs an API key with the scope {scope}")
