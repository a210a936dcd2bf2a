"""Texts that have to match a pattern."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace

import pytest

from service.inference.errors import InvalidOption
from service.inference.request import TextRequest
from service.inference.token_options import TokenOptions
from service.patterns.compiler import PatternCompiler
from service.patterns.pattern import Pattern
from service.runtime.sampling import SamplingOptions
from tests.service.inference.texts import bits, generate, row_of

SPEECH = "[A-Z]{2,9}:\\n[a-z]+( [a-z]+){0,3}[.!?]"


def pattern(regex: str) -> Pattern:
    """As a client sends it."""
    return Pattern("regex", regex, "regex")


ASKED = TextRequest("Who", 100, seed=7, pattern=pattern(SPEECH))


async def _answer(inference, asked=ASKED):
    text = await inference.start(asked)
    try:
        return await text.collect()
    finally:
        await text.close()


@pytest.mark.parametrize(
    ("model", "regex"),
    [
        *(("tiny", each) for each in (SPEECH, "a|ab", "(yes|no), my lord[.!]", "é中?", "[^a]{3}")),
        *(("pairs", each) for each in ("a|ab", "[^a]{3}", "(th|[a-d]){2}")),
        ("bytes", "[^a]{3}"),
    ],
)
async def test_texts_match_whatever_the_seed(inference, regex, model):
    """All that end by themselves; what max_tokens cuts is the beginning of one."""
    asked = replace(ASKED, pattern=pattern(regex), model=model)
    answers = await asyncio.gather(
        *(_answer(inference, replace(asked, seed=seed)) for seed in range(12))
    )

    assert {"stop", "length"} >= {answer.finish_reason for answer in answers}
    assert any(answer.finish_reason == "stop" for answer in answers)
    for answer in answers:
        if answer.finish_reason == "stop":
            assert re.fullmatch(regex, answer.text)


async def test_every_way_of_drawing_is_held_to_it(inference):
    """Among what is allowed."""
    ways = [
        SamplingOptions(temperature=0),
        SamplingOptions(temperature=5.0, top_k=2),
        SamplingOptions(top_p=0.3),
        SamplingOptions(min_p=0.5, repetition_penalty=5.0),
        SamplingOptions(presence_penalty=2.0, frequency_penalty=-2.0),
    ]
    for options in ways:
        answer = await _answer(inference, replace(ASKED, options=options, logprobs=3))
        assert answer.finish_reason == "length" or re.fullmatch(SPEECH, answer.text)
        assert len(answer.figures) == answer.num_tokens


async def test_the_same_seed_gives_the_same_text_in_any_company(inference):
    """And those without a pattern write what they write without it beside them."""
    alone = await _answer(inference)
    free = await generate(inference, "Somebody", 80)

    together = await asyncio.gather(
        _answer(inference),
        generate(inference, "Somebody", 80),
        _answer(inference, replace(ASKED, pattern=pattern("[a-z]{30}"))),
        _answer(inference, replace(ASKED, seed=8)),
        generate(inference, "Someone", 80, temperature=3.0),
    )

    assert [alone.text, free.text] == [each.text for each in together[:2]]


async def test_what_is_cut_is_a_beginning(inference):
    """With the reason."""
    whole = await _answer(inference, replace(ASKED, pattern=pattern("[a-z]{30}!")))
    cut = await _answer(inference, replace(ASKED, pattern=pattern("[a-z]{30}!"), max_tokens=10))

    assert ("stop", "length") == (whole.finish_reason, cut.finish_reason)
    assert whole.text[:10] == cut.text
    assert 31 == len(whole.text)


async def test_a_turn_ends_after_the_match(inference):
    """Exactly: as if the session had read it; and it is written again as it was asked for."""
    session, _ = await inference.create_session(prompt="Once", model=None, seed=3)
    text = await _answer(inference, replace(ASKED, prompt=" ", session=session.id))
    other, _ = await inference.create_session(prompt=f"Once {text.text}", model=None, seed=3)

    one, whole = await row_of(inference, session), await row_of(inference, other)
    assert bits(replace(one, generated_V=whole.generated_V)) == bits(whole)
    again = await _answer(inference, TextRequest(session=session.id, again=True, seed=99))
    assert again.finish_reason == "length" or re.fullmatch(SPEECH, again.text)
    assert again.text != text.text


async def test_several_texts_match(inference):
    """Each is the one of its seed."""
    several = await inference.start_several(ASKED, n=4)
    texts = await several.collect()
    await several.close()

    for text in texts:
        alone = await _answer(inference, replace(ASKED, seed=text.seed))
        assert alone.text == text.whole.text


async def test_a_text_that_has_to_match_is_not_parked(inference):
    """Half of a match could not be gone on with."""
    session, _ = await inference.create_session(prompt="Once", model=None, seed=3)
    text = await inference.start(replace(ASKED, session=session.id))

    assert text.park() is None
    await text.close()


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"pattern": pattern("(")}, "regex"),
        ({"pattern": pattern("[0-9]+")}, "regex"),
        ({"pattern": replace(pattern("{"), param="structured_outputs")}, "structured_outputs"),
        ({"stop": ("x",)}, "stop"),
        ({"receipt": True}, "receipt"),
        ({"tokens": TokenOptions(min_tokens=3)}, "min_tokens"),
        ({"tokens": TokenOptions(logit_bias=((1, 2.0),))}, "logit_bias"),
    ],
)
async def test_what_cannot_be_had_is_refused(inference, more, param):
    """With the field's name."""
    with pytest.raises(InvalidOption) as refused:
        await inference.start(replace(ASKED, **more))

    assert param == refused.value.param
    assert 0 == inference.accounts.num_unfinished


async def test_a_bomb_holds_up_nobody(inference, monkeypatch):
    """It is refused when its time is over, and others write meanwhile."""
    monkeypatch.setattr(inference, "_compiler", PatternCompiler(timeout_s=1.5, max_entries=1))
    bomb = replace(ASKED, pattern=pattern("(a{1,1000}){1,1000}"))
    refused = asyncio.ensure_future(inference.start(bomb))
    num_texts = 0
    while not refused.done():
        await generate(inference, "Somebody", 20)
        num_texts += 1

    with pytest.raises(InvalidOption, match="longer than"):
        await refused
    assert num_texts > 2
