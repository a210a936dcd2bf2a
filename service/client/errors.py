"""What can go wrong.

ClientError
├── UnexpectedAnswer          whoever answers is no lstm-serve
├── ConnectionFailed          no answer came, or not all of one
│   └── StreamBroken          a stream broke and could not go on
└── ApiError                  the server has refused or failed, and says why
    ├── InvalidRequest        a field, a header or the body is wrong; `param` names it
    ├── Unauthorized          the key is missing, unknown, or not for this
    ├── NotFound              there is no such route, or no such document
    ├── ModelNotFound, ModelBroken
    ├── SessionError          SessionNotFound, SessionGone, SessionBusy, SessionChanged,
    │                         SessionUnusable, SessionsUnavailable, PlaceGone, TextsNotKept,
    │                         IdempotencyKeyTaken
    ├── CapsuleError          of capsules
    ├── Overloaded            too much is waiting already
    ├── ShuttingDown          the server ends
    ├── TimedOut              the time for the request is over
    └── ServerFailed          an error of the server
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


class ClientError(Exception):
    """Everything that this client raises by itself.

    Attributes:
        was_repeated: Whether the request had been sent before, and what came of that is not known.
    """

    was_repeated = False


class UnexpectedAnswer(ClientError):
    """Whoever answers is no lstm-serve, or one of another time."""


class ConnectionFailed(ClientError):
    """No answer came, or not all of one; the cause is what httpx has raised."""


class StreamBroken(ConnectionFailed):
    """A stream broke and could not go on; what came of it was given."""


class ApiError(ClientError):
    """The server has refused or failed, and says why.

    Attributes:
        status: Of HTTP; of an error in mid-stream the one that it would have had is unknown: 200.
        code: For programs: docs/serving.md lists all of them.
        message: For people.
        param: The field at fault, if there is one.
        request_id: Of the request in the server's log.
        retry_after_s: After how many seconds the server may take it, if it says so.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        request_id: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.param = param
        self.request_id = request_id
        self.retry_after_s = retry_after_s
        super().__init__(f"{status} {code}: {message}")


class InvalidRequest(ApiError):
    """A field, a header or the body is wrong."""


class Unauthorized(ApiError):
    """The key is missing, unknown, or not for this."""


class NotFound(ApiError):
    """There is no such route, or no such document of a model."""


class ModelNotFound(ApiError):
    """No model of that name is served."""


class ModelBroken(ApiError):
    """The model that is meant is damaged."""


class SessionError(ApiError):
    """A session is not as the request needs it."""


class SessionNotFound(SessionError):
    """There never was such a session, or it is forgotten."""


class SessionGone(SessionError):
    """It is over."""


class SessionBusy(SessionError):
    """Another turn runs on it."""


class SessionChanged(SessionError):
    """Somebody else had a turn; `refresh` the object to go on from there."""


class SessionUnusable(SessionError):
    """It is of another model than the one that is served under that name, or damaged."""


class SessionsUnavailable(SessionError):
    """Sessions cannot be read or written now."""


class PlaceGone(SessionError):
    """It cannot go back to that place."""


class TextsNotKept(SessionError):
    """What is asked for needs the session's text."""


class IdempotencyKeyTaken(SessionError):
    """A turn that asked for something else had this key."""


class CapsuleError(ApiError):
    """A capsule cannot be opened or made; `code` says why."""


class Overloaded(ApiError):
    """Too much is waiting already, or was asked for with this key."""


class ShuttingDown(ApiError):
    """The server ends."""


class TimedOut(ApiError):
    """The time for the request is over."""


class ServerFailed(ApiError):
    """An error of the server."""


CLASSES: Mapping[str, type[ApiError]] = {
    "body_too_large": InvalidRequest,
    "capsule_expired": CapsuleError,
    "capsule_invalid": CapsuleError,
    "capsule_unusable": CapsuleError,
    "capsules_off": CapsuleError,
    "document_not_found": NotFound,
    "engine_failed": ServerFailed,
    "forbidden": Unauthorized,
    "head_too_large": InvalidRequest,
    "host_refused": InvalidRequest,
    "idempotency_key_taken": IdempotencyKeyTaken,
    "internal_error": ServerFailed,
    "invalid_http": InvalidRequest,
    "invalid_json": InvalidRequest,
    "invalid_request": InvalidRequest,
    "method_not_allowed": InvalidRequest,
    "model_broken": ModelBroken,
    "model_not_finite": ServerFailed,
    "model_not_found": ModelNotFound,
    "not_found": NotFound,
    "origin_refused": InvalidRequest,
    "overloaded": Overloaded,
    "place_gone": PlaceGone,
    "rate_limited": Overloaded,
    "reload_failed": ServerFailed,
    "request_timeout": TimedOut,
    "sequence_not_found": SessionNotFound,
    "sequence_started": SessionError,
    "session_busy": SessionBusy,
    "session_changed": SessionChanged,
    "session_gone": SessionGone,
    "session_not_found": SessionNotFound,
    "session_unusable": SessionUnusable,
    "sessions_unavailable": SessionsUnavailable,
    "shutting_down": ShuttingDown,
    "texts_not_kept": TextsNotKept,
    "timeout": TimedOut,
    "unauthorized": Unauthorized,
    "unsupported_media_type": InvalidRequest,
}
"""Of the codes that the server has; of others the status decides."""


def api_error(
    status: int, content: bytes | str, headers: Mapping[str, str] | None = None
) -> ApiError:
    """The error that an answer is, whoever gave it: a proxy's page has a code of `http_error`."""
    headers = headers or {}
    code, message, param = _said(content)
    message = message or _excerpt(content) or f"status {status}"
    kind = CLASSES.get(code) or _by_status(status)
    return kind(
        status,
        code,
        message,
        param=param,
        request_id=headers.get("x-request-id"),
        retry_after_s=_seconds(headers.get("retry-after")),
    )


def _said(content: bytes | str) -> tuple[str, str, str | None]:
    """Code, message and field, as far as it has the server's one shape."""
    try:
        error: Any = json.loads(content)["error"]
        code, message, param = error["code"], error["message"], error.get("param")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return "http_error", "", None
    return str(code), str(message), None if param is None else str(param)


def _by_status(status: int) -> type[ApiError]:
    known: dict[int, type[ApiError]] = {
        401: Unauthorized,
        403: Unauthorized,
        404: NotFound,
        408: TimedOut,
        429: Overloaded,
        504: TimedOut,
    }
    return known.get(status) or (ServerFailed if status >= 500 else InvalidRequest)


def _seconds(retry_after: str | None) -> float | None:
    """`Retry-After` in seconds; a date, as proxies send it, is not looked at."""
    try:
        return max(0.0, float(retry_after)) if retry_after is not None else None
    except ValueError:
        return None


def _excerpt(content: bytes | str) -> str:
    text = content.decode("utf-8", "replace") if isinstance(content, bytes) else content
    return " ".join(text.split())[:200]
