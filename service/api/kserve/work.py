"""A text that is written for a request of the Open Inference Protocol, and its sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import Request

from service.api.disconnect import unless_client_leaves
from service.api.identity import identity_of
from service.api.kserve.answers import model_of
from service.api.kserve.schemas import InferenceRequest, Parameters
from service.api.native.logprobs import in_pieces
from service.api.state import ServiceState
from service.inference.delta import Delta
from service.inference.identity import Identity
from service.inference.request import TextRequest
from service.inference.several import Text

_PIECE_S = 0.001
_REASONS = {"length": "length", "eos": "eos_token", "stop": "stop_sequence", "parked": "length"}


@dataclass(slots=True)
class Work:
    """A text that is written for a request, and the sequence that it is part of."""

    text: Text
    body: InferenceRequest
    parameters: Parameters
    request: Request
    state: ServiceState
    identity: Identity

    async def close(self) -> None:
        """Free its row; a sequence whose first request came to nothing has not begun."""
        log_usage(self.request, [self.text])
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


async def begun(
    model: str,
    version: str | None,
    body: InferenceRequest,
    request: Request,
    state: ServiceState,
    *,
    streams: bool,
    timeout_s: float | None = None,
) -> Work:
    """Start a text; `close` must follow.

    Args:
        model: Name in the path.
        version: Likewise, if there is one.
        body: What is asked for.
        request: Of the client.
        state: Of the service.
        streams: Whether it is told piece by piece.
        timeout_s: For the whole request.

    Raises:
        InvalidOption, ModelUnknown, SessionError, EngineError and others: It cannot be begun; a
            sequence that begins with it has not begun.
    """
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
        timeout_s=timeout_s,
        identity=identity,
    )
    try:
        text = await unless_client_leaves(request.receive, state.inference.start(asked))
    except BaseException:
        if name is not None and session_id is not None and parameters.sequence_start:
            await state.sequences.end(name, session_id, identity)
        raise
    return Work(text, body, parameters, request, state, identity)


def log_usage(request: Request, texts: Sequence[Text]) -> None:
    """What the log says of a request."""
    usages = [text.usage for text in texts]
    request.state.log |= {
        "model": texts[0].model.ref,
        "generation": texts[0].id,
        "prompt_tokens": sum(usage.prompt_tokens for usage in usages),
        "cached_tokens": sum(usage.cached_tokens for usage in usages),
        "completion_tokens": sum(usage.completion_tokens for usage in usages),
        "finish_reason": ",".join(dict.fromkeys(text.outcome for text in texts)),
    }
