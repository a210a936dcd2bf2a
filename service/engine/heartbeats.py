"""When the lanes of an engine were last heard of: what tells one that hangs from one that rests."""

from __future__ import annotations

import time
from collections.abc import Callable

REST_S = 5.0
"""A lane without work looks for it so often by itself; whoever has some wakes it before."""
_LATE_S = 1.0


class Heartbeats:
    """One for each lane. While a lane works, it beats in each round; while it rests, none is due.

    Whoever wakes a lane beats in its place: if it does not get up, that is missed from then on. A
    rest that nobody ends is over by itself after `REST_S`, so that a lane which is lost while it
    rests is missed as well.

    Args:
        num_lanes: Of the engine.
        clock: Seconds, monotonic.
    """

    def __init__(self, num_lanes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due_s = [clock()] * num_lanes

    def begin(self) -> None:
        """The lanes start."""
        self._due_s = [self._clock()] * len(self._due_s)

    def beat(self, lane: int) -> None:
        """A lane goes round, or has been told to."""
        self._due_s[lane] = self._clock()

    def rest(self, lane: int) -> None:
        """A lane has nothing to do, and will look again after `REST_S`."""
        self._due_s[lane] = self._clock() + REST_S

    @property
    def age_s(self) -> float:
        """For how long the lane that has been silent for longest should have been heard of."""
        return max(0.0, self._clock() - min(self._due_s))

    def others(self, lane: int) -> list[int]:
        """All other lanes but those that are late: a burst that hangs, or is very long."""
        now_s = self._clock()
        return [
            other
            for other, due_s in enumerate(self._due_s)
            if other != lane and now_s - due_s < _LATE_S
        ]
