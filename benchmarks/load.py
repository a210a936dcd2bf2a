"""Clients of a server of this machine, in a closed or an open loop, as benchmarks ask for them."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

from service.load.closed import closed_loop
from service.load.measurements import Measurements
from service.load.open import arrivals, open_loop
from service.load.recorder import Recorder, Timing
from service.load.target import Target
from service.load.workload import Workload

_PATIENCE_S = 30.0


@dataclass(frozen=True)
class Ask:
    """What each request asks for.

    Attributes:
        max_tokens: How much text.
        stream: As events, or at once.
        prompt_size: Characters of the prompt; None is `ROMEO:`.
        fresh: No prompt is sent twice.
        model: By name; None is the default.
        stream_every: Most tokens of an event; None leaves it to the server.
        path: Of the server's route.
    """

    max_tokens: int = 256
    stream: bool = True
    prompt_size: int | None = None
    fresh: bool = False
    model: str | None = None
    stream_every: int | None = None
    path: str = "/generate"


async def measure(
    port: int, num_streams: int, ask: Ask, timing: Timing, api_key: str | None = None
) -> Measurements:
    """Run `num_streams` clients against POST /generate on this machine.

    Raises:
        RuntimeError: The server refused or broke a request.
    """
    target = Target("127.0.0.1", port, ask.path, api_key=api_key)
    recorder = Recorder(timing)
    await closed_loop(
        target, lambda n: _requests(target, ask, seed=n * 10**6), num_streams, recorder
    )
    if recorder.found.errors:
        raise RuntimeError(f"requests failed: {dict(recorder.found.errors)}")
    return recorder.found


async def measure_arrivals(port: int, rate: float, ask: Ask, timing: Timing) -> Measurements:
    """Let clients come by themselves, `rate` of them a second on average (a Poisson process).

    Raises:
        RuntimeError: The server refused or broke a request, or had no answer within 30 s.
    """
    target = Target("127.0.0.1", port, ask.path)
    recorder = Recorder(timing, by_arrival=True)
    moments_s = arrivals(rate, random.Random(0))
    requests = _requests(target, ask, seed=0)
    await open_loop(target, requests, moments_s, recorder, patience_s=_PATIENCE_S)
    if recorder.found.errors:
        raise RuntimeError(f"requests failed: {dict(recorder.found.errors)}")
    return recorder.found


def _requests(target: Target, ask: Ask, seed: int) -> Iterator[bytes]:
    """Whole HTTP requests without end; few different ones if they may repeat, made beforehand."""
    if ask.fresh:
        return (_request(target, ask, seed + n, seed + n) for n in itertools.count(time.time_ns()))
    return itertools.cycle([_request(target, ask, 0, seed + n) for n in range(8)])


def _request(target: Target, ask: Ask, prompt_seed: int, seed: int) -> bytes:
    prompt = "ROMEO:\n"
    if ask.prompt_size is not None:
        letters = random.Random(prompt_seed).choices("abcdefgh \n", k=ask.prompt_size)
        prompt = "".join(letters)
    workload = Workload(
        ask.max_tokens,
        stream=ask.stream,
        stream_every=ask.stream_every,
        model=ask.model,
        temperature=0.8,
    )
    return target.request(workload.encoded(prompt, seed % 2**63))
