"""The first token of a text is sent before the model has read it."""

from dataclasses import replace

import numpy as np
import pytest

from service.engine.errors import EngineFailed
from service.engine.rows.prefix_cache import PrefixCache
from service.runtime.automaton import BARRED, Automaton
from service.runtime.decoder import SAMPLED
from service.runtime.reference.fake import FakeStep
from service.runtime.reference.stepwise import StepwiseDecoder
from service.runtime.rules import TokenRules
from tests.service.engine.engines import (
    LONG,
    GatedDecoder,
    alone,
    bits,
    read,
    request_of,
    running_engine,
    until,
)


class SilentDecoder(StepwiseDecoder):
    """Does not know what will be drawn."""

    def __init__(self, next_tokens):
        super().__init__(FakeStep(), capacity=2)
        self._next_tokens = next_tokens

    def next_tokens(self, slot_B):
        """As the test says."""
        return self._next_tokens(slot_B)


def _fail(_):
    raise RuntimeError("out of order")


async def test_the_first_token_of_a_prompt_takes_no_step():
    """It is there before the burst behind the prompt runs, and is not sent twice."""
    decoder = GatedDecoder()
    async with running_engine(decoder, target_burst_s=0) as engine:
        stream = engine.submit(request_of([1, 2, 3], 5))
        await decoder.entered()
        for _ in range(2):
            await decoder.step()
        assert 0 == stream.num_sent
        await decoder.step()
        assert 1 == stream.num_sent
        first = await stream.next()
        assert (1, None) == (len(first.token_N), first.row_before)
        decoder.open()
        tokens, end = await read(stream)

    expected, row = alone(request_of([1, 2, 3], 5))
    assert (expected, bits(row)) == ([*first.token_N.tolist(), *tokens], bits(end.row))


async def test_a_text_of_one_token_ends_after_its_step():
    """Whoever goes on from its row needs that."""
    async with running_engine() as engine:
        tokens, end = await read(engine.submit(request_of([1, 2], 1)))

    expected, row = alone(request_of([1, 2], 1))
    assert (expected, bits(row)) == (tokens, bits(end.row))


@pytest.mark.parametrize("knows", ["the row", "the prompt"])
async def test_who_has_nothing_to_read_begins_at_once(knows):
    """A session that goes on, or a prompt that is known: without any burst."""
    decoder = GatedDecoder()
    cache = PrefixCache(1 << 20)
    async with running_engine(decoder, cache=cache) as engine:
        decoder.open()
        _, row = await read(engine.submit(request_of(LONG, 1)))
        await until(lambda: engine.num_requests == 0)
        decoder.shut()
        request = request_of(LONG, 5)
        if knows == "the row":
            request = request_of([], 5, past=alone(request_of(LONG, 0))[1])
        stream = engine.submit(request)
        await decoder.entered()
        assert 1 == stream.num_sent
        decoder.open()
        tokens, end = await read(stream)

    expected, row = alone(request)
    assert (expected, bits(row)) == (tokens, bits(end.row))


async def test_a_reader_who_is_behind_from_the_first_token_on_is_parked():
    """After the next burst, with the row that has drawn it."""
    async with running_engine(max_unread_tokens=1) as engine:
        stream = engine.submit(request_of(LONG, 9))
        await until(lambda: stream.parked)
        tokens, end = await read(stream)

    expected, row = alone(request_of(LONG, 9))
    assert (expected, bits(row)) == (tokens, bits(end.row))


async def test_a_text_that_loses_its_slot_draws_what_it_has_sent_in_another_one():
    """Its first token is sent, and somebody who has none gets the slot before it is drawn."""
    decoder = GatedDecoder(capacity=2)
    async with running_engine(decoder, target_burst_s=0) as engine:
        requests = [request_of([n + 1], 9, seed=n, client="aab"[n]) for n in range(3)]
        streams = [engine.submit(request) for request in requests[:2]]
        slot_of, loser = engine._rows.scheduler.slot_of, streams[1].request_id
        await decoder.entered()
        if slot_of(loser) is None:
            await decoder.step()  # that burst had begun when it came
        streams.append(engine.submit(requests[2]))
        await decoder.step()
        assert (None, 1) == (slot_of(loser), streams[1].num_sent)
        assert engine._rows.jobs[loser].first is not None
        decoder.open()
        found = [await read(stream) for stream in streams]

    for request, (tokens, end) in zip(requests, found, strict=True):
        expected, row = alone(request)
        assert (expected, bits(row)) == (tokens, bits(end.row))


