"""Requests that are handed in together: their prompt is read once, and all are taken or none."""

import asyncio

import numpy as np
import pytest

from service.engine.errors import NotFinite, Overloaded
from service.engine.rows.prefix_cache import PrefixCache
from service.runtime.decoder import SAMPLED
from service.runtime.reference.fake import FakeStep
from service.runtime.reference.stepwise import StepwiseDecoder
from tests.service.engine.engines import (
    FOREVER,
    LONG,
    GatedDecoder,
    alone,
    bits,
    read,
    request_of,
    running_engine,
    until,
)


class CountingDecoder(StepwiseDecoder):
    """Counts the tokens that it is told to read."""

    def __init__(self, capacity=4):
        super().__init__(FakeStep(), capacity=capacity)
        self.num_read = 0

    def burst(self, burst):
        """Run it."""
        for b, num_steps in enumerate(burst.num_steps_B):
            self.num_read += int((burst.forced_KB[:num_steps, b] != SAMPLED).sum())
        return super().burst(burst)


async def _texts_are_their_own(engine, requests):
    streams = engine.submit_all(requests)
    for request, stream in zip(requests, streams, strict=True):
        tokens, end = await read(stream)
        expected, row = alone(request)
        assert (expected, bits(row)) == (tokens, bits(end.row))
    return streams


@pytest.mark.parametrize("cache_bytes", [0, 100, 1 << 20])
@pytest.mark.parametrize("prompt", [LONG, [3], [1, 2, 3]])
@pytest.mark.parametrize("num_texts", [2, 11])
@pytest.mark.parametrize("num_lanes", [1, 2])
async def test_a_prompt_of_several_texts_is_read_once(cache_bytes, prompt, num_texts, num_lanes):
    """Long or short, whatever the cache keeps, also by those who had to wait for a row."""
    lanes = [CountingDecoder() for _ in range(num_lanes)]
    requests = [request_of(prompt, 9 + n, seed=n) for n in range(num_texts)]
    async with running_engine(lanes, cache=PrefixCache(cache_bytes)) as engine:
        streams = await _texts_are_their_own(engine, requests)

    assert len(prompt) == sum(lane.num_read for lane in lanes)
    assert [0, *[len(prompt)] * (num_texts - 1)] == sorted(stream.num_cached for stream in streams)


@pytest.mark.parametrize("cache_bytes", [0, 1 << 20])
async def test_a_prompt_after_a_past_is_read_once(cache_bytes):
    """A session's row or a capsule's is the past of all, and other prompts do not go on from it."""
    decoder = CountingDecoder()
    _, past = alone(request_of([4, 2], 7))
    requests = [request_of(LONG, 9, seed=n, past=past) for n in range(6)]
    async with running_engine(decoder, cache=PrefixCache(cache_bytes)) as engine:
        await _texts_are_their_own(engine, requests)
        assert len(LONG) == decoder.num_read
        await _texts_are_their_own(engine, [request_of(LONG, 9)])


async def test_a_past_without_a_prompt_goes_on_several_times():
    """Nothing is to be read."""
    decoder = CountingDecoder()
    _, past = alone(request_of([4, 2], 7))
    async with running_engine(decoder) as engine:
        requests = [request_of([], 9, seed=n, past=past) for n in range(6)]
        await _texts_are_their_own(engine, requests)

    assert 0 == decoder.num_read


async def test_what_the_cache_knows_is_not_read_by_a_group():
    """Only what is left, by one of them; also where that is short."""
    decoder = CountingDecoder()
    async with running_engine(decoder, cache=PrefixCache(1 << 20)) as engine:
        await read(engine.submit(request_of(LONG, 1)))
        requests = [request_of([*LONG, 0, 0], 5, seed=n) for n in range(6)]
        streams = await _texts_are_their_own(engine, requests)

    assert len(LONG) + 2 == decoder.num_read
    assert [60, *[62] * 5] == sorted(stream.num_cached for stream in streams)


