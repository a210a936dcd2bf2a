"""What holds for every request: an id, a moment of arrival, one log line; HEAD where there is GET.

Plain ASGI: starlette's BaseHTTPMiddleware would hide from the routes that a client has left.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.errors import error_response
from service.engine.errors import Draining
from service.entropy import token_hex
from service.inference.deadline import arriving
from service.inference.observer import TextStats
from service.observability.current import Tracer, request_context, time_spent
from service.observability.logs import FIELDS
from service.observability.metrics import Metrics

_log = logging.getLogger("service.request")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_NO_ROUTE = "unmatched"


class RequestLog:
    """Gives every request an id, returns it, and logs one line at the end.

    The time of a request, and so its deadline, counts from here.

    Routes add fields to `request.state.log`. The path that is logged is the route's pattern: a path
    that nobody serves may hold anything.

    Args:
        app: What is below.
        metrics: What counts the requests.
        slow_s: One that takes longer has a line of its own; 0: none has.
        tracer: What makes a trace of each.
    """

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics | None = None,
        slow_s: float = 0,
        tracer: Tracer | None = None,
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._slow_s = slow_s
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else "r_" + token_hex(12)
        with request_context(request_id) as texts, arriving():
            await self._answer(scope, receive, send, request_id, texts)

    async def _answer(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        request_id: str,
        texts: Sequence[TextStats],
    ) -> None:
        fields: dict[str, object] = {}
        scope.setdefault("state", {})["log"] = fields
        started_s = time.monotonic()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        # Here and not in a handler of the application: those answer outside of this middleware.
        except Exception as error:  # noqa: BLE001
            _log.exception("an unexpected error")
            if not status:  # else the answer has begun, and the server below cuts the connection
                await error_response(error, scope)(scope, receive, send_with_id)
        except asyncio.CancelledError:  # the server ends, and could not wait for this request
            if not status:
                response = error_response(Draining("the server is shutting down"), scope)
                await response(scope, receive, send_with_id)
        finally:
            route = getattr(scope.get("route"), "path", _NO_ROUTE)
            duration_s = time.monotonic() - started_s
            if self._metrics is not None:
                self._metrics.http(scope["method"], route, status, duration_s)
            if self._tracer is not None:
                headers = Headers(scope=scope)
                self._tracer.request(headers, scope["method"], route, status, started_s, texts)
            line = {
                "request": request_id,
                "method": scope["method"],
                "path": route,
                "status": status,
                "client": (scope.get("client") or ("",))[0],
                "duration_s": round(duration_s, 4),
                **fields,
            }
            _log.info("request", extra={FIELDS: line})
            if self._slow_s and duration_s >= self._slow_s:
                _log.warning("slow request", extra={FIELDS: line | time_spent(texts)})


class HeadAsGet:
    """Answers HEAD as GET; the server below sends no body for it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        as_get = {**scope, "method": "GET"}
        try:
            await self._app(as_get, receive, send)
        finally:
            scope["route"] = as_get.get("route")  # for the log
