"""POST /v1/chat/completions: answers by models whose manifest says how a chat is written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from service.api.direct import DirectRoute
from service.api.disconnect import unless_client_leaves
from service.api.identity import identity_of
from service.api.json_bytes import json_bytes
from service.api.native.logprobs import in_pieces
from service.api.openai.answers import (
    DONE,
    failure,
    head,
    log_usage,
    openai_responses,
    reasons,
    streamed,
    usage_of,
)
from service.api.openai.chat_schemas import ChatRequest, ChatResponse
from service.api.sse import EventStream
from service.api.state import State, accepts_work
from service.artifacts.chat import ChatTemplate, ChatUnrenderable
from service.inference.choices import Choices
from service.inference.delta import Delta
from service.inference.errors import InvalidOption
from service.inference.identity import Identity
from service.inference.request import TextRequest
from service.inference.turnstile import Turnstile
from service.models.registry import ServedModel

_PIECE_S = 0.001
_MOST_INLINE_CHARACTERS = 4096

router = APIRouter(route_class=DirectRoute, tags=["openai"])


@router.post(
    "/v1/chat/completions",
    summary="Answer in a chat (OpenAI)",
    response_model=ChatResponse,
    dependencies=[Depends(accepts_work)],
    responses=openai_responses() | streamed("ChatResponse"),
)
async def chat(body: ChatRequest, request: Request, state: State) -> Any:
    """Only for models whose manifest says how a chat is written; others complete prompts."""
    model = state.inference.models.resolve(body.model)
    template = _template_of(model)
    prompt = await unless_client_leaves(request.receive, _rendered(body, template))
    identity = identity_of(request)
    asked = _asked(body, model, template, prompt, identity)
    beginning = Choices.start(state.inference, [asked], n=body.n)
    choices = await unless_client_leaves(request.receive, beginning)
    answer = _Answer(body, choices, state.inference.turnstile, identity.client)
    close = partial(_close, choices, request)
    if body.stream:
        return EventStream(
            answer.chunks(),
            close=close,
            about=dict,
            keep_alive_s=state.stream_keep_alive_s,
            failure=failure,
            end=DONE,
        )
    try:
        content = await unless_client_leaves(request.receive, answer.whole())
    finally:
        await close()
    return Response(content, media_type="application/json")


async def _close(choices: Choices, request: Request) -> None:
    log_usage(request, choices.texts)
    await choices.close()


def _template_of(model: ServedModel) -> ChatTemplate:
    if model.manifest.chat_template is None:
        raise InvalidOption(
            "model",
            f"{model.ref} was not trained on chats: its manifest has no chat template. "
            "It completes prompts: use POST /v1/completions",
        )
    return model.manifest.chat_template


async def _rendered(body: ChatRequest, template: ChatTemplate) -> str:
    messages = [{"role": each.role, "content": each.text} for each in body.messages]
    try:
        if sum(len(each["content"]) for each in messages) <= _MOST_INLINE_CHARACTERS:
            return template.render(messages)
        return await asyncio.to_thread(template.render, messages)
    except ChatUnrenderable as error:
        raise InvalidOption("messages", f"messages: {error}") from error


def _asked(
    body: ChatRequest,
    model: ServedModel,
    template: ChatTemplate,
    prompt: str,
    identity: Identity,
) -> TextRequest:
    return TextRequest(
        prompt=prompt,
        model=model.ref,
        max_tokens=body.most_tokens,
        options=body.merged(),
        tokens=body.tokens,
        seed=body.first_seed,
        # A pattern says by itself where an answer ends.
        stop=body.stops if body.pattern else (*body.stops, *template.stop),
        logprobs=0 if body.num_top is None and body.return_token_ids else body.num_top,
        is_streamed=body.stream,
        identity=identity,
        cache_salt=body.cache_salt or "",
        pattern=body.pattern,
    )


class _Answer:
    """The answers of one request, whole or as chunks.

    Spaces at the beginning of an answer belong to the template: it ends at the colon, not after
    the space that comes with the first word.
    """

    def __init__(
        self, body: ChatRequest, choices: Choices, turnstile: Turnstile, client: str
    ) -> None:
        self._body = body
        self._choices = choices
        self._turnstile = turnstile
        self._client = client
        self._model = choices.texts[0].model
        self._has_begun = [False for _ in choices.texts]

    async def chunks(self) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """Chunks of a stream: first of all who speaks."""
        front = head("chat.completion.chunk", "chatcmpl-", self._model)

        def chunk(
            choices: list[dict[str, Any]], usage: object = None
        ) -> tuple[str, dict[str, Any]]:
            fields = {**front, "choices": choices}
            return "", fields | {"usage": usage} if self._body.tells_usage else fields

        for place in range(len(self._choices.texts)):
            delta = {"role": "assistant", "content": ""}
            yield chunk([{"index": place, "delta": delta, "logprobs": None, "finish_reason": None}])
        async for place, piece in self._choices.deltas():
            content = self._content(place, piece)
            delta = {"content": content} if content or piece.finish_reason is None else {}
            yield chunk([await self._choice(place, piece, {"delta": delta})])
        if self._body.tells_usage:
            yield chunk([], usage_of(self._choices.texts, self._body.n))

    async def whole(self) -> bytes:
        """All answers, as JSON."""
        deltas = await self._choices.collect()
        parts = []
        for place, delta in enumerate(deltas):
            message = {
                "role": "assistant",
                "content": self._content(place, delta),
                "refusal": None,
            }
            parts.append(json_bytes(await self._choice(place, delta, {"message": message})))
        usage = usage_of(self._choices.texts, self._body.n)
        front = json_bytes(head("chat.completion", "chatcmpl-", self._model))[:-1]
        choices = b",".join(parts)
        return front + b',"choices":[' + choices + b'],"usage":' + json_bytes(usage) + b"}"

    def _content(self, place: int, delta: Delta) -> str:
        text = delta.text if self._has_begun[place] else delta.text.lstrip(" ")
        self._has_begun[place] = self._has_begun[place] or bool(text)
        return text

    async def _choice(self, place: int, delta: Delta, said: dict[str, Any]) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "index": place,
            **said,
            "logprobs": None,
            **reasons(self._choices.texts[place], delta),
        }
        if self._body.num_top is not None:
            fields["logprobs"] = {"content": await self._tokens(delta), "refusal": None}
        if self._body.return_token_ids:
            fields["token_ids"] = [] if delta.figures is None else delta.figures.id_N.tolist()
        return fields

    async def _tokens(self, delta: Delta) -> list[dict[str, Any]]:
        tokens: list[dict[str, Any]] = []
        pieces = () if delta.figures is None else in_pieces(delta.figures, self._model.tokenizer)
        for piece in pieces:
            if tokens:
                await self._turnstile.enter(_PIECE_S, self._client)
            tokens += [
                {**_candidate(token), "top_logprobs": [_candidate(each) for each in token["top"]]}
                for token in piece
            ]
        return tokens


def _candidate(token: dict[str, Any]) -> dict[str, Any]:
    return {
        "token": token["token"],
        "logprob": token["logprob"],
        "bytes": list(token["token"].encode()),
    }
