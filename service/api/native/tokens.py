"""POST /tokenize and /detokenize: texts as models read them, in the words of vLLM's routes."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request

from service.api.disconnect import unless_client_leaves
from service.api.errors import responses
from service.api.identity import identity_of
from service.api.json_bytes import Json
from service.api.media import JsonRoute
from service.api.native.text_schemas import (
    DetokenizeRequest,
    DetokenizeResponse,
    TokenizeRequest,
    TokenizeResponse,
)
from service.api.state import State, accepts_work

_PIECE = 1024
_PIECE_S = 0.0005

router = APIRouter(route_class=JsonRoute, tags=["texts"], dependencies=[Depends(accepts_work)])
_ANSWERS = responses(400, 404, 413, 415, 422, 429, 500, 503)


@router.post(
    "/tokenize", summary="Tokenize a text", response_model=TokenizeResponse, responses=_ANSWERS
)
async def tokenize(body: TokenizeRequest, request: Request, state: State) -> Any:
    """The tokens that a model reads of a text."""
    identity, model = identity_of(request), state.inference.models.resolve(body.model)
    encoding = state.inference.prompts.encode(
        model, body.prompt, None, client=identity.client, opens=False
    )
    id_T, unknown = await unless_client_leaves(request.receive, encoding)
    ids: list[int] = id_T.tolist()
    if body.add_special_tokens:
        ids = model.manifest.special_ids.opening(ids)
    fields: dict[str, Any] = {"model": model.ref, "count": len(ids), "tokens": ids}
    if body.return_token_strs:
        texts: list[str] = []
        for start in range(0, len(ids), _PIECE):
            await state.inference.turnstile.enter(_PIECE_S, identity.client)
            texts += map(model.tokenizer.token_text, ids[start : start + _PIECE])
        fields["token_strs"] = texts
    return Json(fields | {"unknown_tokens": unknown.num_tokens})


@router.post(
    "/detokenize",
    summary="Make a text of tokens",
    response_model=DetokenizeResponse,
    responses=_ANSWERS,
)
async def detokenize(body: DetokenizeRequest, request: Request, state: State) -> Any:
    """The text that a model writes with these tokens."""
    model = state.inference.models.resolve(body.model)
    decoding = state.inference.prompts.decode(model, body.tokens, identity_of(request).client)
    text = await unless_client_leaves(request.receive, decoding)
    return Json({"model": model.ref, "prompt": text})
