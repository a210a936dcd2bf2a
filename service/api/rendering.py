"""How an error is told: one table says what went wrong (`errors`), each dialect has its own words.

A path tells the dialect, so that what is refused before it reaches a route is told in it as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastapi.encoders import jsonable_encoder
from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import models_json_schema
from starlette.types import Scope

from service.api.json_bytes import Json

Rendered = tuple[int, dict[str, Any], dict[str, str]]
"""Status, body, further headers."""


class ErrorBody(BaseModel):
    """What went wrong: a code for programs, a message for people, the field at fault."""

    model_config = ConfigDict(extra="forbid", strict=True)

    code: str
    message: str
    param: str | None = None


class ErrorResponse(BaseModel):
    """The one shape of every error of the native routes."""

    model_config = ConfigDict(extra="forbid", strict=True)

    error: ErrorBody


class OpenAIErrorBody(BaseModel):
    """What went wrong, in OpenAI's words."""

    message: str
    type: str
    param: str | None
    code: str | None


class OpenAIErrorResponse(BaseModel):
    """The shape of every error below /v1."""

    error: OpenAIErrorBody


class KServeErrorResponse(BaseModel):
    """The shape of every error below /v2."""

    error: str


_ERRORS = (ErrorResponse, OpenAIErrorResponse, KServeErrorResponse)
_SCHEMAS = "#/components/schemas/"


def described(error: type[BaseModel], description: str) -> dict[str, Any]:
    """What a route's documentation says of an error.

    By reference: FastAPI would make a validator for each status of each route, which is most of
    what it does at a start, and none of them is ever asked.
    """
    schema = {"$ref": _SCHEMAS + error.__name__}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def describe_errors(document: dict[str, Any]) -> None:
    """Add to an OpenAPI document what `described` refers to."""
    asked = [(error, "serialization") for error in _ERRORS]
    _, found = models_json_schema(asked, ref_template=_SCHEMAS + "{model}")  # type: ignore[arg-type]
    schemas = document["components"]["schemas"]
    errors = jsonable_encoder(found["$defs"], exclude_none=True)  # as FastAPI writes the others
    document["components"]["schemas"] = dict(sorted({**schemas, **errors}.items()))


def respond(scope: Scope, status: int, error: ErrorBody, headers: Mapping[str, str]) -> Json:
    """The answer to a request, in the dialect of its path."""
    status, body, more = _dialect(scope)(status, error)
    if "Retry-After" in headers and "x-should-retry" in more:
        del more["x-should-retry"]
    if "Retry-After" in headers and _dialect(scope) is openai:
        more["retry-after-ms"] = str(int(headers["Retry-After"]) * 1000)
    return Json(body, status, {**headers, **more})


def native(status: int, error: ErrorBody) -> Rendered:
    """As it is."""
    return status, ErrorResponse(error=error).model_dump(), {}


def openai(status: int, error: ErrorBody) -> Rendered:
    """As clients of OpenAI know it: what is wrong with a field is a 400.

    They try again by themselves after 408, 409, 429 and 5xx, unless they are told not to.
    """
    status = 400 if status == 422 else status
    headers = {}
    if status >= 500 and status != 503:  # the same request would take as long, or fail again
        headers["x-should-retry"] = "false"
    body = OpenAIErrorBody(
        message=error.message, type=_openai_type(status), param=error.param, code=error.code
    )
    return status, OpenAIErrorResponse(error=body).model_dump(), headers


def kserve(status: int, error: ErrorBody) -> Rendered:
    """As the Open Inference Protocol has it: a sentence."""
    return status, {"error": error.message}, {}


def _openai_type(status: int) -> str:
    match status:
        case 401:
            return "authentication_error"
        case 403:
            return "permission_error"
        case 429:
            return "rate_limit_error"
        case _:
            return "invalid_request_error" if status < 500 else "server_error"


_DIALECTS: Mapping[str, Callable[[int, ErrorBody], Rendered]] = {"v1": openai, "v2": kserve}


def _dialect(scope: Scope) -> Callable[[int, ErrorBody], Rendered]:
    # What a mount or a proxy's prefix has put in front is no part of the route.
    path: str = scope.get("path", "").removeprefix(
        scope.get("app_root_path", scope.get("root_path", ""))
    )
    return _DIALECTS.get(path.strip("/").partition("/")[0], native)
