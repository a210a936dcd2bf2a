"""An engine of several lanes: bounds, shares and prompts are of the model."""

import asyncio
import threading
import time

import numpy as np
import pytest

from service.engine.errors import EngineFailed, Overloaded
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


async def test_requests_are_spread_and_texts_are_the_same():
    """Each lane gets as many as the other; in which one a text was written cannot be told."""
    lanes = [GatedDecoder(capacity=2), GatedDecoder(capacity=2)]
    requests = [request_of([n % 7, 1], 300, seed=n) for n in range(4)]
    async with running_engine(lanes) as engine:
        streams = [engine.submit(request) for request in requests]
        for lane in lanes:
            await lane.entered()  # nothing has ended yet, and nothing will before it may
            lane.permit()
        for lane in lanes:
            await lane.entered()
        assert [2, 2] == [engine._rows.scheduler.num_rows(lane) for lane in (0, 1)]
        for lane in lanes:
            lane.open()
        results = [await read(stream) for stream in streams]

    for request, (tokens, end) in zip(requests, results, strict=True):
        expected, row = alone(request)
        assert (expected, bits(row)) == (tokens, bits(end.row))


async def test_a_row_of_one_lane_goes_on_in_another():
    """A text that lost its slot there; all of it is what it is alone."""
    lanes = [GatedDecoder(capacity=1), GatedDecoder(capacity=1)]
    async with running_engine(lanes, target_burst_s=0) as engine:
        texts = [engine.submit(request_of([n], 40, seed=n, client="a")) for n in (1, 2)]
        for lane in lanes:
            await lane.entered()
        other = engine.submit(request_of([3], 40, seed=3, client="b"))
        for lane in lanes:
            await lane.step()
        assert 1 == engine._rows.scheduler.num_returning
        [displaced] = [n for n in (0, 1) if engine._rows.scheduler.slot_of(n) is None]
        lost = engine._rows.scheduler.slot_of(2)[0]
        lanes[1 - lost].open()  # its neighbour ends, the one that took its slot does not
        await until(lambda: engine._rows.scheduler.slot_of(displaced) == (1 - lost, 0))
        lanes[lost].open()
        results = [await read(stream) for stream in (*texts, other)]

    for n, (tokens, _) in enumerate(results, start=1):
        assert alone(request_of([n], 40, seed=n))[0] == tokens


async def test_bounds_are_of_the_model():
    """As many may wait as the limit says, and nobody is refused while a lane has a row free."""
    lanes = [GatedDecoder(capacity=1), GatedDecoder(capacity=1)]
    async with running_engine(lanes, max_waiting_requests=2) as engine:
        streams = []
        for n in range(2):
            streams.append(engine.submit(request_of([1], FOREVER)))
            await until(lambda n=n: engine.status.num_running == n + 1)
        streams += [engine.submit(request_of([1], FOREVER)) for _ in range(2)]
        with pytest.raises(Overloaded):
            engine.submit(request_of([1], FOREVER))
        for stream in streams:
            stream.close()


async def test_shares_are_of_the_model():
    """A client that has the rows of one lane gets none of the other one's before a poorer one."""
    lanes = [GatedDecoder(capacity=4), GatedDecoder(capacity=4)]
    async with running_engine(lanes, target_burst_s=0) as engine:
        rich = [engine.submit(request_of([1], FOREVER, client="a")) for _ in range(20)]
        for lane in lanes:
            await lane.entered()
        poor = [engine.submit(request_of([1], FOREVER, client=client)) for client in "bbbbcccc"]
        for _ in range(3):
            for lane in lanes:
                await lane.step()
        running = engine._rows.scheduler._running
        shares = sorted(len(running[client]) for client in "abc")
        for stream in (*rich, *poor):
            stream.close()

    assert [2, 3, 3] == shares


@pytest.mark.parametrize("max_bytes", [1 << 20, 1])
async def test_of_equal_prompts_in_all_lanes_one_is_read(max_bytes):
    """Also where the cache is too small to keep its row: those that follow are handed it."""
    lanes = [GatedDecoder(capacity=2), GatedDecoder(capacity=2)]
    requests = [request_of(LONG, 5, seed=n) for n in range(4)]
    cache = PrefixCache(max_bytes)
    async with running_engine(lanes, cache=cache, target_burst_s=0) as engine:
        streams = [engine.submit(request) for request in requests]
        while engine.status.num_running < 4:  # a lane takes requests between its bursts
            for lane in lanes:
                lane.permit()
            await asyncio.sleep(0.005)
        for lane in lanes:
            lane.open()
        results = [await read(stream) for stream in streams]

    for request, (tokens, end) in zip(requests, results, strict=True):
        expected, row = alone(request)
        assert (expected, bits(row)) == (tokens, bits(end.row))
    assert [0, 60, 60, 60] == sorted(stream.num_cached for stream in streams)


