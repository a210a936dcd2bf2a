"""A request in the engine, and how far it is."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Literal

from service.engine.errors import EngineFailed
from service.engine.group import Group
from service.engine.request import Chunk, Request
from service.engine.rows.progress import Progress
from service.engine.stream import TokenStream
from service.rows.arrays import Int64
from service.rows.row import Row
from service.runtime.automaton import Constraint
from service.runtime.decoder import BurstResult

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Job:
    """A request in the engine, and how far it is.

    Attributes:
        progress: Shared with the scheduler, which books every burst in it.
        row: The row, while it is not in a slot; None is the start.
        waiting: Whether it has never had a slot.
        has_begun: Whether it is known what of its prompt it has to read.
        is_loaded: Whether the row is in its slot.
        row_at: Its row is handed out again after so many tokens.
        last_s: When it last got tokens.
        goes_back: Whether it reads an earlier place again, in another one's stead.
        group: Until its prompt is read, those it was handed in with.
        first: Its first token, if that was sent and is still to be drawn.
        constraint: What it is held to, and how far its text has come in that.
    """

    request: Request
    stream: TokenStream
    progress: Progress
    row: Row | None
    waiting: bool = True
    has_begun: bool = False
    is_loaded: bool = False
    row_at: int = 0
    last_s: float | None = None
    goes_back: bool = False
    group: Group | None = None
    first: int | None = None
    constraint: Constraint | None = None

    @classmethod
    def of(
        cls,
        request: Request,
        stream: TokenStream,
        group: Group | None = None,
        *,
        goes_back: bool = False,
    ) -> Job:
        """A request that has just come in; one that goes back does not wait at the door."""
        progress = Progress(len(request.prompt_T), request.max_tokens)
        return cls(
            request,
            stream,
            progress,
            row=request.past,
            waiting=not goes_back,
            row_at=request.rows_every,
            goes_back=goes_back,
            group=group,
            constraint=Constraint(request.automaton) if request.automaton else None,
        )

    def finish_reason(self, *, ended: bool) -> Literal["length", "stop", "eos"]:
        """Why it is over; `ended` is whether its text has ended by itself."""
        if not ended:
            return "length"
        return "eos" if self.constraint is None else "stop"

    @property
    def shows_first(self) -> bool:
        """Whether its first token can be sent before it draws it.

        Not if log-probabilities are sent with it, if it is held to an automaton, or if it is drawn
        in a way that only bursts know.
        """
        sampling = self.request.sampling
        is_told_more = sampling.num_logprobs is not None
        return sampling.is_plain and not is_told_more and self.request.automaton is None

    @property
    def can_begin(self) -> bool:
        """Whether its first token can be sent now."""
        return (
            self.stream.num_sent == 0
            and self.is_loaded
            and self.progress.num_to_read == 0
            and self.progress.num_to_write > 0
            and self.shows_first
        )

    def begin(self, chunk: Chunk) -> None:
        """Its first token is sent."""
        self.first = int(chunk.token_N[0])
        self.stream.num_sent += 1

    def chunk_of(
        self, result: BurstResult, b: int, num_read: int, row_before: Row | None
    ) -> Chunk | None:
        """What it gets of a burst in which it is row `b`; None if that is nothing.

        Args:
            result: What the burst did.
            b: Its place in it.
            num_read: Tokens of its prompt that were read there.
            row_before: To go back to.

        Raises:
            EngineFailed: What was sent first is not what was drawn now.
        """
        num_steps = int(result.num_steps_B[b])
        start = 0 if self.request.reports_read else num_read
        if self.first is not None:
            if self.first != result.token_KB[0, b]:
                error = EngineFailed("a first token was drawn twice, and was another one then")
                _log.error("request %d: %s", self.stream.request_id, error)
                raise error
            self.first, start = None, 1
        if num_steps == start and row_before is None:
            return None
        self.stream.num_sent += num_steps - start
        return Chunk.of(result, b, start, num_steps, row_before)

    def num_read_at(self, row: Row | None) -> int:
        """Tokens of the prompt that have been read at a row; None is the start."""
        past = self.request.past
        return 0 if row is None else row.num_tokens - (past.num_tokens if past else 0)

    def next_to_read(self, num_tokens: int) -> Int64:
        """The next tokens of the prompt."""
        num_read = self.progress.num_read
        return self.request.prompt_T[num_read : num_read + num_tokens]
