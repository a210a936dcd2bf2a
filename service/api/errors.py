"""From exceptions to responses: one table, in the shape of the request's dialect.

The native one is {"error": {"code": "...", "message": "...", "param": null | "..."}}.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from json import JSONDecodeError
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic_core import PydanticCustomError
from starlette.exceptions import HTTPException
from starlette.routing import Match, Mount
from starlette.types import Scope

from service.access.errors import KeyRefused, LimitReached, NotAllowed
from service.api.error_headers import headers_of
from service.api.json_bytes import Json
from service.api.rendering import ErrorBody, ErrorResponse, described, respond
from service.engine.errors import (
    Draining,
    EngineFailed,
    NotFinite,
    Overloaded,
    TimedOut,
)
from service.inference.errors import InvalidOption, SequenceStarted, SequenceUnknown
from service.models.documents import DocumentUnknown
from service.models.errors import ModelBroken, ModelUnknown, ReloadFailed
from service.sessions.capsules.errors import (
    CapsuleExpired,
    CapsuleInvalid,
    CapsulesOff,
    CapsuleUnusable,
)
from service.sessions.errors import (
    KeyTaken,
    PlaceGone,
    SessionBusy,
    SessionChanged,
    SessionGone,
    SessionUnknown,
    SessionUnusable,
    StoreUnavailable,
    TextsNotKept,
)


class ClientGone(Exception):
    """The client has closed its connection; nobody will see the response."""


class HostRefused(Exception):
    """The request is for a host that this server is not."""


class OriginRefused(Exception):
    """A browser asks for a page whose origin, method or headers are not let in."""


@dataclass(frozen=True, slots=True)
class _Kind:
    status: int
    code: str
    param: str | None = None
    retry_after_s: int | None = None


KINDS: dict[type[Exception], _Kind] = {
    KeyRefused: _Kind(401, "unauthorized"),
    NotAllowed: _Kind(403, "forbidden"),
    LimitReached: _Kind(429, "rate_limited"),
    HostRefused: _Kind(421, "host_refused", "Host"),
    OriginRefused: _Kind(400, "origin_refused", "Origin"),
    InvalidOption: _Kind(422, "invalid_request"),
    ModelUnknown: _Kind(404, "model_not_found"),
    ModelBroken: _Kind(503, "model_broken"),
    ReloadFailed: _Kind(409, "reload_failed"),
    DocumentUnknown: _Kind(404, "document_not_found", "file"),
    SequenceStarted: _Kind(409, "sequence_started", "sequence_start"),
    SequenceUnknown: _Kind(404, "sequence_not_found", "sequence_id"),
    SessionUnknown: _Kind(404, "session_not_found", "session"),
    SessionGone: _Kind(410, "session_gone", "session"),
    SessionBusy: _Kind(409, "session_busy", "session", retry_after_s=1),
    SessionChanged: _Kind(412, "session_changed", "If-Match"),
    KeyTaken: _Kind(422, "idempotency_key_taken", "Idempotency-Key"),
    PlaceGone: _Kind(410, "place_gone"),
    TextsNotKept: _Kind(422, "texts_not_kept"),
    SessionUnusable: _Kind(409, "session_unusable", "session"),
    CapsuleInvalid: _Kind(422, "capsule_invalid", "capsule"),
    CapsuleExpired: _Kind(410, "capsule_expired", "capsule"),
    CapsuleUnusable: _Kind(409, "capsule_unusable", "capsule"),
    CapsulesOff: _Kind(501, "capsules_off"),
    StoreUnavailable: _Kind(503, "sessions_unavailable", retry_after_s=5),
    Overloaded: _Kind(429, "overloaded"),
    Draining: _Kind(503, "shutting_down", retry_after_s=5),
    TimedOut: _Kind(504, "timeout", "timeout_s"),
    NotFinite: _Kind(500, "model_not_finite"),
    EngineFailed: _Kind(500, "engine_failed"),
    ClientGone: _Kind(499, "client_closed_request"),
}
HTTP_CODES = {
    400: "invalid_json",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "body_too_large",
    415: "unsupported_media_type",
}
BELOW_CODES = {
    400: "invalid_http",
    405: "method_not_allowed",
    408: "request_timeout",
    429: "overloaded",
    431: "head_too_large",
}
"""Of what the server refuses before there is a request."""
_METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")
_DESCRIPTIONS = {
    400: "The body is not JSON.",
    401: "There is no API key, or it is none that is let in.",
    403: "The API key is for other things.",
    404: "No such model, session or document.",
    409: "Another turn runs on the session, it or the capsule is of another model, or the store "
    "cannot be read.",
    410: "The session or the capsule is over; the message says why.",
    412: "The session is of another version than If-Match says.",
    413: "The body is too large.",
    415: "The content type is not application/json, or the body is compressed.",
    422: "A field is wrong; `param` names it.",
    421: "This server is not the host that the request names.",
    429: "Too much is waiting already, or a limit of the API key is reached; see Retry-After.",
    500: "The model could not be run.",
    501: "The server has no key for capsules.",
    503: "The server is shutting down, the model is damaged, or sessions cannot be kept now.",
    504: "The request's time was over.",
}


def field_error(field: str, message: str) -> PydanticCustomError:
    """What a schema raises for a field, in a place where pydantic knows only of the whole."""
    shown = field[:64].encode("utf-8", "backslashreplace").decode()  # a name may be no character
    return PydanticCustomError("field", "{reason}", {"field": shown, "reason": message})


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route's documentation says of its errors; of all of them without `statuses`."""
    return {
        status: described(ErrorResponse, _DESCRIPTIONS[status])
        for status in statuses or _DESCRIPTIONS
    }


