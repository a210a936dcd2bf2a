"""POST /score: how probable texts are to a model, token by token."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from service.api.disconnect import unless_client_leaves
from service.api.errors import responses
from service.api.identity import identity_of
from service.api.json_bytes import Json, json_bytes
from service.api.json_pieces import JsonPieces
from service.api.media import JsonRoute
from service.api.native.logprobs import PIECE, token_logprobs
from service.api.native.text_schemas import ScoreRequest, ScoreResponse
from service.api.state import State, accepts_work
from service.artifacts.tokenizer import Tokenizer
from service.inference.scoring import Scored, Scores

_PIECE_S = 0.001

router = APIRouter(route_class=JsonRoute, tags=["texts"])


@router.post(
    "/score",
    summary="Score texts",
    response_model=ScoreResponse,
    dependencies=[Depends(accepts_work)],
    responses=responses(400, 404, 413, 415, 422, 429, 500, 503, 504),
)
async def score(body: ScoreRequest, request: Request, state: State) -> Any:
    """Read each text from its beginning, and tell how probable it was to the model.

    The texts are read together, in one batch with all that others do. The same text has the same
    score, bit for bit, whatever is read beside it.
    """
    wants_tokens = body.tokens or body.logprobs is not None
    identity = identity_of(request)
    work = state.inference.scoring.score(
        body.texts,
        model=body.model,
        num_top=(body.logprobs or 0) if wants_tokens else None,
        timeout_s=body.timeout_s,
        identity=identity,
    )
    scores = await unless_client_leaves(request.receive, work)
    request.state.log |= {
        "model": scores.model.ref,
        "prompt_tokens": sum(text.reading.num_tokens for text in scores.texts),
    }
    num_told = len(scores.texts) + sum(len(each.figures or ()) for each in scores.texts)

    async def close() -> None:
        scores.close()

    if num_told > PIECE:
        return JsonPieces(_written(scores), state.inference.turnstile, close)
    await close()
    await state.inference.turnstile.enter(_PIECE_S * num_told / PIECE, identity.client)
    return Response(b"".join(_written(scores)), media_type=Json.media_type)


def _written(scores: Scores) -> Iterator[bytes]:
    """A `ScoreResponse`, piece by piece: a long one would hold up the event loop."""
    parts, num_told = [b'{"model":', json_bytes(scores.model.ref), b',"scores":['], 0
    for n, scored in enumerate(scores.texts):
        parts += [b"," if n else b"", json_bytes(_sums(scored))[:-1]]
        num_told += 1
        for place, tokens in enumerate(_tokens(scored, scores.model.tokenizer)):
            if num_told + len(tokens) > PIECE:
                yield b"".join(parts)
                parts, num_told = [], 0
            parts += [b"," if place else b',"tokens":[', json_bytes(tokens)[1:-1]]
            num_told += len(tokens)
        parts.append(b"}" if scored.figures is None else b"]}")
        if num_told >= PIECE:
            yield b"".join(parts)
            parts, num_told = [], 0
    yield b"".join((*parts, b"]}"))


def _sums(scored: Scored) -> dict[str, Any]:
    """A `TextScore` without its tokens."""
    reading, number = scored.reading, scored.reading.num_scored
    bits = reading.surprisal_bits
    return {
        "num_tokens": reading.num_tokens,
        "num_scored": number,
        "num_characters": reading.num_characters,
        "unknown_tokens": reading.unknown_tokens,
        "logprob": reading.logprob,
        "logprob_per_token": reading.logprob / number if number else None,
        "perplexity": scored.perplexity,
        "surprisal_bits": bits,
        "bits_per_token": bits / number if number else None,
        "bits_per_character": bits / reading.num_characters if number else None,
    }


def _tokens(scored: Scored, tokenizer: Tokenizer) -> Iterator[list[dict[str, Any]]]:
    """A `ScoredToken` for each, some at a time."""
    figures = scored.figures
    if figures is None:
        return
    first = [int(token_id) for token_id in scored.id_T[: scored.num_unscored]]
    if first:
        yield [
            {
                "id": token_id,
                "token": tokenizer.token_text(token_id),
                "logprob": None,
                "surprisal_bits": None,
                "top": [],
            }
            for token_id in first
        ]
    for start in range(0, len(figures), PIECE):
        yield [
            {**fields, "surprisal_bits": -fields["logprob"] / math.log(2)}
            for fields in token_logprobs(figures.cut(start, start + PIECE), tokenizer)
        ]
