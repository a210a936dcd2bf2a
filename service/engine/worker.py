"""The engine: a thread with a door in, a door out, and rows between them."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
import time
from collections.abc import Callable

from service.engine.errors import Draining, EngineError, EngineFailed
from service.engine.inbox import Cancel, GoBack, Inbox, Resume, Submit
from service.engine.limits import EngineLimits, EngineStatus
from service.engine.request import Chunk, Event, Failed, Finished, Request
from service.engine.rows.job import Job
from service.engine.rows.prefix_cache import PrefixCache
from service.engine.rows.rows import Rows
from service.engine.stream import TokenStream
from service.runtime.decoder import Decoder

_log = logging.getLogger(__name__)
_IDLE_BEAT_S = 0.5
_PATIENCE_S = 5.0


class Engine:
    """Carries out requests on one model.

    Each gets exactly one terminal event, whatever dies, unless its reader has closed the stream.

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
        self._clock = clock
        self._inbox = Inbox(
            max_requests=limits.max_waiting_requests, max_tokens=limits.max_waiting_tokens
        )
        self._rows = Rows(decoder, limits, cache or PrefixCache(max_bytes=0), clock, listener=self)
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
            ValueError: The row to go on from is of another model.
        """
        past = request.past
        if past is not None and past.shape != self._rows.row_shape:
            raise ValueError(f"a row of {past.shape} cannot go on in {self._rows.row_shape}")
        if self._loop is None:
            raise RuntimeError("the engine was not started")
        stream = self._stream(next(self._request_ids))
        self._inbox.offer(Submit(request, stream), tokens_per_s=self._rows.bursts.tokens_per_s)
        stream.time_out_after(request.timeout_s, self._loop)
        return stream

    def _stream(self, request_id: int) -> TokenStream:
        return TokenStream(
            request_id,
            on_close=lambda stream: self._inbox.post(Cancel(stream)),
            on_caught_up=lambda stream: self._inbox.post(Resume(stream)),
            on_go_back=self._go_back,
        )

    def _go_back(self, stream: TokenStream, request: Request) -> TokenStream:
        new = self._stream(stream.request_id)
        if not self._inbox.post(GoBack(request, new)):
            raise _dead() if self._stopping is None else self._stopping()
        return new

    def drain(self) -> None:
        """Take no more requests; those that are in go on."""
        self._inbox.close(_shutting_down)

    async def stop(self) -> None:
        """End the thread; requests that still run fail."""
        self._stopping = _shutting_down
        self.drain()
        await asyncio.to_thread(self._thread.join, _PATIENCE_S)
        if self._thread.is_alive():
            _log.error("the engine thread hangs; it ends with the process")

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def num_requests(self) -> int:
        """Requests that have not ended."""
        return len(self._rows.jobs) + self._inbox.num_commands

    @property
    def status(self) -> EngineStatus:
        """A glance at the engine; never waits for it."""
        scheduler, prompts = self._rows.scheduler, self._rows.prompts
        return EngineStatus(
            alive=self.alive,
            heartbeat_age_s=self._clock() - self._heartbeat_s,
            num_running=scheduler.num_running,
            num_waiting=self._inbox.num_requests + scheduler.num_returning,
            num_parked=scheduler.num_parked,
            num_cached_prompts=prompts.cache.num_rows,
            num_cache_bytes=prompts.cache.num_bytes,
            num_tokens_saved=prompts.num_tokens_saved,
        )

    # In the thread

    def _run(self) -> None:
        reason: Callable[[], EngineError] = _dead
        try:
            while self._stopping is None:
                if not self.run_once():
                    self._inbox.wait(_IDLE_BEAT_S)
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
        has_run = self._rows.advance()
        self._publish()
        return has_run

    def _admit(self) -> None:
        """Take in commands, give rows to those who wait."""
        while (command := self._inbox.take()) is not None:
            match command:
                case Submit(request, stream):
                    self._rows.add(stream.request_id, Job.of(request, stream))
                case GoBack(request, stream):
                    job = Job.of(request, stream, waiting=False)
                    self._rows.go_back(stream.request_id, job)
                case Cancel(stream):
                    self._forget(stream.request_id)
                case Resume(stream):
                    self._rows.resume(stream.request_id)
        self._rows.admit()

    def _publish(self) -> None:
        """Deliver all events of this round with one wake-up of the event loop."""
        if self._outbox and self._loop is not None:
            try:
                self._loop.call_soon_threadsafe(_deliver, self._outbox)
            except RuntimeError:  # the loop is closed: nobody is left to hear it
                _log.debug("%d events came after the end of the event loop", len(self._outbox))
            self._outbox = []

    # What the rows tell

    def started(self, request_id: int) -> None:
        """A request has got a slot."""
        self._stop_waiting(self._rows.jobs[request_id])

    def wrote(self, request_id: int, chunk: Chunk) -> None:
        """A request has written tokens."""
        self._outbox.append((self._rows.jobs[request_id].stream, chunk))

    def ended(self, request_id: int, event: Finished | Failed) -> None:
        """A request is over. Every terminal event is sent from here, but for the last of all."""
        self._outbox.append((self._rows.jobs[request_id].stream, event))
        self._forget(request_id)

    def _forget(self, request_id: int) -> None:
        job = self._rows.jobs.get(request_id)
        if job is not None:
            self._stop_waiting(job)
            self._rows.remove(request_id)

    def _stop_waiting(self, job: Job) -> None:
        """It counts against the inbox's bounds no more: it has a slot, or is gone."""
        if job.waiting:
            job.waiting = False
            self._inbox.taken(job.request)

    def _fail_everything(self, reason: Callable[[], EngineError]) -> None:
        """End every stream; asks nothing of the scheduler, which may be what broke."""
        for command in self._inbox.end(reason):
            match command:
                case Submit(request, stream):
                    self._inbox.taken(request)
                    self._outbox.append((stream, Failed(reason())))
                case GoBack(_, stream):
                    self._outbox.append((stream, Failed(reason())))
        for job in self._rows.jobs.values():
            self._stop_waiting(job)
            self._outbox.append((job.stream, Failed(reason())))
        self._rows.clear()
        self._publish()


def _shutting_down() -> EngineError:
    return Draining("the server is shutting down")


def _dead() -> EngineError:
    return EngineFailed("the engine is dead")


def _deliver(events: list[tuple[TokenStream, Event]]) -> None:
    for stream, event in events:
        stream.deliver(event)
