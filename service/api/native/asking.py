"""What a body asks for, and what an answer says of what that took."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from fastapi import Request

from service.api.identity import identity_of
from service.api.native.schemas import WritingRequest
from service.inference.delta import Delta
from service.inference.request import TextRequest
from service.inference.usage import Usage


def completed(asked: TextRequest, body: WritingRequest, request: Request) -> TextRequest:
    """What is asked for, with how it is to be written."""
    return replace(
        asked,
        max_tokens=body.max_tokens,
        options=body.merged(),
        seed=body.seed,
        stop=_stop(body.stop),
        logprobs=body.logprobs,
        stream_every=body.stream_every,
        timeout_s=body.timeout_s,
        return_capsule=bool(body.return_capsule),
        receipt=bool(body.receipt),
        is_streamed=body.stream,
        identity=identity_of(request),
    )


def _stop(stop: str | list[str] | None) -> tuple[str, ...] | None:
    if stop is None:
        return None
    return (stop,) if isinstance(stop, str) else tuple(stop)


def extras(delta: Delta) -> dict[str, Any]:
    """What the end of a text brings if it was asked for."""
    fields: dict[str, Any] = {}
    if delta.capsule is not None:
        fields["capsule"] = delta.capsule
    if delta.receipt is not None:
        fields["receipt"] = json.loads(delta.receipt)
    if delta.choices is not None:
        fields["choice_probabilities"] = [
            {"choice": each.text, "logprob": each.logprob, "probability": each.probability}
            for each in delta.choices
        ]
    return fields


def usage_fields(usage: Usage) -> dict[str, Any]:
    """A `Usage`: without the pieces that nobody has asked for."""
    fields: dict[str, Any] = {
        "prompt_tokens": usage.prompt_tokens,
        "cached_tokens": usage.cached_tokens,
        "completion_tokens": usage.completion_tokens,
        "unknown_tokens": usage.unknown_tokens,
    }
    if usage.unknown is not None:
        fields["unknown"] = usage.unknown
    return fields
