"""Times of requests and figures of bursts, for an `Observer`: a few numbers for each row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from service.engine.observer import BurstStats, EndedStats, Observer, Outcome
from service.engine.rows.bursts import Plan, Ran
from service.engine.rows.job import Job
from service.engine.rows.lane import Lane, RowLost


class Watch:
    """Tells an `Observer` what happens to the requests of one engine.

    One lane's thread at a time calls it: that whose turn it is.

    Args:
        observer: Who is told.
        clock: Seconds, monotonic.
    """

    def __init__(self, observer: Observer, clock: Callable[[], float]) -> None:
        self._observer = observer
        self._clock = clock
        self._now_s = 0.0
        self._gaps: Counter[tuple[float, int]] = Counter()

    def at_work(self) -> None:
        """Tokens are sent. All of a burst's are of one moment, so most gaps are one number."""
        self._now_s = self._clock()
        self._gaps = Counter()

    def started(self, job: Job) -> None:
        """A request has got a slot, perhaps not its first one."""
        timings = job.stream.timings
        if timings.started_s is None:
            job.stream.timings = replace(timings, started_s=self._clock())

    def wrote(self, job: Job, num_tokens: int) -> None:
        """A request has got tokens of the burst that is being settled."""
        if num_tokens == 0:
            return
        if job.last_s is None:
            job.stream.timings = replace(job.stream.timings, first_s=self._now_s)
        else:
            self._gaps[self._now_s - job.last_s, num_tokens] += 1
        job.last_s = self._now_s

    def settled(self, plan: Plan, ran: Ran | RowLost, lane: Lane) -> None:
        """A burst of a lane is settled; one that has failed tells nothing."""
        if isinstance(ran, RowLost):
            return
        num_steps_B = ran.result.num_steps_B
        num_read = int(np.minimum(plan.num_read_B, num_steps_B).sum())
        self._observer.burst(
            BurstStats(
                reading=plan.reading,
                num_rows=len(plan.shares),
                capacity=lane.capacity,
                num_steps=len(ran.result.token_KB),
                num_read=num_read,
                num_written=int(num_steps_B.sum()) - num_read,
                duration_s=ran.duration_s,
                gaps=self._gaps,
            )
        )

    def ended(self, job: Job | None, outcome: Outcome) -> None:
        """A request is over; what only goes back in another one's stead is part of that one."""
        if job is None or job.goes_back:
            return
        stream = job.stream
        stream.timings = replace(stream.timings, ended_s=self._clock())
        self._observer.ended(
            EndedStats(
                outcome=outcome,
                timings=stream.timings,
                num_prompt=len(job.request.prompt_T),
                num_cached=stream.num_cached,
                num_sent=stream.num_sent,
            )
        )