async def test_a_text_may_end_at_the_token_that_is_sent_and_not_drawn():
    """As after a stop string: what was sent is read in its stead."""
    decoder = GatedDecoder()
    request = request_of([1, 2], 9)
    async with running_engine(decoder, target_burst_s=0) as engine:
        stream = engine.submit(request)
        await decoder.entered()
        for _ in range(2):
            await decoder.step()
        first = await stream.next()
        ending = replace(request, prompt_T=np.append(request.prompt_T, first.token_N), max_tokens=0)
        end_of_text = stream.go_back(ending)
        decoder.open()
        _, end = await read(end_of_text)

    row = alone(ending)[1]
    assert bits(row) == bits(end.row)


async def test_a_first_token_that_is_drawn_otherwise_fails_its_text():
    """It was sent, so nobody may go on from the row: the text of another client is untouched."""
    decoder = SilentDecoder(lambda slot_B: np.where(slot_B == 0, 7, SAMPLED))
    async with running_engine(decoder) as engine:
        streams = [engine.submit(request_of([1], 5, seed=n)) for n in range(2)]
        ends = [(await read(stream))[1] for stream in streams]

    assert isinstance(ends[0].error, EngineFailed)
    assert bits(alone(request_of([1], 5, seed=1))[1]) == bits(ends[1].row)


async def test_a_text_that_ends_at_once_shows_what_it_always_did():
    """The end itself is drawn in a step."""
    seeds = range(12)
    found, expected = [], []
    decoder = StepwiseDecoder(FakeStep(), capacity=4, end_id=3)
    async with running_engine(decoder) as engine:
        for seed in seeds:
            tokens, end = await read(engine.submit(request_of([1], 9, seed=seed)))
            found.append((tokens, end.reason))
    for seed in seeds:
        tokens, _ = alone(request_of([1], 9, seed=seed))
        cut = tokens.index(3) + 1 if 3 in tokens else len(tokens)
        expected.append((tokens[:cut], "eos" if 3 in tokens else "length"))

    assert expected == found
    assert 1 in [len(tokens) for tokens, _ in found]


@pytest.mark.parametrize(
    "next_tokens", [_fail, lambda slot_B: np.full(len(slot_B), SAMPLED)], ids=["fails", "unknown"]
)
async def test_what_is_not_known_comes_with_its_burst(next_tokens):
    """Nothing is lost by that."""
    async with running_engine(SilentDecoder(next_tokens)) as engine:
        tokens, end = await read(engine.submit(request_of(LONG, 5)))

    expected, row = alone(request_of(LONG, 5))
    assert (expected, bits(row)) == (tokens, bits(end.row))


@pytest.mark.parametrize(
    "options",
    [
        {"num_logprobs": 2},
        {"temperature": 0},
        {"temperature": 1e-50},
        {"top_k": 3},
        {"top_p": 0.5},
        {"min_p": 0.1},
        {"presence_penalty": 1.0},
        {"rules": TokenRules(bias=((0, 2.5),))},
        {},
    ],
    ids=str,
)
async def test_who_is_not_plain_waits_for_the_step(options):
    """The first event has what all others have, and nothing is drawn before its burst."""
    asked: list[object] = []
    request = request_of([1], 3, **options)
    if not options:
        held = Automaton(np.array([[0, BARRED]], np.int32), np.arange(7, dtype=np.int32) % 2)
        request = replace(request, automaton=held)
    async with running_engine(SilentDecoder(asked.append)) as engine:
        stream = engine.submit(request)
        first = await stream.next()
        _, end = await read(stream)

    assert ([], "length") == (asked, end.reason)
    assert ("num_logprobs" in options) == (first.logprobs is not None)
