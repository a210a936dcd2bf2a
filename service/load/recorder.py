"""What is counted, and when."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from service.load.measurements import Measurements


@dataclass(frozen=True)
class Timing:
    """How long a measurement takes; what comes during the warm-up is not counted."""

    warmup_s: float
    duration_s: float


@dataclass(slots=True)
class Exchange:
    """A request and its answer so far.

    Attributes:
        since_s: From when it is timed.
        event_s: When its last event came.
        retry_after_s: What a refusal says.
        error: Its status and code, if it failed.
    """

    since_s: float
    event_s: float | None = None
    retry_after_s: float | None = None
    error: str | None = None


class Recorder:
    """Counts what falls into a window of time that begins after the warm-up.

    Args:
        timing: When the window begins and ends, from now on.
        by_arrival: Requests count by when they were due and not by when something came of them: in
            an open loop each one that is due in the window counts, however long its answer takes.
    """

    def __init__(self, timing: Timing, *, by_arrival: bool = False) -> None:
        self.found = Measurements()
        self.begins_s = time.perf_counter() + timing.warmup_s
        self.ends_s = self.begins_s + timing.duration_s
        self._by_arrival = by_arrival

    async def run(self) -> None:
        """Wait until the window is over; measures what it took of this process."""
        await _until(self.begins_s)
        cpu_before_s = time.process_time()
        await _until(self.ends_s)
        self.found.client_cpu_s = time.process_time() - cpu_before_s
        self.found.duration_s = self.ends_s - self.begins_s

    def elapsed_s(self) -> float:
        """Of the window, until now; none during the warm-up."""
        return max(0.0, min(time.perf_counter(), self.ends_s) - self.begins_s)

    def event(self, exchange: Exchange, num_tokens: int, now_s: float) -> None:
        """An event of an answer has come."""
        if self._is_in(now_s):
            self.found.num_tokens += num_tokens
            self.found.num_events += num_tokens > 0
            if exchange.event_s is not None:
                self.found.gap_s.append(now_s - exchange.event_s)
        if exchange.event_s is None and self.counts(exchange, now_s):
            self.found.first_event_s.append(now_s - exchange.since_s)
        exchange.event_s = now_s

    def ended(self, exchange: Exchange, now_s: float) -> None:
        """The answer is there, or there will be none."""
        if not self.counts(exchange, now_s):
            return
        if exchange.error is None:
            self.found.num_completed += 1
        else:
            self.found.errors[exchange.error] += 1

    def counts(self, exchange: Exchange, now_s: float) -> bool:
        """Whether this request is one of those that are measured."""
        return self._is_in(exchange.since_s if self._by_arrival else now_s)

    def _is_in(self, moment_s: float) -> bool:
        return self.begins_s <= moment_s < self.ends_s


async def _until(moment_s: float) -> None:
    await asyncio.sleep(max(0.0, moment_s - time.perf_counter()))
