import asyncio
import contextlib
import threading

import numpy as np
import pytest

from service.engine.engine import Engine
from service.engine.errors import (
    Draining,
    EngineError,
    EngineFailed,
    NotFinite,
    Overloaded,
    TimedOut,
)
from service.engine.limits import EngineLimits
from service.engine.prefix_cache import PrefixCache
from service.engine.request import Chunk, Failed, Finished, Request
from service.runtime.decoder import SAMPLED, Burst, Row, Sampling
from service.runtime.fake import FakeStep
from service.runtime.stepwise import StepwiseDecoder

_FOREVER = 100_000


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


class Clock:
    """Time that passes when told to."""

    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        """Now."""
        return self.now_s


@contextlib.asynccontextmanager
async def _running(decoder=None, clock=None, cache=None, **limits):
    decoder = decoder or StepwiseDecoder(FakeStep(), capacity=4)
    options = {"clock": clock} if clock else {}
    engine = Engine("test", decoder, EngineLimits(**limits), cache, **options)
    engine.start()
    try:
        yield engine
    finally:
        if isinstance(decoder, GatedDecoder):
            decoder.open()
        await engine.stop()


def _request(
    prompt=(1,), max_tokens=5, *, seed=0, timeout_s=600.0, past=None, client="", salt="", **options
):
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


def _alone(request, step=None, **options):
    """The tokens and the row that the request has without any engine."""
    decoder = StepwiseDecoder(step or FakeStep(), capacity=1, **options)
    row = request.past or Row.start(decoder.state_width, decoder.vocabulary_size)
    decoder.load(0, row, request.sampling)
    forced = [*request.prompt_T.tolist(), *[SAMPLED] * request.max_tokens]
    result = decoder.burst(
        Burst(np.array([0]), np.array(forced)[:, None], np.array([len(forced)]), np.array([True]))
    )
    tokens = result.token_KB[len(request.prompt_T) : result.num_steps_B[0], 0].tolist()
    return tokens, decoder.save(0)


async def _read(stream):
    """All tokens of a stream, and the event that ended it."""
    tokens: list[int] = []
    async with asyncio.timeout(30):
        while True:
            event = await stream.next()
            if not isinstance(event, Chunk):
                return tokens, event
            tokens += event.token_N.tolist()


def _bits(row):
    return [part.tobytes() for part in (row.state_W, row.logits_V, row.present_V, row.generated_V)]


