"""Bursts that end early for newcomers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from service.engine.rows.lane import Lane
from service.engine.rows.scheduler import Scheduler

_PAUSE_PER_ROW_S = 0.001
"""Between two of one lane: with 64 rows and more a newcomer gains less than all others lose."""


class Interrupts:
    """Lets a newcomer in at the next step of a burst, where every lane is in one.

    Nothing is lost but what a burst costs once: its rows go on in the next one. That grows with the
    rows, so a lane with many is interrupted less often, but for somebody beside a crowd; newcomers
    who come sooner wait for the burst's end.

    Called on the event loop. What it looks at belongs to the lanes' threads: a glance that is wrong
    by a moment interrupts a burst in vain, or none.

    Args:
        lanes: All of them.
        scheduler: Who has the slots.
        clock: Seconds, monotonic.
        pause_s: Between two of one lane, at least.
    """

    def __init__(
        self,
        lanes: Sequence[Lane],
        scheduler: Scheduler,
        clock: Callable[[], float],
        pause_s: float,
    ) -> None:
        self._lanes = lanes
        self._scheduler = scheduler
        self._clock = clock
        self._pause_s = pause_s
        self._last_s = [-pause_s] * len(lanes)

    def newcomer(self, client: str) -> None:
        """A request waits for a slot."""
        if not all(lane.bursts.is_running for lane in self._lanes):
            return  # one that is not takes it
        now_s = self._clock()
        # It would not be let into one that has more rows.
        lane = min(
            range(len(self._lanes)), key=lambda n: (self._scheduler.num_rows(n), self._last_s[n])
        )
        if now_s - self._last_s[lane] >= self._pause_for(client):
            self._last_s[lane] = now_s
            self._lanes[lane].bursts.interrupt()

    def _pause_for(self, client: str) -> float:
        if self._scheduler.crowd not in (None, client):
            return self._pause_s
        return max(self._pause_s, self._scheduler.num_running * _PAUSE_PER_ROW_S)
