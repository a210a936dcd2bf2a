"""How probable texts are to a model: each read from its beginning, several at a time."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from service.engine.request import Chunk, Failed, Finished, Request
from service.inference.accounts import Accounts, Ticket
from service.inference.appending import Reading
from service.inference.deadline import Deadline
from service.inference.errors import InvalidOption
from service.inference.figures import TokenFigures
from service.inference.identity import Identity
from service.inference.reading import PromptEncoder, Unknown
from service.inference.request import RequestLimits
from service.inference.turnstile import Turnstile
from service.models.live import LiveModels
from service.models.registry import ServedModel
from service.rows.arrays import Int64
from service.runtime.sampling import Sampling

_AT_ONCE = 32
"""Texts of one request that are in the engine: the others would keep other clients' out."""
# What it takes of the event loop to make tokens of a text, and of a character of it, about.
_TEXT_S = 0.0003
_CHARACTER_S = 5e-7
_MOST_INLINE = 2048
_TOKEN_BYTES = 24
_CANDIDATE_BYTES = 12
_MOST_NATS = 700.0
"""Of which a float64 holds the exponential."""
_MOST_TOKENS = 5
"""Of one character: its bytes, and what a text begins with."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A text, and what the model made of it.

    Attributes:
        id_T: Ids of its tokens, without what the model reads in front of every text.
        reading: Sums over its tokens.
        figures: Of its last tokens, as many as have a probability; None if nobody asked.
    """

    id_T: Int64
    reading: Reading
    figures: TokenFigures | None

    @property
    def num_unscored(self) -> int:
        """Tokens at its beginning that have no probability, since nothing comes before them."""
        return self.reading.num_tokens - self.reading.num_scored

    @property
    def perplexity(self) -> float | None:
        """Exp of the mean surprisal in nats, which counts as 700 at most; None of no tokens."""
        if not self.reading.num_scored:
            return None
        mean = -self.reading.logprob / self.reading.num_scored
        return math.exp(min(mean, _MOST_NATS))


@dataclass(frozen=True, slots=True)
class _Text:
    id_T: Int64
    opening: int
    unknown: Unknown
    num_characters: int


class Scores:
    """Texts with their probabilities. Call `close` when they are sent.

    Attributes:
        model: That has read them.
        texts: In the order of the request.
    """

    def __init__(self, model: ServedModel, texts: list[Scored], ticket: Ticket) -> None:
        self.model = model
        self.texts = texts
        self._ticket = ticket

    def close(self) -> None:
        """Nothing of them is needed any more."""
        self._ticket.close()


