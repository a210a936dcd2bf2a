"""The engine thread: owns the rows of one model and advances them burst by burst."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
import time
from collections.abc import Callable

from service.engine.deadlines import Deadlines
from service.engine.errors import Draining, EngineError, EngineFailed, NotFinite, TimedOut
from service.engine.inbox import Cancel, Inbox, Resume, Submit
from service.engine.limits import EngineLimits, EngineStatus
from service.engine.request import Chunk, Event, Failed, Finished, Request
from service.engine.rows.bursts import Bursts, Plan
from service.engine.rows.prefix_cache import PrefixCache
from service.engine.rows.prompts import Job, Prompts
from service.engine.rows.scheduler import Scheduler, Share
from service.engine.stream import TokenStream
from service.rows.row import Row
from service.runtime.decoder import BurstResult, Decoder

_log = logging.getLogger(__name__)
_IDLE_BEAT_S = 0.5


class Engine:
    """Carries out requests on one model.

    `submit`, `drain`, `stop` and `status` are called on the event loop that called `start`;
    everything else runs in the engine's own thread.

    Args:
        name: For logs and the thread's name.
        decoder: The model; from now on only the engine's thread touches it.
        limits: Bounds.
        cache: Rows of prompts that were read before.
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        name: str,
        decoder: Decoder,
        limits: EngineLimits,
        cache: PrefixCache | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._decoder = decoder
        self._limits = limits
        self._clock = clock
        self._inbox = Inbox(
            max_requests=limits.max_waiting_requests, max_tokens=limits.max_waiting_tokens
        )
        self._scheduler = Scheduler(decoder.capacity)
        self._prompts = Prompts(cache or PrefixCache(max_bytes=0))
        self._bursts = Bursts(decoder, limits, clock)
        self._jobs: dict[int, Job] = {}
        self._deadlines = Deadlines()
        self._outbox: list[tuple[TokenStream, Event]] = []
        self._request_ids = itertools.count()
        self._heartbeat_s = clock()
        self._stopping: Callable[[], EngineError] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name=f"engine {name}", daemon=True)

    # On the event loop

    def start(self) -> None:
        """Start the thread; events go to the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._heartbeat_s = self._clock()
        self._thread.start()

    def submit(self, request: Request) -> TokenStream:
        """Hand in a request; its events come out of the stream.

        Raises:
            Overloaded: Too much is waiting already.
            Draining: The engine takes no more requests.
            EngineFailed: The engine is dead.
        """
        stream = TokenStream(
            next(self._request_ids),
            on_close=lambda stream: self._inbox.post(Cancel(stream)),
            on_caught_up=lambda stream: self._inbox.post(Resume(stream)),
        )
        deadline_s = self._clock() + request.timeout_s
        self._inbox.offer(
            Submit(request, stream, deadline_s), tokens_per_s=self._bursts.tokens_per_s
        )
        return stream

    def drain(self) -> None:
        """Take no more requests; those that are in go on."""
        self._inbox.close(_shutting_down)

    async def stop(self) -> None:
        """End the thread; requests that still run fail."""
        self._stopping = _shutting_down
        self.drain()
        await asyncio.to_thread(self._thread.join)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def num_requests(self) -> int:
        """Requests that have not ended."""
        return len(self._jobs) + self._inbox.num_commands

    @property
    def status(self) -> EngineStatus:
        """A glance at the engine; never waits for it."""
        return EngineStatus(
            alive=self.alive,
            heartbeat_age_s=self._clock() - self._heartbeat_s,
            num_running=self._scheduler.num_running,
            num_waiting=self._inbox.num_requests + self._scheduler.num_returning,
            num_parked=self._scheduler.num_parked,
            num_cached_prompts=self._prompts.cache.num_rows,
            num_cache_bytes=self._prompts.cache.num_bytes,
            num_tokens_saved=self._prompts.num_tokens_saved,
        )

    # In the thread

    def _run(self) -> None:
        reason: Callable[[], EngineError] = _dead
        try:
            while self._stopping is None:
                if not self.run_once():
                    self._inbox.wait(self._deadlines.time_left(self._clock(), _IDLE_BEAT_S))
            reason = self._stopping
        # Whatever it is, the streams must hear of it, and health must tell: the thread is dead.
        except Exception:  # noqa: BLE001
            _log.exception("the engine thread died")
        finally:
            self._fail_everything(reason)

    def run_once(self) -> bool:
        """Admit, plan, burst, settle, publish; returns whether there was a burst to run."""
        self._heartbeat_s = self._clock()
        self._admit()
        plan = self._bursts.plan(self._scheduler, self._jobs)
        if plan is not None and (result := self._run_burst(plan)) is not None:
            self._settle(plan, result)
        self._publish()
        return plan is not None

    def _admit(self) -> None:
        """Take in commands, end what is over its time, give rows to those who wait."""
        while (command := self._inbox.take()) is not None:
            match command:
                case Submit(request, stream, deadline_s):
                    self._add(request, stream, deadline_s)
                case Cancel(stream):
                    self._forget(stream.request_id)
                case Resume(stream):
                    self._resume(stream)
        for request_id in self._deadlines.passed(self._clock()):
            self._fail(request_id, TimedOut("the time for this request is over"))
        admission = self._scheduler.admit()
        for request_id, slot in admission.displaced:
            self._jobs[request_id].row = self._decoder.save(slot)
        for request_id, slot in admission.admitted:
            job = self._jobs[request_id]
            self._stop_waiting(job)
            row = job.row or Row.start(self._decoder.row_shape)
            self._decoder.load(slot, row, job.request.sampling)
            job.row = None

    def _run_burst(self, plan: Plan) -> BurstResult | None:
        """Run one burst; None if the model could not be run, which fails the rows in it."""
        try:
            return self._bursts.run(plan)
        # Whatever a model raises concerns the rows that it ran, not the server.
        except Exception as error:  # noqa: BLE001
            _log.exception("a burst of %d rows failed", len(plan.shares))
            for share in plan.shares:
                self._fail(share.request_id, EngineFailed(f"the model could not be run: {error}"))
            return None

    def _settle(self, plan: Plan, result: BurstResult) -> None:
        """Send what was written, end what is complete, park whoever does not read."""
        for b, (share, job) in enumerate(zip(plan.shares, plan.jobs, strict=True)):
            if not result.finite_B[b]:
                self._fail(share.request_id, NotFinite("the model gave no finite numbers here"))
                continue
            num_steps = int(result.num_steps_B[b])
            num_read = min(num_steps, job.num_to_read)
            if num_read > 0:
                job.num_read += num_read
                self._keep(share, job)
            if num_steps > num_read:
                self._send(job, Chunk.of(result, b, num_read, num_steps))
            ended = bool(result.ended_B[b])
            if self._scheduler.settle(share, num_steps=num_steps, ended=ended):
                row = self._decoder.save(share.slot) if job.request.return_row else None
                self._end(share.request_id, Finished("eos" if ended else "length", row))
            elif job.stream.num_unread >= self._limits.max_unread_tokens:
                self._park(share, job)

    def _publish(self) -> None:
        """Deliver all events of this round with one wake-up of the event loop."""
        if self._outbox and self._loop is not None:
            try:
                self._loop.call_soon_threadsafe(_deliver, self._outbox)
            except RuntimeError:  # the loop is closed: nobody is left to hear it
                _log.debug("%d events came after the end of the event loop", len(self._outbox))
            self._outbox = []

    def _add(self, request: Request, stream: TokenStream, deadline_s: float) -> None:
        request_id = stream.request_id
        self._jobs[request_id] = Job(request, stream, deadline_s, row=request.past)
        self._deadlines.add(request_id, deadline_s)
        self._begin(request_id)

    def _begin(self, request_id: int) -> None:
        """Find out what is to be read, and queue the request unless another one reads just that."""
        job = self._jobs[request_id]
        if self._prompts.begin(request_id, job):
            if job.num_to_read + job.request.max_tokens == 0:
                self._end(
                    request_id, Finished("length", job.row if job.request.return_row else None)
                )
                return
            self._scheduler.add(
                request_id,
                client=job.request.client,
                num_to_read=job.num_to_read,
                num_to_write=job.request.max_tokens,
                num_to_pause=max(0, job.num_shared - job.num_read),
                may_ride=not self._prompts.wants_row_at_end(job),
            )

    def _keep(self, share: Share, job: Job) -> None:
        """Remember the row at places where other prompts may go on from it."""
        if self._prompts.is_worth_keeping(job):
            self._prompts.keep(job, self._decoder.save(share.slot))
        if job.num_to_read == 0:
            for follower in self._prompts.leave(share.request_id):
                self._begin(follower)

    def _park(self, share: Share, job: Job) -> None:
        job.row = self._decoder.save(share.slot)
        self._scheduler.park(share.request_id)
        job.stream.parked = True
        # The reader may have caught up before it could see the flag, and will not tell again.
        if job.stream.num_unread == 0:
            self._resume(job.stream)

    def _resume(self, stream: TokenStream) -> None:
        here = stream.request_id in self._jobs and self._scheduler.is_parked(stream.request_id)
        # The command may be of an earlier pause; if the reader is behind again, it will tell again.
        if here and stream.num_unread < self._limits.max_unread_tokens:
            stream.parked = False
            self._scheduler.resume(stream.request_id)

    def _send(self, job: Job, chunk: Chunk) -> None:
        job.stream.num_sent += len(chunk.token_N)
        self._outbox.append((job.stream, chunk))

    def _fail(self, request_id: int, error: EngineError) -> None:
        if request_id in self._jobs:
            self._end(request_id, Failed(error))

    def _end(self, request_id: int, event: Finished | Failed) -> None:
        """Every terminal event is sent from here, but for the last ones of all."""
        self._outbox.append((self._jobs[request_id].stream, event))
        self._forget(request_id)

    def _forget(self, request_id: int) -> None:
        job = self._jobs.pop(request_id, None)
        if job is not None:
            self._stop_waiting(job)
            if request_id in self._scheduler:
                self._scheduler.remove(request_id)
            for follower in self._prompts.leave(request_id):
                self._begin(follower)

    def _stop_waiting(self, job: Job) -> None:
        if job.waiting:
            job.waiting = False
            self._inbox.taken(job.request)

    def _fail_everything(self, reason: Callable[[], EngineError]) -> None:
        """End every stream; asks nothing of the scheduler, which may be what broke."""
        self._inbox.close(reason)
        while (command := self._inbox.take()) is not None:
            if isinstance(command, Submit):
                self._inbox.taken(command.request)
                self._outbox.append((command.stream, Failed(reason())))
        for job in self._jobs.values():
            self._stop_waiting(job)
            self._outbox.append((job.stream, Failed(reason())))
        self._jobs.clear()
        self._scheduler = Scheduler(self._decoder.capacity)
        self._publish()


def _shutting_down() -> EngineError:
    return Draining("the server is shutting down")


def _dead() -> EngineError:
    return EngineFailed("the engine is dead")


def _deliver(events: list[tuple[TokenStream, Event]]) -> None:
    for stream, event in events:
        stream.deliver(event)
