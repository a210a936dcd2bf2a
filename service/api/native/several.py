"""POST /generate with `n` or `best_of`: several texts that go on from one prompt."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from fastapi import Request, Response

from service.api.disconnect import unless_client_leaves
from service.api.json_bytes import Json, json_bytes
from service.api.json_pieces import JsonPieces, list_in_pieces
from service.api.native.asking import completed, extras, usage_fields
from service.api.native.generate_schemas import GenerateRequest
from service.api.native.logprobs import PIECE, in_pieces, token_logprobs
from service.api.native.resuming import digest_of
from service.api.native.resuming_several import SeveralProgress, marks_of, unseen_texts
from service.api.sse import EventStream, Failure
from service.api.state import ServiceState
from service.artifacts.tokenizer import Tokenizer
from service.inference.delta import Delta
from service.inference.figures import TokenFigures
from service.inference.request import TextRequest
from service.inference.several import SeveralTexts, WholeText

_ONLY_OF_SEVERAL = {"num_tokens", "mean_logprob"}
_Fields = tuple[dict[str, Any], TokenFigures | None]


async def write_several(
    asked: TextRequest, body: GenerateRequest, request: Request, state: ServiceState
) -> Any:
    """Write texts as `body` says, and answer with them.

    In a whole answer the failure of one text is that of the request. In a stream it is an event of
    that text, and the others go on; only if all fail before the first event has it a status.
    """
    asked = completed(asked, body, request)
    if marks := marks_of(request, body):
        asked = replace(asked, seed=marks.seed)
    several = await unless_client_leaves(
        request.receive, state.inference.start_several(asked, n=body.n, best_of=body.best_of)
    )
    request.state.log |= {"model": several.model.ref, "generation": several.id}
    close = partial(_close, several, request)
    try:
        if body.stream:
            digest = digest_of(request, body, several.model)
            return EventStream(
                _events(several, SeveralProgress(several, digest, marks)),
                close=close,
                about=partial(_about, several),
                keep_alive_s=state.stream_keep_alive_s,
            )
        texts = await unless_client_leaves(request.receive, several.collect())
    except BaseException:
        await close()
        raise
    fields = {"id": several.id, "model": several.model.ref}
    usage = {"usage": usage_fields(several.usage)}
    tokenizer = several.model.tokenizer
    if body.n == 1:
        alone, figures = _fields(texts[0])
        alone = {name: alone[name] for name in alone if name not in _ONLY_OF_SEVERAL}
        answer = fields | {"session": None} | alone | usage
        pieces = _in_pieces((answer, figures), tokenizer)
    else:
        numbered = [
            ({"index": index} | of_text, figures)
            for index, (of_text, figures) in enumerate(map(_fields, texts))
        ]
        pieces = _texts_in_pieces(fields | usage, numbered, tokenizer)
    if sum(len(text.whole.figures or ()) for text in texts) > PIECE:
        return JsonPieces(pieces, state.inference.turnstile, close)
    await close()
    return Response(b"".join(pieces), media_type=Json.media_type)


async def _events(
    several: SeveralTexts, progress: SeveralProgress
) -> AsyncIterator[tuple[str, dict[str, Any]] | Failure]:
    num_texts = num_running = progress.num_to_send
    # While nothing was sent, a failure of all texts can still have a status of its own.
    held: list[Failure] | None = []
    async for event_id, index, new in unseen_texts(several, progress):
        if isinstance(new, Exception) or new.finish_reason is not None:
            num_running -= 1
        about = {"index": index} | (_about(several) if num_running == 0 else {"id": several.id})
        if isinstance(new, Exception):
            failure = Failure(new, about)
            if held is None:
                yield failure
            else:
                held.append(failure)
                if len(held) == num_texts:
                    raise held[0].error
            continue
        for failure in held or ():
            yield failure
        held = None
        yield event_id, _event(several, index, new, about)


def _event(
    several: SeveralTexts, index: int, delta: Delta, about: dict[str, Any]
) -> dict[str, Any]:
    """A `GenerateEvent`, made without validating what we know."""
    fields = {"index": index, "text": delta.text, "num_tokens": delta.num_tokens}
    if delta.figures is not None:
        fields["logprobs"] = token_logprobs(delta.figures, several.model.tokenizer)
    if delta.finish_reason is not None:
        fields |= {
            "finish_reason": delta.finish_reason,
            "model": several.model.ref,
            "session": None,
            "seed": several.texts[index].seed,
            **about,
        }
    return fields | extras(delta)


def _about(several: SeveralTexts) -> dict[str, Any]:
    """What the last event of all says."""
    return {"id": several.id, "usage": usage_fields(several.usage)}


def _fields(text: WholeText) -> _Fields:
    """A `SeveralText` without its index, and the figures that come after these fields."""
    whole = text.whole
    fields: dict[str, Any] = {
        "text": whole.text,
        "num_tokens": whole.num_tokens,
        "finish_reason": whole.finish_reason,
        "seed": text.seed,
    }
    if text.mean_logprob is not None:
        fields["mean_logprob"] = text.mean_logprob
    return fields | extras(whole), whole.figures


def _in_pieces(text: _Fields, tokenizer: Tokenizer) -> Iterator[bytes]:
    fields, figures = text
    if figures is None:
        yield json_bytes(fields)
    else:
        yield from list_in_pieces(fields, "logprobs", in_pieces(figures, tokenizer))


def _texts_in_pieces(
    fields: dict[str, Any], texts: list[_Fields], tokenizer: Tokenizer
) -> Iterator[bytes]:
    """A `SeveralResponse`."""
    start = json_bytes(fields)[:-1] + b',"texts":['
    for text in texts:
        yield start
        yield from _in_pieces(text, tokenizer)
        start = b","
    yield b"]}"


async def _close(several: SeveralTexts, request: Request) -> None:
    usage = several.usage
    request.state.log |= {
        "num_texts": len(several.texts),
        "prompt_tokens": usage.prompt_tokens,
        "cached_tokens": usage.cached_tokens,
        "completion_tokens": usage.completion_tokens,
        "finish_reason": several.outcome,
    }
    if usage.unknown_tokens:
        request.state.log["unknown_tokens"] = usage.unknown_tokens
    await several.close()
