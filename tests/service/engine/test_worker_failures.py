import asyncio
import threading

import numpy as np
import pytest

from service.engine.errors import (
    Draining,
    EngineError,
    EngineFailed,
    NotFinite,
)
from service.engine.request import Failed
from service.engine.worker import Engine
from service.rows.row import Row, RowShape
from service.runtime.reference.fake import FakeStep
from service.runtime.reference.stepwise import StepwiseDecoder
from tests.service.engine.engines import (
    FOREVER,
    GatedDecoder,
    alone,
    read,
    request_of,
    running_engine,
    until,
)
from tests.service.limits import engine_limits


class _Failing(FakeStep):
    """Raises while a row reads id 6; gives NaN to one that reads id 5."""

    def __call__(self, token_B, state):
        if (token_B == 6).any():
            raise RuntimeError("out of luck")
        logits, (count, hashed) = super().__call__(token_B, state)
        hashed[token_B == 5] = np.nan
        return logits, (count, hashed)


async def test_a_burst_that_fails_fails_its_rows_and_no_more():
    """The engine goes on with those who waited."""
    decoder = GatedDecoder(capacity=2, step=_Failing(), never_drawn=[5, 6])
    async with running_engine(decoder) as engine:
        both = [engine.submit(request_of([1], 5)), engine.submit(request_of([6], 5))]
        waiting = engine.submit(request_of([2], 5))
        decoder.open()
        ends = [(await read(stream))[1] for stream in both]
        tokens, _ = await read(waiting)
        assert engine.status.alive

    assert alone(request_of([2], 5), never_drawn=[5, 6])[0] == tokens
    assert isinstance(ends[1], Failed)
    assert isinstance(ends[1].error, EngineFailed)
    assert "out of luck" in str(ends[1].error)


async def test_a_row_without_finite_numbers_fails_alone():
    """Its neighbours do not notice, and the next text in its slot is clean."""
    decoder = StepwiseDecoder(_Failing(), capacity=2, never_drawn=[5, 6])
    async with running_engine(decoder) as engine:
        good, bad = engine.submit(request_of([1], 30)), engine.submit(request_of([5], 30))
        (tokens, _), (_, end) = await read(good), await read(bad)
        after, _ = await read(engine.submit(request_of([2], 30)))

    assert isinstance(end, Failed)
    assert isinstance(end.error, NotFinite)
    assert alone(request_of([1], 30), never_drawn=[5, 6])[0] == tokens
    assert alone(request_of([2], 30), never_drawn=[5, 6])[0] == after


class _Forgetful(GatedDecoder):
    """Cannot load a text of a certain seed, and cannot save what is in a certain slot."""

    def __init__(self, *, unloadable=None, unsaveable=None, **options):
        super().__init__(**options)
        self._unloadable, self._unsaveable = unloadable, unsaveable

    def load(self, slot, row, sampling):
        if sampling.seed == self._unloadable:
            raise MemoryError("no room for this one")
        super().load(slot, row, sampling)

    def save(self, slot):
        if slot == self._unsaveable:
            raise MemoryError("no room for a copy")
        return super().save(slot)


async def test_a_row_that_cannot_be_loaded_fails_alone():
    """Its neighbours, and whoever waits, go on."""
    decoder = _Forgetful(capacity=1, unloadable=7)
    decoder.open()
    async with running_engine(decoder) as engine:
        streams = [engine.submit(request_of([n], 5, seed=n)) for n in (1, 7, 2)]
        (first, _), (_, end), (last, _) = [await read(stream) for stream in streams]
        assert engine.status.alive
        assert engine.status.num_requests == 0

    assert isinstance(end, Failed)
    assert isinstance(end.error, EngineFailed)
    assert "no room for this one" in str(end.error)
    assert alone(request_of([1], 5, seed=1))[0] == first
    assert alone(request_of([2], 5, seed=2))[0] == last


async def test_a_row_that_cannot_be_saved_fails_alone():
    """At the end of a turn, where others need no copy."""
    decoder = _Forgetful(capacity=2, unsaveable=1)
    async with running_engine(decoder) as engine:
        streams = [engine.submit(request_of([n], 5, seed=n)) for n in (1, 2)]
        decoder.open()
        (tokens, _), (_, end) = [await read(stream) for stream in streams]
        assert engine.status.alive

    assert isinstance(end, Failed)
    assert "no room for a copy" in str(end.error)
    assert alone(request_of([1], 5, seed=1))[0] == tokens


