"""Bursts that end early for newcomers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from service.engine.rows.lane import Lane
from service.engine.rows.scheduler import Scheduler

_PAUSE_PER_ROW_S = 0.001
"""Between two of one lane: with 64 rows and more a newcomer gains less than all others lose."""


class Interrupts:
    """Lets a newcomer in at the next step of a burst, where no lane takes it at once.

    Nothing is lost but what a burst costs once: its rows go on in the next one. That grows with the
    rows, so where there are many a lane is interrupted less often, but for somebody beside a crowd;
    newcomers who come sooner wait for the burst's end.

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
        self._last_s = [-math.inf] * len(lanes)

    def newcomer(self, client: str) -> None:
        """A request waits for a slot."""
        is_beside = self._scheduler.crowd not in (None, client)
        numbers = range(len(self._lanes))
        rows = [self._scheduler.num_rows(n) for n in numbers]
        free = [n for n in numbers if rows[n] < self._scheduler.capacities[n]]
        if not free and not is_beside:
            return  # no burst's end would make room for it
        # The one with the fewest rows: another one would leave it to that.
        lane = min(free or numbers, key=lambda n: self._order(n, is_beside=is_beside))
        bursts, now_s = self._lanes[lane].bursts, self._clock()
        if not bursts.is_running or bursts.is_reading:  # it takes it now, or soon
            return
        pause_s = self._pause_s
        if not is_beside:
            pause_s = max(pause_s, self._scheduler.num_running * _PAUSE_PER_ROW_S)
        if now_s - self._since_s(lane, is_beside=is_beside) >= pause_s:
            self._last_s[lane] = now_s
            bursts.interrupt()

    def _order(self, lane: int, *, is_beside: bool) -> tuple[int, bool, float]:
        since_s = self._since_s(lane, is_beside=is_beside)
        return self._scheduler.num_rows(lane), self._lanes[lane].bursts.is_running, since_s

    def _since_s(self, lane: int, *, is_beside: bool) -> float:
        """When the pause began; whoever comes beside a crowd leaves it as long to write."""
        last_s = self._last_s[lane]
        return max(last_s, self._lanes[lane].bursts.all_since_s) if is_beside else last_s
