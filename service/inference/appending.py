"""Reading a text into a session without writing, and what the model made of it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from service.engine.request import Chunk, Failed, Finished, Request
from service.entropy import token_hex
from service.inference.accounts import Ticket
from service.inference.deadline import Deadline
from service.inference.errors import InvalidOption
from service.inference.figures import TokenFigures
from service.inference.identity import Identity
from service.inference.reading import PromptEncoder
from service.inference.trail import Trail
from service.models.registry import ServedModel
from service.rows.arrays import Int64
from service.rows.row import Row
from service.runtime.sampling import Sampling
from service.sessions.ids import pack_ids
from service.sessions.session import Recorded, Session, TurnRecord

_PIECE_CHARACTERS = 16 << 10
_MOST_TOKENS = 5
"""Of one character: its bytes, and what a text begins with."""
_CHARACTER_BYTES = 16


@dataclass(frozen=True, slots=True)
class Reading:
    """What a model made of a text that it has read.

    Attributes:
        num_tokens: Tokens that were read.
        num_scored: Those of them that had a probability: not the first one of all.
        logprob: Sum of their log-probabilities, in nats: before temperature and penalties.
        num_characters: Of the text.
        unknown_tokens: Tokens that stand for what the model has never seen.
    """

    num_tokens: int = 0
    num_scored: int = 0
    logprob: float = 0.0
    num_characters: int = 0
    unknown_tokens: int = 0

    def __add__(self, other: Reading) -> Reading:
        """Of two texts, one after the other."""
        return Reading(
            self.num_tokens + other.num_tokens,
            self.num_scored + other.num_scored,
            self.logprob + other.logprob,
            self.num_characters + other.num_characters,
            self.unknown_tokens + other.unknown_tokens,
        )

    @property
    def surprisal_bits(self) -> float:
        """How surprising the text was: minus the sum of the logarithms, to base 2."""
        return -self.logprob / math.log(2)


@dataclass(frozen=True, slots=True)
class Appended:
    """A text that a session has read. Call `close` when its figures are sent, if it has any.

    Attributes:
        session: As it is now.
        model: That has read it.
        generation: Id of the turn.
        reading: What the model made of it.
        figures: Of each token that had a probability, if they were asked for.
        ticket: Of the memory for them.
    """

    session: Session
    model: ServedModel
    generation: str
    reading: Reading
    figures: TokenFigures | None = None
    ticket: Ticket | None = None

    def close(self) -> None:
        """Nothing of it is needed any more."""
        if self.ticket is not None:
            self.ticket.close()

    @classmethod
    def recorded(cls, recorded: Recorded, model: ServedModel) -> Self:
        """One that was read before, and is asked for again."""
        reading = Reading(**json.loads(recorded.record.usage))
        return cls(recorded.session, model, recorded.record.generation, reading)


class Appender:
    """Reads one turn's text, piece by piece.

    Args:
        model: The session's.
        past: Its row; None: the start.
        prompts: Encodes.
        num_top: Report each token, and so many alternatives; None: only sums.
        most_with_logprobs: Tokens that can be reported.
        checkpoint_every: Tokens from one checkpoint to the next.
        identity: Who asks.
        deadline: Of all of it.

    Attributes:
        reading: What the model made of what is read.
    """

    def __init__(
        self,
        *,
        model: ServedModel,
        past: Row | None,
        prompts: PromptEncoder,
        num_top: int | None,
        most_with_logprobs: int,
        checkpoint_every: int,
        identity: Identity,
        deadline: Deadline,
    ) -> None:
        self.reading = Reading()
        self._model = model
        self._row = past
        self._prompts = prompts
        self._num_top = num_top
        self._most_with_logprobs = most_with_logprobs
        self._identity = identity
        self._deadline = deadline
        self._generation = "g_" + token_hex(12)
        self._every = checkpoint_every
        self._trail = Trail(past, checkpoint_every)
        self._start = past.num_tokens if past else 0
        self._ids: list[Int64] = []
        self._figures: list[TokenFigures] = []

    def num_result_bytes(self, text: str) -> int:
        """Memory that what is reported of a text may take."""
        if self._num_top is None:
            return 0
        return min(len(text), self._most_with_logprobs) * _CHARACTER_BYTES * (1 + self._num_top)

    @property
    def row(self) -> Row:
        """After what was read."""
        if self._row is None:
            raise AssertionError("nothing was read")
        return self._row

    @property
    def checkpoints(self) -> list[Row]:
        """Rows before its end."""
        self._trail.shown(self._trail.num_tokens_at(self._row) - 1)
        return self._trail.checkpoints

    async def read(self, text: str) -> None:
        """Read a text, whole.

        Raises:
            InvalidOption: There is nothing in it, or too much to report.
            EngineError: It cannot be read now.
        """
        most = min(_PIECE_CHARACTERS, max(1, self._prompts.max_tokens // _MOST_TOKENS))
        for piece in _pieces(text, most):
            id_T, unknown = await self._prompts.encode(
                self._model, piece, self._row, client=self._identity.client
            )
            if self._num_top is not None and self._num_read + len(id_T) > self._most_with_logprobs:
                most = self._most_with_logprobs
                raise InvalidOption("logprobs", f"logprobs are for texts of up to {most} tokens")
            self.reading += Reading(num_characters=len(piece), unknown_tokens=unknown.num_tokens)
            if len(id_T):
                await self._read(id_T)
        if not self._num_read:
            raise InvalidOption("text", "text: the model would read nothing of it")

    def record(self, session: Session, text: str | None) -> TurnRecord:
        """The turn; its text is None if texts are not kept."""
        keeps = text is not None
        id_T = np.concatenate(self._ids)
        reading = self.reading
        return TurnRecord(
            generation=self._generation,
            num_read=len(id_T),
            num_written=0,
            seed=session.seed,
            options="{}",
            finish_reason="appended",
            usage=json.dumps(
                {name: getattr(reading, name) for name in Reading.__dataclass_fields__}
            ),
            prompt=text,
            text="" if keeps else None,
            read=pack_ids(id_T) if keeps else None,
            written=pack_ids(id_T[:0]) if keeps else None,
        )

    def appended(self, session: Session, ticket: Ticket) -> Appended:
        """What came of it, with the session after it."""
        figures = None if self._num_top is None else TokenFigures.joined(self._figures)
        return Appended(session, self._model, self._generation, self.reading, figures, ticket)

    @property
    def _num_read(self) -> int:
        return self.reading.num_tokens

    async def _read(self, id_T: Int64) -> None:
        request = Request(
            prompt_T=id_T,
            max_tokens=0,
            sampling=Sampling(seed=0, num_logprobs=self._num_top or 0),
            timeout_s=self._deadline.time_left_s,
            past=self._row,
            return_row=True,
            rows_every=self._every,
            reports_read=True,
            client=self._identity.client,
            cache_salt=self._identity.owner,
        )
        self._ids.append(id_T)
        stream = self._model.engine.submit(request)
        try:
            while True:
                match await stream.next():
                    case Chunk() as chunk:
                        self._take(chunk)
                    case Finished(row=Row() as row):
                        self._row = row
                        self._trail.add(row)
                        return
                    case Failed(error):
                        raise error
        finally:
            stream.close()

    def _take(self, chunk: Chunk) -> None:
        if chunk.row_before is not None:
            self._trail.add(chunk.row_before)
        if chunk.logprobs is None or not len(chunk.token_N):
            return
        num_top = self._num_top or 0
        figures = TokenFigures.of(chunk.token_N, chunk.logprobs, num_top)
        if self._start + self._num_read == 0:  # nothing comes before the first token of a text
            figures = figures.cut(1)
        self.reading += Reading(
            num_tokens=len(chunk.token_N),
            num_scored=len(figures),
            logprob=float(figures.chosen_N.sum(dtype=np.float64)),
        )
        self._trail.shown(self._num_read)
        if self._num_top is not None:
            self._figures.append(figures)


def _pieces(text: str, most: int) -> Iterator[str]:
    """Parts of a text, to be encoded one by one: where a line or a word ends, if there is one."""
    start = 0
    while start < len(text):
        end = start + most
        if end < len(text):
            ends = (text.rfind("\n", start, end) + 1, text.rfind(" ", start, end))
            end = next((each for each in ends if each > start), end)
        yield text[start:end]
        start = end
