"""Texts that are one of some choices: by exactly how probable each of them is."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from service.inference.choosing import _AT_ONCE, probabilities
from service.inference.errors import InvalidOption
from service.inference.request import TextRequest
from service.inference.token_options import TokenOptions
from service.runtime.logprobs import logprobs
from service.runtime.sampling import SamplingOptions
from service.runtime.step import StepGraph
from service.sessions.session import Idempotency, SessionKey
from tests import tiny_model
from tests.service.inference.texts import bits, ends_of_submissions, generate, row_of

CHOICES = ("Yes, my lord.", "No", "Nay", "O")
ASKED = TextRequest("The king:", seed=7, choices=CHOICES, tells_choices=True)


async def _answer(inference, asked=ASKED):
    text = await inference.start(asked)
    try:
        return await text.collect(), text.usage
    finally:
        await text.close()


def _by_brute_force(tokenizer, prompt: str, choices) -> list[float]:
    """Log-probabilities, by one step of the graph for each token of each choice."""
    step = StepGraph(tiny_model.step_graph(seed=0))
    sums = []
    for choice in choices:
        state = tuple(np.zeros((1, width), np.float32) for width in step.state_widths)
        logits, total = None, 0.0
        ids = [(n, False) for n in tokenizer.encode(prompt)]
        ids += [(n, True) for n in tokenizer.encode(choice)]
        for token_id, is_choice in ids:
            if is_choice:
                assert logits is not None
                total += float(logprobs(logits, np.array([token_id]), 0)[0][0])
            logits, state = step(np.array([token_id]), state)
        sums.append(total)
    return sums


@pytest.mark.parametrize("temperature", [None, 0.5, 3.0])
async def test_probabilities_are_those_of_brute_force(inference, temperature):
    """The softmax of the sums, at the temperature."""
    asked = replace(ASKED, options=SamplingOptions(temperature=temperature))
    delta, usage = await _answer(inference, asked)
    tokenizer = inference.models.resolve(None).tokenizer
    sums = _by_brute_force(tokenizer, "The king:", CHOICES)
    weights = np.exp(np.array(sums) / (temperature or 1.0))

    assert CHOICES == tuple(each.text for each in delta.choices)
    assert pytest.approx(sums, rel=1e-6) == [each.logprob for each in delta.choices]
    assert pytest.approx(weights / weights.sum(), rel=1e-5) == [
        each.probability for each in delta.choices
    ]
    assert delta.text in CHOICES
    assert ("stop", len(delta.text)) == (delta.finish_reason, usage.completion_tokens)


async def test_choices_are_drawn_by_their_probability(inference):
    """Seeds are many texts; and each of several is the one of its seed alone."""
    asked = replace(ASKED, seed=1000, options=SamplingOptions(temperature=5.0))
    drawn: Counter[str] = Counter()
    for n in range(0, 480, 16):
        several = await inference.start_several(replace(asked, seed=n), n=16)
        texts = await several.collect()
        await several.close()
        drawn.update(text.whole.text for text in texts)
    told, _ = await _answer(inference, asked)

    for each in told.choices:
        spread = (each.probability * (1 - each.probability) * 480) ** 0.5
        assert abs(drawn[each.text] - 480 * each.probability) < 4 * spread + 1
    alone, _ = await _answer(inference, replace(asked, seed=texts[3].seed))
    assert alone.text == texts[3].whole.text


async def test_temperature_0_takes_the_most_probable(inference):
    """Whatever the seed."""
    greedy = replace(ASKED, options=SamplingOptions(temperature=0))
    delta, _ = await _answer(inference, greedy)
    best = max(delta.choices, key=lambda each: each.logprob)

    assert best.text == delta.text
    assert [1.0] == [each.probability for each in delta.choices if each.probability]


@pytest.mark.parametrize("temperature", [1e-300, 1e-30, 1e-3, 10.0])
def test_any_temperature_gives_probabilities(temperature):
    """Numbers, that add up to 1."""
    found = probabilities([-1e4, -2.0, -1.0], temperature)

    assert np.isfinite(found).all()
    assert pytest.approx(1) == found.sum()


async def test_the_same_seed_gives_the_same_choice_in_any_company(inference):
    """And the same figures, bit for bit."""
    alone, _ = await _answer(inference)
    others = [
        generate(inference, "Somebody", 60 + n, temperature=2.0, logprobs=n) for n in range(5)
    ]

    (beside, _), *_ = await asyncio.gather(_answer(inference), *others)

    assert (alone.text, alone.choices) == (beside.text, beside.choices)


async def test_a_turn_ends_after_the_choice(inference):
    """As if the session had read the prompt and the choice; and it is written again as it was."""
    session, _ = await inference.create_session(prompt="Once", model=None, seed=3)
    chosen, _ = await _answer(inference, replace(ASKED, session=session.id, tells_choices=False))
    other, _ = await inference.create_session(
        prompt=f"OnceThe king:{chosen.text}", model=None, seed=3
    )

    one, whole = await row_of(inference, session), await row_of(inference, other)
    assert bits(replace(one, generated_V=whole.generated_V)) == bits(whole)
    assert len(chosen.text) == one.generated_V.sum()
    turns, _ = await inference.sessions.log(SessionKey("", session.id), after=-1, limit=9)
    turn = turns[-1]
    assert (chosen.text, "The king:") == (turn.record.text, turn.record.prompt)

    again = TextRequest(session=session.id, again=True, seed=99)
    rewritten, _ = await _answer(inference, again)
    assert rewritten.text in CHOICES


async def test_a_turn_that_is_asked_for_twice_is_had_once(inference):
    """By its key."""
    session, _ = await inference.create_session(prompt="Once", model=None, seed=3)
    key = Idempotency("key", b"digest")
    asked = replace(ASKED, session=session.id, tells_choices=False, idempotency=key)

    first, _ = await _answer(inference, asked)
    again, _ = await _answer(inference, asked)

    assert (first.text, "stop") == (again.text, again.finish_reason)
    with pytest.raises(InvalidOption, match="not recorded"):
        await inference.start(replace(asked, tells_choices=True))


async def test_a_session_may_go_on_without_a_prompt(inference):
    """From where it is."""
    session, _ = await inference.create_session(prompt="The king:", model=None, seed=7)
    turn, usage = await _answer(inference, replace(ASKED, prompt="", session=session.id))
    text, _ = await _answer(inference)

    assert 0 == usage.prompt_tokens
    assert (text.text, text.choices) == (turn.text, turn.choices)


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"choices": ("a", "b", "a")}, "choices"),
        ({"choices": ("a", "ü")}, "choices"),
        ({"choices": ("a", "\ufeff")}, "choices"),
        ({"max_tokens": 5}, "max_tokens"),
        ({"stop": ("x",)}, "stop"),
        ({"logprobs": 1}, "logprobs"),
        ({"receipt": True}, "receipt"),
        ({"options": SamplingOptions(top_k=3)}, "top_k"),
        ({"options": SamplingOptions(frequency_penalty=1)}, "frequency_penalty"),
        ({"tokens": TokenOptions(ignore_eos=True)}, "logit_bias"),
    ],
)
async def test_what_cannot_be_chosen_is_refused(inference, more, param):
    """With the field's name."""
    with pytest.raises(InvalidOption) as refused:
        await inference.start(replace(ASKED, **more))

    assert param == refused.value.param
    assert 0 == inference.accounts.num_unfinished


async def test_choices_share_one_deadline(inference, monkeypatch):
    """Those of a later wave have what the earlier ones have left of the time."""
    ends = ends_of_submissions(monkeypatch, inference.models.resolve(None), slow_s=0.05)
    choices = tuple(f"{a}{b}" for a in "abcdefgh" for b in "abcdefgh")
    await _answer(inference, replace(ASKED, choices=choices))

    assert 1 + len(choices) == len(ends)
    assert len(choices) > _AT_ONCE
    assert max(ends) - min(ends) < 0.05


async def test_a_capsule_holds_the_choice(inference):
    """And goes on from there."""
    inference.capsules._keys, inference.capsules._ttl_s = {"one": bytes(32)}, 60
    chosen, _ = await _answer(inference, replace(ASKED, return_capsule=True))
    going_on = await generate(inference, capsule=chosen.capsule)
    whole = await generate(inference, f"The king:{chosen.text}")

    assert whole.text == going_on.text