class Scoring:
    """Reads texts for what is probable in them; shares what it is given with `Inference`."""

    def __init__(
        self,
        live: LiveModels,
        accounts: Accounts,
        prompts: PromptEncoder,
        limits: RequestLimits,
        turnstile: Turnstile,
    ) -> None:
        self._live = live
        self._accounts = accounts
        self._prompts = prompts
        self._limits = limits
        self._turnstile = turnstile

    async def score(
        self,
        texts: Sequence[str | Sequence[int]],
        *,
        model: str | None,
        num_top: int | None,
        timeout_s: float | None,
        identity: Identity,
        param: str = "texts",
    ) -> Scores:
        """How probable each text is, by the model's own distribution.

        Args:
            texts: Texts, or ids of tokens.
            model: `name` or `name@version`.
            num_top: Report each token, and so many of the best at its place; None: sums only.
            timeout_s: Time for all of it.
            identity: Who asks.
            param: What the client calls `texts`.

        Raises:
            InvalidOption: A text is empty or too long, or there is too much to report.
            ModelUnknown, ModelBroken, EngineError: They cannot be read now.
        """
        deadline = Deadline.after(self._limits.timeout_s(timeout_s))
        served = self._live.current.resolve(model)
        if num_top is not None:
            num_top = min(num_top, served.manifest.vocabulary_size)
        num_bytes = self._num_result_bytes(texts, num_top)
        ticket = self._accounts.accept(num_bytes, identity.allowance)
        try:
            async with deadline.bounding():
                encoded = [
                    await self._encode(served, text, f"{param}[{n}]", param, identity)
                    for n, text in enumerate(texts)
                ]
                self._require_reportable(encoded, num_top, param)
                ticket.num_tokens = sum(len(text.id_T) for text in encoded)
                scored = await self._read_all(served, encoded, num_top, deadline, identity)
        except BaseException:
            ticket.close()
            raise
        ticket.finish()
        return Scores(served, scored, ticket)

    def _num_result_bytes(self, texts: Sequence[str | Sequence[int]], num_top: int | None) -> int:
        if num_top is None:
            return 0
        most = min(sum(map(len, texts)) * _MOST_TOKENS, self._limits.max_tokens)
        return most * (_TOKEN_BYTES + num_top * _CANDIDATE_BYTES)

    def _require_reportable(
        self, encoded: Sequence[_Text], num_top: int | None, param: str
    ) -> None:
        total, most = sum(len(text.id_T) for text in encoded), self._limits.max_tokens
        if num_top is not None and total > most:
            raise InvalidOption(
                param, f"{param}: each token is told of up to {most} tokens; these are {total}"
            )

    async def _encode(
        self,
        model: ServedModel,
        text: str | Sequence[int],
        where: str,
        param: str,
        identity: Identity,
    ) -> _Text:
        unknown = Unknown()
        cost_s = _TEXT_S + min(len(text), _MOST_INLINE) * _CHARACTER_S
        await self._turnstile.enter(cost_s, identity.client)
        try:
            if isinstance(text, str):
                id_T, unknown = await self._prompts.encode(
                    model, text, None, client=identity.client, opens=False
                )
                num_characters = len(text)
            else:
                id_T = self._prompts.given(model, text, param)
                num_characters = len(await self._prompts.decode(model, text, identity.client))
        except InvalidOption as error:
            raise InvalidOption(param, f"{where}: {error}") from error
        if not len(id_T):
            raise InvalidOption(param, f"{where}: the model would read nothing of it")
        opening = 0
        if isinstance(text, str) and model.manifest.special_ids.start_before_prompt:
            id_T, opening = np.concatenate([[model.manifest.special_ids.start], id_T]), 1
        return _Text(id_T, opening, unknown, num_characters)

    async def _read_all(
        self,
        model: ServedModel,
        encoded: Sequence[_Text],
        num_top: int | None,
        deadline: Deadline,
        identity: Identity,
    ) -> list[Scored]:
        door = asyncio.Semaphore(_AT_ONCE)

        async def read(text: _Text) -> Scored:
            async with door:
                return await _read(model, text, num_top, deadline, identity)

        reading = [asyncio.ensure_future(read(text)) for text in encoded]
        try:
            return await asyncio.gather(*reading)
        finally:
            for each in reading:
                each.cancel()
            await asyncio.gather(*reading, return_exceptions=True)


async def _read(
    model: ServedModel, text: _Text, num_top: int | None, deadline: Deadline, identity: Identity
) -> Scored:
    """Read one text, forced token by token."""
    stream = model.engine.submit(
        Request(
            prompt_T=text.id_T,
            max_tokens=0,
            sampling=Sampling(seed=0, num_logprobs=num_top or 0),
            timeout_s=deadline.time_left_s,
            reports_read=True,
            client=identity.client,
            cache_salt=identity.owner,
        )
    )
    parts: list[TokenFigures] = []
    logprob, num_read = 0.0, 0
    try:
        while True:
            match await stream.next():
                case Chunk(token_N=token_N, logprobs=logprobs) if logprobs is not None:
                    figures = TokenFigures.of(token_N, logprobs, num_top or 0)
                    if num_read == 0:  # nothing comes before the first token
                        figures = figures.cut(1)
                    num_read += len(token_N)
                    logprob += float(figures.chosen_N.sum(dtype=np.float64))
                    if num_top is not None:
                        parts.append(figures)
                case Finished():
                    break
                case Failed(error):
                    raise error
    finally:
        stream.close()
    return Scored(
        id_T=text.id_T[text.opening :],
        reading=Reading(
            num_tokens=len(text.id_T) - text.opening,
            num_scored=len(text.id_T) - 1,
            logprob=logprob,
            num_characters=text.num_characters,
            unknown_tokens=text.unknown.num_tokens,
        ),
        figures=TokenFigures.joined(parts) if parts else None,
    )
