"""POST /v2/models/{model}/infer: texts as tensors, as every client of the protocol asks."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from service.api.disconnect import unless_client_leaves
from service.api.identity import identity_of
from service.api.json_bytes import json_bytes
from service.api.kserve.answers import kserve_responses, model_of
from service.api.kserve.schemas import InferenceRequest, Parameters
from service.api.kserve.tensor_schemas import TensorParameters, TensorRequest, TensorResponse
from service.api.kserve.tensors import HEADER_LENGTH, TensorRoute, data_of
from service.api.kserve.work import begun, log_usage
from service.api.state import ServiceState, State, accepts_work
from service.artifacts.manifest import Manifest
from service.inference.choices import Choices
from service.inference.request import TextRequest

router = APIRouter(
    route_class=TensorRoute,
    prefix="/v2/models/{model}",
    tags=["kserve"],
    dependencies=[Depends(accepts_work)],
)
_INFER: dict[str, Any] = {
    "response_model": TensorResponse,
    "responses": kserve_responses()
    | {
        200: {
            "description": "The texts; as binary data they stand behind the JSON, whose length is "
            f"in `{HEADER_LENGTH}`.",
            "content": {"application/octet-stream": {}},
        }
    },
}


@router.post("/infer", summary="Generate texts as tensors (KServe)", **_INFER)
async def infer(model: str, body: TensorRequest, request: Request, state: State) -> Any:
    """A text for each of the input."""
    return await _inferred(model, None, body, request, state)


@router.post("/versions/{version}/infer", summary="Generate tensors by a version", **_INFER)
async def infer_by_version(
    model: str, version: str, body: TensorRequest, request: Request, state: State
) -> Any:
    """A text for each of the input."""
    return await _inferred(model, version, body, request, state)


async def _inferred(
    model: str, version: str | None, body: TensorRequest, request: Request, state: ServiceState
) -> Response:
    if body.parameters is not None and body.parameters.sequence_id is not None:
        return await _in_sequence(model, version, body, request, state)
    parameters = body.parameters or TensorParameters()
    asked = [
        TextRequest(
            prompt=text,
            model=model_of(state.inference.models, model, version).ref,
            max_tokens=parameters.max_tokens,
            options=parameters.merged(),
            seed=parameters.seed,
            stop=parameters.stops,
            timeout_s=parameters.timeout_s,
            identity=identity_of(request),
        )
        for text in body.inputs[0].texts
    ]
    starting = Choices.start(state.inference, asked)
    choices = await unless_client_leaves(request.receive, starting)
    try:
        deltas = await unless_client_leaves(request.receive, choices.collect())
    finally:
        log_usage(request, choices.texts)
        await choices.close()
    return _answer(body, choices.texts[0].model.manifest, [delta.text for delta in deltas])


async def _in_sequence(
    model: str, version: str | None, body: TensorRequest, request: Request, state: ServiceState
) -> Response:
    assert body.parameters is not None
    same = body.parameters.model_dump(exclude={"binary_data_output", "timeout"})
    parameters = Parameters.model_construct(**same)
    [text] = body.inputs[0].texts
    asked = InferenceRequest.model_construct(text_input=text, parameters=parameters)
    work = await begun(
        model, version, asked, request, state, streams=False, timeout_s=body.parameters.timeout_s
    )
    try:
        delta = await unless_client_leaves(request.receive, work.text.collect())
        await work.answer(delta)  # a sequence that ends is over before that is told
        return _answer(body, work.text.model.manifest, [delta.text])
    finally:
        await work.close()


def _answer(body: TensorRequest, manifest: Manifest, texts: list[str]) -> Response:
    """A `TensorResponse`, with the texts in it or behind it."""
    tensor: dict[str, Any] = {
        "name": "text_output",
        "datatype": "BYTES",
        "shape": body.inputs[0].shape,
    }
    fields = {
        "model_name": manifest.name,
        "model_version": str(manifest.version),
        "outputs": [tensor],
    }
    if body.id is not None:
        fields = {"id": body.id, **fields}
    if not body.is_answered_in_binary:
        tensor["data"] = texts
        return Response(json_bytes(fields), media_type="application/json")
    data = data_of(texts)
    tensor["parameters"] = {"binary_data_size": len(data)}
    front = json_bytes(fields)
    headers = {HEADER_LENGTH: str(len(front))}
    return Response(front + data, headers=headers, media_type="application/octet-stream")
