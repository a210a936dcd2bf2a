"""POST /v2/models/{model}/generate and /generate_stream: texts, and sequences of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from service.api.disconnect import unless_client_leaves
from service.api.identity import identity_of
from service.api.json_bytes import json_bytes
from service.api.kserve.answers import failure, kserve_responses, model_of
from service.api.kserve.schemas import InferenceRequest, InferenceResponse, Parameters
from service.api.media import JsonRoute
from service.api.native.logprobs import in_pieces
from service.api.sse import EventStream
from service.api.state import ServiceState, State, accepts_work
from service.inference.delta import Delta
from service.inference.identity import Identity
from service.inference.request import TextRequest
from service.inference.several import Text

_PIECE_S = 0.001
_REASONS = {"length": "length", "eos": "eos_token", "stop": "stop_sequence", "parked": "length"}

router = APIRouter(
    route_class=JsonRoute,
    prefix="/v2/models/{model}",
    tags=["kserve"],
    dependencies=[Depends(accepts_work)],
)
_WHOLE: dict[str, Any] = {"response_model": InferenceResponse, "responses": kserve_responses()}
_STREAMED: dict[str, Any] = {
    "response_model": InferenceResponse,
    "responses": kserve_responses()
    | {
        200: {
            "description": "Events, each with an `InferenceResponse` for the next piece of text.",
            "content": {"text/event-stream": {}},
        }
    },
}


@router.post("/generate", summary="Generate text (KServe)", **_WHOLE)
async def generate_text(model: str, body: InferenceRequest, request: Request, state: State) -> Any:
    """The whole text."""
    return await _whole(model, None, body, request, state)


@router.post("/versions/{version}/generate", summary="Generate text by a version", **_WHOLE)
async def generate_text_by_version(
    model: str, version: str, body: InferenceRequest, request: Request, state: State
) -> Any:
    """The whole text."""
    return await _whole(model, version, body, request, state)


@router.post("/generate_stream", summary="Stream text (KServe)", **_STREAMED)
async def stream_text(model: str, body: InferenceRequest, request: Request, state: State) -> Any:
    """The text, piece by piece."""
    return await _stream(model, None, body, request, state)


@router.post("/versions/{version}/generate_stream", summary="Stream text by a version", **_STREAMED)
async def stream_text_by_version(
    model: str, version: str, body: InferenceRequest, request: Request, state: State
) -> Any:
    """The text, piece by piece."""
    return await _stream(model, version, body, request, state)


@dataclass(slots=True)
class _Work:
    """A text that is written for a request, and the sequence that it is part of."""

    text: Text
    body: InferenceRequest
    parameters: Parameters
    request: Request
    state: ServiceState
    identity: Identity

    async def close(self) -> None:
        """Free its row; a sequence whose first request came to nothing has not begun."""
        usage = self.text.usage
        self.request.state.log |= {
            "prompt_tokens": usage.prompt_tokens,
            "cached_tokens": usage.cached_tokens,
            "completion_tokens": usage.completion_tokens,
            "finish_reason": self.text.outcome,
        }
        await self.text.close()
        if self.parameters.sequence_start and self.text.outcome not in _REASONS:
            await self._end_sequence()

    async def _end_sequence(self) -> None:
        name, session_id = self.parameters.sequence_id, self.text.session_id
        if name is not None and session_id is not None:
            await self.state.sequences.end(str(name), session_id, self.identity)

    def fields(self, delta: Delta) -> dict[str, Any]:
        """An `InferenceResponse` without its details."""
        manifest = self.text.model.manifest
        fields = {
            "model_name": manifest.name,
            "model_version": str(manifest.version),
            "text_output": delta.text,
        }
        return fields if self.body.id is None else {"id": self.body.id, **fields}

    async def details(self, delta: Delta) -> dict[str, Any]:
        """Its details, made some tokens at a time."""
        turnstile, tokenizer = self.state.inference.turnstile, self.text.model.tokenizer
        ids = self.text.model.manifest.special_ids
        special = {*ids.never_sampled, ids.end}
        tokens: list[dict[str, Any]] = []
        for piece in () if delta.figures is None else in_pieces(delta.figures, tokenizer):
            if tokens:
                await turnstile.enter(_PIECE_S, self.identity.client)
            tokens += [
                {
                    "id": token["id"],
                    "text": token["token"],
                    "logprob": token["logprob"],
                    "special": token["id"] in special,
                }
                for token in piece
            ]
        reason = delta.finish_reason
        return {"finish_reason": _REASONS[reason] if reason else None, "logprobs": tokens}

    async def answer(self, delta: Delta) -> dict[str, Any]:
        """An `InferenceResponse`; before the last one is sent, a sequence that ends is over."""
        if delta.finish_reason is not None and self.parameters.sequence_end:
            await self._end_sequence()
        fields = self.fields(delta)
        if self.parameters.details:
            fields["details"] = await self.details(delta)
        return fields


async def _whole(
    model: str, version: str | None, body: InferenceRequest, request: Request, state: ServiceState
) -> Response:
    work = await _begun(model, version, body, request, state, streams=False)
    try:
        delta = await unless_client_leaves(request.receive, work.text.collect())
        content = json_bytes(await work.answer(delta))
    finally:
        await work.close()
    return Response(content, media_type="application/json")


async def _stream(
    model: str, version: str | None, body: InferenceRequest, request: Request, state: ServiceState
) -> EventStream:
    work = await _begun(model, version, body, request, state, streams=True)

    async def events() -> AsyncIterator[tuple[str, dict[str, Any]]]:
        async for delta in work.text.deltas():
            yield "", await work.answer(delta)

    return EventStream(
        events(),
        close=work.close,
        about=dict,
        keep_alive_s=state.stream_keep_alive_s,
        failure=failure,
    )


async def _begun(
    model: str,
    version: str | None,
    body: InferenceRequest,
    request: Request,
    state: ServiceState,
    *,
    streams: bool,
) -> _Work:
    identity, parameters = identity_of(request), body.parameters or Parameters()
    served = model_of(state.inference.models, model, version)
    name = None if parameters.sequence_id is None else str(parameters.sequence_id)
    session_id = None
    if name is not None and parameters.sequence_start:
        starting = state.sequences.start(name, served.ref, identity)
        session_id = await unless_client_leaves(request.receive, starting)
    elif name is not None:
        session_id = state.sequences.find(name, identity)
    asked = TextRequest(
        prompt=body.text_input,
        model=model if version is None else served.ref,  # a sequence may be of an older one
        session=session_id,
        max_tokens=parameters.max_tokens,
        options=parameters.merged(),
        seed=parameters.seed,
        stop=parameters.stops,
        logprobs=0 if parameters.details else None,
        is_streamed=streams,
        identity=identity,
    )
    try:
        text = await unless_client_leaves(request.receive, state.inference.start(asked))
    except BaseException:
        if name is not None and session_id is not None and parameters.sequence_start:
            await state.sequences.end(name, session_id, identity)
        raise
    request.state.log |= {"model": text.model.ref, "generation": text.id}
    return _Work(text, body, parameters, request, state, identity)