async def _until(condition):
    """Let the event loop turn until something in the other thread has come true."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - the engine thread tells nobody
            await asyncio.sleep(0.002)


async def test_requests_together_give_what_each_gives_alone():
    """Forty of all kinds through four slots, submitted at different times: tokens and rows."""
    random = np.random.default_rng(1)
    requests = [
        _request(
            random.integers(0, 7, random.integers(1, 40)),
            int(random.integers(0, 60)),
            seed=n,
            temperature=float(random.choice([0, 1, 2])),
            repetition_penalty=float(random.choice([1, 1.5])),
            num_logprobs=int(random.integers(0, 3)) if n % 3 == 0 else None,
        )
        for n in range(40)
    ]
    decoder = StepwiseDecoder(FakeStep(), capacity=4, end_id=3)
    async with _running(decoder) as engine:
        readers = []
        for n, request in enumerate(requests):
            readers.append(asyncio.create_task(_read(engine.submit(request))))
            if n % 7 == 0:
                await asyncio.sleep(0)
        results = await asyncio.gather(*readers)

    for request, (tokens, end) in zip(requests, results, strict=True):
        expected, row = _alone(request, end_id=3)
        assert expected == tokens
        assert isinstance(end, Finished)
        assert ("eos" if expected[-1:] == [3] else "length") == end.reason
        assert end.row is not None
        assert _bits(row) == _bits(end.row)


async def test_a_text_goes_on_from_a_row():
    """Two requests, the second from the row of the first, give the text of one."""
    async with _running() as engine:
        first, end = await _read(engine.submit(_request([1, 2], 6, frequency_penalty=0.5)))
        second, _ = await _read(engine.submit(_request([], 6, past=end.row, frequency_penalty=0.5)))
        whole, _ = await _read(engine.submit(_request([1, 2], 12, frequency_penalty=0.5)))

    assert whole == first + second


async def test_a_request_that_only_reads_has_no_chunks():
    """It ends with its row at once."""
    async with _running() as engine:
        tokens, end = await _read(engine.submit(_request([1, 2, 3], 0)))

    assert ([], "length", 3) == (tokens, end.reason, end.row.num_tokens)


async def test_log_probabilities_come_with_the_tokens_of_one_chunk():
    """Every chunk has as many as it has tokens."""
    async with _running() as engine:
        stream = engine.submit(_request([1, 2, 3], 20, num_logprobs=2))
        num_tokens = 0
        while isinstance(event := await stream.next(), Chunk):
            assert event.logprobs is not None
            assert len(event.token_N) == len(event.logprobs.chosen_N)
            assert (len(event.token_N), 2) == event.logprobs.top_NM.shape
            num_tokens += len(event.token_N)

    assert 20 == num_tokens


@pytest.mark.parametrize(
    ("prompt", "max_tokens", "message"),
    [([], 0, "at least one token"), ([], 5, "empty prompt")],
)
def test_what_cannot_take_a_step_is_no_request(prompt, max_tokens, message):
    """Such a request is refused when it is made."""
    with pytest.raises(ValueError, match=message):
        _request(prompt, max_tokens)


@pytest.mark.parametrize("where", ["reading", "decoding"])
async def test_a_client_that_leaves_frees_its_row_at_the_next_burst(where):
    """Its slot has the next in the queue in the very next burst; the neighbour goes on."""
    decoder = GatedDecoder(capacity=2)
    prompt = [1] * (_FOREVER if where == "reading" else 1)
    async with _running(decoder, target_burst_s=0) as engine:
        stay = engine.submit(_request([2], 8))
        leave = engine.submit(_request(prompt, _FOREVER))
        await decoder.entered()
        await decoder.step()
        waiting = _request([3], 4)
        follower = engine.submit(waiting)
        leave.close()
        await decoder.step()
        await _until(lambda: engine.status.num_waiting == 0)
        assert (2, 0, 0) == (
            engine.status.num_running,
            engine.status.num_waiting,
            engine.status.num_parked,
        )
        decoder.open()
        assert _alone(_request([2], 8))[0] == (await _read(stay))[0]
        assert _alone(waiting)[0] == (await _read(follower))[0]


async def test_a_client_that_leaves_the_queue_is_never_run():
    """And nobody else's request is touched."""
    decoder = GatedDecoder(capacity=1)
    async with _running(decoder, target_burst_s=0) as engine:
        first = engine.submit(_request([1], 3))
        await decoder.entered()
        queued = engine.submit(_request([2], 3))
        last = engine.submit(_request([4], 3))
        queued.close()
        decoder.open()

        assert _alone(_request([1], 3))[0] == (await _read(first))[0]
        assert _alone(_request([4], 3))[0] == (await _read(last))[0]
        assert (0, 0) == (queued.num_sent, engine.status.num_requests)
    assert 8 == len(decoder.bursts)


async def test_closing_twice_or_after_the_end_is_harmless():
    """A stream may be closed in any case."""
    async with _running() as engine:
        stream = engine.submit(_request())
        await _read(stream)
        stream.close()
        other = engine.submit(_request([1], _FOREVER))
        other.close()
        other.close()

        assert 5 == len((await _read(engine.submit(_request())))[0])
        assert 0 == engine.status.num_requests


async def test_a_slow_reader_is_parked_and_goes_on_where_it_was():
    """What is unread stays bounded, the slot is free for others, and the text is the same."""
    request = _request([1], 400)
    decoder = StepwiseDecoder(FakeStep(), capacity=1)
    async with _running(decoder, max_unread_tokens=20, max_burst_steps=8) as engine:
        slow = engine.submit(request)
        await _until(lambda: engine.status.num_parked == 1)
        quick, _ = await _read(engine.submit(_request([2], 15)))
        most, tokens = 0, []
        while isinstance(event := await slow.next(), Chunk):
            most = max(most, slow.num_unread + len(event.token_N))
            tokens += event.token_N.tolist()

    assert _alone(_request([2], 15))[0] == quick
    assert _alone(request)[0] == tokens
    assert 20 + 8 >= most


