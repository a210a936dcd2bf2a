"""What holds for every request: an id, one log line, and a bound on the body.

Plain ASGI: starlette's BaseHTTPMiddleware would hide from the routes that a client has left.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.errors import error_body
from service.observability.logs import FIELDS

_log = logging.getLogger("service.request")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_NO_ROUTE = "unmatched"


class RequestLog:
    """Gives every request an id, returns it, and logs one line at the end.

    Routes add fields to `request.state.log`. The path that is logged is the route's pattern: a path
    that nobody serves may hold anything.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else "r_" + secrets.token_hex(12)
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
        except Exception as error:
            _log.exception("an unexpected error")
            if status:  # the answer has begun: cutting the connection is the only way to tell
                raise
            response = JSONResponse(error_body(error).model_dump(), 500)
            await response(scope, receive, send_with_id)
        finally:
            route = scope.get("route")
            line = {
                "request": request_id,
                "method": scope["method"],
                "path": getattr(route, "path", _NO_ROUTE),
                "status": status,
                "duration_s": round(time.monotonic() - started_s, 4),
                **fields,
            }
            _log.info("request", extra={FIELDS: line})


class BodyLimit:
    """Refuses a body that is too large (413) or too slow to come (408), before it is in memory.

    Args:
        app: What comes next.
        max_bytes: Largest body.
        timeout_s: Time from the first byte of the request to the last.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, timeout_s: float) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with a guarded `receive`."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        num_bytes = 0
        complete = False
        deadline_s = asyncio.get_running_loop().time() + self._timeout_s
        declared = Headers(scope=scope).get("content-length", "")
        too_large = declared.isdecimal() and int(declared[:20]) > self._max_bytes

        async def guarded_receive() -> Message:
            nonlocal num_bytes, complete
            if too_large:
                raise self._too_large()
            if complete:  # only the disconnect is still to come, and that may take its time
                return await receive()
            try:
                async with asyncio.timeout_at(deadline_s):
                    message = await receive()
            except TimeoutError as error:
                raise HTTPException(408, "the body did not come in time") from error
            num_bytes += len(message.get("body", b""))
            if num_bytes > self._max_bytes:
                raise self._too_large()
            complete = not message.get("more_body", False)
            return message

        await self._app(scope, guarded_receive, send)

    def _too_large(self) -> HTTPException:
        return HTTPException(413, f"the body is larger than {self._max_bytes} bytes")
