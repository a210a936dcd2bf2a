"""The rows of one model: each round, some of them read or write a few tokens.

Runs in the engine's thread, and tells a `Listener` what happens to requests.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from service.engine.errors import EngineError, EngineFailed, NotFinite
from service.engine.limits import EngineLimits
from service.engine.request import Chunk, Failed, Finished
from service.engine.rows.bursts import Bursts, Plan
from service.engine.rows.job import Job
from service.engine.rows.prefix_cache import PrefixCache
from service.engine.rows.prompts import Prompts
from service.engine.rows.scheduler import Scheduler, Share
from service.rows.row import Row
from service.runtime.decoder import BurstResult, Decoder

_log = logging.getLogger(__name__)
_KEPT_EVERY = 32
"""Tokens between rows that are handed out: more would be read again to go back, or held unread."""


class Listener(Protocol):
    """Who hears what happens to requests."""

    def started(self, request_id: int) -> None:
        """A request has got a slot."""

    def wrote(self, request_id: int, chunk: Chunk) -> None:
        """A request has written tokens."""

    def ended(self, request_id: int, event: Finished | Failed) -> None:
        """A request is over; whoever hears it calls `Rows.remove`."""


class _RowLost(Exception):
    """The decoder could not load or save one row."""


class Rows:
    """Places requests in slots and advances them burst by burst.

    Args:
        decoder: The model.
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
        decoder: Decoder,
        limits: EngineLimits,
        cache: PrefixCache,
        clock: Callable[[], float],
        listener: Listener,
    ) -> None:
        self.jobs: dict[int, Job] = {}
        self.scheduler = Scheduler(decoder.capacity)
        self.prompts = Prompts(cache)
        self.bursts = Bursts(decoder, limits, clock)
        self.row_shape = decoder.row_shape
        self._decoder = decoder
        self._max_unread_tokens = limits.max_unread_tokens
        self._listener = listener

    def add(self, request_id: int, job: Job) -> None:
        """A new request."""
        self.jobs[request_id] = job
        self._begin(request_id)

    def remove(self, request_id: int) -> None:
        """Forget a request, wherever it is; its slot is free at once."""
        if self.jobs.pop(request_id, None) is not None:
            if request_id in self.scheduler:
                self.scheduler.remove(request_id)
            self._begin_followers(request_id)

    def go_back(self, request_id: int, job: Job) -> None:
        """A request, or one that has just ended, has this to do instead, from an earlier row.

        It keeps its slot, or is the next of its client.
        """
        self.jobs[request_id] = job
        slot = self.scheduler.start_anew(request_id, job.request.client, job.progress)
        if slot is not None:
            self._load_or_fail(request_id, slot)

    def clear(self) -> None:
        """Forget everything, whatever state it is in."""
        self.jobs.clear()
        self.scheduler = Scheduler(self.scheduler.capacity)

    def resume(self, request_id: int) -> None:
        """The reader of a parked request has caught up, or so it was told."""
        # The word may be of an earlier pause; a reader that is behind again will tell again.
        if request_id in self.jobs and self.scheduler.is_parked(request_id):
            stream = self.jobs[request_id].stream
            if stream.num_unread < self._max_unread_tokens:
                stream.parked = False
                self.scheduler.resume(request_id)

    def admit(self) -> None:
        """Give slots to those who wait."""
        admission = self.scheduler.admit()
        for request_id, slot in admission.displaced:
            try:
                self.jobs[request_id].row = self._saved(slot)
            except _RowLost as error:
                self._fail(request_id, EngineFailed(str(error)))
        for request_id, slot in admission.admitted:
            self._listener.started(request_id)
            self._load_or_fail(request_id, slot)

    def advance(self) -> bool:
        """Plan, burst, settle; returns whether there was anybody to run."""
        plan = self.bursts.plan(self.scheduler, self.jobs)
        if plan is None:
            return False
        rows_before = [self._row_before(*pair) for pair in zip(plan.shares, plan.jobs, strict=True)]
        result = self._burst(plan)
        if result is not None:
            self._settle(plan, result, rows_before)
        return True

    def _burst(self, plan: Plan) -> BurstResult | None:
        """Run one burst; None if the model could not be run, which fails the rows in it."""
        try:
            return self.bursts.run(plan)
        # Whatever a model raises concerns the rows that it ran, not the server.
        except Exception as error:  # noqa: BLE001
            _log.exception("a burst of %d rows failed", len(plan.shares))
            reason = f"the model could not be run: {error}"
            for share in plan.shares:
                self._fail(share.request_id, EngineFailed(reason))
            return None

    def _settle(self, plan: Plan, result: BurstResult, rows_before: list[Row | None]) -> None:
        """Send what was written, end what is complete, park whoever does not read."""
        for b, (share, job) in enumerate(zip(plan.shares, plan.jobs, strict=True)):
            if not result.finite_B[b]:
                error = NotFinite("the model gave no finite numbers here")
                self._fail(share.request_id, error)
                continue
            try:
                self._settle_row(share, job, result, b, rows_before[b])
            except _RowLost as lost:
                self._fail(share.request_id, EngineFailed(str(lost)))

    def _settle_row(
        self, share: Share, job: Job, result: BurstResult, b: int, row_before: Row | None
    ) -> None:
        num_steps = int(result.num_steps_B[b])
        ended = bool(result.ended_B[b])
        num_read = min(num_steps, job.progress.num_to_read)
        is_complete = self.scheduler.settle(share, num_steps=num_steps, ended=ended)
        if num_read > 0:
            self._keep(share, job)
        if num_steps > num_read:
            job.stream.num_sent += num_steps - num_read
            chunk = Chunk.of(result, b, num_read, num_steps, row_before)
            self._listener.wrote(share.request_id, chunk)
        if is_complete:
            row = self._saved(share.slot) if job.request.return_row else None
            self._listener.ended(share.request_id, Finished("eos" if ended else "length", row))
        elif job.stream.num_unread >= self._max_unread_tokens:
            self._park(share, job)

    def _begin(self, request_id: int) -> None:
        """Find out what is to be read, and queue the request unless another one reads just that."""
        job = self.jobs[request_id]
        if not self.prompts.begin(request_id, job):
            return
        if job.progress.num_left == 0:  # all of it was read before, and nothing is to be written
            row = job.row if job.request.return_row else None
            self._listener.ended(request_id, Finished("length", row))
            return
        self.scheduler.add(
            request_id,
            client=job.request.client,
            progress=job.progress,
            may_ride=not self.prompts.wants_row_at_end(job),
        )

    def _begin_followers(self, request_id: int) -> None:
        """Those that have waited for a prompt to be read go on by themselves."""
        for follower in self.prompts.leave(request_id):
            self._begin(follower)

    def _keep(self, share: Share, job: Job) -> None:
        """Remember the row at places where other prompts may go on from it."""
        if self.prompts.is_worth_keeping(job):
            self.prompts.keep(job, self._saved(share.slot))
        if job.progress.num_to_read == 0:
            self._begin_followers(share.request_id)

    def _park(self, share: Share, job: Job) -> None:
        job.row = self._saved(share.slot)
        self.scheduler.park(share.request_id)
        job.stream.parked = True
        # The reader may have caught up before it could see the flag, and will not tell again.
        if job.stream.num_unread == 0:
            self.resume(share.request_id)

    def _row_before(self, share: Share, job: Job) -> Row | None:
        """The row before a burst, if the text may have to go back to it."""
        if not job.request.keeps_rows or job.stream.num_sent < job.keeps_row_at:
            return None
        try:
            row = self._saved(share.slot)
        except _RowLost:  # then an earlier one has to do
            return None
        job.keeps_row_at = job.stream.num_sent + _KEPT_EVERY
        return row

    def _load_or_fail(self, request_id: int, slot: int) -> None:
        try:
            self._load(slot, self.jobs[request_id])
        except _RowLost as error:
            self._fail(request_id, EngineFailed(str(error)))

    def _load(self, slot: int, job: Job) -> None:
        row = job.row or Row.start(self.row_shape)
        try:
            self._decoder.load(slot, row, job.request.sampling)
        # Whatever it is, it concerns this row and none of its neighbours.
        except Exception as error:
            _log.exception("a row could not be loaded")
            raise _RowLost(f"the row could not be loaded: {error}") from error
        job.row = None

    def _saved(self, slot: int) -> Row:
        try:
            return self._decoder.save(slot)
        except Exception as error:
            _log.exception("a row could not be saved")
            raise _RowLost(f"the row could not be saved: {error}") from error

    def _fail(self, request_id: int, error: EngineError) -> None:
        self._listener.ended(request_id, Failed(error))