async def test_a_parked_client_that_leaves_is_forgotten():
    """Nothing of it remains."""
    async with _running(max_unread_tokens=1) as engine:
        stream = engine.submit(_request([1], _FOREVER))
        await _until(lambda: engine.status.num_parked == 1)
        stream.close()
        await _until(lambda: engine.status.num_requests == 0)

        assert 5 == len((await _read(engine.submit(_request())))[0])


async def test_a_late_message_of_a_reader_that_is_not_parked_is_ignored():
    """It may have caught up twice before the engine looked."""
    decoder = GatedDecoder(capacity=1)
    async with _running(decoder) as engine:
        stream = engine.submit(_request([1], 10))
        await decoder.entered()
        stream._on_caught_up(stream)
        decoder.open()

        assert _alone(_request([1], 10))[0] == (await _read(stream))[0]
        stream._on_caught_up(stream)
        assert 5 == len((await _read(engine.submit(_request())))[0])


@pytest.mark.parametrize("where", ["waiting", "running"])
async def test_a_request_over_its_time_fails(where):
    """In the queue or in a slot, at the next burst; the others go on."""
    decoder, clock = GatedDecoder(capacity=1), Clock()
    async with _running(decoder, clock, target_burst_s=0) as engine:
        times = {"waiting": (600, 5), "running": (5, 600)}[where]
        running = engine.submit(_request([1], 20, timeout_s=times[0]))
        await decoder.entered()
        waiting = engine.submit(_request([2], 20, timeout_s=times[1]))
        clock.now_s += 6
        decoder.open()
        results = [await _read(running), await _read(waiting)]

    late = results[where == "waiting"]
    on_time = results[where == "running"]
    assert isinstance(late[1], Failed)
    assert isinstance(late[1].error, TimedOut)
    assert isinstance(on_time[1], Finished)
    assert 20 == len(on_time[0])


async def test_a_parked_request_over_its_time_fails():
    """Whoever never reads does not stay for ever, though no burst is run."""
    clock = Clock()
    async with _running(clock=clock, max_unread_tokens=1) as engine:
        stream = engine.submit(_request([1], _FOREVER, timeout_s=5))
        await _until(lambda: engine.status.num_parked == 1)
        clock.now_s += 6
        await _until(lambda: engine.status.num_requests == 0)
        _, end = await _read(stream)

    assert isinstance(end, Failed)
    assert isinstance(end.error, TimedOut)


async def test_an_idle_engine_keeps_its_heart_beating():
    """Without any request."""
    clock = Clock()
    async with _running(clock=clock) as engine:
        clock.now_s += 50
        assert 50 >= engine.status.heartbeat_age_s
        await _until(lambda: engine.status.heartbeat_age_s == 0)
        assert engine.status.alive


async def test_a_full_inbox_refuses_requests():
    """By their number, with an estimate of when there is room."""
    decoder = GatedDecoder(capacity=1)
    async with _running(decoder, max_waiting_requests=2) as engine:
        engine.submit(_request())
        await decoder.entered()
        engine.submit(_request())
        engine.submit(_request())

        with pytest.raises(Overloaded, match="2 requests") as caught:
            engine.submit(_request())

        assert 12 >= caught.value.retry_after_s > 0
        assert (1, 2, 3) == (
            engine.status.num_running,
            engine.status.num_waiting,
            engine.status.num_requests,
        )


async def test_an_inbox_full_of_tokens_refuses_requests():
    """By their tokens too; and a request that leaves the queue makes room."""
    decoder = GatedDecoder(capacity=1)
    async with _running(decoder, max_waiting_tokens=100, target_burst_s=0) as engine:
        engine.submit(_request([1], 9))
        await decoder.entered()
        large = engine.submit(_request([1], 10_000))  # alone in the queue it is always taken

        with pytest.raises(Overloaded, match="10001 tokens"):
            engine.submit(_request([1], 1))

        large.close()
        await decoder.step()
        engine.submit(_request([1], 98))
        with pytest.raises(Overloaded):
            engine.submit(_request([1], 1))


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
    async with _running(decoder) as engine:
        both = [engine.submit(_request([1], 5)), engine.submit(_request([6], 5))]
        waiting = engine.submit(_request([2], 5))
        decoder.open()
        ends = [(await _read(stream))[1] for stream in both]
        tokens, _ = await _read(waiting)
        assert engine.status.alive

    assert _alone(_request([2], 5), never_drawn=[5, 6])[0] == tokens
    assert isinstance(ends[1], Failed)
    assert isinstance(ends[1].error, EngineFailed)
    assert "out of luck" in str(ends[1].error)


