"""POST /v2/models/{model}/generate and /generate_stream: texts, and sequences of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from service.api.disconnect import unless_client_leaves
from service.api.json_bytes import json_bytes
from service.api.kserve.answers import failure, kserve_responses
from service.api.kserve.schemas import InferenceRequest, InferenceResponse
from service.api.kserve.work import begun
from service.api.media import JsonRoute
from service.api.sse import EventStream
from service.api.state import ServiceState, State, accepts_work

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


async def _whole(
    model: str, version: str | None, body: InferenceRequest, request: Request, state: ServiceState
) -> Response:
    work = await begun(model, version, body, request, state, streams=False)
    try:
        delta = await unless_client_leaves(request.receive, work.text.collect())
        content = json_bytes(await work.answer(delta))
    finally:
        await work.close()
    return Response(content, media_type="application/json")


async def _stream(
    model: str, version: str | None, body: InferenceRequest, request: Request, state: ServiceState
) -> EventStream:
    work = await begun(model, version, body, request, state, streams=True)

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
