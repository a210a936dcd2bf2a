"""The engine thread: owns the rows of one model and advances them burst by burst."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from service.engine.errors import Draining, EngineError, EngineFailed, NotFinite, TimedOut
from service.engine.inbox import Cancel, Inbox, Resume, Submit
from service.engine.limits import EngineLimits, EngineStatus
from service.engine.request import Chunk, Event, Failed, Finished, Request
from service.engine.scheduler import BurstLength, Scheduler, Share
from service.engine.stream import TokenStream
from service.runtime.decoder import SAMPLED, Burst, BurstResult, Decoder, Row

_log = logging.getLogger(__name__)
_IDLE_BEAT_S = 0.5


@dataclass(slots=True)
class _Job:
    """A request in the engine, and how far its prompt was read."""

    request: Request
    stream: TokenStream
    deadline_s: float
    row: Row | None
    num_read: int = 0
    waiting: bool = True


class Engine:
    """Carries out requests on one model.

    `submit`, `drain`, `stop` and `status` are called on the event loop that called `start`;
    everything else runs in the engine's own thread.

    Args:
        name: For logs and the thread's name.
        decoder: The model; from now on only the engine's thread touches it.
        limits: Bounds.
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        name: str,
        decoder: Decoder,
        limits: EngineLimits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._decoder = decoder
        self._limits = limits
        self._clock = clock
        self._inbox = Inbox(
            max_requests=limits.max_waiting_requests, max_tokens=limits.max_waiting_tokens
        )
        self._scheduler = Scheduler(decoder.capacity)
        self._burst_length = BurstLength(limits.target_burst_s, limits.max_burst_steps)
        self._jobs: dict[int, _Job] = {}
        self._deadlines: list[tuple[float, int]] = []
        self._outbox: list[tuple[TokenStream, Event]] = []
        self._request_ids = itertools.count()
        self._tokens_per_s = 0.0
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
        self._inbox.offer(Submit(request, stream, deadline_s), tokens_per_s=self._tokens_per_s)
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
    def status(self) -> EngineStatus:
        """A glance at the engine; never waits for it."""
        return EngineStatus(
            alive=self._thread.is_alive(),
            heartbeat_age_s=self._clock() - self._heartbeat_s,
            num_running=self._scheduler.num_running,
            num_waiting=self._inbox.num_requests,
            num_parked=self._scheduler.num_parked,
        )

    # In the thread

    def _run(self) -> None:
        reason: Callable[[], EngineError] = _dead
        try:
            while self._stopping is None:
                self._heartbeat_s = self._clock()
                self._admit()
                shares = self._scheduler.plan(self._num_steps())
                if shares:
                    result = self._burst(shares)
                    self._settle(shares, result)
                self._publish()
                if not shares:
                    self._inbox.wait(self._time_to_next_deadline())
            reason = self._stopping
        # Whatever it is, the streams must hear of it, and health must tell: the thread is dead.
        except Exception:  # noqa: BLE001
            _log.exception("the engine thread died")
        finally:
            self._fail_everything(reason)

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
        self._expire()
        for request_id, slot in self._scheduler.admit():
            job = self._jobs[request_id]
            self._stop_waiting(job)
            row = job.row or Row.start(self._decoder.state_width, self._decoder.vocabulary_size)
            self._decoder.load(slot, row, job.request.sampling)
            job.row = None

    def _burst(self, shares: list[Share]) -> BurstResult | None:
        """Run one burst; None if the model could not be run, which fails the rows in it."""
        num_steps_B = np.array([share.num_steps for share in shares])
        forced_KB = np.full((int(num_steps_B.max()), len(shares)), SAMPLED, np.int64)
        for b, share in enumerate(shares):
            if share.num_read:
                job = self._jobs[share.request_id]
                prompt_T = job.request.prompt_T
                forced_KB[: share.num_read, b] = prompt_T[
                    job.num_read : job.num_read + share.num_read
                ]
        slot_B = np.array([share.slot for share in shares])
        keep_B = np.array([self._jobs[share.request_id].request.return_row for share in shares])
        started_s = self._clock()
        try:
            result = self._decoder.burst(Burst(slot_B, forced_KB, num_steps_B, keep_B))
        # Whatever a model raises concerns the rows that it ran, not the server.
        except Exception as error:  # noqa: BLE001
            _log.exception("a burst of %d rows failed", len(shares))
            for share in shares:
                self._fail(share.request_id, EngineFailed(f"the model could not be run: {error}"))
            return None
        duration_s = max(self._clock() - started_s, 1e-9)
        self._burst_length.observe(len(forced_KB), duration_s)
        tokens_per_s = float(result.num_steps_B.sum()) / duration_s
        self._tokens_per_s += 0.1 * (tokens_per_s - self._tokens_per_s)
        return result

    def _settle(self, shares: list[Share], result: BurstResult | None) -> None:
        """Send what was written, end what is complete, park whoever does not read."""
        if result is None:
            return
        for b, share in enumerate(shares):
            if not result.finite_B[b]:
                self._fail(share.request_id, NotFinite("the model gave no finite numbers here"))
                continue
            job = self._jobs[share.request_id]
            num_steps = int(result.num_steps_B[b])
            job.num_read += share.num_read
            if num_steps > share.num_read:
                self._send(job, Chunk.of(result, b, share.num_read, num_steps))
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
        self._jobs[request_id] = _Job(request, stream, deadline_s, row=request.past)
        heapq.heappush(self._deadlines, (deadline_s, request_id))
        self._scheduler.add(
            request_id, num_to_read=len(request.prompt_T), num_to_write=request.max_tokens
        )

    def _expire(self) -> None:
        """Fail what is over its time; the heap may still name requests that ended long ago."""
        now_s = self._clock()
        while self._deadlines:
            deadline_s, request_id = self._deadlines[0]
            if deadline_s > now_s and request_id in self._jobs:
                break
            heapq.heappop(self._deadlines)
            self._fail(request_id, TimedOut("the time for this request is over"))

    def _park(self, share: Share, job: _Job) -> None:
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

    def _send(self, job: _Job, chunk: Chunk) -> None:
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
            self._scheduler.remove(request_id)

    def _stop_waiting(self, job: _Job) -> None:
        if job.waiting:
            job.waiting = False
            self._inbox.taken(job.request)

    def _num_steps(self) -> int:
        return self._burst_length.num_steps(self._scheduler.num_running)

    def _time_to_next_deadline(self) -> float:
        if not self._deadlines:
            return _IDLE_BEAT_S
        return min(_IDLE_BEAT_S, max(0.0, self._deadlines[0][0] - self._clock()))

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