async def test_a_row_without_finite_numbers_fails_alone():
    """Its neighbours do not notice, and the next text in its slot is clean."""
    decoder = StepwiseDecoder(_Failing(), capacity=2, never_drawn=[5, 6])
    async with _running(decoder) as engine:
        good, bad = engine.submit(_request([1], 30)), engine.submit(_request([5], 30))
        (tokens, _), (_, end) = await _read(good), await _read(bad)
        after, _ = await _read(engine.submit(_request([2], 30)))

    assert isinstance(end, Failed)
    assert isinstance(end.error, NotFinite)
    assert _alone(_request([1], 30), never_drawn=[5, 6])[0] == tokens
    assert _alone(_request([2], 30), never_drawn=[5, 6])[0] == after


class _Broken(GatedDecoder):
    """Breaks the engine thread itself: loading the second row raises."""

    def load(self, slot, row, sampling):
        if slot == 1:
            raise RuntimeError("no such slot")
        super().load(slot, row, sampling)


async def test_when_the_thread_dies_every_stream_hears_of_it():
    """Running, waiting and just handed in; health tells, and nothing more is taken."""
    decoder = _Broken(capacity=2)
    async with _running(decoder, target_burst_s=0) as engine:
        streams = [engine.submit(_request([1], _FOREVER))]
        await decoder.entered()
        streams += [engine.submit(_request([2], 5)) for _ in range(5)]
        decoder.open()
        ends = [(await _read(stream))[1] for stream in streams]
        await _until(lambda: not engine.status.alive)

        assert [EngineFailed] * 6 == [type(end.error) for end in ends]
        with pytest.raises(EngineFailed, match="dead"):
            engine.submit(_request())
        streams[0].close()


@pytest.mark.parametrize("method", ["add", "plan", "admit", "settle", "remove"])
async def test_an_engine_whose_scheduler_breaks_leaves_nobody_waiting(method, monkeypatch):
    """Whatever dies, every request has exactly one terminal event."""
    decoder = GatedDecoder(capacity=1)
    async with _running(decoder) as engine:
        streams = [engine.submit(_request([1], 50))]
        await decoder.entered()

        def breaks(*args, **kwargs):
            raise RuntimeError("broken")

        monkeypatch.setattr(engine._scheduler, method, breaks)
        streams += [engine.submit(_request([2], 5)) for _ in range(3)]
        if method == "remove":
            streams[1].close()
            del streams[1]
        decoder.open()
        ends = [(await _read(stream))[1] for stream in streams]

        assert {EngineFailed} == {type(end.error) for end in ends}
        assert {0} == {len(stream._events) for stream in streams}
        await _until(lambda: not engine.status.alive)


async def test_a_draining_engine_finishes_what_it_has():
    """It takes no more, and those that are in go on to their end."""
    decoder = GatedDecoder(capacity=1)
    async with _running(decoder) as engine:
        streams = [engine.submit(_request([1], 5)), engine.submit(_request([2], 5))]
        await decoder.entered()
        engine.drain()
        with pytest.raises(Draining):
            engine.submit(_request())
        decoder.open()

        assert [5, 5] == [len((await _read(stream))[0]) for stream in streams]


async def test_stopping_ends_every_stream_with_an_error():
    """Running, waiting, parked: one event each; the thread is gone."""
    async with _running(max_unread_tokens=4) as engine:
        streams = [engine.submit(_request([n % 7], _FOREVER)) for n in range(9)]
        await _until(lambda: engine.status.num_parked > 0)
        await engine.stop()
        ends = [(await _read(stream))[1] for stream in streams]

        assert [Draining] * 9 == [type(end.error) for end in ends]
        assert not engine.status.alive
        with pytest.raises(EngineError):
            engine.submit(_request())


def test_an_engine_outlives_its_event_loop(caplog):
    """Events that nobody can hear any more do not kill the thread's last words."""
    decoder = GatedDecoder(capacity=1)

    async def leave_early():
        engine = Engine("test", decoder, EngineLimits())
        engine.start()
        engine.submit(_request([1], 5))
        await decoder.entered()
        return engine

    engine = asyncio.run(leave_early())
    decoder.open()

    asyncio.run(engine.stop())

    assert not engine.status.alive
    assert "died" not in caplog.text


