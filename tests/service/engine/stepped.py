"""An engine that runs when told to, on a clock of its own: whatever fails is found again."""

from __future__ import annotations

import asyncio
from typing import Any

from service.engine.errors import Draining
from service.engine.worker import Engine


class TickingClock:
    """Each look at it takes as long as the test wants: that makes bursts long and short."""

    def __init__(self):
        self.now_s = 1000.0
        self.tick_s = 0.001

    def __call__(self):
        """Now."""
        self.now_s += self.tick_s
        return self.now_s


class SteppedEngine(Engine):
    """Runs when told to.

    Its bursts are as long as its clock says, not the processor's: that is never the same twice.
    """

    def __init__(self, *args: Any, **named: Any):
        super().__init__(*args, **named)
        for lane in self._rows.lanes:
            lane.bursts._busy_clock = lane.bursts._clock

    def start_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """In place of `start`: no thread."""
        self._loop = loop

    def end(self) -> None:
        """What the thread does when it is told to stop."""
        self._stopping = lambda: Draining("the end")
        for lane in range(len(self._threads)):
            self._run(lane)

    def check_integrity(self) -> None:
        """Every request is where it should be, and nowhere else."""
        rows = self._rows
        rows.scheduler.check_integrity()
        # Every request is in one of the counters: a drain waits until they are all zero.
        assert self.status.num_requests >= len(rows.jobs)
        for request_id, job in rows.jobs.items():
            assert request_id in rows.scheduler
            assert not (job.waiting and rows.scheduler.is_parked(request_id))
            # Whoever follows another one has a slot, and the other one too: it is never later.
            if rows.prompts.flights.follows(request_id):
                assert rows.scheduler.slot_of(request_id)
                assert not job.is_loaded

    @property
    def is_empty(self) -> bool:
        """Nothing is left of any request."""
        flights = self._rows.prompts.flights
        return not (
            self._rows.jobs
            or self._rows.scheduler._places
            or self._inbox.num_requests
            or self._inbox.num_commands
            or flights._members
            or flights._keys
        )
