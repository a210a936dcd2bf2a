"""Several texts of one request: each is what it is alone, and all are accepted or none."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from service.engine.errors import Draining, NotFinite, Overloaded
from service.inference.accounts import Accounts
from service.inference.errors import InvalidOption
from service.inference.request import TextRequest
from service.inference.seeds import seed_of
from service.inference.several import SeveralTexts
from tests.service.inference.texts import generate

ASKED = TextRequest("The quick brown fox", 30, seed=7)


async def collect(inference, asked=ASKED, **several):
    """The texts, and what they took."""
    texts = await inference.start_several(asked, **several)
    try:
        return await texts.collect(), texts.usage
    finally:
        await texts.close()


async def deltas_of(several):
    """Texts and last deltas by their numbers; a failure in the stead of the last delta."""
    texts: list[str] = [""] * len(several.texts)
    ends: list[Any] = [None] * len(several.texts)
    async for index, new in several.deltas():
        assert ends[index] is None
        if isinstance(new, Exception):
            ends[index] = new
            continue
        texts[index] += new.text
        if new.finish_reason is not None:
            ends[index] = new
    return texts, ends


def test_seeds_are_those_after_the_first():
    """And such as readers of JSON keep, whatever the first one is."""
    assert [7, 8, 9] == [seed_of(7, n) for n in range(3)]
    largest = (1 << 53) - 1
    assert [largest, 0, 1] == [seed_of(largest, n) for n in range(3)]
    assert [1 << 62, 1, 2] == [seed_of(1 << 62, n) for n in range(3)]


async def test_each_text_is_the_one_of_its_seed(inference):
    """The prompt counts once, what was written of all."""
    wholes, usage = await collect(inference, n=5)
    one, _ = await collect(inference, n=1)

    assert [7, 8, 9, 10, 11] == [text.seed for text in wholes]
    for text in wholes:
        alone = await inference.start(replace(ASKED, seed=text.seed))
        assert (await alone.collect()).text == text.whole.text
        await alone.close()
    assert (19, 5 * 30) == (usage.prompt_tokens, usage.completion_tokens)
    assert [wholes[0].whole.text] == [text.whole.text for text in one]
    assert 0 == inference.accounts.num_unfinished


async def test_a_drawn_seed_is_told(inference):
    """The texts can be had again, each alone."""
    wholes, _ = await collect(inference, replace(ASKED, seed=None), n=3)

    first = wholes[0].seed
    assert [seed_of(first, n) for n in range(3)] == [text.seed for text in wholes]
    again, _ = await collect(inference, replace(ASKED, seed=wholes[2].seed), n=1)
    assert wholes[2].whole.text == again[0].whole.text


async def test_the_best_have_the_highest_log_probability_per_token(inference):
    """Best first; log-probabilities are shown to who asked for them."""
    asked = replace(ASKED, logprobs=0, stop=("e",))
    everything, _ = await collect(inference, asked, n=8)
    best, usage = await collect(inference, replace(asked, logprobs=None), n=3, best_of=8)
    shown, _ = await collect(inference, asked, n=3, best_of=8)

    def mean(whole):
        return sum(whole.figures.chosen_N.tolist()) / len(whole.figures)

    means = {text.seed: mean(text.whole) for text in everything if text.whole.figures}
    expected = sorted(means, key=means.__getitem__, reverse=True)[:3]
    assert expected == [text.seed for text in best]
    assert [means[seed] for seed in expected] == pytest.approx([t.mean_logprob for t in best])
    assert [None] * 3 == [text.whole.figures for text in best]
    assert [means[seed] for seed in expected] == pytest.approx([mean(t.whole) for t in shown])
    written = [text.whole.usage.completion_tokens for text in everything]
    assert sum(written) == usage.completion_tokens


async def test_a_text_without_tokens_is_never_the_better_one(inference):
    """It has no log-probability to be measured by."""
    first = (await generate(inference, ASKED.prompt, 1)).text
    asked = replace(ASKED, stop=(first,))
    wholes, _ = await collect(inference, asked, n=7, best_of=8)
    every, _ = await collect(inference, asked, n=8)

    assert "" == every[0].whole.text
    assert 7 not in [text.seed for text in wholes] or wholes[-1].mean_logprob is None


async def test_deltas_are_the_texts(inference):
    """Whatever the order in which they come."""
    wholes, _ = await collect(inference, n=4)
    several = await inference.start_several(replace(ASKED, is_streamed=True), n=4)
    texts, ends = await deltas_of(several)
    await several.close()

    assert [text.whole.text for text in wholes] == texts
    assert ["length"] * 4 == [end.finish_reason for end in ends]
    assert (19, 120) == (several.usage.prompt_tokens, several.usage.completion_tokens)


async def test_who_leaves_frees_all_rows(inference, served):
    """In the midst of a stream, whoever still wants to tell something."""
    several = await inference.start_several(
        replace(ASKED, max_tokens=500, is_streamed=True, stream_every=1), n=4
    )
    deltas = several.deltas()
    await anext(deltas)
    await several.close()
    await deltas.aclose()

    async with asyncio.timeout(30):
        while served[0].engine.num_requests:  # noqa: ASYNC110 - the engine tells nobody
            await asyncio.sleep(0.002)
    assert 0 == inference.accounts.num_unfinished


async def test_who_does_not_read_is_not_written_for_without_end(inference):
    """A slow reader has all of the texts paused, as it has one."""
    several = await inference.start_several(
        replace(ASKED, max_tokens=500, is_streamed=True, stream_every=1), n=2
    )
    deltas = several.deltas()
    for _ in range(3):
        await anext(deltas)
    await asyncio.sleep(0.05)
    taken = several.usage.completion_tokens

    assert taken <= 3 + 2 * 2 + 2
    await several.close()
    await deltas.aclose()


async def test_each_text_is_parked_with_its_capsule(inference):
    """At the end of the server: each goes on from what was shown, as it would have alone."""
    inference.capsules._keys, inference.capsules._ttl_s = {"one": bytes(32)}, 60
    asked = replace(ASKED, max_tokens=200, return_capsule=True, is_streamed=True, stream_every=1)
    several = await inference.start_several(asked, n=3)
    texts, ends, is_parked = [""] * 3, {}, False
    async for index, delta in several.deltas():
        texts[index] += delta.text
        if delta.finish_reason is not None:
            ends[index] = delta
        if not is_parked:
            for text in several.texts:
                text.park()
            is_parked = True
    await several.close()

    for index, text in enumerate(several.texts):
        assert "parked" == ends[index].finish_reason
        rest = TextRequest(max_tokens=20, capsule=ends[index].capsule)
        [going_on], _ = await collect(inference, rest, n=1)
        whole = replace(ASKED, seed=text.seed, max_tokens=len(texts[index]) + 20)
        [alone], _ = await collect(inference, whole, n=1)
        assert alone.whole.text == texts[index] + going_on.whole.text


class FailingText:
    """In place of one of the texts: it fails when it is read."""

    def __init__(self, text):
        self.seed, self.id, self.model = text.seed, text.id, text.model
        self.usage, self.outcome, self._text = text.usage, "failed", text

    async def deltas(self):
        """Nothing comes."""
        raise NotFinite("no numbers")
        yield

    async def collect(self):
        """Likewise."""
        raise NotFinite("no numbers")

    async def close(self):
        """The text in whose place it is."""
        await self._text.close()


async def test_one_failure_is_that_of_a_whole_answer_and_of_one_text_of_a_stream(inference):
    """In a stream the others go on."""
    expected, _ = await collect(inference, n=3)
    for streams in (True, False):
        several = await inference.start_several(replace(ASKED, is_streamed=streams), n=3)
        texts = [several.texts[0], FailingText(several.texts[1]), several.texts[2]]
        several = SeveralTexts(texts, 3, shows_figures=False)
        try:
            if streams:
                written, ends = await deltas_of(several)
                assert isinstance(ends[1], NotFinite)
                for n in (0, 2):
                    assert expected[n].whole.text == written[n]
            else:
                with pytest.raises(NotFinite):
                    await several.collect()
        finally:
            await several.close()
    assert 0 == inference.accounts.num_unfinished


@pytest.mark.parametrize(
    ("options", "several", "param"),
    [
        ({}, {"n": 17}, "n"),
        ({}, {"n": 1, "best_of": 17}, "best_of"),
        ({}, {"n": 3, "best_of": 2}, "best_of"),
        ({"session": "s"}, {"n": 2}, "n"),
        ({"session": "s"}, {"n": 1, "best_of": 2}, "best_of"),
        ({"is_streamed": True}, {"n": 1, "best_of": 2}, "best_of"),
    ],
)
async def test_what_cannot_be_several_is_named(inference, options, several, param):
    """Before anything starts."""
    with pytest.raises(InvalidOption) as caught:
        await inference.start_several(replace(ASKED, **options), **several)

    assert param == caught.value.param


async def test_refused_by_the_engine_nothing_is_left(inference, served):
    """Neither a place in the accounts, nor a row."""
    await served[0].engine.stop()
    with pytest.raises(Draining):
        await inference.start_several(ASKED, n=4)

    assert 0 == inference.accounts.num_unfinished


def test_results_of_several_texts_are_counted_together():
    """All or none; a request that is alone is taken whatever it asks for."""
    accounts = Accounts(max_result_bytes=100)
    tickets = accounts.accept_all(60, 3)
    with pytest.raises(Overloaded):
        accounts.accept_all(1, 2)
    assert 3 == accounts.num_unfinished
    for ticket in tickets[:2]:
        ticket.close()
    assert 1 == accounts.num_unfinished
    tickets += accounts.accept_all(20, 2)
    with pytest.raises(Overloaded):
        accounts.accept(1)
    for ticket in tickets:
        ticket.close()
    assert (0, 0) == (accounts.num_unfinished, accounts.num_result_bytes)