_LONG = list(range(1, 7)) * 10


async def test_what_was_read_before_is_not_read_again():
    """The same prompt, longer ones, and where prompts branch; tokens and rows are the same."""
    decoder = GatedDecoder(capacity=4, step=FakeStep())
    decoder.open()
    prompts = [_LONG, _LONG, [*_LONG, 0, 0], [*_LONG[:40], *[0] * 20], [*_LONG[:40], *[2] * 20]]
    found = []
    async with _running(decoder, cache=PrefixCache(1 << 20)) as engine:
        for n, prompt in enumerate(prompts):
            request = _request(prompt, 9, seed=n, repetition_penalty=1.5)
            stream = engine.submit(request)
            tokens, end = await _read(stream)
            expected, row = _alone(request)
            assert (expected, _bits(row)) == (tokens, _bits(end.row))
            found.append(stream.num_cached)
        saved = engine.status.num_tokens_saved

    assert [0, 60, 60, 0, 40] == found
    assert sum(found) == saved


async def test_a_prompt_that_is_known_needs_no_step():
    """A request that only reads it ends at once, with the same row."""
    async with _running(cache=PrefixCache(1 << 20)) as engine:
        _, first = await _read(engine.submit(_request(_LONG, 0)))
        stream = engine.submit(_request(_LONG, 0))
        _, second = await _read(stream)

    assert _bits(first.row) == _bits(second.row)
    assert 60 == stream.num_cached


async def test_prompts_of_another_salt_are_read_again():
    """Nobody can tell from the time what others have sent."""
    async with _running(cache=PrefixCache(1 << 20)) as engine:
        streams = []
        for salt in ("x", "y", "x"):
            streams.append(engine.submit(_request(_LONG, 1, salt=salt)))
            await _read(streams[-1])

    assert [0, 0, 60] == [stream.num_cached for stream in streams]


@pytest.mark.parametrize("leaver", [None, 0, 1])
async def test_of_equal_prompts_one_is_read(leaver):
    """The others wait for it; if the one that reads leaves, the next one reads."""
    decoder = GatedDecoder(capacity=4)
    requests = [_request(_LONG, 5, seed=n) for n in range(3)]
    async with _running(decoder, cache=PrefixCache(1 << 20), target_burst_s=0) as engine:
        streams = [engine.submit(request) for request in requests]
        await decoder.entered()
        await decoder.step()
        if leaver is not None:
            streams[leaver].close()
        decoder.open()
        stay = [n for n in range(3) if n != leaver]
        results = [await _read(streams[n]) for n in stay]

    for n, (tokens, end) in zip(stay, results, strict=True):
        expected, row = _alone(requests[n])
        assert (expected, _bits(row)) == (tokens, _bits(end.row))
    assert [0] + [60] * (len(stay) - 1) == [streams[n].num_cached for n in stay]
    assert all(len(slots) == 1 for slots in decoder.bursts[:60])


async def test_a_newcomer_gets_a_slot_though_another_client_has_them_all():
    """The text that makes room for it goes on where it was."""
    decoder = StepwiseDecoder(FakeStep(), capacity=2)
    async with _running(decoder) as engine:
        greedy = [engine.submit(_request([n], 3000, seed=n, client="a")) for n in range(4)]
        await _until(lambda: engine.status.num_running == 2)
        quick, _ = await _read(engine.submit(_request([5], 20, client="b")))
        assert all(stream.num_sent < 3000 for stream in greedy)
        results = [await _read(stream) for stream in greedy]

    assert _alone(_request([5], 20))[0] == quick
    for n, (tokens, _) in enumerate(results):
        assert _alone(_request([n], 3000, seed=n))[0] == tokens


async def test_a_long_prompt_and_a_long_text_take_turns():
    """Neither waits for the other to end."""
    decoder = GatedDecoder(capacity=4)
    async with _running(decoder) as engine:
        text = engine.submit(_request([1], _FOREVER))
        await decoder.entered()
        await decoder.step()
        prompt = engine.submit(_request([2] * _FOREVER, 1))
        for _ in range(8):
            await decoder.step()
        decoder_bursts = [tuple(slots) for slots in decoder.bursts[-6:]]
        text.close()
        prompt.close()

    assert [(0,), (1,)] * 3 in (decoder_bursts, decoder_bursts[::-1])