@pytest.mark.parametrize("shape", [RowShape(9, 7), RowShape(3, 9)])
async def test_a_row_of_another_model_is_refused_at_the_door(shape):
    """It never comes to the thread; the others do not notice."""
    async with running_engine() as engine:
        running = engine.submit(request_of([1], 50))
        with pytest.raises(ValueError, match=r"RowShape\(state_width="):
            engine.submit(request_of([1], 5, past=Row.start(shape)))
        tokens, _ = await read(running)

    assert alone(request_of([1], 50))[0] == tokens


async def test_when_the_thread_dies_every_stream_hears_of_it(monkeypatch):
    """Running, waiting and just handed in; health tells, and nothing more is taken."""
    decoder = GatedDecoder(capacity=2)
    async with running_engine(decoder, target_burst_s=0) as engine:
        streams = [engine.submit(request_of([1], FOREVER))]
        await decoder.entered()

        def breaks(*_):
            raise RuntimeError("no such slot")

        monkeypatch.setattr(engine._rows.scheduler, "admit", breaks)
        streams += [engine.submit(request_of([2], 5)) for _ in range(5)]
        decoder.open()
        ends = [(await read(stream))[1] for stream in streams]
        await until(lambda: not engine.status.alive)

        assert [EngineFailed] * 6 == [type(end.error) for end in ends]
        with pytest.raises(EngineFailed, match="dead"):
            engine.submit(request_of())
        streams[0].close()


@pytest.mark.parametrize("method", ["add", "plan", "admit", "settle", "remove"])
async def test_an_engine_whose_scheduler_breaks_leaves_nobody_waiting(method, monkeypatch):
    """Whatever dies, every request has exactly one terminal event."""
    decoder = GatedDecoder(capacity=1)
    async with running_engine(decoder) as engine:
        streams = [engine.submit(request_of([1], 50))]
        await decoder.entered()

        def breaks(*args, **kwargs):
            raise RuntimeError("broken")

        monkeypatch.setattr(engine._rows.scheduler, method, breaks)
        streams += [engine.submit(request_of([2], 5)) for _ in range(3)]
        if method == "remove":
            streams[1].close()
            del streams[1]
        decoder.open()
        ends = [(await read(stream))[1] for stream in streams]

        assert {EngineFailed} == {type(end.error) for end in ends}
        assert {0} == {len(stream._events) for stream in streams}
        await until(lambda: not engine.status.alive)


async def test_a_draining_engine_finishes_what_it_has():
    """It takes no more, and those that are in go on to their end."""
    decoder = GatedDecoder(capacity=1)
    async with running_engine(decoder) as engine:
        streams = [engine.submit(request_of([1], 5)), engine.submit(request_of([2], 5))]
        await decoder.entered()
        engine.drain()
        with pytest.raises(Draining):
            engine.submit(request_of())
        decoder.open()

        assert [5, 5] == [len((await read(stream))[0]) for stream in streams]


async def test_stopping_ends_every_stream_with_an_error():
    """Running, waiting, parked: one event each; the thread is gone."""
    async with running_engine(max_unread_tokens=4) as engine:
        streams = [engine.submit(request_of([n % 7], FOREVER)) for n in range(9)]
        await until(lambda: engine.status.num_parked > 0)
        await engine.stop()
        ends = [(await read(stream))[1] for stream in streams]

        assert [Draining] * 9 == [type(end.error) for end in ends]
        assert not engine.status.alive
        with pytest.raises(EngineError):
            engine.submit(request_of())


async def test_hanging_lanes_are_waited_for_once_and_together(monkeypatch, caplog):
    """A second call waits for nothing."""
    monkeypatch.setattr("service.engine.threads._PATIENCE_S", 0.3)
    engine, release = (
        Engine(
            "test", [StepwiseDecoder(FakeStep(), capacity=2) for _ in range(2)], engine_limits()
        ),
        threading.Event(),
    )
    monkeypatch.setattr(engine, "run_once", lambda _lane: release.wait(30))
    engine.start()
    loop = asyncio.get_running_loop()
    started_s = loop.time()
    await engine.stop()
    first_s, started_s = loop.time() - started_s, loop.time()
    await engine.stop()
    release.set()

    assert 2 == caplog.text.count("hangs")
    assert 0.2 < first_s < 0.55
    assert loop.time() - started_s < 0.1


def test_an_engine_outlives_its_event_loop(caplog):
    """Events that nobody can hear any more do not kill the thread's last words."""
    decoder = GatedDecoder(capacity=1)

    async def leave_early():
        engine = Engine("test", [decoder], engine_limits())
        engine.start()
        engine.submit(request_of([1], 5))
        await decoder.entered()
        return engine

    engine = asyncio.run(leave_early())
    decoder.open()

    asyncio.run(engine.stop())

    assert not engine.status.alive
    assert "died" not in caplog.text
