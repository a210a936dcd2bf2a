"""Who takes part in the next burst, and for how many steps. No clock, no threads, no arrays.

A request has a number of tokens to read and a number to write; a burst takes some of the reading,
then some of the writing. There are no phases: rows that read and rows that write share a burst.
Every row gets the same number of steps in a burst, so that neither a long prompt nor a long
answer can hold up anybody else.

    waiting ──admit──> running ──settle──> gone
       ^                  │
       └──resume── parked <┘ park            remove: from anywhere to gone
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass


@dataclass(slots=True)
class _Job:
    num_to_read: int
    num_to_write: int
    slot: int | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """One row's part of a burst: read `num_read` tokens, then write the rest of `num_steps`."""

    request_id: int
    slot: int
    num_read: int
    num_steps: int


class Scheduler:
    """Places requests in slots, first come first served.

    Args:
        capacity: Number of slots.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._jobs: dict[int, _Job] = {}
        self._waiting: deque[int] = deque()
        self._running: list[int] = []
        self._parked: set[int] = set()
        self._free = list(range(capacity))

    @property
    def num_waiting(self) -> int:
        """Requests without a slot that want one."""
        return len(self._waiting)

    @property
    def num_running(self) -> int:
        """Requests with a slot."""
        return len(self._running)

    @property
    def num_parked(self) -> int:
        """Requests that were told to pause."""
        return len(self._parked)

    def add(self, request_id: int, *, num_to_read: int, num_to_write: int) -> None:
        """A new request, at the end of the queue."""
        if request_id in self._jobs:
            raise ValueError(f"request {request_id} is here already")
        self._jobs[request_id] = _Job(num_to_read, num_to_write)
        self._waiting.append(request_id)

    def admit(self) -> list[tuple[int, int]]:
        """Give free slots to those who wait; returns (request id, slot) of each that got one.

        The lowest slots first: rows that lie together are gathered faster.
        """
        admitted = []
        while self._waiting and self._free:
            request_id = self._waiting.popleft()
            slot = heapq.heappop(self._free)
            self._jobs[request_id].slot = slot
            self._running.append(request_id)
            admitted.append((request_id, slot))
        return admitted

    def plan(self, max_steps: int) -> list[Share]:
        """Everyone's part of the next burst, of at most `max_steps` steps."""
        shares = []
        for request_id in self._running:
            job = self._jobs[request_id]
            shares.append(
                Share(
                    request_id=request_id,
                    slot=self._slot(job),
                    num_read=min(job.num_to_read, max_steps),
                    num_steps=min(job.num_to_read + job.num_to_write, max_steps),
                )
            )
        return shares

    def settle(self, share: Share, *, num_steps: int, ended: bool) -> bool:
        """Book what a row did in the burst; returns whether its request is now complete."""
        job = self._jobs[share.request_id]
        num_read = min(share.num_read, num_steps)
        job.num_to_read -= num_read
        job.num_to_write -= num_steps - num_read
        return ended or job.num_to_read + job.num_to_write == 0

    def park(self, request_id: int) -> None:
        """Take a running request out of its slot until `resume`."""
        self._release(request_id)
        self._parked.add(request_id)

    def resume(self, request_id: int) -> None:
        """Put a parked request at the head of the queue: it has waited already."""
        self._parked.remove(request_id)
        self._waiting.appendleft(request_id)

    def is_parked(self, request_id: int) -> bool:
        """Whether a request is parked."""
        return request_id in self._parked

    def remove(self, request_id: int) -> None:
        """Forget a request, wherever it is; its slot is free at once."""
        if self._jobs[request_id].slot is not None:
            self._release(request_id)
        elif request_id in self._parked:
            self._parked.remove(request_id)
        else:
            self._waiting.remove(request_id)
        del self._jobs[request_id]

    def check_integrity(self) -> None:
        """Raise AssertionError unless every slot and every request is in exactly one place."""
        slots = [self._slot(self._jobs[request_id]) for request_id in self._running]
        places = [*self._running, *self._waiting, *self._parked]
        if sorted(slots + self._free) != list(range(self.capacity)):
            raise AssertionError(f"slots {sorted(slots)} + free {sorted(self._free)}")
        if sorted(places) != sorted(self._jobs):
            raise AssertionError(f"requests {sorted(self._jobs)}, places {sorted(places)}")

    def _release(self, request_id: int) -> None:
        job = self._jobs[request_id]
        heapq.heappush(self._free, self._slot(job))
        job.slot = None
        self._running.remove(request_id)

    @staticmethod
    def _slot(job: _Job) -> int:
        if job.slot is None:
            raise AssertionError("a running request has no slot")
        return job.slot


class BurstLength:
    """How many steps a burst should have, so that it takes about `target_s`.

    Fed with what bursts took. A newcomer waits for one burst: short ones keep that small. Each row
    gets an event from each burst, which costs the event loop about EVENT_S / 4: with many rows
    bursts are longer, so that the loop is busy a quarter of the time and not all of it. (It shares
    the interpreter's lock with the engine; an engine that waits for the lock sees slow steps, would
    make shorter bursts, so more events, and wait for longer.)

    Args:
        target_s: Duration to aim at; 0 makes every burst one step.
        max_steps: Never more than this.
    """

    EVENT_S = 0.0004

    def __init__(self, target_s: float, max_steps: int) -> None:
        self._target_s = target_s
        self._max_steps = max_steps
        self._step_s = 0.0

    def observe(self, num_steps: int, duration_s: float) -> None:
        """Learn from a burst; recent ones count most."""
        step_s = duration_s / num_steps
        self._step_s = step_s if self._step_s == 0 else 0.8 * self._step_s + 0.2 * step_s

    def num_steps(self, num_rows: int) -> int:
        """Steps of the next burst, of `num_rows` rows."""
        if self._step_s == 0 or self._target_s == 0:
            return 1
        target_s = max(self._target_s, num_rows * self.EVENT_S)
        return max(1, min(self._max_steps, round(target_s / self._step_s)))
