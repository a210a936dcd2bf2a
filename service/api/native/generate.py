"""POST /generate: text that goes on from a prompt, at once or as a stream of events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import asdict
from functools import partial
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from service.api.disconnect import unless_client_leaves
from service.api.errors import responses
from service.api.identity import identity_of
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
from service.inference.identity import Identity
from service.inference.request import TextRequest
from service.inference.running import Delta, RunningText, TokenInfo

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
    running = await state.inference.start(_asked(body, identity_of(request)))
    request.state.log |= {"model": running.model.ref, "generation": running.id}
    if body.stream:
        return EventStream(
            _events(running),
            close=partial(_close, running, request),
            write_timeout_s=state.write_timeout_s,
        )
    try:
        whole = await unless_client_leaves(request.receive, running.collect())
    finally:
        await _close(running, request)
    return _response(running, whole)


async def _events(running: RunningText) -> AsyncIterator[dict[str, Any]]:
    async for delta in running.deltas():
        yield _event(running, delta)


async def _close(running: RunningText, request: Request) -> None:
    usage = running.usage
    request.state.log |= {
        "prompt_tokens": usage.prompt_tokens,
        "cached_tokens": usage.cached_tokens,
        "completion_tokens": usage.completion_tokens,
        "finish_reason": running.finish_reason or "none",
    }
    await running.close()


def _asked(body: GenerateRequest, identity: Identity) -> TextRequest:
    return TextRequest(
        prompt=body.prompt,
        max_tokens=body.max_tokens,
        options=body.merged(),
        seed=body.seed,
        stop=(body.stop,) if isinstance(body.stop, str) else tuple(body.stop or ()),
        logprobs=body.logprobs,
        stream_every=body.stream_every,
        timeout_s=body.timeout_s,
        session=body.session,
        model=body.model,
        identity=identity,
    )


def _response(running: RunningText, whole: Delta) -> Response:
    body = GenerateResponse(
        id=running.id,
        model=running.model.ref,
        session=_session_id(running),
        text=whole.text,
        finish_reason=whole.finish_reason or "length",
        seed=running.seed,
        usage=_usage(running),
        **({} if whole.tokens is None else {"logprobs": _logprobs(whole.tokens)}),
    )
    return Response(body.model_dump_json(exclude_unset=True), media_type="application/json")


def _event(running: RunningText, delta: Delta) -> dict[str, Any]:
    """A `GenerateEvent`, made without validating what we know: there are thousands a second."""
    fields: dict[str, Any] = {"text": delta.text, "num_tokens": delta.num_tokens}
    if delta.tokens is not None:
        fields["logprobs"] = [token.model_dump() for token in _logprobs(delta.tokens)]
    if delta.finish_reason is not None:
        fields |= {
            "finish_reason": delta.finish_reason,
            "id": running.id,
            "model": running.model.ref,
            "session": _session_id(running),
            "seed": running.seed,
            "usage": _usage(running).model_dump(),
        }
    return fields


def _session_id(running: RunningText) -> str | None:
    return running.turn.session.id if running.turn else None


def _usage(running: RunningText) -> Usage:
    return Usage(**asdict(running.usage))


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
