"""What an engine tells of its work: numbers, to whoever listens.

The engine knows nobody who counts, measures or traces; it is given an `Observer`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

Outcome = Literal["finished", "failed", "closed"]
"""How a request ends in the engine: by itself, by an error, or because nobody reads it any more."""


@dataclass(frozen=True, slots=True)
class Timings:
    """When a request was where, in seconds of the engine's clock, which is monotonic.

    A time is None until the moment has come; a request that leaves early never has some of them.

    Attributes:
        arrived_s: It was handed in.
        started_s: It has got its first slot: until then it was in the queue.
        first_s: Its first tokens were there: until then its prompt was read.
        ended_s: It was over.
    """

    arrived_s: float
    started_s: float | None = None
    first_s: float | None = None
    ended_s: float | None = None

    @property
    def queue_s(self) -> float | None:
        """How long it has waited for a slot; all of its time, if it never got one."""
        return _between(self.arrived_s, self.started_s or self.ended_s)

    @property
    def read_s(self) -> float | None:
        """From the slot to the first tokens, or to an end without any."""
        return _between(self.started_s, self.first_s or self.ended_s)

    @property
    def write_s(self) -> float | None:
        """From the first tokens to the end, pauses for a slow reader included."""
        return _between(self.first_s, self.ended_s)


@dataclass(frozen=True, slots=True)
class BurstStats:
    """What a burst did.

    Attributes:
        reading: Whether it was one of rows that read.
        num_rows: That took part.
        capacity: Slots of its lane.
        num_steps: Of its longest row.
        num_read: Tokens that were read, of all rows.
        num_written: Tokens that were written, of all rows.
        duration_s: Of the run of the model.
        gaps: How often a text had its tokens so long after the ones before, by the seconds and by
            the number of tokens that came then.
    """

    reading: bool
    num_rows: int
    capacity: int
    num_steps: int
    num_read: int
    num_written: int
    duration_s: float
    gaps: Mapping[tuple[float, int], int]


@dataclass(frozen=True, slots=True)
class EndedStats:
    """What a request was that has ended.

    Attributes:
        outcome: How it ended.
        timings: When it was where.
        num_prompt: Tokens of its prompt.
        num_cached: Those of them that need not be read.
        num_sent: Tokens that its stream has carried.
    """

    outcome: Outcome
    timings: Timings
    num_prompt: int
    num_cached: int
    num_sent: int


class Observer(Protocol):
    """Hears of one engine's work.

    It is called by the engine's threads, one at a time, between bursts: it must be quick, and must
    never wait or fail.
    """

    def burst(self, stats: BurstStats) -> None:
        """A burst is settled."""

    def ended(self, stats: EndedStats) -> None:
        """A request is over, and its last event is about to be published, if anybody reads it."""


class Unobserved:
    """The `Observer` of an engine that nobody watches."""

    def burst(self, stats: BurstStats) -> None:
        """Nothing."""

    def ended(self, stats: EndedStats) -> None:
        """Nothing."""


def _between(start_s: float | None, end_s: float | None) -> float | None:
    return None if start_s is None or end_s is None else max(0.0, end_s - start_s)