async def test_when_the_one_that_reads_leaves_another_goes_on_from_there():
    """The others have not to begin anew, without any cache."""
    decoder = GatedDecoder(capacity=4)
    requests = [request_of(LONG, 9, seed=n) for n in range(4)]
    async with running_engine(decoder, target_burst_s=0) as engine:
        streams = engine.submit_all(requests)
        await decoder.entered()
        for _ in range(20):
            await decoder.step()
        [reader] = [stream for stream in streams if engine._rows.jobs[stream.request_id].is_loaded]
        reader.close()
        decoder.open()
        left = [each for each in zip(requests, streams, strict=True) if each[1] is not reader]
        for request, stream in left:
            tokens, end = await read(stream)
            expected, row = alone(request)
            assert (expected, bits(row)) == (tokens, bits(end.row))

    num_cached = sorted(stream.num_cached for _, stream in left)
    assert 20 <= num_cached[0] < 60
    assert [60, 60] == num_cached[1:]


async def test_several_are_taken_or_none():
    """Neither the requests nor the tokens of a refused group stay in the counts."""
    decoder = GatedDecoder(capacity=1)
    async with running_engine(decoder, max_waiting_requests=4, max_waiting_tokens=400) as engine:
        running = engine.submit(request_of([1], FOREVER))
        await decoder.entered()
        waiting = engine.submit_all([request_of([1], 9, seed=n) for n in range(2)])
        with pytest.raises(Overloaded):  # three more would be five
            engine.submit_all([request_of([1], 9, seed=n) for n in range(3)])
        with pytest.raises(Overloaded):  # two times two hundred and twenty more
            engine.submit_all([request_of([1], 199, seed=n) for n in range(2)])
        assert 2 == engine.status.num_waiting
        waiting += engine.submit_all([request_of([1], 9, seed=n) for n in range(2)])
        running.close()
        decoder.open()
        for stream in waiting:
            await read(stream)
        assert 0 == engine.status.num_waiting


async def test_an_empty_inbox_takes_any_group():
    """What one request may ask for was judged at the door; otherwise it would never be taken."""
    async with running_engine(max_waiting_requests=2, max_waiting_tokens=10) as engine:
        await _texts_are_their_own(engine, [request_of([1], 20, seed=n) for n in range(6)])


async def test_a_group_begins_alike():
    """Another prompt, past or salt, and a prompt that is to be reported, are the caller's fault."""
    _, past = alone(request_of([4, 2], 7))
    async with running_engine() as engine:
        for other in (request_of([2]), request_of([1], past=past), request_of([1], salt="x")):
            with pytest.raises(ValueError, match="go on from one past, with one prompt"):
                engine.submit_all([request_of([1]), other])
        assert 0 == engine.num_requests


async def test_nothing_is_kept_of_a_group_that_has_begun():
    """The row of its prompt goes with the last one that needed it."""
    decoder = GatedDecoder(capacity=2)
    async with running_engine(decoder) as engine:
        streams = engine.submit_all([request_of([1], 40, seed=n) for n in range(3)])
        await decoder.entered()
        await decoder.step()
        jobs = engine._rows.jobs
        [waiting] = [job for job in jobs.values() if job.waiting]
        await until(lambda: waiting.group.row is not None)
        others = [job for job in jobs.values() if job is not waiting]
        assert [None, None] == [job.group for job in others]
        decoder.open()
        await asyncio.gather(*map(read, streams))
        assert waiting.group is None


async def test_a_failure_while_reading_is_one_of_each():
    """The next one reads, and fails by itself: every text has its own last event."""

    class Infinite(FakeStep):
        def __call__(self, token_B, state):
            """Numbers that no model should give."""
            logits_BV, state = super().__call__(token_B, state)
            return logits_BV + np.float32("inf"), state

    decoder = StepwiseDecoder(Infinite(), capacity=2)
    async with running_engine(decoder) as engine:
        streams = engine.submit_all([request_of([1, 2], 5, seed=n) for n in range(5)])
        ends = [(await read(stream))[1] for stream in streams]

    assert [NotFinite] * 5 == [type(end.error) for end in ends]
