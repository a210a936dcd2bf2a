"""When requests are over their time."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

_SPARE = 64


class Deadlines:
    """Deadlines by request id."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int]] = []
        self._live: set[int] = set()

    @property
    def num_kept(self) -> int:
        """Entries in memory: at most twice the requests that are here, and a few."""
        return len(self._heap)

    def add(self, request_id: int, deadline_s: float) -> None:
        """Note when a request is over its time."""
        self._live.add(request_id)
        heapq.heappush(self._heap, (deadline_s, request_id))

    def discard(self, request_id: int) -> None:
        """A request has ended; harmless if it is not here."""
        self._live.discard(request_id)
        # Its entry stays until there are many such: taking it out of a heap would cost more.
        if len(self._heap) > 2 * len(self._live) + _SPARE:
            self._heap = [entry for entry in self._heap if entry[1] in self._live]
            heapq.heapify(self._heap)

    def passed(self, now_s: float) -> Iterator[int]:
        """Take out all whose time is over."""
        while self._heap and self._heap[0][0] <= now_s:
            request_id = heapq.heappop(self._heap)[1]
            if request_id in self._live:
                self._live.remove(request_id)
                yield request_id

    def time_left(self, now_s: float, most_s: float) -> float:
        """Time until the next one, at most `most_s`."""
        while self._heap and self._heap[0][1] not in self._live:
            heapq.heappop(self._heap)
        return min(most_s, max(0.0, self._heap[0][0] - now_s)) if self._heap else most_s
