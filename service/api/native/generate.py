"""POST /generate: text that goes on from a prompt, at once or as a stream of events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from service.api.direct import DirectRoute
from service.api.disconnect import unless_client_leaves
from service.api.errors import responses
from service.api.json_bytes import Json
from service.api.json_pieces import JsonInPieces
from service.api.native.asking import completed, extras, usage_fields
from service.api.native.etags import version_wanted
from service.api.native.generate_schemas import GenerateRequest
from service.api.native.idempotency import idempotency_of
from service.api.native.logprobs import PIECE, in_pieces, token_logprobs
from service.api.native.resuming import Progress, digest_of, going_on, mark_of
from service.api.native.schemas import (
    GenerateEvent,
    GenerateResponse,
    WritingRequest,
)
from service.api.native.several import write_several
from service.api.native.several_schemas import SeveralResponse
from service.api.sse import EventStream
from service.api.state import State, accepts_work
from service.inference.delta import Delta
from service.inference.errors import InvalidOption
from service.inference.request import TextRequest
from service.inference.several import Text
from service.inference.turnstile import Turnstile
from service.runtime.clamps import Clamp

router = APIRouter(route_class=DirectRoute, tags=["generate"])

# The parts that it refers to are there already, as parts of GenerateResponse.
_EVENT_SCHEMA = GenerateEvent.model_json_schema(ref_template="#/components/schemas/{model}")
del _EVENT_SCHEMA["$defs"]
_STREAM_EXAMPLE = (
    'data: {"text":"\\nWhat","num_tokens":5}\n\n'
    'data: {"text":"!","num_tokens":1,"finish_reason":"length","seed":7,...}\n\n'
)

ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The text; with `stream: true`, events of it (schema `GenerateEvent`).",
        "content": {
            "text/event-stream": {
                "itemSchema": {
                    "type": "object",
                    "required": ["data"],
                    "properties": {
                        "id": {
                            "type": "string",
                            "description": "Opaque; `Last-Event-ID` goes on after it.",
                        },
                        "event": {"type": "string", "description": "`error` of a failure."},
                        "data": {
                            "type": "string",
                            "contentMediaType": "application/json",
                            "contentSchema": _EVENT_SCHEMA,
                        },
                    },
                },
                "example": _STREAM_EXAMPLE,
            }
        },
    },
    **responses(),
}
"""What may be answered to whoever asks for a text."""


@router.post(
    "/generate",
    summary="Generate text",
    response_model=GenerateResponse | SeveralResponse,
    dependencies=[Depends(accepts_work)],
    responses=ANSWERS,
)
async def generate(body: GenerateRequest, request: Request, state: State) -> Any:
    """Read the prompt, write up to `max_tokens` tokens.

    The same request with the same seed gives the same text, whatever else the server is doing. With
    `n`, as many texts, each with a seed of its own.
    """
    asked = TextRequest(
        prompt=body.prompt,
        report_unknown=bool(body.report_unknown),
        session=body.session,
        capsule=body.capsule,
        session_version=version_wanted(request, body.session),
        idempotency=idempotency_of(request, body),
        model=body.model,
        pattern=body.pattern,
        choices=tuple(body.choices or ()),
        tells_choices=bool(body.choice_probabilities),
        clamps=tuple(Clamp(each.name, each.unit, each.value) for each in body.clamp or ()),
    )
    if max(body.n, body.best_of or 1) > 1:
        return await write_several(asked, body, request, state)
    return await write(asked, body, request, state)


async def write(asked: TextRequest, body: WritingRequest, request: Request, state: State) -> Any:
    """Write a text as `body` says, and answer with it."""
    asked = completed(asked, body, request)
    if mark := mark_of(request, body):
        asked = going_on(asked, mark)
    running = await unless_client_leaves(request.receive, state.inference.start(asked))
    request.state.log |= {"model": running.model.ref, "generation": running.id}
    close = partial(_close, running, request)
    if body.stream:
        try:
            progress = Progress(running.seed, digest_of(request, body, running.model), mark)
        except InvalidOption:
            await close()
            raise
        return EventStream(
            _events(running, progress),
            close=close,
            about=partial(_about, running),
            keep_alive_s=state.stream_keep_alive_s,
            goes_on=lambda: progress.goes_on,
        )
    try:
        whole = await unless_client_leaves(request.receive, running.collect())
    except BaseException:
        await close()
        raise
    return await _answer(running, whole, state.inference.turnstile, close)


async def _events(running: Text, progress: Progress) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    async for delta in running.deltas():
        unseen = progress.unseen(delta)
        if unseen is not None:
            yield progress.id, _event(running, unseen)


async def _close(running: Text, request: Request) -> None:
    usage = running.usage
    request.state.log |= {
        "prompt_tokens": usage.prompt_tokens,
        "cached_tokens": usage.cached_tokens,
        "completion_tokens": usage.completion_tokens,
        "finish_reason": running.outcome,
    }
    if usage.unknown_tokens:
        request.state.log["unknown_tokens"] = usage.unknown_tokens
    await running.close()


async def _answer(
    running: Text, whole: Delta, turnstile: Turnstile, close: Callable[[], Awaitable[None]]
) -> Response:
    """A `GenerateResponse`."""
    fields: dict[str, Any] = {
        "id": running.id,
        "model": running.model.ref,
        "session": running.session_id,
        "text": whole.text,
        "finish_reason": whole.finish_reason,
        "seed": running.seed,
        "usage": usage_fields(running.usage),
    }
    fields |= extras(whole)
    tokenizer = running.model.tokenizer
    if whole.figures is not None and len(whole.figures) > PIECE:
        return JsonInPieces(
            fields, "logprobs", in_pieces(whole.figures, tokenizer), turnstile, close
        )
    await close()
    if whole.figures is not None:
        fields["logprobs"] = token_logprobs(whole.figures, tokenizer)
    return Json(fields)


def _event(running: Text, delta: Delta) -> dict[str, Any]:
    """A `GenerateEvent`, made without validating what we know: there are thousands a second."""
    fields: dict[str, Any] = {"text": delta.text, "num_tokens": delta.num_tokens}
    if delta.figures is not None:
        fields["logprobs"] = token_logprobs(delta.figures, running.model.tokenizer)
    if delta.finish_reason is not None:
        fields |= {
            "finish_reason": delta.finish_reason,
            "model": running.model.ref,
            "session": running.session_id,
            "seed": running.seed,
            **_about(running),
            **extras(delta),
        }
    return fields


def _about(running: Text) -> dict[str, Any]:
    """What the last event says of a text, however it ended."""
    return {"id": running.id, "usage": usage_fields(running.usage)}
