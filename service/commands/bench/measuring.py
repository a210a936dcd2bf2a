"""One load after the other."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from service.commands.bench.rows import Load, Row
from service.commands.reaching import Refused
from service.load.closed import closed_loop
from service.load.measurements import Measurements
from service.load.open import arrivals, open_loop
from service.load.recorder import Recorder, Timing
from service.load.target import Target
from service.load.workload import Workload, fresh_prompts

_PATIENCE_S = 60.0
_WATCH_S = 1.0

Watch = Callable[[str, Measurements, float], None]
"""Is told now and then which load it is, what was seen so far, and in how many seconds."""


@dataclass(frozen=True)
class Plan:
    """What is measured, for how long.

    Attributes:
        streams: Numbers of clients, a closed loop each.
        rates: Requests a second, an open loop each; then there is no closed one.
        shares: The same as shares of what the server manages with the most of `streams`.
        timing: Of each loop.
    """

    streams: tuple[int, ...]
    rates: tuple[float, ...]
    shares: tuple[float, ...]
    timing: Timing


def requests_of(
    target: Target, workload: Workload, prompt: str | None, prompt_length: int, alphabet: str
) -> Iterator[bytes]:
    """Whole requests without end, with that prompt or with new ones of that length.

    Raises:
        Refused: There are too few different prompts.
    """
    draw = random.Random()  # seeded by the system: no prompt of an earlier run comes again
    if prompt is not None:
        prompts: Iterator[str] = itertools.repeat(prompt)
    else:
        try:
            prompts = fresh_prompts(alphabet, prompt_length, draw)
        except ValueError as error:
            raise Refused(f"--prompt-length: {error}") from error
    return map(target.request, workload.bodies(prompts, draw))


def measure(plan: Plan, target: Target, requests: Iterator[bytes], watch: Watch) -> Iterator[Row]:
    """Measure what is planned; each row as soon as it is there.

    Raises:
        Refused: The server has no capacity of which a share could be asked for.
    """

    def row(load: Load) -> Row:
        return Row(load, asyncio.run(_measured(load, target, requests, plan.timing, watch)))

    rates = plan.rates
    if plan.shares:
        yield (most := row(Load(num_streams=max(plan.streams))))
        if not (capacity := most.found.requests_per_s):
            raise Refused("--load: no answer was complete in --duration, so no share can be taken")
        rates = tuple(share * capacity for share in plan.shares)
    loads = [Load(rate=rate) for rate in rates] or [Load(num) for num in plan.streams]
    yield from map(row, loads)


async def _measured(
    load: Load, target: Target, requests: Iterator[bytes], timing: Timing, watch: Watch
) -> Measurements:
    recorder = Recorder(timing, by_arrival=load.rate is not None)
    if load.rate is not None:
        moments_s = arrivals(load.rate, random.Random())
        loop = open_loop(target, requests, moments_s, recorder, patience_s=_PATIENCE_S)
    else:
        loop = closed_loop(target, lambda _: requests, load.num_streams or 1, recorder)
    looking = asyncio.create_task(_look(load.label, recorder, watch))
    try:
        await loop
    finally:
        looking.cancel()
    return recorder.found


async def _look(label: str, recorder: Recorder, watch: Watch) -> None:
    while True:
        watch(label, recorder.found, recorder.elapsed_s())
        await asyncio.sleep(_WATCH_S)
