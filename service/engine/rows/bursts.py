"""The next burst: who takes part, whether they read or write, how long it is; and running it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from service.engine.limits import EngineLimits
from service.engine.rows.burst_length import BurstLength
from service.engine.rows.job import Job
from service.engine.rows.scheduler import Scheduler, Share
from service.rows.arrays import Int64
from service.rows.row import Row
from service.runtime.decoder import SAMPLED, Burst, BurstResult, Decoder

_MOST_BESIDE = 2.0
"""Times as long as a burst should be lasts one of a crowd and somebody else, at most."""

_MOST_FIRST = 3
"""Bursts of those who go first behind each other, while others wait to write."""


_Kind = tuple[bool, list[Share]]
"""Those of a lane that read, or those that write: True for reading."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A burst: who takes part, for how many steps each, and whether it is one of readers.

    Attributes:
        num_read_B: How many of each row's steps read its prompt: the first of them.
        rows_before: The rows before it, of those who may have to go back to them.
    """

    shares: list[Share]
    jobs: list[Job]
    num_steps_B: Int64
    num_read_B: Int64
    reading: bool
    rows_before: list[Row | None] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Ran:
    """What a burst did, and in how many seconds."""

    result: BurstResult
    duration_s: float


class Bursts:
    """Those that read and those that write take turns; each kind learns its own length.

    Of those that write, the ones of whom nothing was seen yet begin, alone and for a moment: until
    their first token is known, which so need not wait for a long burst of all others.

    Where one client has a crowd of rows, those of others begin before it, and its bursts are short.

    Args:
        decoder: The model.
        limits: How long a burst should be.
        clock: Seconds, monotonic.
        busy_clock: Seconds that the calling thread has been running. Bursts are measured with it:
            where others take the processor away, or the interpreter's lock, steps only seem long,
            and shorter bursts would make more events of the same text, and so the machine busier.

    Attributes:
        tokens_per_s: Read and written, lately.
        is_running: Whether it is too late to be let into the burst that is planned or runs.
        is_reading: Whether that burst reads: such are short, and do not end early.
        all_since_s: When the last burst began in which all write, not only those who go first.
    """

    def __init__(
        self,
        decoder: Decoder,
        limits: EngineLimits,
        clock: Callable[[], float],
        busy_clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self.tokens_per_s = 0.0
        self.is_running = self.is_reading = False
        self.all_since_s = -math.inf
        self._interrupted = np.array(False)
        self._decoder = decoder
        self._clock, self._busy_clock = clock, busy_clock
        target_s, max_steps = limits.target_burst_s, limits.max_burst_steps
        self._most_beside_s = _MOST_BESIDE * target_s
        self._read_length = BurstLength(target_s, max_steps)
        self._write_length = BurstLength(target_s, max_steps, limits.event_s)
        self._was_reading = False
        self._num_first = 0  # bursts of those who go first, since all wrote together

    def interrupt(self) -> None:
        """End the burst that runs, after one of its next steps; from any thread."""
        self._interrupted[...] = True

    def take_up(self) -> None:
        """Whoever interrupts from now on means the next burst."""
        self._interrupted[...] = False
        self.is_running = True

    def plan(self, scheduler: Scheduler, jobs: Mapping[int, Job], lane: int = 0) -> Plan | None:
        """The next burst of a lane, or None if there is nobody to run."""
        most_to_ride = self._write_length.num_steps(scheduler.num_rows(lane))
        kinds = [
            (reading, scheduler.plan(lane=lane, reading=reading, most_to_ride=most_to_ride))
            for reading in (not self._was_reading, self._was_reading)
        ]
        outsiders = _outsiders(kinds, jobs, scheduler.crowd)
        turn = self._turn(kinds, jobs, outsiders)
        if turn is None:
            self.is_running = False
            return None
        reading, shares, begins = turn
        taking_part = [jobs[share.request_id] for share in shares]
        most_steps_B = np.array([share.most_steps for share in shares])
        num_to_read_B = np.array([job.progress.num_to_read for job in taking_part])
        if begins and num_to_read_B.all() and all(job.shows_first for job in taking_part):
            # They need no step to be seen, only to have read.
            reading, most_steps_B = True, num_to_read_B
        most_s = self._most_beside_s if outsiders else math.inf
        max_steps = self._length(reading=reading).num_steps(len(shares), most_s)
        if begins and not reading:
            max_steps = min(max_steps, int(num_to_read_B.max()) + 1)
        num_steps_B = np.minimum(most_steps_B, max_steps)
        num_read_B = np.minimum(num_steps_B, num_to_read_B)
        self.is_reading = reading
        if not (reading or begins):
            self.all_since_s = self._clock()
        return Plan(shares, taking_part, num_steps_B, num_read_B, reading)

    def _turn(
        self, kinds: list[_Kind], jobs: Mapping[int, Job], outsiders: set[int]
    ) -> tuple[bool, list[Share], bool] | None:
        """Whose turn it is: whether they read, who, and whether they write and begin."""
        for reading, shares in kinds if self._num_first < _MOST_FIRST else ():
            if first := [share for share in _unseen(shares, jobs) if share.request_id in outsiders]:
                self._num_first += 1
                return reading, first, not reading
        for reading, shares in kinds:
            if not shares:
                continue
            first = [] if reading else self._first(shares, jobs)
            if not first or len(first) == len(shares):  # all of the kind
                self._was_reading = reading
            return reading, first or shares, bool(first)
        return None

    def _first(self, shares: list[Share], jobs: Mapping[int, Job]) -> list[Share]:
        """Those of whom nothing was seen yet; none of them, if such have just had their turn."""
        first = _unseen(shares, jobs)
        if self._num_first and len(first) < len(shares):
            first = []
        self._num_first = self._num_first + 1 if first else 0
        return first

    def run(self, plan: Plan) -> Ran:
        """Run the burst of a plan."""
        try:
            return self._run(plan)
        finally:
            self.is_running = False

    def _run(self, plan: Plan) -> Ran:
        jobs = plan.jobs
        # Nobody looks at what is behind a row's last step, and reading something costs least.
        k_K1 = np.arange(int(plan.num_steps_B.max()))[:, None]
        forced_KB = np.where(k_K1 < plan.num_steps_B, SAMPLED, 0)
        for b, num_read in enumerate(plan.num_read_B):
            if num_read > 0:
                forced_KB[:num_read, b] = jobs[b].next_to_read(num_read)
        slot_B = np.array([share.slot for share in plan.shares])
        keep_B = np.array([plan.reading or job.request.return_row for job in jobs])
        scored_B = np.array([job.request.reports_read for job in jobs])
        # Those that read draw nothing yet.
        constraints = [None if plan.reading else job.constraint for job in jobs]
        started_s, was_busy_s = self._clock(), self._busy_clock()
        result = self._decoder.burst(
            Burst(
                slot_B,
                forced_KB,
                plan.num_steps_B,
                keep_B,
                scored_B if scored_B.any() else None,
                constraints if any(constraints) else None,
                self._interrupted,
            )
        )
        duration_s = max(self._clock() - started_s, 1e-9)
        busy_s = (self._busy_clock() - was_busy_s) or duration_s  # where that clock ticks slowly
        self._length(reading=plan.reading).observe(len(jobs), len(result.token_KB), busy_s)
        tokens_per_s = float(result.num_steps_B.sum()) / duration_s
        self.tokens_per_s += 0.1 * (tokens_per_s - self.tokens_per_s)
        return Ran(result, duration_s)

    def _length(self, *, reading: bool) -> BurstLength:
        return self._read_length if reading else self._write_length


def _outsiders(kinds: list[_Kind], jobs: Mapping[int, Job], crowd: str | None) -> set[int]:
    """The requests beside a crowd, where there is one."""
    if crowd is None:
        return set()
    ids = (share.request_id for _, shares in kinds for share in shares)
    return {request_id for request_id in ids if jobs[request_id].request.client != crowd}


def _unseen(shares: list[Share], jobs: Mapping[int, Job]) -> list[Share]:
    """Those who have shown nothing yet."""
    return [share for share in shares if jobs[share.request_id].stream.num_sent == 0]
