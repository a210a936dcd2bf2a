"""What an engine tells of bursts and of requests."""

import asyncio

import numpy as np
import pytest

from service.engine.errors import TimedOut
from service.engine.observer import Timings
from service.engine.request import Failed, Finished
from service.engine.rows.prefix_cache import PrefixCache
from service.runtime.reference.fake import FakeStep
from service.runtime.reference.stepwise import StepwiseDecoder
from tests.service.engine.engines import (
    FOREVER,
    GatedDecoder,
    read,
    request_of,
    running_engine,
    until,
)


class Heard:
    """An observer that remembers."""

    def __init__(self):
        self.bursts = []
        self.ends = []

    def burst(self, stats):
        """A burst is settled."""
        self.bursts.append(stats)

    def ended(self, stats):
        """A request is over."""
        self.ends.append(stats)


async def test_bursts_add_up_to_the_requests():
    """Tokens that were read and written, and a gap for all that came after the first ones."""
    heard = Heard()
    async with running_engine(observer=heard) as engine:
        streams = [engine.submit(request_of((1, 2, 3), 20, seed=n)) for n in range(3)]
        await asyncio.gather(*map(read, streams))

    assert 9 == sum(stats.num_read for stats in heard.bursts)
    assert 60 == sum(stats.num_written for stats in heard.bursts)
    assert all(0 < stats.num_rows <= stats.capacity == 4 for stats in heard.bursts)
    assert all(stats.num_steps >= 1 and stats.duration_s > 0 for stats in heard.bursts)
    gaps = [gap for stats in heard.bursts for gap in stats.gaps.items()]
    with_gap = sum(num_tokens * number for (_, num_tokens), number in gaps)
    assert 0 < with_gap < 60
    assert all(gap_s > 0 for (gap_s, _), _ in gaps)


async def test_the_times_of_a_request_are_in_order():
    """And they are those of its stream once its last event is there."""
    heard = Heard()
    async with running_engine(observer=heard) as engine:
        stream = engine.submit(request_of((1, 2), 5))
        await read(stream)
        timings = stream.timings

    [stats] = heard.ends
    assert ("finished", 2, 0, 5) == (
        stats.outcome,
        stats.num_prompt,
        stats.num_cached,
        stats.num_sent,
    )
    assert timings == stats.timings
    times = [timings.arrived_s, timings.started_s, timings.first_s, timings.ended_s]
    assert None not in times
    assert sorted(times) == times
    parts = (timings.queue_s, timings.read_s, timings.write_s)
    assert pytest.approx(times[-1] - times[0]) == sum(parts)


async def test_who_waits_for_a_row_is_in_the_queue_until_the_end():
    """A request that leaves or fails before it has a row has no other times."""
    decoder, heard = GatedDecoder(capacity=1), Heard()
    async with running_engine(decoder, observer=heard) as engine:
        running = engine.submit(request_of((1,), FOREVER))
        await decoder.entered()
        waiting = engine.submit(request_of((2,), 5))
        waiting.close()
        decoder.open()
        await until(lambda: heard.ends)
        running.close()
        await until(lambda: len(heard.ends) == 2)

    first, second = heard.ends
    assert ("closed", "closed") == (first.outcome, second.outcome)
    assert (None, None) == (first.timings.read_s, first.timings.write_s)
    assert first.timings.queue_s is not None
    assert second.timings.write_s is not None


async def test_what_fails_is_told_once():
    """A model that gives no numbers: the terminal event and the outcome say the same."""
    decoder = StepwiseDecoder(FakeStep(), capacity=2)
    heard = Heard()
    async with running_engine(decoder, observer=heard) as engine:
        row_of_nan = (await read(engine.submit(request_of((1,), 1))))[1].row
        row_of_nan.state_W[:] = np.nan
        _, event = await read(engine.submit(request_of((), 5, past=row_of_nan)))

    assert isinstance(event, Failed)
    assert ["finished", "failed"] == [stats.outcome for stats in heard.ends]


async def test_a_request_whose_time_is_over_is_closed():
    """Its reader hears of it, whatever the engine is doing."""
    decoder, heard = GatedDecoder(capacity=1), Heard()
    async with running_engine(decoder, observer=heard) as engine:
        stream = engine.submit(request_of((1,), FOREVER, timeout_s=0.01))
        _, event = await read(stream)
        decoder.open()
        await until(lambda: heard.ends)

    assert isinstance(event, Failed)
    assert isinstance(event.error, TimedOut)
    assert ["closed"] == [stats.outcome for stats in heard.ends]


async def test_going_back_is_part_of_the_request_that_goes_back():
    """It ends once, and what is read again is work all the same."""
    decoder, heard = GatedDecoder(capacity=1), Heard()
    async with running_engine(decoder, observer=heard) as engine:
        stream = engine.submit(request_of((1,), FOREVER))
        await decoder.entered()
        back = stream.go_back(request_of((1, 2), 0))
        decoder.open()
        _, event = await read(back)

    assert isinstance(event, Finished)
    assert ["closed"] == [stats.outcome for stats in heard.ends]
    assert 3 == sum(stats.num_read for stats in heard.bursts)


async def test_what_is_cached_is_not_read():
    """The second of two equal prompts."""
    heard = Heard()
    prompt = tuple(range(5)) * 8
    async with running_engine(cache=PrefixCache(1 << 20), observer=heard) as engine:
        for _ in range(2):
            await read(engine.submit(request_of(prompt, 3)))

    assert [0, 40] == [stats.num_cached for stats in heard.ends]
    assert 40 == sum(stats.num_read for stats in heard.bursts)


async def test_all_that_are_there_when_an_engine_stops_have_failed():
    """With a row, and without."""
    decoder, heard = GatedDecoder(capacity=1), Heard()
    async with running_engine(decoder, observer=heard) as engine:
        streams = [engine.submit(request_of((n,), FOREVER)) for n in range(3)]
        await decoder.entered()
        stopping = asyncio.ensure_future(engine.stop())
        await asyncio.sleep(0)
        decoder.open()
        await stopping
        ends = [await read(stream) for stream in streams]

    assert all(isinstance(event, Failed) for _, event in ends)
    assert ["failed"] * 3 == [stats.outcome for stats in heard.ends]


def test_parts_of_times_that_have_not_come_are_none():
    """The queue lasts until the row, or the end."""
    assert (None, None, None) == _parts(Timings(1.0))
    assert (2.0, None, None) == _parts(Timings(1.0, ended_s=3.0))
    assert (1.0, 2.0, None) == _parts(Timings(1.0, 2.0, None, 4.0))
    assert (1.0, 1.0, 2.0) == _parts(Timings(1.0, 2.0, 3.0, 5.0))


def _parts(timings):
    return timings.queue_s, timings.read_s, timings.write_s
