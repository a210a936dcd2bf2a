import asyncio

import numpy as np
import pytest

from service.engine.errors import (
    Overloaded,
    TimedOut,
)
from service.engine.request import Chunk, Failed, Finished
from service.runtime.reference.fake import FakeStep
from service.runtime.reference.stepwise import StepwiseDecoder
from tests.service.engine.engines import (
    FOREVER,
    Clock,
    GatedDecoder,
    alone,
    bits,
    read,
    request_of,
    running_engine,
    until,
)


async def test_requests_together_give_what_each_gives_alone():
    """Forty of all kinds through four slots, submitted at different times: tokens and rows."""
    random = np.random.default_rng(1)
    requests = [
        request_of(
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
    async with running_engine(decoder) as engine:
        readers = []
        for n, request in enumerate(requests):
            readers.append(asyncio.create_task(read(engine.submit(request))))
            if n % 7 == 0:
                await asyncio.sleep(0)
        results = await asyncio.gather(*readers)

    for request, (tokens, end) in zip(requests, results, strict=True):
        expected, row = alone(request, end_id=3)
        assert expected == tokens
        assert isinstance(end, Finished)
        assert ("eos" if expected[-1:] == [3] else "length") == end.reason
        assert end.row is not None
        assert bits(row) == bits(end.row)


async def test_a_text_goes_on_from_a_row():
    """Two requests, the second from the row of the first, give the text of one."""
    async with running_engine() as engine:
        first, end = await read(engine.submit(request_of([1, 2], 6, frequency_penalty=0.5)))
        second, _ = await read(
            engine.submit(request_of([], 6, past=end.row, frequency_penalty=0.5))
        )
        whole, _ = await read(engine.submit(request_of([1, 2], 12, frequency_penalty=0.5)))

    assert whole == first + second


async def test_a_request_that_only_reads_has_no_chunks():
    """It ends with its row at once."""
    async with running_engine() as engine:
        tokens, end = await read(engine.submit(request_of([1, 2, 3], 0)))

    assert ([], "length", 3) == (tokens, end.reason, end.row.num_tokens)


async def test_log_probabilities_come_with_the_tokens_of_one_chunk():
    """Every chunk has as many as it has tokens."""
    async with running_engine() as engine:
        stream = engine.submit(request_of([1, 2, 3], 20, num_logprobs=2))
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
        request_of(prompt, max_tokens)


@pytest.mark.parametrize("where", ["reading", "decoding"])
async def test_a_client_that_leaves_frees_its_row_at_the_next_burst(where):
    """Its slot has the next in the queue in the very next burst; the neighbour goes on."""
    decoder = GatedDecoder(capacity=2)
    prompt = [1] * (FOREVER if where == "reading" else 1)
    async with running_engine(decoder, target_burst_s=0) as engine:
        stay = engine.submit(request_of([2], 8))
        leave = engine.submit(request_of(prompt, FOREVER))
        await decoder.entered()
        await decoder.step()
        waiting = request_of([3], 4)
        follower = engine.submit(waiting)
        leave.close()
        await decoder.step()
        await until(lambda: engine.status.num_waiting == 0)
        assert (2, 0, 0) == (
            engine.status.num_running,
            engine.status.num_waiting,
            engine.status.num_parked,
        )
        decoder.open()
        assert alone(request_of([2], 8))[0] == (await read(stay))[0]
        assert alone(waiting)[0] == (await read(follower))[0]


async def test_a_client_that_leaves_the_queue_is_never_run():
    """And nobody else's request is touched."""
    decoder = GatedDecoder(capacity=1)
    async with running_engine(decoder, target_burst_s=0) as engine:
        first = engine.submit(request_of([1], 3))
        await decoder.entered()
        queued = engine.submit(request_of([2], 3))
        last = engine.submit(request_of([4], 3))
        queued.close()
        decoder.open()

        assert alone(request_of([1], 3))[0] == (await read(first))[0]
        assert alone(request_of([4], 3))[0] == (await read(last))[0]
        assert (0, 0) == (queued.num_sent, engine.status.num_requests)
    assert 8 == len(decoder.bursts)


async def test_closing_twice_or_after_the_end_is_harmless():
    """A stream may be closed in any case."""
    async with running_engine() as engine:
        stream = engine.submit(request_of())
        await read(stream)
        stream.close()
        other = engine.submit(request_of([1], FOREVER))
        other.close()
        other.close()

        assert 5 == len((await read(engine.submit(request_of())))[0])
        assert 0 == engine.status.num_requests


async def test_a_slow_reader_is_parked_and_goes_on_where_it_was():
    """What is unread stays bounded, the slot is free for others, and the text is the same."""
    request = request_of([1], 400)
    decoder = StepwiseDecoder(FakeStep(), capacity=1)
    async with running_engine(decoder, max_unread_tokens=20, max_burst_steps=8) as engine:
        slow = engine.submit(request)
        await until(lambda: engine.status.num_parked == 1)
        quick, _ = await read(engine.submit(request_of([2], 15)))
        most, tokens = 0, []
        while isinstance(event := await slow.next(), Chunk):
            most = max(most, slow.num_unread + len(event.token_N))
            tokens += event.token_N.tolist()

    assert alone(request_of([2], 15))[0] == quick
    assert alone(request)[0] == tokens
    assert 20 + 8 >= most


async def test_a_parked_client_that_leaves_is_forgotten():
    """Nothing of it remains."""
    async with running_engine(max_unread_tokens=1) as engine:
        stream = engine.submit(request_of([1], FOREVER))
        await until(lambda: engine.status.num_parked == 1)
        stream.close()
        await until(lambda: engine.status.num_requests == 0)

        assert 5 == len((await read(engine.submit(request_of())))[0])


async def test_a_late_message_of_a_reader_that_is_not_parked_is_ignored():
    """It may have caught up twice before the engine looked."""
    decoder = GatedDecoder(capacity=1)
    async with running_engine(decoder) as engine:
        stream = engine.submit(request_of([1], 10))
        await decoder.entered()
        stream._on_caught_up(stream)
        decoder.open()

        assert alone(request_of([1], 10))[0] == (await read(stream))[0]
        stream._on_caught_up(stream)
        assert 5 == len((await read(engine.submit(request_of())))[0])


@pytest.mark.parametrize("where", ["waiting", "running"])
async def test_a_request_over_its_time_fails_at_once(where):
    """In the queue or in a slot, though the engine hangs in a burst; the others go on."""
    decoder = GatedDecoder(capacity=1)
    times = {"waiting": (600.0, 0.05), "running": (0.05, 600.0)}[where]
    async with running_engine(decoder, target_burst_s=0) as engine:
        running = engine.submit(request_of([1], 20, timeout_s=times[0]))
        await decoder.entered()
        waiting = engine.submit(request_of([2], 20, timeout_s=times[1]))
        late, on_time = {"waiting": (waiting, running), "running": (running, waiting)}[where]
        _, end = await read(late)
        decoder.open()
        tokens, other_end = await read(on_time)

    assert isinstance(end, Failed)
    assert isinstance(end.error, TimedOut)
    assert isinstance(other_end, Finished)
    assert 20 == len(tokens)


async def test_a_parked_request_over_its_time_fails():
    """Whoever never reads does not stay for ever, though no burst is run."""
    async with running_engine(max_unread_tokens=1) as engine:
        stream = engine.submit(request_of([1], FOREVER, timeout_s=0.2))
        await until(lambda: engine.status.num_parked == 1)
        await until(lambda: engine.status.num_requests == 0)
        _, end = await read(stream)

    assert isinstance(end, Failed)
    assert isinstance(end.error, TimedOut)


async def test_an_idle_engine_keeps_its_heart_beating(monkeypatch: pytest.MonkeyPatch):
    """Without any request."""
    monkeypatch.setattr("service.engine.worker.REST_S", 0.05)
    clock = Clock()
    async with running_engine(clock=clock) as engine:
        clock.now_s += 50
        assert 50 >= engine.status.heartbeat_age_s
        await until(lambda: engine.status.heartbeat_age_s == 0)
        assert engine.status.alive


async def test_a_full_inbox_refuses_requests():
    """By their number, with an estimate of when there is room."""
    decoder = GatedDecoder(capacity=1)
    async with running_engine(decoder, max_waiting_requests=2) as engine:
        engine.submit(request_of())
        await decoder.entered()
        engine.submit(request_of())
        engine.submit(request_of())

        with pytest.raises(Overloaded, match="2 requests") as caught:
            engine.submit(request_of())

        assert 12 >= caught.value.retry_after_s > 0
        assert (1, 2, 3) == (
            engine.status.num_running,
            engine.status.num_waiting,
            engine.status.num_requests,
        )


async def test_an_inbox_full_of_tokens_refuses_requests():
    """By their tokens too; and a request that leaves the queue makes room."""
    decoder = GatedDecoder(capacity=1)
    async with running_engine(decoder, max_waiting_tokens=100, target_burst_s=0) as engine:
        engine.submit(request_of([1], 9))
        await decoder.entered()
        large = engine.submit(request_of([1], 10_000))  # alone in the queue it is always taken

        with pytest.raises(Overloaded, match="10001 tokens"):
            engine.submit(request_of([1], 1))

        large.close()
        await decoder.step()
        engine.submit(request_of([1], 98))
        with pytest.raises(Overloaded):
            engine.submit(request_of([1], 1))
