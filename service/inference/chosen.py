"""A text that is one of some choices."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import numpy as np

from service.engine.request import Request
from service.entropy import token_hex
from service.inference.accounts import Ticket
from service.inference.choosing import Choosing, EncodedChoice, Float64, probabilities
from service.inference.delta import Choice, Delta, FinishReason
from service.inference.observer import Witness
from service.inference.reading import Unknown
from service.inference.turn import Outcome, Turn, counted_as_generated
from service.inference.usage import Usage
from service.models.registry import ServedModel
from service.rows.row import Row
from service.runtime.randomness import uniforms
from service.runtime.sampling import Sampling


class ChosenText:
    """What `RunningText` is of a text that is written token by token, of one that is chosen.

    Attributes:
        id: For the response and the logs.
        model: What chooses.
        turn: The session's turn, if it continues one.
        outcome: One word for the log.
    """

    def __init__(
        self,
        *,
        model: ServedModel,
        request: Request,
        choosing: Choosing,
        unknown: Unknown,
        tells: bool,
        turn: Turn | None,
        ticket: Ticket,
        witness: Witness,
        seal: Callable[[Row], Awaitable[str]] | None = None,
    ) -> None:
        self.id = "g_" + token_hex(12)
        self.model, self.turn = model, turn
        self.finish_reason: FinishReason | None = None
        self._request, self._choosing, self._unknown = request, choosing, unknown
        self._tells, self._ticket, self._witness, self._seal = tells, ticket, witness, seal
        self._has_failed = False
        self._num_written = 0

    @property
    def session_id(self) -> str | None:
        """Of the session that it goes on."""
        return self.turn.session.id if self.turn else None

    @property
    def seed(self) -> int:
        """What it is drawn with."""
        return self._request.sampling.seed

    @property
    def outcome(self) -> str:
        """One word for the log: why it ended."""
        return self.finish_reason or ("failed" if self._has_failed else "left")

    @property
    def usage(self) -> Usage:
        """Tokens of the prompt, and of the text that was chosen."""
        return Usage(
            prompt_tokens=len(self._request.prompt_T),
            cached_tokens=self._choosing.num_cached,
            completion_tokens=self._num_written,
            unknown_tokens=self._unknown.num_tokens,
            unknown=self._unknown.pieces,
        )

    async def deltas(self) -> AsyncIterator[Delta]:
        """All of it as one delta."""
        yield await self.collect()

    async def collect(self) -> Delta:
        """The text; a session is committed before it is given.

        Raises:
            EngineError: It has failed; a session is as it was.
            SessionGone: The session was deleted meanwhile.
        """
        try:
            delta = await self._chosen()
        except Exception:
            self._has_failed = True
            raise
        self._witness.delta()
        return delta

    async def close(self) -> None:
        """Free what it holds, and leave the session as it was unless the turn is complete."""
        await self._choosing.close()
        num_read = sum(len(choice.id_T) for choice in self._choosing.choices)
        self._ticket.num_tokens = len(self._request.prompt_T) + num_read
        self._ticket.close()
        times = self._choosing.timings
        self._witness.ended(self.id, self.model.ref, self.outcome, times, self.usage, self._request)
        if self.turn:
            await self.turn.abandon()

    async def _chosen(self) -> Delta:
        read = await self._choosing.read()
        sampling = self._request.sampling
        temperature = 1.0 if sampling.temperature is None else sampling.temperature
        probability_N = probabilities([each.logprob for each in read], temperature)
        place = self._drawn(probability_N)
        choice, row = self._choosing.choices[place], read[place].row
        row = counted_as_generated(row, self._request.past, choice.id_T)
        self._num_written = len(choice.id_T)
        capsule = await self._seal(row) if self._seal else None
        if self.turn:
            await self._commit(self.turn, choice, row)
        self._ticket.finish()
        self.finish_reason = "stop"
        told = tuple(
            Choice(each.text, of_each.logprob, float(probability))
            for each, of_each, probability in zip(
                self._choosing.choices, read, probability_N, strict=True
            )
        )
        return Delta(
            text=choice.text,
            num_tokens=self._num_written,
            finish_reason=self.finish_reason,
            usage=self.usage,
            capsule=capsule,
            choices=told if self._tells else None,
        )

    def _drawn(self, probability_N: Float64) -> int:
        """By inverting the cumulative distribution, with the number of the text's next position."""
        past, seed = self._request.past, np.array([self.seed], np.uint64)
        position = (past.num_tokens if past else 0) + len(self._request.prompt_T)
        uniform = float(uniforms(seed, np.array([position]))[0])
        cumulative_N = np.cumsum(probability_N)
        return int((cumulative_N <= uniform * cumulative_N[-1]).sum())

    async def _commit(self, turn: Turn, choice: EncodedChoice, row: Row) -> None:
        turn.wrote(choice.text)
        await turn.commit(
            Outcome(
                row=self.model.kept(row),
                checkpoints=[],
                generation=self.id,
                read_T=self._request.prompt_T,
                written_T=choice.id_T,
                # What a model's own defaults say beside it was not looked at.
                sampling=Sampling(seed=self.seed, temperature=self._request.sampling.temperature),
                max_tokens=0,
                usage=self.usage,
                reason="stop",
            )
        )