def add_error_handlers(app: FastAPI) -> None:
    """Make every error of every route have the one shape."""
    for kind in KINDS:
        app.add_exception_handler(kind, _respond_known)
    app.add_exception_handler(RequestValidationError, _respond_invalid)
    app.add_exception_handler(HTTPException, _respond_http)


def below_application(status: int, message: str) -> ErrorResponse:
    """The body of an answer to what never became a request."""
    return _body(BELOW_CODES[status], message)


def error_body(error: Exception) -> ErrorResponse:
    """The body for an exception of the table; of any other it says only that it happened."""
    kind = _kind(error)
    if kind is None:
        return _body("internal_error", "an internal error; the server's log says more")
    return _body(kind.code, str(error), getattr(error, "param", None) or kind.param)


def _kind(error: Exception) -> _Kind | None:
    return next((KINDS[cls] for cls in type(error).__mro__ if cls in KINDS), None)


def error_response(error: Exception, scope: Scope) -> Json:
    """The answer for an exception of the table, or HTTP's own; for any other one a 500."""
    if isinstance(error, HTTPException):
        code = HTTP_CODES.get(error.status_code, "http_error")
        body = ErrorBody(code=code, message=error.detail)
        return respond(scope, error.status_code, body, error.headers or {})
    kind = _kind(error)
    status = kind.status if kind else 500
    headers = headers_of(error)
    if kind is not None and kind.retry_after_s is not None:
        headers["Retry-After"] = str(kind.retry_after_s)
    return respond(scope, status, error_body(error).error, headers)


async def answer_to(request: Request, error: Exception) -> Json | None:
    """The answer for an exception that has one; None: it is nobody's fault but the server's."""
    if isinstance(error, RequestValidationError):
        return await _respond_invalid(request, error)
    if isinstance(error, HTTPException):
        return await _respond_http(request, error)
    return None if _kind(error) is None else error_response(error, request.scope)


async def _respond_known(request: Request, error: Exception) -> Json:
    return error_response(error, request.scope)


async def _respond_invalid(request: Request, error: Exception) -> Json:
    """422 for the first thing that is wrong, with the field's name; 400 for what is no JSON."""
    if not isinstance(error, RequestValidationError):
        raise TypeError(f"not for this handler: {error!r}")
    faults = error.errors()
    # A field that may be of two types complains for both: what is not about types is what counts.
    fault = next((f for f in faults if not str(f["type"]).endswith("_type")), faults[0])
    if fault["type"] == "json_invalid":
        body = ErrorBody(code="invalid_json", message=_no_json(fault, error.body))
        return respond(request.scope, 400, body, {})
    # ("body", "stop", "list[...]", 3): the source, the field, which of its types, the place in it.
    field = str(fault["loc"][1]) if len(fault["loc"]) > 1 else None
    if fault["type"] == "field":
        field = fault["ctx"]["field"]
    where = field or "the body"
    for place in fault["loc"][2:]:
        where += f"[{place}]" if isinstance(place, int) else ""
    message = str(fault["msg"]).removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        message = "there is no such field"
    body = ErrorBody(code="invalid_request", message=f"{where}: {message}", param=field)
    return respond(request.scope, 422, body, {})


def _no_json(fault: Mapping[str, Any], body: object) -> str:
    """What is wrong with a text that should be JSON, and where."""
    where = JSONDecodeError(fault["ctx"]["error"], str(body), int(fault["loc"][1]))
    return f"the body is not JSON: {where}"


def _not_parsed(cause: BaseException | None) -> str:
    """What is wrong with bytes of which FastAPI only says that it could not parse them."""
    match cause:
        case UnicodeDecodeError(start=start, reason=reason):
            return f"the body is not UTF-8: byte {start}: {reason}"
        case RecursionError():
            return "the body is nested too deep"
        case ValueError():  # what is left of them: Python converts numbers up to a length
            return "the body has a number that is too long"
    return "the body is not UTF-8, not JSON, nested too deep, or has a number too long"


async def _respond_http(request: Request, error: Exception) -> Json:
    if not isinstance(error, HTTPException):
        raise TypeError(f"not for this handler: {error!r}")
    if error.status_code == 400:  # from FastAPI, which says no more of what it could not parse
        body = ErrorBody(code=HTTP_CODES[400], message=_not_parsed(error.__cause__))
        return respond(request.scope, 400, body, {})
    response = error_response(error, request.scope)
    if error.status_code == 405:
        response.headers["Allow"] = ", ".join(_allowed(request))
    return response


def _allowed(request: Request) -> list[str]:
    """The methods of all routes of a path: starlette names those of the first one."""

    def is_served(method: str) -> bool:
        # A mount has put its own path into the scope, and takes all methods.
        root_path = request.scope.get("app_root_path", request.scope["root_path"])
        scope = {**request.scope, "method": method, "root_path": root_path}
        return any(
            route.matches(scope)[0] is Match.FULL
            and (method == "GET" or not isinstance(route, Mount))
            for route in request.app.routes
        )

    methods = [method for method in _METHODS if is_served(method)]
    return [*methods, "HEAD"] if "GET" in methods else methods


def _body(code: str, message: str, param: str | None = None) -> ErrorResponse:
    return ErrorResponse(error=ErrorBody(code=code, message=message, param=param))
