"""The next burst: who takes part, whether they read or write, how long it is; and running it."""

from __future__ import annotations

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

    Args:
        decoder: The model.
        limits: How long a burst should be.
        clock: Seconds, monotonic.
        busy_clock: Seconds that the calling thread has been running. Bursts are measured with it:
            where others take the processor away, or the interpreter's lock, steps only seem long,
            and shorter bursts would make more events of the same text, and so the machine busier.

    Attributes:
        tokens_per_s: Read and written, lately.
    """

    def __init__(
        self,
        decoder: Decoder,
        limits: EngineLimits,
        clock: Callable[[], float],
        busy_clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self.tokens_per_s = 0.0
        self._decoder = decoder
        self._clock, self._busy_clock = clock, busy_clock
        target_s, max_steps = limits.target_burst_s, limits.max_burst_steps
        self._read_length = BurstLength(target_s, max_steps)
        self._write_length = BurstLength(target_s, max_steps, limits.event_s)
        self._was_reading = False
        self._has_begun_new = False  # texts, since all wrote together

    def plan(self, scheduler: Scheduler, jobs: Mapping[int, Job], lane: int = 0) -> Plan | None:
        """The next burst of a lane, or None if there is nobody to run."""
        most_to_ride = self._write_length.num_steps(scheduler.num_rows(lane))
        for reading in (not self._was_reading, self._was_reading):
            shares = scheduler.plan(lane=lane, reading=reading, most_to_ride=most_to_ride)
            if not shares:
                continue
            new = [] if reading else self._new(shares, jobs)
            if new:
                shares = new
            else:
                self._was_reading = reading
            taking_part = [jobs[share.request_id] for share in shares]
            most_steps_B = np.array([share.most_steps for share in shares])
            num_to_read_B = np.array([job.progress.num_to_read for job in taking_part])
            if new and num_to_read_B.all() and all(job.shows_first for job in taking_part):
                # They need no step to be seen, only to have read.
                reading, most_steps_B = True, num_to_read_B
            max_steps = self._length(reading=reading).num_steps(len(shares))
            if new and not reading:
                max_steps = min(max_steps, int(num_to_read_B.max()) + 1)
            num_steps_B = np.minimum(most_steps_B, max_steps)
            num_read_B = np.minimum(num_steps_B, num_to_read_B)
            return Plan(shares, taking_part, num_steps_B, num_read_B, reading)
        return None

    def _new(self, shares: list[Share], jobs: Mapping[int, Job]) -> list[Share]:
        """Those of whom nothing was seen yet; none of them, if such have just had their turn."""
        new = [share for share in shares if jobs[share.request_id].stream.num_sent == 0]
        if self._has_begun_new and len(new) < len(shares):
            new = []
        self._has_begun_new = bool(new)
        return new

    def run(self, plan: Plan) -> Ran:
        """Run the burst of a plan."""
        jobs = plan.jobs
        forced_KB = np.full((int(plan.num_steps_B.max()), len(jobs)), SAMPLED, np.int64)
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
            )
        )
        duration_s = max(self._clock() - started_s, 1e-9)
        busy_s = (self._busy_clock() - was_busy_s) or duration_s  # where that clock ticks slowly
        self._length(reading=plan.reading).observe(len(jobs), len(forced_KB), busy_s)
        tokens_per_s = float(result.num_steps_B.sum()) / duration_s
        self.tokens_per_s += 0.1 * (tokens_per_s - self.tokens_per_s)
        return Ran(result, duration_s)

    def _length(self, *, reading: bool) -> BurstLength:
        return self._read_length if reading else self._write_length
