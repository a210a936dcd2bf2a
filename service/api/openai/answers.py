"""What answers below /v1 have in common: their heads, reasons, usage, errors in streams."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from fastapi import Request

from service.api.rendering import ErrorResponse, OpenAIErrorResponse, described, openai
from service.api.sse import encoded
from service.entropy import token_hex
from service.inference.delta import Delta
from service.inference.running import RunningText
from service.models.registry import ServedModel

DONE = b"data: [DONE]\n\n"
_ANOTHER_HOST = 421
_DESCRIPTIONS = {
    400: "The body is not JSON, or a field is wrong; `param` names it.",
    404: "No such model.",
    408: "The body did not come in time.",
    413: "The body is too large.",
    415: "The content type is not application/json, or the body is compressed.",
    421: "The server is not of that name.",
    429: "Too much is waiting already; see Retry-After.",
    500: "The model could not be run.",
    503: "The server is shutting down, or the model is damaged.",
    504: "The request's time was over.",
}


def openai_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route's documentation says of its errors."""
    return {
        status: described(OpenAIErrorResponse, _DESCRIPTIONS[status])
        for status in sorted({_ANOTHER_HOST, *(statuses or _DESCRIPTIONS)})
    }


def streamed(schema: str) -> dict[int | str, dict[str, Any]]:
    """What a route's documentation says of its streams: each event's data is a chunk."""
    reference = f"#/components/schemas/{schema}"
    item = {
        "type": "object",
        "required": ["data"],
        "properties": {
            "data": {
                "type": "string",
                "contentMediaType": "application/json",
                "contentSchema": {"$ref": reference},
                "description": "The last one is [DONE].",
            }
        },
    }
    return {200: {"content": {"text/event-stream": {"itemSchema": item}}}}


def head(kind: str, prefix: str, model: ServedModel) -> dict[str, Any]:
    """The first fields of an answer, and of each chunk of a stream."""
    return {
        "id": prefix + token_hex(12),
        "object": kind,
        "created": int(time.time()),
        "model": model.ref,
        "system_fingerprint": "fp_" + model.manifest.fingerprint.hex()[:12],
    }


def reasons(text: RunningText, delta: Delta) -> dict[str, Any]:
    """Why a text has ended, if it has: a model's own end is a stop as well."""
    reason = delta.finish_reason
    stopped_by = text.text.stopped_by if reason == "stop" else None
    finish_reason = None if reason is None else "length" if reason == "length" else "stop"
    return {"finish_reason": finish_reason, "stop_reason": stopped_by}


def usage_of(texts: Sequence[RunningText], num_choices: int) -> dict[str, Any]:
    """Tokens that all texts took; a prompt of several counts once."""
    usages = [text.usage for text in texts]
    prompts = [usages[n : n + num_choices] for n in range(0, len(usages), num_choices)]
    num_prompt = sum(each[0].prompt_tokens for each in prompts)
    num_written = sum(usage.completion_tokens for usage in usages)
    return {
        "prompt_tokens": num_prompt,
        "completion_tokens": num_written,
        "total_tokens": num_prompt + num_written,
        "prompt_tokens_details": {
            # Whoever has not read the prompt has got it from the one that did.
            "cached_tokens": sum(min(usage.cached_tokens for usage in each) for each in prompts)
        },
    }


def log_usage(request: Request, texts: Sequence[RunningText]) -> None:
    """What the log says of a request."""
    usages = [text.usage for text in texts]
    request.state.log |= {
        "model": texts[0].model.ref,
        "generation": texts[0].id,
        "num_texts": len(texts),
        "prompt_tokens": sum(usage.prompt_tokens for usage in usages),
        "cached_tokens": sum(usage.cached_tokens for usage in usages),
        "completion_tokens": sum(usage.completion_tokens for usage in usages),
        "finish_reason": ",".join(dict.fromkeys(text.outcome for text in texts)),
    }


def failure(body: ErrorResponse, _about: dict[str, Any]) -> bytes:
    """A failure in a stream: the client raises it as an error of the API."""
    return encoded(openai(500, body.error)[1])
