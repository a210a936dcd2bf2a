"""The engine: threads with a door in, a door out, and rows between them."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

from service.engine.errors import EngineError, dead, shutting_down
from service.engine.group import Group
from service.engine.heartbeats import REST_S, Heartbeats
from service.engine.inbox import Cancel, GoBack, Inbox, Resume, Submit
from service.engine.limits import EngineLimits, EngineStatus
from service.engine.observer import Observer, Unobserved
from service.engine.outbox import Outbox, make_way
from service.engine.request import Chunk, Failed, Finished, Request
from service.engine.rows.job import Job
from service.engine.rows.prefix_cache import PrefixCache
from service.engine.rows.rows import Rows
from service.engine.rows.watch import Watch
from service.engine.stream import TokenStream
from service.engine.threads import join_all
from service.rows.row import RowShape
from service.runtime.decoder import Decoder

_log = logging.getLogger(__name__)


class Engine:
    """Carries out requests on one model.

    Each gets exactly one terminal event, whatever dies, unless its reader has closed the stream.

    `submit`, `submit_all`, `drain`, `stop` and `status` are called on the event loop that called
    `start`; everything else runs in the engine's own threads. Each of them has a lane: it runs the
    bursts of one decoder, beside the others. Between bursts one is let in at a time, to place
    requests, plan and settle: bounds, shares and prompts are of the model; a row fits any lane.

    Args:
        name: For logs and the threads' names.
        decoders: The model, once for each lane; from now on only its thread touches it.
        limits: Bounds.
        cache: Rows of prompts that were read before.
        clock: Seconds, monotonic.
        observer: Who hears of bursts and of the ends of requests.
    """

    def __init__(
        self,
        name: str,
        decoders: Sequence[Decoder],
        limits: EngineLimits,
        cache: PrefixCache | None = None,
        clock: Callable[[], float] = time.monotonic,
        observer: Observer | None = None,
    ) -> None:
        self._clock = clock
        self._inbox = Inbox(
            max_requests=limits.max_waiting_requests, max_tokens=limits.max_waiting_tokens
        )
        self._rows = Rows(decoders, limits, cache or PrefixCache(max_bytes=0), clock, listener=self)
        self._watch = Watch(observer or Unobserved(), clock)
        self._turn = threading.Lock()
        self._outbox = Outbox()
        self._request_ids = itertools.count()
        self._heartbeats = Heartbeats(len(decoders), clock)
        self._stopping: Callable[[], EngineError] | None = None
        self._was_stopped = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._threads = [
            threading.Thread(
                target=self._run, args=[lane], name=f"engine {name} {lane}", daemon=True
            )
            for lane in range(len(decoders))
        ]

    # On the event loop

    def start(self) -> None:
        """Start the threads; events go to the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._heartbeats.begin()
        for thread in self._threads:
            thread.start()

    def submit(self, request: Request) -> TokenStream:
        """Hand in a request; its events come out of the stream.

        Raises:
            Overloaded: Too much is waiting already.
            Draining: The engine takes no more requests.
            EngineFailed: The engine is dead.
            ValueError: The row to go on from is of another model.
        """
        [stream] = self.submit_all([request])
        return stream

    def submit_all(self, requests: Sequence[Request]) -> list[TokenStream]:
        """Hand in requests with one past and one prompt, which is read once: all, or none.

        Raises:
            EngineError, ValueError: As above, or they do not begin alike.
        """
        group, past = Group.of(requests), requests[0].past
        if past is not None and past.shape != self._rows.row_shape:
            raise ValueError(f"a row of {past.shape} cannot go on in {self._rows.row_shape}")
        if self._loop is None:
            raise RuntimeError("the engine was not started")
        submits = [Submit(each, self._stream(next(self._request_ids)), group) for each in requests]
        self._inbox.offer(*submits, tokens_per_s=self._rows.tokens_per_s)
        self._rows.interrupts.newcomer(requests[0].client)
        for submit in submits:
            submit.stream.time_out_after(submit.request.timeout_s, self._loop)
        return [submit.stream for submit in submits]

    def _stream(self, request_id: int) -> TokenStream:
        return TokenStream(
            request_id,
            on_close=lambda stream: self._inbox.post(Cancel(stream)),
            on_caught_up=lambda stream: self._inbox.post(Resume(stream)),
            on_go_back=self._go_back,
            arrived_s=self._clock(),
        )

    def _go_back(self, stream: TokenStream, request: Request) -> TokenStream:
        new = self._stream(stream.request_id)
        if not self._inbox.post(GoBack(request, new)):
            raise dead() if self._stopping is None else self._stopping()
        return new

    def drain(self) -> None:
        """Take no more requests; those that are in go on."""
        self._inbox.close(shutting_down)

    async def stop(self) -> None:
        """End the threads and free the model; running requests fail. Harmless when called again."""
        self._stopping = shutting_down
        self.drain()
        if not self._was_stopped:
            self._was_stopped = True
            if await asyncio.to_thread(join_all, self._threads):
                self._rows.release()

    @property
    def alive(self) -> bool:
        """Whether all threads run."""
        return all(thread.is_alive() for thread in self._threads)

    @property
    def num_requests(self) -> int:
        """Requests that have not ended."""
        return len(self._rows.jobs) + self._inbox.num_commands

    @property
    def row_shape(self) -> RowShape:
        """Of this model's rows."""
        return self._rows.row_shape

    @property
    def status(self) -> EngineStatus:
        """A glance at the engine; never waits for it."""
        scheduler, prompts = self._rows.scheduler, self._rows.prompts
        return EngineStatus(
            alive=self.alive,
            heartbeat_age_s=self._heartbeats.age_s,
            num_running=scheduler.num_running,
            num_waiting=self._inbox.num_requests + scheduler.num_returning,
            num_parked=scheduler.num_parked,
            num_cached_prompts=prompts.cache.num_rows,
            num_cache_bytes=prompts.cache.num_bytes,
            num_tokens_saved=prompts.num_tokens_saved,
            num_rows=sum(scheduler.capacities),
        )

    # In the threads

    def _run(self, lane: int) -> None:
        try:
            while self._stopping is None:
                version = self._inbox.version
                if not self.run_once(lane):
                    self._heartbeats.rest(lane)
                    self._inbox.wait(version, REST_S, partial(self._heartbeats.beat, lane))
        # Whatever it is, the streams must hear of it, and health must tell: the thread is dead.
        except Exception:  # noqa: BLE001
            _log.exception("a thread of the engine died")
            self._stopping = dead  # the others have nothing to rely on any more
        finally:
            with self._turn:
                self._fail_everything(dead if self._stopping is None else self._stopping)

    def run_once(self, lane: int = 0) -> bool:
        """Admit, plan, burst, settle, publish; returns whether there was a burst to run."""
        with self._turn:
            self._heartbeats.beat(lane)
            self._rows.lanes[lane].bursts.take_up()
            self._admit(lane)
            self._watch.at_work()
            plan = self._rows.plan(lane)
            makes_way = self._publish(lane)
            if plan is None:
                return False
        if makes_way:
            make_way(self._loop)
        ran = self._rows.lanes[lane].run(plan)
        with self._turn:
            self._watch.at_work()
            self._rows.settle(plan, ran, lane)
            self._watch.settled(plan, ran, self._rows.lanes[lane])
            makes_way = self._publish(lane)
        if makes_way:
            make_way(self._loop)
        return True

    def _admit(self, lane: int) -> None:
        """Take in commands, give rows to those who wait."""
        has_news = False
        while (command := self._inbox.take()) is not None:
            has_news = True
            match command:
                case Submit(request, stream, group):
                    self._rows.add(stream.request_id, Job.of(request, stream, group))
                case GoBack(request, stream):
                    self._watch.ended(self._rows.jobs.get(stream.request_id), "closed")
                    job = Job.of(request, stream, goes_back=True)
                    self._rows.go_back(stream.request_id, job)
                case Cancel(stream):
                    self._watch.ended(self._rows.jobs.get(stream.request_id), "closed")
                    self._forget(stream.request_id)
                case Resume(stream):
                    self._rows.resume(stream.request_id)
        self._rows.admit(lane, self._heartbeats.others(lane))
        if has_news and self._rows.scheduler.has_work_for_others:
            self._inbox.wake()

    def _publish(self, lane: int) -> bool:
        """Deliver all events of this round; returns whether to make way for them.

        That is for first events, if there is nobody else in the lane who would wait for that.
        """
        num_first = self._outbox.publish(self._loop)
        return num_first > 0 and num_first >= self._rows.scheduler.num_rows(lane)

    # What the rows tell

    def started(self, request_id: int) -> None:
        """A request has got a slot."""
        job = self._rows.jobs[request_id]
        self._watch.started(job)
        self._stop_waiting(job)

    def wrote(self, request_id: int, chunk: Chunk) -> None:
        """A request has written tokens."""
        job = self._rows.jobs[request_id]
        self._watch.wrote(job, len(chunk.token_N))
        self._outbox.put(job.stream, chunk)

    def ended(self, request_id: int, event: Finished | Failed) -> None:
        """A request is over. Every terminal event is sent from here, but for the last of all."""
        job = self._rows.jobs[request_id]
        self._watch.ended(job, "failed" if isinstance(event, Failed) else "finished")
        self._outbox.put(job.stream, event)
        self._forget(request_id)

    def lanes_have_work(self) -> None:
        """Another lane may be asleep."""
        self._inbox.wake()

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
                    self._watch.ended(Job.of(request, stream), "failed")
                    self._outbox.put(stream, Failed(reason()))
                case GoBack(_, stream):
                    self._outbox.put(stream, Failed(reason()))
        for job in self._rows.jobs.values():
            self._stop_waiting(job)
            self._watch.ended(job, "failed")
            self._outbox.put(job.stream, Failed(reason()))
        self._rows.clear()
        self._outbox.publish(self._loop)
