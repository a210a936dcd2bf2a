"""Engines for tests, and requests to them."""

import asyncio
import contextlib
import threading

import numpy as np

from service.engine.request import Chunk, Request
from service.engine.worker import Engine
from service.rows.row import Row
from service.runtime.decoder import SAMPLED, Burst
from service.runtime.reference.fake import FakeStep
from service.runtime.reference.stepwise import StepwiseDecoder
from service.runtime.sampling import Sampling
from tests.service.limits import engine_limits

FOREVER = 100_000
LONG = list(range(1, 7)) * 10
"""A prompt that is worth keeping."""


class GatedDecoder(StepwiseDecoder):
    """Every burst waits for a permit, so that a test decides what happens during it."""

    def __init__(self, capacity=2, step=None, **options):
        super().__init__(step or FakeStep(), capacity=capacity, **options)
        self.bursts: list[list[int]] = []
        self._entered = threading.Semaphore(0)
        self._permits = threading.Semaphore(0)
        self._open = False

    def burst(self, burst):
        """Run it when it may."""
        self.bursts.append(burst.slot_B.tolist())
        self._entered.release()
        if not self._open and not self._permits.acquire(timeout=30):
            raise TimeoutError("no permit")
        return super().burst(burst)

    async def entered(self):
        """Wait until the next burst waits for its permit."""
        assert await asyncio.to_thread(self._entered.acquire, timeout=30)

    async def step(self):
        """Let the burst that waits run, and wait until the next one waits."""
        self._permits.release()
        await self.entered()

    def open(self):
        """Let all bursts run from now on."""
        self._open = True
        self._permits.release()

    def shut(self):
        """Let no burst run from now on; for an engine that is idle."""
        self._open = False
        self._permits = threading.Semaphore(0)
        self._entered = threading.Semaphore(0)

    def permit(self):
        """Let one burst run."""
        self._permits.release()


class Clock:
    """Time that passes when told to."""

    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        """Now."""
        return self.now_s


@contextlib.asynccontextmanager
async def running_engine(decoder=None, clock=None, cache=None, observer=None, **limits):
    """An engine with its threads, on four rows of the fake model unless told otherwise."""
    decoder = decoder or StepwiseDecoder(FakeStep(), capacity=4)
    options = {"clock": clock} if clock else {}
    decoders = decoder if isinstance(decoder, list) else [decoder]
    engine = Engine("test", decoders, engine_limits(**limits), cache, observer=observer, **options)
    engine.start()
    try:
        yield engine
    finally:
        for each in decoders:
            if isinstance(each, GatedDecoder):
                each.open()
        await engine.stop()


def request_of(
    prompt=(1,), max_tokens=5, *, seed=0, timeout_s=600.0, past=None, client="", salt="", **options
):
    """A request that wants its row back."""
    return Request(
        prompt_T=np.array(prompt, np.int64),
        max_tokens=max_tokens,
        sampling=Sampling(seed=seed, **options),
        timeout_s=timeout_s,
        past=past,
        return_row=True,
        client=client,
        cache_salt=salt,
    )


def alone(request, step=None, **options):
    """The tokens and the row that the request has without any engine."""
    decoder = StepwiseDecoder(step or FakeStep(), capacity=1, **options)
    row = request.past or Row.start(decoder.row_shape)
    decoder.load(0, row, request.sampling)
    forced = [*request.prompt_T.tolist(), *[SAMPLED] * request.max_tokens]
    result = decoder.burst(
        Burst(np.array([0]), np.array(forced)[:, None], np.array([len(forced)]), np.array([True]))
    )
    tokens = result.token_KB[len(request.prompt_T) : result.num_steps_B[0], 0].tolist()
    return tokens, decoder.save(0)


async def read(stream):
    """All tokens of a stream, and the event that ended it."""
    tokens: list[int] = []
    async with asyncio.timeout(30):
        while True:
            event = await stream.next()
            if not isinstance(event, Chunk):
                return tokens, event
            tokens += event.token_N.tolist()


def bits(row):
    """A row as what can be compared."""
    return [part.tobytes() for part in (row.state_W, row.logits_V, row.present_V, row.generated_V)]


async def until(condition):
    """Let the event loop turn until something in the other thread has come true."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - the engine thread tells nobody
            await asyncio.sleep(0.002)
