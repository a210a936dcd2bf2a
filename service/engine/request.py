"""What goes into the engine and what comes out: requests, and events of a request's stream."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from service.engine.errors import EngineError
from service.rows.arrays import Float32, Int64
from service.rows.row import Row
from service.runtime.automaton import Automaton
from service.runtime.decoder import BurstResult
from service.runtime.sampling import Sampling


@dataclass(frozen=True, slots=True)
class Request:
    """Read a prompt, then write some tokens.

    Attributes:
        prompt_T: Ids to read, int64[T].
        max_tokens: How many to write; 0 only reads.
        sampling: How they are drawn.
        timeout_s: Time from submission to the last token.
        past: The row to go on from; None starts a text (then the prompt cannot be empty).
        return_row: Whether `Finished` carries the row at the end.
        rows_every: Chunks carry the row before about every so many tokens, read or written, to go
            back to; 0: none do.
        reports_read: Whether chunks carry the tokens that are read as well, for their
            log-probabilities; then all of the prompt is read, whatever is known of it.
        client: Who asks: slots are shared equally among clients.
        cache_salt: A prompt goes on only from prompts with the same salt.
        automaton: What the tokens that are written have to match; None: nothing.
    """

    prompt_T: Int64
    max_tokens: int
    sampling: Sampling
    timeout_s: float
    past: Row | None = None
    return_row: bool = False
    rows_every: int = 0
    reports_read: bool = False
    client: str = ""
    cache_salt: str = ""
    automaton: Automaton | None = None

    def __post_init__(self) -> None:
        """Refuse what could never take a first step."""
        if self.num_steps == 0:
            raise ValueError("a request must read or write at least one token")
        if self.past is None and len(self.prompt_T) == 0:
            raise ValueError("a text cannot start with an empty prompt")

    @property
    def num_steps(self) -> int:
        """Steps that it takes at most."""
        return len(self.prompt_T) + self.max_tokens


@dataclass(frozen=True, slots=True)
class TokenLogprobs:
    """Log-probabilities of a chunk's N tokens, and of the M best ids at each place."""

    chosen_N: Float32
    top_id_NM: Int64
    top_NM: Float32


@dataclass(frozen=True, slots=True)
class Chunk:
    """Tokens that one burst wrote for one request, or has read for one that asks for those.

    Attributes:
        token_N: Their ids, int64[N]; none of a burst that only has a row to carry.
        logprobs: Where the request asks for them.
        row_before: Of the text before this burst; of some chunks of a request that wants rows.
    """

    token_N: Int64
    logprobs: TokenLogprobs | None
    row_before: Row | None = None

    @classmethod
    def of(
        cls, result: BurstResult, b: int, start: int, stop: int, row_before: Row | None
    ) -> Chunk:
        """What row `b` of a burst wrote in its steps from `start` to `stop`.

        Copies: a view would keep the arrays of the whole burst for as long as its reader dawdles.
        """
        steps = slice(start, stop)
        logprobs = None
        if result.logprobs is not None:
            logprobs = TokenLogprobs(
                chosen_N=result.logprobs.chosen_KB[steps, b].copy(),
                top_id_NM=result.logprobs.top_id_KBN[steps, b].copy(),
                top_NM=result.logprobs.top_KBN[steps, b].copy(),
            )
        return cls(result.token_KB[steps, b].copy(), logprobs, row_before)

    def parts(self, most: int | None) -> Iterator[tuple[Int64, TokenLogprobs | None]]:
        """Its tokens in parts of at most `most`, with their log-probabilities."""
        num_tokens = len(self.token_N)
        size = most or num_tokens or 1
        for start in range(0, num_tokens, size):
            part = slice(start, start + size)
            logprobs = None
            if self.logprobs is not None:
                logprobs = TokenLogprobs(
                    chosen_N=self.logprobs.chosen_N[part],
                    top_id_NM=self.logprobs.top_id_NM[part],
                    top_NM=self.logprobs.top_NM[part],
                )
            yield self.token_N[part], logprobs


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event of a request that is complete, or was parked: then there is no row.

    "stop" is of a text that is all that its automaton lets it be.
    """

    reason: Literal["length", "stop", "eos", "parked"]
    row: Row | None


@dataclass(frozen=True, slots=True)
class Failed:
    """The last event of a request that has failed."""

    error: EngineError


Event = Chunk | Finished | Failed
