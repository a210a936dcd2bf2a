import pytest

from service.engine.rows.prefix_cache import PrefixCache
from service.runtime.reference.fake import FakeStep
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


async def test_what_was_read_before_is_not_read_again():
    """The same prompt, longer ones, and where prompts branch; tokens and rows are the same."""
    decoder = GatedDecoder(capacity=4, step=FakeStep())
    decoder.open()
    prompts = [LONG, LONG, [*LONG, 0, 0], [*LONG[:40], *[0] * 20], [*LONG[:40], *[2] * 20]]
    found = []
    async with running_engine(decoder, cache=PrefixCache(1 << 20)) as engine:
        for n, prompt in enumerate(prompts):
            request = request_of(prompt, 9, seed=n, repetition_penalty=1.5)
            stream = engine.submit(request)
            tokens, end = await read(stream)
            expected, row = alone(request)
            assert (expected, bits(row)) == (tokens, bits(end.row))
            found.append(stream.num_cached)
        saved = engine.status.num_tokens_saved

    assert [0, 60, 60, 0, 40] == found
    assert sum(found) == saved


async def test_a_prompt_that_is_known_needs_no_step():
    """A request that only reads it ends at once, with the same row."""
    async with running_engine(cache=PrefixCache(1 << 20)) as engine:
        _, first = await read(engine.submit(request_of(LONG, 0)))
        stream = engine.submit(request_of(LONG, 0))
        _, second = await read(stream)

    assert bits(first.row) == bits(second.row)
    assert 60 == stream.num_cached


async def test_prompts_of_another_salt_are_read_again():
    """Nobody can tell from the time what others have sent."""
    async with running_engine(cache=PrefixCache(1 << 20)) as engine:
        streams = []
        for salt in ("x", "y", "x"):
            streams.append(engine.submit(request_of(LONG, 1, salt=salt)))
            await read(streams[-1])

    assert [0, 0, 60] == [stream.num_cached for stream in streams]


@pytest.mark.parametrize("leaver", [None, 0, 1])
async def test_of_equal_prompts_one_is_read(leaver):
    """The others wait for it; if the one that reads leaves, the next one reads on."""
    decoder = GatedDecoder(capacity=4)
    requests = [request_of(LONG, 5, seed=n) for n in range(3)]
    async with running_engine(decoder, cache=PrefixCache(1 << 20), target_burst_s=0) as engine:
        streams = [engine.submit(request) for request in requests]
        await decoder.entered()
        await decoder.step()
        if leaver is not None:
            streams[leaver].close()
        decoder.open()
        stay = [n for n in range(3) if n != leaver]
        results = [await read(streams[n]) for n in stay]

    for n, (tokens, end) in zip(stay, results, strict=True):
        expected, row = alone(requests[n])
        assert (expected, bits(row)) == (tokens, bits(end.row))
    num_cached = [streams[n].num_cached for n in stay]
    assert [60] * (len(stay) - 1) == num_cached[1:]
    assert 1 <= num_cached[0] <= 3 if leaver == 0 else num_cached[0] == 0
    assert all(len(slots) == 1 for slots in decoder.bursts[:60])


async def test_a_newcomer_gets_a_slot_though_another_client_has_them_all():
    """The text that makes room for it goes on where it was."""
    decoder = GatedDecoder(capacity=2)
    async with running_engine(decoder, target_burst_s=0) as engine:
        greedy = [engine.submit(request_of([n], 300, seed=n, client="a")) for n in range(4)]
        await until(lambda: engine.status.num_running == 2)
        newcomer = engine.submit(request_of([5], 20, client="b"))
        await decoder.entered()
        while newcomer.num_sent < 20:
            assert all(stream.num_sent < 300 for stream in greedy)
            await decoder.step()
        decoder.open()
        quick, _ = await read(newcomer)
        results = [await read(stream) for stream in greedy]

    assert alone(request_of([5], 20))[0] == quick
    for n, (tokens, _) in enumerate(results):
        assert alone(request_of([n], 300, seed=n))[0] == tokens


async def test_a_long_prompt_and_a_long_text_take_turns():
    """Neither waits for the other to end."""
    decoder = GatedDecoder(capacity=4)
    async with running_engine(decoder) as engine:
        text = engine.submit(request_of([1], FOREVER))
        await decoder.entered()
        await decoder.step()
        prompt = engine.submit(request_of([2] * FOREVER, 1))
        for _ in range(8):
            await decoder.step()
        decoder_bursts = [tuple(slots) for slots in decoder.bursts[-6:]]
        text.close()
        prompt.close()

    assert [(0,), (1,)] * 3 in (decoder_bursts, decoder_bursts[::-1])
