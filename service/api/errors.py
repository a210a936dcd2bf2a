"""From exceptions to responses: one table, one shape.

{"error": {"code": "...", "message": "...", "param": null | "..."}}
"""

from __future__ import annotations

import logging
import math
import random
from dataclasses import dataclass

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from service.api.schemas import ErrorBody, ErrorResponse
from service.engine.errors import (
    Draining,
    EngineFailed,
    NotFinite,
    Overloaded,
    TimedOut,
)
from service.generation.errors import InvalidOption, ModelUnknown
from service.sessions.errors import SessionBusy, SessionGone, SessionUnknown

_log = logging.getLogger(__name__)


class ClientGone(Exception):
    """The client has closed its connection; nobody will see the response."""


@dataclass(frozen=True, slots=True)
class _Kind:
    status: int
    code: str
    param: str | None = None


_KINDS: dict[type[Exception], _Kind] = {
    InvalidOption: _Kind(422, "invalid_request"),
    ModelUnknown: _Kind(404, "model_not_found"),
    SessionUnknown: _Kind(404, "session_not_found", "session"),
    SessionGone: _Kind(410, "session_gone", "session"),
    SessionBusy: _Kind(409, "session_busy", "session"),
    Overloaded: _Kind(429, "overloaded"),
    Draining: _Kind(503, "shutting_down"),
    TimedOut: _Kind(504, "timeout", "timeout_s"),
    NotFinite: _Kind(500, "model_not_finite"),
    EngineFailed: _Kind(500, "engine_failed"),
    ClientGone: _Kind(499, "client_closed_request"),
}
_HTTP_CODES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "body_too_large",
    415: "unsupported_media_type",
}
_MAX_RETRY_AFTER_S = 60


def add_error_handlers(app: FastAPI) -> None:
    """Make every error of every route have the one shape."""
    for kind in _KINDS:
        app.add_exception_handler(kind, _respond_known)
    app.add_exception_handler(RequestValidationError, _respond_invalid)
    app.add_exception_handler(HTTPException, _respond_http)
    app.add_exception_handler(Exception, _respond_unknown)


def error_body(error: Exception) -> ErrorResponse:
    """The body for an exception of the table; of any other it says only that it happened."""
    kind = _kind(error)
    if kind is None:
        return _body("internal_error", "an internal error; the server's log says more")
    return _body(kind.code, str(error), getattr(error, "param", None) or kind.param)


def _kind(error: Exception) -> _Kind | None:
    return next((_KINDS[cls] for cls in type(error).__mro__ if cls in _KINDS), None)


async def _respond_known(_request: Request, error: Exception) -> JSONResponse:
    kind = _kind(error)
    headers = {}
    if isinstance(error, Overloaded):
        # With jitter: clients that were refused together should not come back together.
        seconds = min(error.retry_after_s, _MAX_RETRY_AFTER_S) * random.uniform(1, 1.5)
        headers["Retry-After"] = str(max(1, math.ceil(seconds)))
    if isinstance(error, Draining):
        headers = {"Retry-After": "5", "Connection": "close"}
    status = kind.status if kind else 500
    return JSONResponse(error_body(error).model_dump(), status, headers)


async def _respond_invalid(_request: Request, error: Exception) -> JSONResponse:
    """422 for the first thing that is wrong, with the field's name; 400 for what is no JSON."""
    if not isinstance(error, RequestValidationError):
        raise TypeError(f"not for this handler: {error!r}")
    first = error.errors()[0]
    place = [str(part) for part in first["loc"]]
    if first["type"] == "json_invalid":
        reason = jsonable_encoder(first.get("ctx", {})).get("error", "")
        return JSONResponse(
            _body("invalid_json", f"the body is not JSON: {reason}").model_dump(), 400
        )
    field = place[1] if len(place) > 1 else None
    message = str(first["msg"]).removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message = "there is no such field"
    where = ".".join(place[1:]) or "the body"
    return JSONResponse(_body("invalid_request", f"{where}: {message}", field).model_dump(), 422)


async def _respond_http(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise TypeError(f"not for this handler: {error!r}")
    code = _HTTP_CODES.get(error.status_code, "http_error")
    return JSONResponse(_body(code, error.detail).model_dump(), error.status_code, error.headers)


async def _respond_unknown(_request: Request, error: Exception) -> JSONResponse:
    _log.error("an unexpected error", exc_info=error)
    return JSONResponse(error_body(error).model_dump(), 500)


def _body(code: str, message: str, param: str | None = None) -> ErrorResponse:
    return ErrorResponse(error=ErrorBody(code=code, message=message, param=param))