@pytest.mark.parametrize("leaver", ["the one that reads", "its client, whose share it is"])
async def test_what_was_read_is_not_read_again_when_the_one_that_reads_leaves(leaver):
    """It is cancelled, or has to make room: who follows goes on from where it was."""
    lane = GatedDecoder(capacity=3)
    async with running_engine(lane, cache=PrefixCache(1 << 20), target_burst_s=0) as engine:
        first = engine.submit(request_of(LONG, 5, client="a"))
        await lane.entered()
        second = engine.submit(request_of(LONG, 5, client="a"))
        for _ in range(20):
            await lane.step()
        if leaver == "the one that reads":
            first.close()
        else:
            # The newest of the rich makes room: that is the one that follows, then the first.
            others = [engine.submit(request_of([n], 500, client=c)) for n, c in enumerate("bcd")]
        lane.open()
        _, end = await read(second)
        if leaver != "the one that reads":
            for other in others:
                await read(other)
            await read(first)

    assert bits(alone(request_of(LONG, 5))[1]) == bits(end.row)
    if leaver == "the one that reads":
        assert 15 <= second.num_cached <= 21


async def test_what_is_kept_of_a_prompt_is_the_row_at_its_end():
    """Where its first token is known, and not yet in the row."""
    cache = PrefixCache(1 << 20)
    async with running_engine(cache=cache) as engine:
        await read(engine.submit(request_of(LONG, 5)))
        found = cache.find("", np.array(LONG))

    assert len(LONG) == found.num_read
    assert bits(alone(request_of(LONG, 0))[1]) == bits(found.row)


async def test_who_follows_is_never_later_than_alone():
    """A client's waiting crowd, with the same prompt at its end, is nothing to another client."""
    lane = GatedDecoder(capacity=2)
    async with running_engine(lane, cache=PrefixCache(1 << 20), target_burst_s=0) as engine:
        crowd = [engine.submit(request_of([1], FOREVER, client="a")) for _ in range(9)]
        crowd.append(engine.submit(request_of(LONG, 5, client="a")))
        await lane.entered()
        quick = engine.submit(request_of(LONG, 5, client="b"))
        for _ in range(70 * 2):  # its prompt and its text, in turn with the others'
            await lane.step()
        await until(lambda: quick._ended)
        for stream in crowd:
            stream.close()
        tokens, _ = await read(quick)

    assert alone(request_of(LONG, 5))[0] == tokens


async def test_when_one_lane_dies_the_engine_is_dead(monkeypatch):
    """Every stream hears of it, those of the other lane too; nothing more is taken."""
    lanes = [GatedDecoder(capacity=1), GatedDecoder(capacity=1)]
    async with running_engine(lanes) as engine:
        streams = [engine.submit(request_of([1], FOREVER)) for _ in range(2)]
        for lane in lanes:
            await lane.entered()

        def breaks(*_):
            raise MemoryError("no more")

        monkeypatch.setattr(engine._rows, "settle", breaks)
        lanes[0].permit()
        ends = [(await read(stream))[1] for stream in streams]
        lanes[1].open()
        await until(lambda: not any(thread.is_alive() for thread in engine._threads))

        assert [EngineFailed] * 2 == [type(end.error) for end in ends]
        assert not engine.status.alive
        with pytest.raises(EngineFailed):
            engine.submit(request_of([1], 5))


async def test_who_follows_one_that_loses_its_slot_reads_on():
    """A follower is never later than alone: it takes its leader's slot, and leads."""
    decoder = GatedDecoder(capacity=2)
    cache = PrefixCache(1 << 20, min_tokens=2)
    async with running_engine([decoder], cache=cache, target_burst_s=0) as engine:
        other = engine.submit(request_of([5], FOREVER, client="a"))
        leader = engine.submit(request_of(LONG, 3, client="a"))
        await decoder.entered()
        if engine._rows.scheduler.slot_of(leader.request_id) is None:
            await decoder.step()  # that burst had begun when the leader came
        follower = engine.submit(request_of(LONG, 3, client="b"))
        for _ in range(4):
            await decoder.step()
        assert engine._rows.scheduler.slot_of(leader.request_id) is None
        assert engine._rows.scheduler.slot_of(follower.request_id) is not None
        assert not engine._rows.prompts.flights.follows(follower.request_id)
        other.close()
        decoder.open()
        results = [await read(stream) for stream in (leader, follower)]

    expected = alone(request_of(LONG, 3))[0]
    assert [expected, expected] == [tokens for tokens, _ in results]


class EndlessDecoder(StepwiseDecoder):
    """Its bursts of one row end when they are interrupted."""

    def __init__(self):
        super().__init__(FakeStep(), capacity=2)
        self.has_begun = threading.Event()

    def burst(self, burst):
        """Wait, and then take the one step that is left."""
        if (burst.forced_KB == SAMPLED).all() and len(burst.slot_B) == 1:
            self.has_begun.set()
            deadline_s = time.monotonic() + 20
            while not burst.interrupted:
                if time.monotonic() > deadline_s:
                    raise TimeoutError("nobody has interrupted it")
                time.sleep(0.001)
        return super().burst(burst)


async def test_a_newcomer_ends_the_burst_that_runs():
    """Where every lane is in one, the newcomer begins after its next step."""
    decoder = EndlessDecoder()
    async with running_engine(decoder, target_burst_s=0.0) as engine:
        first = engine.submit(request_of([1], FOREVER))
        assert await asyncio.to_thread(decoder.has_begun.wait, 30)

        second = engine.submit(request_of([2], 3, seed=1))

        tokens, _ = await read(second)
        first.close()
        engine._rows.lanes[0].bursts.interrupt()  # or it would wait for another newcomer

    assert alone(request_of([2], 3, seed=1))[0] == tokens
