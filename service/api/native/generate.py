"""POST /generate: text that goes on from a prompt, at once or as a stream of events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import asdict
from functools import partial
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from service.api.disconnect import unless_client_leaves
from service.api.errors import responses
from service.api.identity import client_of
from service.api.native.schemas import (
    Candidate,
    GenerateEvent,
    GenerateRequest,
    GenerateResponse,
    TokenLogprob,
    Usage,
)
from service.api.sse import EventStream
from service.api.state import State, accepts_work
from service.inference.running import Delta, Generation, TokenInfo
from service.inference.start import Client, Options

router = APIRouter(tags=["generate"])

# The parts that it refers to are there already, as parts of GenerateResponse.
_EVENT_SCHEMA = GenerateEvent.model_json_schema(ref_template="#/components/schemas/{model}")
del _EVENT_SCHEMA["$defs"]
_STREAM_EXAMPLE = (
    'data: {"text":"\\nWhat","num_tokens":5}\n\n'
    'data: {"text":"!","num_tokens":1,"finish_reason":"length","seed":7,...}\n\n'
)


@router.post(
    "/generate",
    summary="Generate text",
    response_model=GenerateResponse,
    response_model_exclude_unset=True,
    dependencies=[Depends(accepts_work)],
    responses={
        200: {
            "description": "The text; with `stream: true`, events of it (schema `GenerateEvent`).",
            "content": {"text/event-stream": {"schema": _EVENT_SCHEMA, "example": _STREAM_EXAMPLE}},
        },
        **responses(),
    },
)
async def generate(body: GenerateRequest, request: Request, state: State) -> Any:
    """Read the prompt, write up to `max_tokens` tokens.

    The same request with the same seed gives the same text, whatever else the server is doing.
    """
    generation = await state.generator.start(_options(body, client_of(request)))
    request.state.log |= {"model": generation.model.ref, "generation": generation.id}
    if body.stream:
        return EventStream(
            _events(generation),
            close=partial(_close, generation, request),
            write_timeout_s=state.write_timeout_s,
        )
    try:
        whole = await unless_client_leaves(request.receive, generation.collect())
    finally:
        await _close(generation, request)
    return _response(generation, whole)


async def _events(generation: Generation) -> AsyncIterator[dict[str, Any]]:
    async for delta in generation.deltas():
        yield _event(generation, delta)


async def _close(generation: Generation, request: Request) -> None:
    usage = generation.usage
    request.state.log |= {
        "prompt_tokens": usage.prompt_tokens,
        "cached_tokens": usage.cached_tokens,
        "completion_tokens": usage.completion_tokens,
        "finish_reason": generation.finish_reason or "none",
    }
    await generation.close()


def _options(body: GenerateRequest, client: Client) -> Options:
    fields = body.model_dump(exclude={"stream", "stop"})
    stop = (body.stop,) if isinstance(body.stop, str) else tuple(body.stop or ())
    return Options(**fields, stop=stop, client=client)


def _response(generation: Generation, whole: Delta) -> Response:
    body = GenerateResponse(
        id=generation.id,
        model=generation.model.ref,
        session=_session_id(generation),
        text=whole.text,
        finish_reason=whole.finish_reason or "length",
        seed=generation.seed,
        usage=_usage(generation),
        **({} if whole.tokens is None else {"logprobs": _logprobs(whole.tokens)}),
    )
    return Response(body.model_dump_json(exclude_unset=True), media_type="application/json")


def _event(generation: Generation, delta: Delta) -> dict[str, Any]:
    """A `GenerateEvent`, made without validating what we know: there are thousands a second."""
    fields: dict[str, Any] = {"text": delta.text, "num_tokens": delta.num_tokens}
    if delta.tokens is not None:
        fields["logprobs"] = [token.model_dump() for token in _logprobs(delta.tokens)]
    if delta.finish_reason is not None:
        fields |= {
            "finish_reason": delta.finish_reason,
            "id": generation.id,
            "model": generation.model.ref,
            "session": _session_id(generation),
            "seed": generation.seed,
            "usage": _usage(generation).model_dump(),
        }
    return fields


def _session_id(generation: Generation) -> str | None:
    return generation.turn.session.id if generation.turn else None


def _usage(generation: Generation) -> Usage:
    return Usage(**asdict(generation.usage))


def _logprobs(tokens: tuple[TokenInfo, ...]) -> list[TokenLogprob]:
    return [
        TokenLogprob(
            id=info.chosen.id,
            token=info.chosen.token,
            logprob=info.chosen.logprob,
            top=[Candidate(id=c.id, token=c.token, logprob=c.logprob) for c in info.top],
        )
        for info in tokens
    ]
