import asyncio
import contextlib

import numpy as np
import pytest

from service.engine.errors import Draining, EngineFailed, Overloaded
from service.engine.pool import EnginePool
from service.engine.request import Chunk, Request
from service.engine.rows.prefix_cache import PrefixCache
from service.engine.worker import Engine
from service.runtime.reference.fake import FakeStep
from service.runtime.reference.stepwise import StepwiseDecoder
from service.runtime.sampling import Sampling
from tests.service.engine.engines import GatedDecoder, until
from tests.service.limits import engine_limits


@contextlib.asynccontextmanager
async def _running(*decoders, **limits):
    cache = PrefixCache(1 << 20)
    pool = EnginePool([Engine("test", d, engine_limits(**limits), cache) for d in decoders])
    pool.start()
    try:
        yield pool
    finally:
        await pool.stop()


def _decoder():
    return StepwiseDecoder(FakeStep(), capacity=2)


def _request(prompt, max_tokens=20, past=None):
    return Request(np.array(prompt, np.int64), max_tokens, Sampling(seed=3), 60, past, True)


async def _read(stream):
    tokens: list[int] = []
    async with asyncio.timeout(30):
        while isinstance(event := await stream.next(), Chunk):
            tokens += event.token_N.tolist()
    return tokens, event


async def test_requests_are_spread_and_texts_are_the_same():
    """Each engine gets as many as the other; on which one a text was written cannot be told."""
    requests = [_request([n % 7, 1], 300) for n in range(8)]
    async with _running(_decoder()) as one:
        expected = [(await _read(one.submit(request)))[0] for request in requests]
    gated = [GatedDecoder(capacity=2), GatedDecoder(capacity=2)]
    async with _running(*gated) as two:
        streams = [two.submit(request) for request in requests]
        for decoder in gated:
            await decoder.entered()  # nothing has ended yet, and nothing will before it may
        assert [4, 4] == [engine.num_requests for engine in two.engines]
        for decoder in gated:
            decoder.open()
        assert expected == [(await _read(stream))[0] for stream in streams]
        await until(lambda: two.status.num_requests == 0)


async def test_a_row_of_one_engine_goes_on_in_another():
    """And what one has read, the other need not."""
    async with _running(_decoder(), _decoder()) as pool:
        busy = pool.submit(_request([1], 100_000))
        first, end = await _read(pool.submit(_request([2] * 20, 9)))
        other = pool.submit(_request([1], 100_000))
        busy.close()
        await until(lambda: [0, 1] == [engine.num_requests for engine in pool.engines])
        second, _ = await _read(pool.submit(_request([], 9, end.row)))
        stream = pool.submit(_request([2] * 20, 18))
        whole, _ = await _read(stream)
        other.close()

    assert whole == first + second
    assert 20 == stream.num_cached


async def test_a_dead_engine_is_told_and_avoided(monkeypatch):
    """The pool is not alive; what still runs goes on."""
    async with _running(_decoder(), _decoder()) as pool:
        rows = pool.engines[0]._rows
        admit = rows.scheduler.admit

        def breaks():
            if rows.jobs:
                raise MemoryError("no more")
            return admit()

        monkeypatch.setattr(rows.scheduler, "admit", breaks)
        _, end = await _read(pool.submit(_request([1])))
        assert isinstance(end.error, EngineFailed)
        await until(lambda: not pool.status.alive)
        assert [20, 20] == [len((await _read(pool.submit(_request([1]))))[0]) for _ in range(2)]


async def test_all_are_drained_and_all_may_be_full():
    """Then nothing more is taken."""
    async with _running(_decoder(), _decoder(), max_waiting_requests=1) as pool:
        for _ in range(2):
            pool.submit(_request([1], 100_000))
        with pytest.raises(Overloaded):
            pool.submit(_request([1], 100_000))
        for engine in pool.engines:
            engine.drain()
        with pytest.raises(Draining):
            pool.submit(_request([1]))
