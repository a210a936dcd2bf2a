"""What answers below /v2 have in common: which model is meant, and how errors are told."""

from __future__ import annotations

from typing import Any

from service.api.rendering import ErrorResponse, KServeErrorResponse, described, kserve
from service.api.sse import encoded
from service.models.registry import ModelRegistry, ServedModel

_ANOTHER_HOST = 421
_DESCRIPTIONS = {
    400: "The body is not JSON.",
    404: "No such model, or no such sequence.",
    409: "The sequence has begun already, or another request is running on it.",
    410: "The sequence is over; the message says why.",
    413: "The body is too large.",
    415: "The content type is not application/json, or the body is compressed.",
    422: "A field is wrong; the message names it.",
    421: "The server is not of that name.",
    429: "Too much is waiting already; see Retry-After.",
    500: "The model could not be run.",
    503: "The server is shutting down, or the model is damaged or not ready.",
    504: "The request's time was over.",
}


def kserve_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route's documentation says of its errors."""
    return {
        status: described(KServeErrorResponse, _DESCRIPTIONS[status])
        for status in sorted({_ANOTHER_HOST, *(statuses or _DESCRIPTIONS)})
    }


def model_of(models: ModelRegistry, name: str, version: str | None = None) -> ServedModel:
    """The model of a path.

    Raises:
        ModelUnknown, ModelBroken: There is none, or it is damaged.
    """
    return models.resolve(name if version is None else f"{name}@{version}")


def failure(body: ErrorResponse, _about: dict[str, Any]) -> bytes:
    """A failure in a stream."""
    return encoded(kserve(500, body.error)[1])
