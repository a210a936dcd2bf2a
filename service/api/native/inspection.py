"""POST /inspect and /inspect/units: what a model computes while it reads, and what reacts."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
from fastapi import APIRouter, Depends, Request

from service.api.disconnect import unless_client_leaves
from service.api.errors import responses
from service.api.identity import identity_of
from service.api.json_bytes import Json, json_bytes
from service.api.json_pieces import JsonPieces
from service.api.media import JsonRoute
from service.api.native.inspect_schemas import (
    InspectRequest,
    InspectResponse,
    UnitsRequest,
    UnitsResponse,
)
from service.api.native.logprobs import PIECE, token_logprobs
from service.api.state import State, accepts_work
from service.inference.inspected import Activation, Inspection, Wanted
from service.inference.units import Asked

_VALUES = 2048
"""Numbers that are written at once: half a millisecond."""
_BYTES = 3 << 15
"""That are encoded at once; base64 of a multiple of three goes on without padding."""
_DIGITS = 6

router = APIRouter(route_class=JsonRoute, tags=["inside"], dependencies=[Depends(accepts_work)])
_ANSWERS = responses(400, 404, 413, 415, 422, 429, 500, 503, 504)


@router.post(
    "/inspect",
    summary="Look inside of a model",
    response_model=InspectResponse,
    responses=_ANSWERS,
)
async def inspect(body: InspectRequest, request: Request, state: State) -> Any:
    """Read a text, and tell how probable each token was and what units were after it.

    These are the numbers by which the model writes: the same graph with the same kernels, read by a
    thread of its own. Texts that are written meanwhile are the same.
    """
    work = state.inspecting.inspect(
        body.text,
        [
            Wanted(each.name, None if each.units is None else tuple(each.units))
            for each in body.activations
        ],
        model=body.model,
        num_top=body.logprobs or 0,
        timeout_s=body.timeout_s,
        identity=identity_of(request),
    )
    found = await unless_client_leaves(request.receive, work)
    _log(request, found.model.ref, len(found.read.id_T))

    async def close() -> None:
        found.ticket.close()

    pieces = _written(found, compact=body.encoding == "float16")
    return JsonPieces(pieces, state.inference.turnstile, close)


@router.post(
    "/inspect/units",
    summary="Find the units that react to something",
    response_model=UnitsResponse,
    responses=_ANSWERS,
)
async def units(body: UnitsRequest, request: Request, state: State) -> Any:
    """Read a text, and rank the units by how much they tell of a mark.

    `correlation` is Pearson's: of marks the point-biserial one. `mutual_information` is in bits.
    """
    spans = None if body.spans is None else tuple((start, end) for start, end in body.spans)
    activations = None if body.activations is None else tuple(body.activations)
    work = state.inspecting.rank(
        body.text,
        Asked(body.detector, spans, activations, body.score, body.top),
        model=body.model,
        timeout_s=body.timeout_s,
        identity=identity_of(request),
    )
    found = await unless_client_leaves(request.receive, work)
    _log(request, found.model, found.num_tokens)
    return Json({**asdict(found), "score": body.score})


def _log(request: Request, model: str, num_tokens: int) -> None:
    request.state.log |= {"model": model, "prompt_tokens": num_tokens}


def _written(found: Inspection, *, compact: bool) -> Iterator[bytes]:
    """An `InspectResponse`, piece by piece: a long one would hold up the event loop."""
    fields = {
        "model": found.model.ref,
        "text": found.read.text,
        "unknown_tokens": found.read.unknown_tokens,
        "available": dict(found.available),
    }
    yield json_bytes(fields)[:-1] + b',"tokens":['
    comma = b""
    for tokens in _tokens(found):
        yield comma + json_bytes(tokens)[1:-1]
        comma = b","
    yield b'],"activations":['
    comma = b""
    for activation in found.activations:
        yield comma + json_bytes({"name": activation.name, "units": activation.units})[:-1]
        yield from _in_base64(activation) if compact else _in_numbers(activation)
        comma = b","
    yield b"]}"


def _tokens(found: Inspection) -> Iterator[list[dict[str, Any]]]:
    """An `InspectedToken` for each, some at a time."""
    read, figures, tokenizer = found.read, found.figures, found.model.tokenizer
    num_first = len(read.id_T) - len(figures)
    first = [
        {
            "id": token_id,
            "token": tokenizer.token_text(token_id),
            "start": start,
            "end": end,
            "logprob": None,
            "surprisal_bits": None,
            "top": [],
        }
        for token_id, (start, end) in zip(read.id_T[:num_first].tolist(), read.spans, strict=False)
    ]
    if first:
        yield first
    for place in range(0, len(figures), PIECE):
        part = token_logprobs(figures.cut(place, place + PIECE), tokenizer)
        spans = read.spans[num_first + place :]
        yield [
            {
                **token,
                "start": start,
                "end": end,
                "surprisal_bits": -token["logprob"] / math.log(2),
            }
            for token, (start, end) in zip(part, spans, strict=False)
        ]


def _in_numbers(activation: Activation) -> Iterator[bytes]:
    values_TU = activation.values_TU
    num_rows = max(1, _VALUES // max(1, values_TU.shape[1]))
    start = b',"base64":null,"values":['
    for place in range(0, len(values_TU), num_rows):
        # float32 has 7 digits; in float64, in which they are written, it would have 17.
        rows = np.round(values_TU[place : place + num_rows].astype(np.float64), _DIGITS)
        yield start + json_bytes(rows.tolist())[1:-1]
        start = b","
    yield b"]}"


def _in_base64(activation: Activation) -> Iterator[bytes]:
    content = memoryview(activation.values_TU.astype("<f2").tobytes())
    yield b',"values":null,"base64":"'
    for place in range(0, len(content), _BYTES):
        yield base64.b64encode(content[place : place + _BYTES])
    yield b'"}'
