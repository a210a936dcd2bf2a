"""Who takes part in the next burst, and for how many steps. No clock, no threads, no arrays.

A request has a number of tokens to read and then a number to write. Rows that read and rows that
write have bursts of their own, one after the other in each round, and each burst takes its share of
the time: neither a long prompt nor a crowd of writers can hold up the other. (A step of the few
rows that read costs a fraction of a step of all.) A prompt that is shorter than a burst of writers
is read in that: it rides with them. Within a burst all rows advance equally.

Slots are in lanes, each of which has bursts of its own. They are shared equally among clients, over
all lanes; since rows advance equally, so are tokens. Who has more than its share gives a slot back
when somebody else waits: a row is a few KB, so that costs a copy.

    waiting ──admit──> running ──settle──> gone
      ^ ^──(displaced)──┤
      └──resume── parked <┘ park              remove: from anywhere to gone
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

from service.engine.rows.progress import Progress


@dataclass(slots=True)
class _Place:
    client: str
    progress: Progress
    may_ride: bool
    lane: int = 0
    slot: int | None = None
    is_held: bool = False

    def reads(self, most_to_ride: int) -> bool:
        """Whether it takes part in the bursts of those that read."""
        return self.progress.num_to_read > (most_to_ride if self.may_ride else 0)


@dataclass(frozen=True, slots=True)
class Share:
    """One row's part of a burst of its lane: up to `most_steps` tokens."""

    request_id: int
    slot: int
    most_steps: int


@dataclass(frozen=True, slots=True)
class Admission:
    """Who has lost a slot, and then who has got one: pairs of request id and slot."""

    displaced: list[tuple[int, int]]
    admitted: list[tuple[int, int]]


