import asyncio
import threading
from dataclasses import replace

import pytest

from service.artifacts.tokenizer import Tokenizer
from service.engine.errors import TimedOut
from service.inference import reading
from service.inference.errors import InvalidOption
from service.inference.request import TextRequest
from service.models.errors import ModelUnknown
from service.sessions.session import SessionKey
from tests.service.inference.texts import generate


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"max_tokens": 501}, "max_tokens"),
        ({"timeout_s": 61}, "timeout_s"),
        ({"prompt": "a" * 51}, "prompt"),
        ({"prompt": "a" * 10_000_000}, "prompt"),
    ],
    ids=["max_tokens", "timeout_s", "prompt", "giant"],
)
async def test_what_is_out_of_range_is_named(inference, options, param):
    """Before anything starts; the session is free."""
    session, _ = await inference.create_session(prompt="", model=None, seed=None)
    with pytest.raises(InvalidOption) as caught:
        await inference.start(TextRequest(session=session.id, **options))

    assert param == caught.value.param
    await generate(inference, session=session.id)


async def test_a_prompt_that_cannot_fit_is_not_even_tokenised(inference, served, monkeypatch):
    """Tokenising 10 million characters takes seconds; their number is enough to refuse them."""
    monkeypatch.setattr(Tokenizer, "encode", lambda *_: pytest.fail("tokenised"))
    with pytest.raises(InvalidOption):
        await inference.start(TextRequest("\r\n" * 51))

    monkeypatch.setattr(served[0].tokenizer, "clean", lambda _: pytest.fail("cleaned"))
    with pytest.raises(InvalidOption):
        await inference.start(TextRequest("\r\n" * 5_000_000))


async def test_prompts_and_stop_strings_are_read_as_the_models_text_was(inference):
    """Also those of sessions; the length that counts is that of what is read."""
    plain = await generate(inference, "a\n" * 25, max_tokens=60)
    stop = plain.text[: plain.text.index("\n")]

    assert plain.text == (await generate(inference, "a\r\n" * 25, max_tokens=60)).text
    assert stop == (await generate(inference, "a\r" * 25, max_tokens=60, stop=("\r\n",))).text
    session, unknown = await inference.create_session(
        prompt="\ufeff\r\na?0?\r", model=None, seed=7, report_unknown=True
    )
    assert (6, 1, ("0",)) == (session.num_tokens, unknown.num_tokens, unknown.pieces)


async def test_nothing_is_left_of_a_stop_string(inference):
    """It would end every text before it begins."""
    with pytest.raises(InvalidOption) as caught:
        await inference.start(TextRequest("a", stop=("b", "\ufeff")))

    assert "stop" == caught.value.param


async def test_time_spent_before_the_engine_counts(inference, monkeypatch):
    """A prompt that waits for the tokenizer, or is in it, when its time is over."""
    session, _ = await inference.create_session(prompt="", model=None, seed=None)
    gate = threading.Event()
    encode = Tokenizer.encode

    def waits(tokenizer, text):
        assert gate.wait(30)
        return encode(tokenizer, text)

    monkeypatch.setattr(Tokenizer, "encode", waits)
    monkeypatch.setattr(reading, "_MAX_INLINE_CHARACTERS", 10)
    asked = TextRequest("a" * 30, timeout_s=0.05)
    ends = await asyncio.gather(
        *(inference.start(asked) for _ in range(3)),
        inference.start(replace(asked, session=session.id)),
        return_exceptions=True,
    )
    gate.set()

    assert [TimedOut] * 4 == [type(end) for end in ends]
    await generate(inference, "a" * 30, session=session.id)
    assert 0 == inference.accounts.num_unfinished


async def test_a_session_belongs_to_its_model(inference):
    """Another model, or none of that name, is refused."""
    session, _ = await inference.create_session(prompt="Ro", model="other@1", seed=None)
    with pytest.raises(InvalidOption, match=r"belongs to other@1"):
        await inference.start(TextRequest(session=session.id, model="tiny"))
    with pytest.raises(ModelUnknown):
        await inference.start(TextRequest(model="absent"))

    assert "other@1" == (await inference.sessions.get(SessionKey("", session.id))).model
    await generate(inference, session=session.id, model="other")


async def test_log_probabilities_are_those_of_the_shown_tokens(inference):
    """One entry for each, with as many candidates as were asked for."""
    delta = await generate(inference, "Ro", max_tokens=12, logprobs=3, stream_every=1)

    tokenizer = inference.models.default.tokenizer
    assert delta.text == tokenizer.decode(delta.figures.id_N.tolist())
    assert (12, 3) == delta.figures.top_NM.shape == delta.figures.top_id_NM.shape


async def test_a_drawn_seed_survives_a_reader_of_json(inference):
    """A browser and jq read numbers as doubles, which hold 53 bits."""
    sessions = [await inference.create_session(prompt="", model=None, seed=None) for _ in range(50)]
    seeds = [session.seed for session, _ in sessions]
    for _ in range(50):
        running = await inference.start(TextRequest("Ro", 1))
        seeds.append(running.seed)
        await running.close()

    assert seeds == [int(float(seed)) for seed in seeds]
    assert max(seeds) < 2**53
    assert len(set(seeds)) == 100
