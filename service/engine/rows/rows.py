"""The rows of one model: each round of a lane, some of them read or write a few tokens.

Bursts of different lanes run at the same time; for everything here the engine lets one lane in at
a time. A lane's slots are touched at its own turn only. A `Listener` hears of what happens.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from service.engine.errors import EngineError, EngineFailed, NotFinite
from service.engine.limits import EngineLimits
from service.engine.request import Failed, Finished
from service.engine.rows.bursts import Plan, Ran
from service.engine.rows.interrupts import Interrupts
from service.engine.rows.job import Job
from service.engine.rows.lane import Lane, RowLost
from service.engine.rows.listener import Listener
from service.engine.rows.prefix_cache import PrefixCache
from service.engine.rows.prompts import Prompts
from service.engine.rows.scheduler import Scheduler, Share
from service.rows.row import Row
from service.runtime.decoder import BurstResult, Decoder


class Rows:
    """Places requests in slots and advances them burst by burst.

    Args:
        decoders: The model, once for each lane.
        limits: Bounds.
        cache: Rows of prompts that were read before.
        clock: Seconds, monotonic.
        listener: Who hears what happens to requests.

    Attributes:
        jobs: The requests that are here, by their ids.
        row_shape: The model's.
    """

    def __init__(
        self,
        decoders: Sequence[Decoder],
        limits: EngineLimits,
        cache: PrefixCache,
        clock: Callable[[], float],
        listener: Listener,
    ) -> None:
        # The events of all lanes share one event loop.
        limits = replace(limits, event_s=limits.event_s * len(decoders))
        self.lanes = [Lane(decoder, limits, clock) for decoder in decoders]
        self.jobs: dict[int, Job] = {}
        self.scheduler = Scheduler(*(decoder.capacity for decoder in decoders))
        self.interrupts = Interrupts(self.lanes, self.scheduler, clock, limits.target_burst_s)
        self.prompts = Prompts(cache)
        self.row_shape = decoders[0].row_shape
        self._max_unread_tokens = limits.max_unread_tokens
        self._listener = listener

    @property
    def tokens_per_s(self) -> float:
        """Read and written, lately."""
        return sum(lane.bursts.tokens_per_s for lane in self.lanes)

    def add(self, request_id: int, job: Job) -> None:
        """A new request."""
        self.jobs[request_id] = job
        self.scheduler.add(
            request_id,
            client=job.request.client,
            progress=job.progress,
            may_ride=not self.prompts.wants_row_at_end(job),
        )

    def remove(self, request_id: int) -> None:
        """Forget a request, wherever it is; its slot is free at once."""
        job = self.jobs.pop(request_id, None)
        if job is None:
            return
        place = self.scheduler.slot_of(request_id)
        if request_id in self.scheduler:
            self.scheduler.remove(request_id)
        heir = self.prompts.flights.leave(request_id)
        if heir is not None and place is not None and job.is_loaded:
            lane, slot = place
            self.lanes[lane].to_hand_over.append((slot, heir))
            self._listener.lanes_have_work()
        elif heir is not None:
            self._lead(heir, None)

    def clear(self) -> None:
        """Forget everything, whatever state it is in."""
        self.jobs.clear()
        self.scheduler = Scheduler(*self.scheduler.capacities)

    def release(self) -> None:
        """Let go of the model and the cache: there is no next round."""
        self.lanes.clear()
        self.prompts = Prompts(PrefixCache(max_bytes=0))

    def resume(self, request_id: int) -> None:
        """The reader of a parked request has caught up, or so it was told."""
        # The word may be of an earlier pause; a reader that is behind again will tell again.
        if request_id in self.jobs and self.scheduler.is_parked(request_id):
            stream = self.jobs[request_id].stream
            if stream.num_unread < self._max_unread_tokens:
                stream.parked = False
                self.scheduler.resume(request_id)

    def go_back(self, request_id: int, job: Job) -> None:
        """A request, or one that has just ended, has this to do instead, from an earlier row.

        It keeps its slot, or is the next of its client.
        """
        self.jobs[request_id] = job
        job.has_begun = True
        self.scheduler.start_anew(request_id, job.request.client, job.progress)
        if self.scheduler.slot_of(request_id):
            self._load_at_next_turn(request_id)

    def admit(self, lane: int = 0, others: Collection[int] = ()) -> None:
        """A lane's turn begins: load what is to be loaded, give slots to those who wait."""
        self._catch_up(lane)
        while (admission := self.scheduler.admit(lane, others)).admitted:
            for request_id, slot in admission.displaced:
                self._displace(request_id, lane, slot)
            for request_id, _ in admission.admitted:
                self._start(request_id)

    def plan(self, lane: int = 0) -> Plan | None:
        """A lane's next burst, or None if it has nobody to run; begin what can."""
        self._begin(lane)
        return self.lanes[lane].plan(self.scheduler, self.jobs, lane)

    def settle(self, plan: Plan, ran: Ran | RowLost, lane: int = 0) -> None:
        """Send what was written, end what is complete, park whoever does not read."""
        for b, (share, job) in enumerate(zip(plan.shares, plan.jobs, strict=True)):
            if self.jobs.get(share.request_id) is not job:  # it has left, or something else to do
                continue
            try:
                if isinstance(ran, RowLost):
                    raise ran
                self._settle_row(lane, share, plan, ran.result, b)
            except (RowLost, EngineError) as error:
                self._fail(share.request_id, error)
        self._begin(lane)

    def _settle_row(self, lane: int, share: Share, plan: Plan, result: BurstResult, b: int) -> None:
        if not result.finite_B[b]:
            raise NotFinite("the model gave no finite numbers here")
        job = plan.jobs[b]
        num_steps = int(result.num_steps_B[b])
        ended = bool(result.ended_B[b])
        num_read = min(num_steps, job.progress.num_to_read)
        job.constraint = result.constraints[b] if result.constraints else job.constraint
        is_complete = self.scheduler.settle(share, num_steps=num_steps, ended=ended)
        if num_read > 0:
            self._keep(lane, share, job)
        chunk = job.chunk_of(result, b, num_read, plan.rows_before[b])
        if chunk is not None:
            self._listener.wrote(share.request_id, chunk)
        if is_complete:
            row = self.lanes[lane].saved(share.slot) if job.request.return_row else None
            self._listener.ended(share.request_id, Finished(job.finish_reason(ended=ended), row))
        elif job.stream.num_unread >= self._max_unread_tokens:
            self._park(lane, share, job)
        elif job.can_begin:
            self.lanes[lane].to_begin.append(share.request_id)

    def _begin(self, lane: int) -> None:
        """Send the first tokens of texts that have read their prompts: they take no step."""
        work, slots = self.lanes[lane], {}
        for request_id in work.to_begin:
            place = self.scheduler.slot_of(request_id)
            if place is not None and self.jobs[request_id].can_begin:
                slots[request_id] = place[1]
        work.to_begin.clear()
        for request_id, chunk in work.first_tokens(slots):
            self.jobs[request_id].begin(chunk)
            self._listener.wrote(request_id, chunk)

    # Prompts, and those who follow

    def _start(self, request_id: int) -> None:
        """A request has got a slot, and begins or goes on there."""
        self._listener.started(request_id)
        job = self.jobs[request_id]
        if not job.has_begun or job.group is not None:
            if not self.prompts.begin(request_id, job):
                self.scheduler.hold(request_id, held=True)  # until the one that it follows is done
                return
            job.has_begun = True
            if self._ends_here(request_id, job):
                return
        self._load(request_id)

    def _ends_here(self, request_id: int, job: Job) -> bool:
        """End a request of which nothing is left to be done."""
        if job.progress.num_left > 0:
            return False
        row = job.row if job.request.return_row else None
        self._listener.ended(request_id, Finished("length", row))
        return True

    def _keep(self, lane: int, share: Share, job: Job) -> None:
        """Hand the row on, at places where other prompts may go on from it."""
        if not self.prompts.is_worth_keeping(job):
            return
        row = self.lanes[lane].saved(share.slot)
        self.prompts.keep(job, row)
        if job.progress.num_to_read == 0:
            for follower in self.prompts.flights.land(share.request_id):
                self._go_on(follower, row)

    def _lead(self, request_id: int, row: Row | None) -> None:
        """The one that it has followed has left: it reads on, from `row` if that is given."""
        job = self.jobs[request_id]
        is_done = row is not None and job.num_read_at(row) >= job.progress.num_prompt
        followers = self.prompts.flights.land(request_id) if is_done else ()
        for each in (request_id, *followers):
            self._go_on(each, row)

    def _go_on(self, request_id: int, row: Row | None) -> None:
        """A request that has followed another one goes on from where that one is."""
        job = self.jobs[request_id]
        job.has_begun = True
        self.prompts.go_on(job, row)
        if not self._ends_here(request_id, job):
            self._load_at_next_turn(request_id)

    # Slots: a lane's own, at its turn

    def _load_at_next_turn(self, request_id: int) -> None:
        if place := self.scheduler.slot_of(request_id):
            self.scheduler.hold(request_id, held=True)
            self.lanes[place[0]].to_load.append(request_id)
            self._listener.lanes_have_work()

    def _catch_up(self, lane: int) -> None:
        """Do what came up since the lane's last turn."""
        work = self.lanes[lane]
        while work.to_hand_over:
            slot, heir = work.to_hand_over.pop()
            # Without a slot meanwhile, it may read by itself by now.
            if heir in self.jobs and self._waits(heir):
                self._lead(heir, work.saved_or_none(slot))
        while work.to_load:
            request_id = work.to_load.pop()
            place = self.scheduler.slot_of(request_id)
            if place is not None and place[0] == lane and self._waits(request_id):
                self.scheduler.hold(request_id, held=False)
                self._load(request_id)

    def _waits(self, request_id: int) -> bool:
        """Whether a request is in no slot, and follows nobody who could hand it a row."""
        return not (self.jobs[request_id].is_loaded or self.prompts.flights.follows(request_id))

    def _displace(self, request_id: int, lane: int, slot: int) -> None:
        """A request has lost its slot to somebody who has fewer."""
        job = self.jobs[request_id]
        try:
            if job.is_loaded:
                job.row = self.lanes[lane].saved(slot)
                job.is_loaded = False
        except RowLost as error:
            self._fail(request_id, error)
            return
        heir = self.prompts.flights.leave(request_id)
        if heir is not None:
            self._lead(heir, job.row)

    def _park(self, lane: int, share: Share, job: Job) -> None:
        job.row = self.lanes[lane].saved(share.slot)
        job.is_loaded = False
        self.scheduler.park(share.request_id)
        job.stream.parked = True
        # The reader may have caught up before it could see the flag, and will not tell again.
        if job.stream.num_unread == 0:
            self.resume(share.request_id)

    def _load(self, request_id: int) -> None:
        """Put a row into its slot; if that cannot be done, its request fails."""
        job, place = self.jobs[request_id], self.scheduler.slot_of(request_id)
        if place is None:
            raise AssertionError("a request without a slot cannot be loaded")
        lane, slot = place
        try:
            self.lanes[lane].load(slot, job.row, job.request.sampling)
        except RowLost as error:
            self._fail(request_id, error)
        else:
            job.row, job.is_loaded = None, True
            if job.can_begin:
                self.lanes[lane].to_begin.append(request_id)

    def _fail(self, request_id: int, error: EngineError | RowLost) -> None:
        self.jobs[request_id].is_loaded = False  # nobody can go on from there
        failure = EngineFailed(str(error)) if isinstance(error, RowLost) else error
        self._listener.ended(request_id, Failed(failure))
