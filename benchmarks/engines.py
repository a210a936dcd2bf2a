"""Engines that run, and requests to them, for `benchmarks.engine`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.bare import Model
from service.engine.request import Chunk, Request
from service.engine.rows.prefix_cache import PrefixCache
from service.engine.stream import TokenStream
from service.engine.worker import Engine
from service.limits import engine_limits
from service.runtime.sampling import Sampling
from service.settings import Settings

Contestant = Callable[[float], float]
"""Works for about so many seconds; returns tokens/s, or whatever its group is about."""

MAX_TOKENS = 256
_LIMITS = replace(engine_limits(Settings()), event_s=0.0)  # no event loop tells of tokens here


def closed_loop(
    loop: asyncio.Runner, model: Model, num_rows: int, threads: Sequence[int]
) -> Contestant:
    """A closed loop of clients: each asks for a text, reads it, and asks for the next."""
    engine = engine_of(loop, model, num_rows, threads)
    seeds = iter(range(10**9))
    num_tokens = 0

    async def client(streams: set[TokenStream]) -> None:
        nonlocal num_tokens
        while True:
            stream = engine.submit(request_of(next(seeds), prompt_size=7))
            streams.add(stream)
            while isinstance(event := await stream.next(), Chunk):
                num_tokens += len(event.token_N)
            streams.remove(stream)

    async def measure(duration_s: float) -> float:
        streams: set[TokenStream] = set()
        clients = [asyncio.create_task(client(streams)) for _ in range(num_rows)]
        await asyncio.sleep(min(0.5, duration_s / 4))
        started_s, before = time.perf_counter(), num_tokens
        await asyncio.sleep(duration_s)
        rate = (num_tokens - before) / (time.perf_counter() - started_s)
        for task in clients:
            task.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
        for stream in streams:
            stream.close()
        await until_idle(engine)
        return rate

    return lambda duration_s: loop.run(measure(duration_s))


async def until_idle(engine: Engine) -> None:
    """Wait until no request is left."""
    while engine.status.num_requests:  # noqa: ASYNC110 - an engine does not tell
        await asyncio.sleep(0.005)


def engine_of(loop: asyncio.Runner, model: Model, num_rows: int, threads: Sequence[int]) -> Engine:
    """An engine of lanes with so many threads each, running."""
    capacity = -(-num_rows // len(threads))
    decoders = [model.decoder(capacity, num_threads) for num_threads in threads]
    engine = Engine("bench", decoders, _LIMITS, PrefixCache(2**26))

    async def start() -> None:
        engine.start()

    loop.run(start())
    return engine


def request_of(seed: int, *, prompt_size: int = 1, **sampling: Any) -> Request:
    """A text of 256 tokens after a prompt unlike that of any other seed."""
    options = {"temperature": 0.8, **sampling}
    return Request(
        np.random.default_rng(seed).integers(1, 60, prompt_size),
        MAX_TOKENS,
        Sampling(seed=seed, **options),
        timeout_s=600,
    )
