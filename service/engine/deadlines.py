"""When requests are over their time."""

from __future__ import annotations

import heapq
from collections.abc import Iterator


class Deadlines:
    """Deadlines by request id. One that ends before its time stays until then: it costs nothing."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int]] = []

    def add(self, request_id: int, deadline_s: float) -> None:
        """Note when a request is over its time."""
        heapq.heappush(self._heap, (deadline_s, request_id))

    def passed(self, now_s: float) -> Iterator[int]:
        """Take out all whose time is over; some may have ended long ago."""
        while self._heap and self._heap[0][0] <= now_s:
            yield heapq.heappop(self._heap)[1]

    def time_left(self, now_s: float, most_s: float) -> float:
        """Time until the next one, at most `most_s`."""
        return min(most_s, max(0.0, self._heap[0][0] - now_s)) if self._heap else most_s
