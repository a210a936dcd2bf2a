"""POST /v1/completions: texts that go on from prompts, as OpenAI's clients ask for them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from fastapi import APIRouter, Depends, Request, Response

from service.api.direct import DirectRoute
from service.api.disconnect import unless_client_leaves
from service.api.identity import identity_of
from service.api.json_bytes import json_bytes
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
from service.api.openai.fields import Prompt
from service.api.openai.logprobs import PIECE, LogprobsWriter, joined
from service.api.openai.schemas import CompletionRequest, CompletionResponse
from service.api.sse import EventStream
from service.api.state import ServiceState, State, accepts_work
from service.inference.choices import Choices
from service.inference.delta import Delta
from service.inference.identity import Identity
from service.inference.request import TextRequest
from service.inference.running import RunningText
from service.inference.scoring import Scored, Scores

_PIECE_S = 0.001

router = APIRouter(route_class=DirectRoute, tags=["openai"])


@dataclass(frozen=True, slots=True)
class _Echo:
    """A prompt as it is repeated, and its tokens if they are told of."""

    text: str = ""
    scored: Scored | None = None


@dataclass(frozen=True, slots=True)
class _Echoes:
    """All prompts of a request; `close` must follow."""

    prompts: list[_Echo]
    scores: Scores | None = None

    def close(self) -> None:
        """They are sent."""
        if self.scores is not None:
            self.scores.close()


@router.post(
    "/v1/completions",
    summary="Complete prompts (OpenAI)",
    response_model=CompletionResponse,
    dependencies=[Depends(accepts_work)],
    responses=openai_responses() | streamed("CompletionResponse"),
)
async def complete(body: CompletionRequest, request: Request, state: State) -> Any:
    """Go on from each prompt; with `stream: true`, chunks of the texts as they are written."""
    identity = identity_of(request)
    asked = [_asked(body, prompt, identity) for prompt in body.prompt]
    echoes = await unless_client_leaves(request.receive, _echoes(body, state, identity))
    try:
        beginning = Choices.start(state.inference, asked, n=body.n, best_of=body.best_of)
        choices = await unless_client_leaves(request.receive, beginning)
    except BaseException:
        echoes.close()
        raise
    completion = _Completion(body, choices, echoes.prompts, state, identity.client)
    close = partial(_close, choices, echoes, request)
    if body.stream:
        return EventStream(
            completion.chunks(),
            close=close,
            about=dict,
            keep_alive_s=state.stream_keep_alive_s,
            failure=failure,
            end=DONE,
        )
    try:
        content = await unless_client_leaves(request.receive, completion.whole())
    finally:
        await close()
    return Response(content, media_type="application/json")


async def _close(choices: Choices, echoes: _Echoes, request: Request) -> None:
    log_usage(request, choices.texts)
    echoes.close()
    await choices.close()


def _asked(body: CompletionRequest, prompt: Prompt, identity: Identity) -> TextRequest:
    logprobs = body.logprobs
    if body.return_token_ids:  # they are needed, though not told of
        logprobs = logprobs or 0
    return TextRequest(
        prompt=prompt if isinstance(prompt, str) else "",
        prompt_ids=None if isinstance(prompt, str) else prompt,
        model=body.model,
        max_tokens=body.max_tokens,
        options=body.merged(),
        tokens=body.tokens,
        seed=body.first_seed,
        stop=body.stops,
        logprobs=logprobs,
        is_streamed=body.stream,
        identity=identity,
        cache_salt=body.cache_salt or "",
        pattern=body.pattern,
    )


async def _echoes(body: CompletionRequest, state: ServiceState, identity: Identity) -> _Echoes:
    """What is repeated of each prompt."""
    if not body.echo:
        return _Echoes([_Echo() for _ in body.prompt])
    inference = state.inference
    model = inference.models.resolve(body.model)
    texts = [
        model.tokenizer.clean(prompt)
        if isinstance(prompt, str)
        else await inference.prompts.decode(model, prompt, identity.client)
        for prompt in body.prompt
    ]
    if body.logprobs is None:
        return _Echoes([_Echo(text) for text in texts])
    scores = None
    scored: dict[int, Scored] = {}
    places = [n for n, text in enumerate(texts) if text]
    if places:
        scores = await inference.scoring.score(
            [body.prompt[n] for n in places],
            model=body.model,
            num_top=body.logprobs,
            timeout_s=None,
            identity=identity,
            param="prompt",
        )
        scored = dict(zip(places, scores.texts, strict=True))
    return _Echoes([_Echo(text, scored.get(n)) for n, text in enumerate(texts)], scores)


class _Completion:
    """The answer to one request, whole or as chunks."""

    def __init__(
        self,
        body: CompletionRequest,
        choices: Choices,
        echoes: list[_Echo],
        state: ServiceState,
        client: str,
    ) -> None:
        self._body = body
        self._choices = choices
        self._echoes = echoes
        self._turnstile = state.inference.turnstile
        self._client = client
        model = choices.texts[0].model
        self._head = head("text_completion", "cmpl-", model)
        self._writers = [LogprobsWriter(model.tokenizer) for _ in choices.texts]

    async def chunks(self) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """Chunks of a stream."""
        waiting = set(range(len(self._choices.texts)))
        async for place, delta in self._choices.deltas():
            first = place in waiting
            waiting.discard(place)
            yield "", self._chunk([await self._choice(place, delta, place, begins=first)])
        if self._body.tells_usage:
            yield "", self._chunk([], usage_of(self._choices.texts, self._body.num_choices))

    def _chunk(self, choices: list[dict[str, Any]], usage: object = None) -> dict[str, Any]:
        fields = {**self._head, "choices": choices}
        return fields | {"usage": usage} if self._body.tells_usage else fields

    async def whole(self) -> bytes:
        """All texts, as JSON."""
        deltas = await self._choices.collect()
        parts = []
        for index, place in enumerate(self._kept(deltas)):
            parts.append(json_bytes(await self._choice(place, deltas[place], index, begins=True)))
            await self._turnstile.enter(_PIECE_S, self._client)
        usage = usage_of(self._choices.texts, self._body.num_choices)
        front = json_bytes(self._head)[:-1] + b',"choices":['
        return front + b",".join(parts) + b'],"usage":' + json_bytes(usage) + b"}"

    def _kept(self, deltas: list[Delta]) -> list[int]:
        """The places of the texts that are given: all, or the n best of each prompt."""
        number, kept = self._body.num_choices, self._body.n
        found: list[int] = []
        for start in range(0, len(deltas), number):
            places = range(start, start + number)
            if kept < number:
                places = sorted(places, key=lambda n: -_mean_logprob(deltas[n]))[:kept]  # type: ignore[assignment] # a sequence of ints too
            found += places
        return found

    async def _choice(
        self, place: int, delta: Delta, index: int, *, begins: bool
    ) -> dict[str, Any]:
        """A `CompletionChoice`."""
        text = self._choices.texts[place]
        echo = self._echoes[place // self._body.num_choices] if begins else _Echo()
        fields: dict[str, Any] = {
            "index": index,
            "text": echo.text + delta.text,
            "logprobs": None,
            **reasons(text, delta),
        }
        if self._body.logprobs is not None:
            fields["logprobs"] = await self._logprobs(place, echo, delta)
        if self._body.return_token_ids:
            fields |= _token_ids(text, delta, begins=begins)
        return fields

    async def _logprobs(self, place: int, echo: _Echo, delta: Delta) -> dict[str, list[Any]]:
        writer = self._writers[place]
        parts, told = [writer.unscored([])], [delta.figures]
        if echo.scored is not None:
            parts.append(writer.unscored(echo.scored.id_T[: echo.scored.num_unscored].tolist()))
            told = [echo.scored.figures, delta.figures]
        for figures in told:
            for start in range(0, 0 if figures is None else len(figures), PIECE):
                if start:
                    await self._turnstile.enter(_PIECE_S, self._client)
                parts.append(writer.scored(figures.cut(start, start + PIECE)))  # type: ignore[union-attr] # else the range is empty
        return joined(parts)


def _mean_logprob(delta: Delta) -> float:
    """Of a text's tokens; an empty text is as good as certain."""
    if delta.figures is None or not len(delta.figures):
        return 0.0
    return float(delta.figures.chosen_N.mean(dtype=np.float64))


def _token_ids(text: RunningText, delta: Delta, *, begins: bool) -> dict[str, Any]:
    ids = [] if delta.figures is None else delta.figures.id_N.tolist()
    return {"token_ids": ids, "prompt_token_ids": text.prompt_T.tolist() if begins else None}