class Scheduler:
    """Places requests in slots; among those of one client, first come first served.

    Args:
        capacities: Number of slots of each lane.
    """

    def __init__(self, *capacities: int) -> None:
        self.capacities = capacities
        self._places: dict[int, _Place] = {}
        # By client, in order; a client that has none is not in it. Those that wait stand in line.
        self._waiting: dict[str, deque[int]] = {}
        self._running: dict[str, list[int]] = {}
        self._parked: set[int] = set()
        self._returning: set[int] = set()  # those of the waiting that had a slot before
        self._free = [list(range(capacity)) for capacity in capacities]

    def __contains__(self, request_id: int) -> bool:
        return request_id in self._places

    @property
    def num_returning(self) -> int:
        """Requests without a slot that want one and had one before."""
        return len(self._returning)

    @property
    def num_running(self) -> int:
        """Requests with a slot."""
        return sum(self.capacities) - sum(len(free) for free in self._free)

    @property
    def num_parked(self) -> int:
        """Requests that were told to pause."""
        return len(self._parked)

    @property
    def crowd(self) -> str | None:
        """The client that has half of the slots in use, or more."""
        running = list(self._running.items())  # in one go: another thread may look
        client, ids = max(running, key=lambda each: len(each[1]), default=("", []))
        return client if ids and 2 * len(ids) >= self.num_running else None

    def add(
        self, request_id: int, *, client: str, progress: Progress, may_ride: bool = False
    ) -> None:
        """A new request, at the end of its client's queue.

        Args:
            request_id: Its name.
            client: Whose it is.
            progress: What it has to do; every burst is booked in it.
            may_ride: Whether a burst may go on from reading to writing; otherwise one ends there.
        """
        if request_id in self._places:
            raise ValueError(f"request {request_id} is here already")
        self._places[request_id] = _Place(client, progress, may_ride)
        self._waiting.setdefault(client, deque()).append(request_id)

    def admit(self, lane: int = 0, others: Collection[int] = ()) -> Admission:
        """Give the slots of a lane to those who wait, first the free ones, then those of the rich.

        The lowest slots first: rows that lie together are gathered faster.

        Args:
            lane: Whose slots.
            others: Lanes that will soon take requests, too: each gets as many as the other ones.
        """
        share, displaced = self._share_of(lane, others), []
        admitted = [self._place(self._poorest(), lane) for _ in range(share)]
        while self._waiting and not any(self._free[each] for each in (lane, *others)):
            poor, rich = self._poorest(), max(self._running, key=self._num_slots)
            if self._num_slots(rich) - self._num_slots(poor) < 2:
                break
            of_lane = (n for n in reversed(self._running[rich]) if self._places[n].lane == lane)
            loser = next(of_lane, None)  # its newest
            if loser is None:  # another lane has them
                break
            self._returning.add(loser)
            displaced.append((loser, self._release(loser)))
            admitted.append(self._place(poor, lane))
            self._waiting.setdefault(rich, deque()).appendleft(loser)
        return Admission(displaced, admitted)

    @property
    def has_work_for_others(self) -> bool:
        """Whether somebody waits whom a lane has left to the others."""
        return bool(self._waiting) and len(self._free) > 1

    def _share_of(self, lane: int, others: Collection[int]) -> int:
        """How many of those that wait are for the free slots of a lane.

        All at once: in small groups they would be read in many bursts of few rows.
        """
        num_waiting = sum(len(queue) for queue in self._waiting.values())
        lanes = (lane, *others)
        num_rows = num_waiting + sum(self.num_rows(each) for each in lanes)
        fair = -(-num_rows // len(lanes)) - self.num_rows(lane)
        others_may_take = sum(len(self._free[other]) for other in others)
        wanted = max(fair, num_waiting - others_may_take, 0)
        return min(wanted, num_waiting, len(self._free[lane]))

    def num_rows(self, lane: int) -> int:
        """Requests that have a slot of a lane."""
        return self.capacities[lane] - len(self._free[lane])

    def hold(self, request_id: int, *, held: bool) -> None:
        """Let a request that has a slot take no part in bursts for a while."""
        self._places[request_id].is_held = held

    def slot_of(self, request_id: int) -> tuple[int, int] | None:
        """Lane and slot of a request that has one."""
        place = self._places.get(request_id)
        return None if place is None or place.slot is None else (place.lane, place.slot)

    def plan(self, *, lane: int = 0, reading: bool, most_to_ride: int = 0) -> list[Share]:
        """Everyone's part of a lane's next burst of those that read, or of those that write.

        Args:
            lane: Which lane.
            reading: Which of the two.
            most_to_ride: Prompts with no more left than this are read among those that write.
        """
        shares = []
        for request_ids in self._running.values():
            for request_id in request_ids:
                place = self._places[request_id]
                if place.lane != lane or place.is_held:
                    continue
                if reading == place.reads(most_to_ride):
                    progress = place.progress
                    most_steps = progress.num_to_pause if reading else progress.num_left
                    shares.append(Share(request_id, self._slot(place), most_steps))
        return sorted(shares, key=lambda share: share.slot)

    def settle(self, share: Share, *, num_steps: int, ended: bool) -> bool:
        """Book what a row did in the burst; returns whether its request is now complete."""
        progress = self._places[share.request_id].progress
        progress.book(num_steps)
        return ended or progress.num_left == 0

    def park(self, request_id: int) -> None:
        """Take a running request out of its slot until `resume`."""
        # Counted twice for a moment rather than not at all: others look at the counters meanwhile.
        self._parked.add(request_id)
        self._release(request_id)

    def resume(self, request_id: int) -> None:
        """Put a parked request at the head of its client's queue: it has waited already."""
        self._returning.add(request_id)
        self._parked.remove(request_id)
        self._waiting.setdefault(self._places[request_id].client, deque()).appendleft(request_id)

    def start_anew(self, request_id: int, client: str, progress: Progress) -> None:
        """A request, here or not, has something else to do.

        It keeps its slot, if it has one; else it is the next of its client.
        """
        place = self._places.get(request_id)
        if place is not None and place.slot is not None:
            place.progress, place.may_ride = progress, False
            return
        if place is not None:
            self.remove(request_id)
        self._places[request_id] = _Place(client, progress, may_ride=False)
        self._returning.add(request_id)
        self._waiting.setdefault(client, deque()).appendleft(request_id)

    def is_parked(self, request_id: int) -> bool:
        """Whether a request is parked."""
        return request_id in self._parked

    def remove(self, request_id: int) -> None:
        """Forget a request, wherever it is; its slot is free at once."""
        place = self._places[request_id]
        if place.slot is not None:
            self._release(request_id)
        elif request_id in self._parked:
            self._parked.remove(request_id)
        else:
            self._waiting[place.client].remove(request_id)
            self._returning.discard(request_id)
            if not self._waiting[place.client]:
                del self._waiting[place.client]
        del self._places[request_id]

    def check_integrity(self) -> None:
        """Raise AssertionError unless every slot and every request is in exactly one place."""
        running = [n for request_ids in self._running.values() for n in request_ids]
        waiting = [n for queue in self._waiting.values() for n in queue]
        if not self._returning.issubset(waiting):
            raise AssertionError(f"returning {sorted(self._returning)}, waiting {waiting}")
        for lane, capacity in enumerate(self.capacities):
            places = [place for n in running if (place := self._places[n]).lane == lane]
            slots = [self._slot(place) for place in places]
            if sorted(slots + self._free[lane]) != list(range(capacity)):
                raise AssertionError(f"slots {sorted(slots)} + free {sorted(self._free[lane])}")
        if sorted([*running, *waiting, *self._parked]) != sorted(self._places):
            raise AssertionError(f"requests {sorted(self._places)}, {running}, {waiting}")

    def _poorest(self) -> str:
        """Of the clients that wait, the one with the fewest slots, and of those the first in line.

        By the oldest request, whoever asks for much at once would come before every newcomer.
        """
        return min(self._waiting, key=self._num_slots)

    def _to_end_of_line(self, client: str) -> None:
        """A client has got or lost a slot."""
        if queue := self._waiting.pop(client, None):
            self._waiting[client] = queue

    def _num_slots(self, client: str) -> int:
        return len(self._running.get(client, ()))

    def _place(self, client: str, lane: int) -> tuple[int, int]:
        """The client's next request gets the lowest free slot of a lane."""
        request_id = self._waiting[client].popleft()
        self._to_end_of_line(client)
        place = self._places[request_id]
        place.lane, place.is_held = lane, False
        slot = place.slot = heapq.heappop(self._free[lane])
        self._running.setdefault(client, []).append(request_id)
        self._returning.discard(request_id)
        return request_id, slot

    def _release(self, request_id: int) -> int:
        place = self._places[request_id]
        slot = self._slot(place)
        heapq.heappush(self._free[place.lane], slot)
        place.slot = None
        self._running[place.client].remove(request_id)
        if not self._running[place.client]:
            del self._running[place.client]
        self._to_end_of_line(place.client)
        return slot

    @staticmethod
    def _slot(place: _Place) -> int:
        if place.slot is None:
            raise AssertionError("a running request has no slot")
        return place.slot
