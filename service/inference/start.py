"""Starts generations: finds model and session, encodes the prompt, hands it to the engine."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from service.engine.request import Request
from service.inference.errors import InvalidOption
from service.inference.running import Generation, read_row
from service.inference.turn import Turn
from service.models.registry import ModelRegistry, ServedModel
from service.rows.arrays import Int64
from service.rows.row import Row
from service.runtime.sampling import Sampling
from service.sessions.session import Session
from service.sessions.store import SessionStore

_T = TypeVar("_T")
_MAX_INLINE_CHARACTERS = 2048
SEED_BITS = 63


@dataclass(frozen=True, slots=True)
class GenerationLimits:
    """What one request may ask of this server; times in seconds."""

    default_max_tokens: int = 256
    max_tokens: int = 16_384
    max_prompt_tokens: int = 65_536
    max_timeout_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks.

    Attributes:
        name: The server's slots are shared equally among names.
        salt: What others have sent can be told by how fast one's own prompt is read; not by those
            of another salt.
    """

    name: str = ""
    salt: str = ""


ANYBODY = Client()


@dataclass(frozen=True, slots=True)
class Options:
    """What a client asks for; None takes the session's, the model's, or the server's default.

    The sampling options are those of `runtime.decoder.Sampling`.

    Attributes:
        prompt: Text to read first.
        max_tokens: Tokens to write.
        stop: Strings that end the text; they are not part of it.
        stream_every: Most tokens of one event.
        timeout_s: Time for all of it.
        session: Session to continue.
        model: `name` or `name@version`.
        client: Who asks.
    """

    prompt: str = ""
    max_tokens: int | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    logprobs: int | None = None
    stream_every: int | None = None
    timeout_s: float | None = None
    session: str | None = None
    model: str | None = None
    client: Client = ANYBODY


class Generator:
    """The way from a client's options to a running generation."""

    def __init__(
        self, models: ModelRegistry, sessions: SessionStore, limits: GenerationLimits
    ) -> None:
        self.models = models
        self.sessions = sessions
        self._limits = limits
        # One at a time: a character takes 150 bytes while it is tokenised.
        self._long_prompts = asyncio.Lock()

    async def start(self, options: Options) -> Generation:
        """Start a generation; its text comes out of `Generation.deltas`, and `close` must follow.

        Raises:
            InvalidOption, ModelUnknown, SessionError, EngineError: Nothing has changed.
        """
        max_tokens = self._checked_max_tokens(options.max_tokens)
        timeout_s = self._checked_timeout(options.timeout_s)
        turn = None
        if options.session is not None:
            turn = Turn(self.sessions, await self.sessions.begin_turn(options.session))
        try:
            model = self._model_of(options.model, turn.session if turn else None)
            past = turn.session.row if turn else None
            sampling = _sampling(options, model, turn.session if turn else None)
            prompt_T = await self._encode(model, options.prompt, past)
            request = Request(
                prompt_T=prompt_T,
                max_tokens=max_tokens,
                sampling=sampling,
                timeout_s=timeout_s,
                past=past,
                return_row=turn is not None,
                client=options.client.name,
                cache_salt=options.client.salt,
            )
            stream = model.engine.submit(request)
        except BaseException:
            if turn:
                await turn.abandon()
            raise
        return Generation(
            model=model,
            request=request,
            stream=stream,
            stop=options.stop,
            stream_every=options.stream_every,
            turn=turn,
        )

    async def create_session(
        self, *, prompt: str, model: str | None, seed: int | None, client: Client = ANYBODY
    ) -> Session:
        """A new session that has read `prompt`.

        Raises:
            InvalidOption, ModelUnknown, EngineError: It cannot be created.
        """
        served = self._model_of(model, None)
        seed = secrets.randbits(SEED_BITS) if seed is None else seed
        row = None
        if prompt:
            prompt_T = await self._encode(served, prompt, None)
            request = Request(
                prompt_T=prompt_T,
                max_tokens=0,
                sampling=Sampling(seed=seed),
                timeout_s=self._limits.max_timeout_s,
                return_row=True,
                client=client.name,
                cache_salt=client.salt,
            )
            row = await read_row(served.engine.submit(request))
        return await self.sessions.create(model=served.ref, row=row, seed=seed)

    def _model_of(self, name: str | None, session: Session | None) -> ServedModel:
        if session is None:
            return self.models.resolve(name)
        model = self.models.resolve(session.model)
        if name is not None and self.models.resolve(name) is not model:
            raise InvalidOption("model", f"session {session.id} belongs to {session.model}")
        return model

    async def _encode(self, model: ServedModel, prompt: str, past: Row | None) -> Int64:
        limit = self._limits.max_prompt_tokens
        too_long = f"the prompt is longer than {limit} tokens"
        # Before tokenising: a giant prompt must cost nothing.
        if len(prompt) > limit * model.tokenizer.max_characters_per_token:
            raise InvalidOption("prompt", too_long)
        if len(prompt) <= _MAX_INLINE_CHARACTERS:
            prompt_T = _to_ids(model, prompt)
        else:
            async with self._long_prompts:
                prompt_T = await asyncio.to_thread(_to_ids, model, prompt)
        if len(prompt_T) > limit:
            raise InvalidOption("prompt", f"{too_long}: it has {len(prompt_T)}")
        ids = model.manifest.special_ids
        if past is None and (len(prompt_T) == 0 or ids.start_before_prompt):
            prompt_T = np.concatenate([np.array([ids.start]), prompt_T])
        return prompt_T

    def _checked_max_tokens(self, max_tokens: int | None) -> int:
        if max_tokens is None:
            return min(self._limits.default_max_tokens, self._limits.max_tokens)
        if max_tokens > self._limits.max_tokens:
            raise InvalidOption(
                "max_tokens", f"max_tokens must be at most {self._limits.max_tokens} here"
            )
        return max_tokens

    def _checked_timeout(self, timeout_s: float | None) -> float:
        if timeout_s is None:
            return self._limits.max_timeout_s
        if timeout_s > self._limits.max_timeout_s:
            limit = f"{self._limits.max_timeout_s:g}"
            raise InvalidOption("timeout_s", f"timeout_s must be at most {limit} here")
        return timeout_s


def _to_ids(model: ServedModel, text: str) -> Int64:
    return np.array(model.tokenizer.encode(text), np.int64)


def _sampling(options: Options, model: ServedModel, session: Session | None) -> Sampling:
    """The request's own options before the model's defaults before the server's."""
    seed = options.seed
    if seed is None:
        seed = session.seed if session else secrets.randbits(SEED_BITS)
    defaults = model.manifest.defaults
    temperature = _first(options.temperature, defaults.temperature)
    num_logprobs = options.logprobs
    if num_logprobs is not None:
        num_logprobs = min(num_logprobs, model.manifest.vocabulary_size)
    return Sampling(
        seed=seed,
        temperature=1.0 if temperature is None else temperature,
        top_k=_first(options.top_k, defaults.top_k),
        top_p=_first(options.top_p, defaults.top_p),
        min_p=_first(options.min_p, defaults.min_p),
        repetition_penalty=options.repetition_penalty,
        presence_penalty=options.presence_penalty,
        frequency_penalty=options.frequency_penalty,
        num_logprobs=num_logprobs,
    )


def _first(*values: _T | None) -> _T | None:
    return next((value for value in values if value is not None), None)
