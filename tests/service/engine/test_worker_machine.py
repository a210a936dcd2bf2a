"""The whole engine on the burst decoder, in any order of events, against each request alone.

The engine's thread is replaced by a rule, so that whatever fails is found again.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import hypothesis
import numpy as np
from hypothesis import stateful
from hypothesis import strategies as st

from service.engine.errors import TimedOut
from service.engine.request import Chunk, Failed, Finished, Request
from service.engine.rows.prefix_cache import PrefixCache
from service.rows.row import Row
from service.runtime.burst import BurstDecoder
from service.runtime.step import StepGraph
from tests import tiny_model
from tests.service.engine.machine_texts import END_ID, Text, compare
from tests.service.engine.stepped import SteppedEngine, TickingClock
from tests.service.limits import engine_limits
from tests.service.runtime.test_batch_invariance import _bits, _samplings
from tests.service.runtime.test_burst import burst_decoder

_GRAPH = tiny_model.step_graph()
_CAPACITIES = [2, 1]
_LIMITS = engine_limits(max_unread_tokens=6, max_burst_steps=5, event_s=0)
_CACHE_BYTES = 20_000
# Prompts that begin alike, or are alike: what the cache and single flight are about.
_PROMPTS = [[5], [5, 6], [5, 6, 7, 8], [5, 6, 7, 8, 9, 10, 11, 12, 13], [5, 6, 7, 9, 9], [20] * 12]


class EngineMachine(stateful.RuleBasedStateMachine):
    """Submit, burst, read or not (park), cancel, run out of time, go on from a row, finish."""

    _decoders: dict[int, list[BurstDecoder]] = {}  # noqa: RUF012
    _step = StepGraph(_GRAPH)
    num_threads = 1

    def __init__(self):
        super().__init__()
        if self.num_threads not in self._decoders:
            self._decoders[self.num_threads] = [
                burst_decoder(
                    _GRAPH, capacity=capacity, num_threads=self.num_threads, end_id=END_ID
                )
                for capacity in _CAPACITIES
            ]
        self.clock = TickingClock()
        self.cache = PrefixCache(_CACHE_BYTES, min_tokens=2)
        decoders = self._decoders[self.num_threads]
        self.engine = SteppedEngine("test", decoders, _LIMITS, self.cache, self.clock)
        self.loop = asyncio.new_event_loop()
        self.engine.start_on(self.loop)
        self.texts: list[Text] = []
        self.rows: list[Row] = []

    def teardown(self):
        """Everything that is still there ends; every text is what it is alone."""
        try:
            for _ in range(2000):
                for text in self.texts:
                    self._read(text, 1000)
                has_run = [self.engine.run_once(lane) for lane in range(len(_CAPACITIES))]
                if not any(has_run) and all(text.ended for text in self.texts):
                    break
            self.engine.run_once()
            assert all(text.ended for text in self.texts), "a request without an end"
            assert self.engine.is_empty
            self.engine.end()
            self._deliver()
        finally:
            self.loop.close()

    def _deliver(self):
        self.loop.run_until_complete(asyncio.sleep(0))

    @stateful.rule(
        prompt=st.sampled_from(_PROMPTS),
        max_tokens=st.integers(0, 20),
        sampling=_samplings,
        client=st.sampled_from("abc"),
        salt=st.sampled_from(["", "", "", "key"]),
        keep=st.booleans(),
        reports=st.booleans(),
    )
    def submit(self, prompt, max_tokens, sampling, client, salt, keep, reports):
        """A new text."""
        self._submit(
            Request(
                prompt_T=np.array(prompt),
                max_tokens=max_tokens,
                sampling=sampling,
                timeout_s=600.0,
                return_row=keep,
                rows_every=5 if keep else 0,
                reports_read=reports,
                client=client,
                cache_salt=salt,
            )
        )

    @stateful.precondition(lambda self: self.rows)
    @stateful.rule(
        data=st.data(),
        prompt=st.sampled_from([[], *_PROMPTS]),
        max_tokens=st.integers(1, 20),
        sampling=_samplings,
    )
    def go_on(self, data, prompt, max_tokens, sampling):
        """Another turn of a text that was finished."""
        row = data.draw(st.sampled_from(self.rows))
        request = Request(
            prompt_T=np.array(prompt, np.int64),
            max_tokens=max_tokens,
            sampling=sampling,
            timeout_s=600.0,
            past=row,
            return_row=True,
            rows_every=5,
        )
        self._submit(request)

    @stateful.precondition(lambda self: self._may_stop())
    @stateful.rule(data=st.data())
    def stop(self, data):
        """A text ends at an earlier place, running or not; the engine reads up to there."""
        text = data.draw(st.sampled_from(self._may_stop()))
        request, num_tokens = text.request, data.draw(st.integers(1, len(text.tokens)))
        start = request.past.num_tokens if request.past else 0
        whole_T = np.array([*request.prompt_T, *text.tokens[:num_tokens]])
        before = [row for row in text.rows if row.num_tokens - start <= len(whole_T)]
        row = before[-1] if before else request.past
        left_T = whole_T[row.num_tokens - start if row else 0 :]
        if len(left_T) == 0:
            return
        text.tokens, text.logprobs = text.tokens[:num_tokens], text.logprobs[:num_tokens]
        text.stops_after, text.ended = num_tokens, None
        text.stream = text.stream.go_back(
            replace(request, past=row, prompt_T=left_T, max_tokens=0, return_row=True, rows_every=0)
        )

    def _may_stop(self):
        return [
            text
            for text in self.texts
            if text.request.rows_every
            and not text.request.reports_read
            and text.tokens
            and text.stops_after is None
            and not isinstance(text.ended, Failed)
        ]

    def _submit(self, request: Request):
        self.texts.append(Text(request, self.engine.submit(request)))

    @stateful.rule(lanes=st.lists(st.integers(0, len(_CAPACITIES) - 1), min_size=1, max_size=8))
    def run_engine(self, lanes):
        """Some rounds of the lanes, one after the other."""
        for lane in lanes:
            self.engine.run_once(lane)
            self._deliver()

    @stateful.rule(lanes=st.permutations(range(len(_CAPACITIES))), data=st.data())
    def begin_and_end_bursts(self, lanes, data):
        """Both lanes run a burst at the same time; in its midst somebody may come or leave."""
        engine, plans = self.engine, {}
        for lane in lanes:
            bursts = engine._rows.lanes[lane].bursts
            bursts.take_up()
            engine._admit(lane)
            if plan := engine._rows.plan(lane):
                plans[lane] = plan
            if data.draw(st.booleans(), label="interrupted"):
                bursts.interrupt()
        if data.draw(st.booleans()) and any(not text.ended for text in self.texts):
            self.cancel(data)
        for lane in [*plans]:
            plan = plans.pop(lane)
            engine._rows.settle(plan, engine._rows.lanes[lane].run(plan), lane)
            engine._publish(0)
            free = [other for other in lanes if other not in plans]
            if data.draw(st.booleans()):  # one that has ended its burst has its next turn at once
                engine._admit(data.draw(st.sampled_from(free)))
        self._deliver()

    @stateful.rule(tick_s=st.sampled_from([0.00001, 0.002, 0.02]))
    def change_speed(self, tick_s):
        """Bursts take longer or shorter from now on."""
        self.clock.tick_s = tick_s

    @stateful.precondition(lambda self: self.texts)
    @stateful.rule(data=st.data(), number=st.integers(1, 4))
    def read(self, data, number):
        """A reader takes some events."""
        self._read(data.draw(st.sampled_from(self.texts)), number)

    @stateful.rule()
    def read_all(self):
        """Every reader catches up."""
        for text in self.texts:
            self._read(text, 1000)

    @stateful.precondition(lambda self: any(not text.ended for text in self.texts))
    @stateful.rule(data=st.data())
    def cancel(self, data):
        """A reader leaves."""
        text = data.draw(st.sampled_from([text for text in self.texts if not text.ended]))
        text.stream.close()
        self.texts.remove(text)
        compare(self._step, text, complete=False)

    @stateful.precondition(lambda self: any(not text.ended for text in self.texts))
    @stateful.rule(data=st.data())
    def time_out(self, data):
        """The time of a text is over; what it has written before can still be read."""
        text = data.draw(st.sampled_from([text for text in self.texts if not text.ended]))
        text.stream._time_out()
        text.is_over_time = True

    def _read(self, text: Text, number: int):
        for _ in range(number):
            self._deliver()
            if text.ended or not text.stream._events:
                return
            event = self.loop.run_until_complete(text.stream.next())
            if isinstance(event, Chunk):
                assert text.stops_after is None
                if event.row_before is not None:
                    text.rows.append(event.row_before)
                text.tokens += event.token_N.tolist()
                if event.logprobs is not None and text.request.sampling.num_logprobs is not None:
                    text.logprobs += event.logprobs.chosen_N.tolist()
            else:
                self._end(text, event)

    def _end(self, text: Text, event: Finished | Failed):
        text.ended = event
        if isinstance(event, Failed):
            assert isinstance(event.error, TimedOut)
            assert text.is_over_time
            compare(self._step, text, complete=False)
        elif text.stops_after is not None:
            row = compare(self._step, text, complete=False)
            assert event.row is not None
            counted = replace(event.row, generated_V=row.generated_V)
            assert _bits(counted) == _bits(row)
            self.rows.append(row)
        else:
            row = compare(self._step, text, complete=True)
            reached = text.num_written == text.request.max_tokens
            ends = text.num_written > 0 and text.tokens[-1] == END_ID
            assert event.reason == ("eos" if ends else "length")
            assert reached or ends
            assert (event.row is not None) == text.request.return_row
            if event.row is not None:
                assert _bits(event.row) == _bits(row)
                self.rows.append(event.row)

    @stateful.invariant()
    def nothing_is_lost_or_unbounded(self):
        """Rows are in one place each; readers who do not read hold little."""
        self.engine.check_integrity()
        assert self.cache.num_bytes <= _CACHE_BYTES
        for text in self.texts:
            unread = text.stream.num_unread
            assert unread < _LIMITS.max_unread_tokens + _LIMITS.max_burst_steps


class EngineMachineOnTwoThreads(EngineMachine):
    """The same, with onnxruntime's thread pool."""

    num_threads = 2


TestOneThread = EngineMachine.TestCase
TestTwoThreads = EngineMachineOnTwoThreads.TestCase
TestOneThread.settings = TestTwoThreads.settings = hypothesis.settings(
    max_examples=60, stateful_step_count=30, deadline=None
)
