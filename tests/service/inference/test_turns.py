"""Turns of sessions: transactions, and one uninterrupted text."""

import numpy as np
import pytest

from service.engine.errors import EngineError
from service.engine.request import Request
from service.inference.reading import read_row
from service.inference.request import TextRequest
from service.inference.turn import counted_as_generated
from service.runtime.sampling import Sampling, SamplingOptions
from service.sessions.errors import SessionBusy
from service.sessions.session import SessionKey
from tests.service.inference.texts import bits, generate, row_of

_PENALTIES = {"repetition_penalty": 1.3, "presence_penalty": 0.5, "frequency_penalty": 0.25}


@pytest.mark.parametrize("options", [{}, _PENALTIES], ids=["plain", "penalties"])
async def test_two_turns_are_one_run(inference, options):
    """The texts and the rows, bit for bit."""
    [split, whole] = [
        (await inference.create_session(prompt="Ro", model=None, seed=1))[0] for _ in range(2)
    ]

    first = await generate(inference, max_tokens=15, session=split.id, **options)
    second = await generate(inference, max_tokens=25, session=split.id, **options)
    both = await generate(inference, max_tokens=40, session=whole.id, **options)

    assert both.text == first.text + second.text
    rows = [await row_of(inference, s) for s in (split, whole)]
    assert bits(rows[0]) == bits(rows[1])


async def test_a_turn_that_stopped_is_a_run_that_ended_there(inference):
    """After a stop string the session is where the shown text ends, with all its counts."""
    [stopped, exact] = [
        (await inference.create_session(prompt="Ro", model=None, seed=1))[0] for _ in range(2)
    ]
    text = (await generate(inference, "Ro", max_tokens=40, **_PENALTIES)).text
    stop = text[20:23]
    cut = text.index(stop)

    delta = await generate(inference, max_tokens=40, session=stopped.id, stop=(stop,), **_PENALTIES)
    if cut:
        await generate(inference, max_tokens=cut, session=exact.id, **_PENALTIES)

    assert ("stop", text[:cut]) == (delta.finish_reason, delta.text)
    rows = [await row_of(inference, s) for s in (stopped, exact)]
    assert bits(rows[0]) == bits(rows[1])


async def test_a_stop_inside_a_token_leaves_the_shown_half(inference):
    """The session has read the shown text: whole tokens, and the rest encoded anew."""
    model = inference.models.resolve("pairs")
    running = await inference.start(
        TextRequest("ro", 60, SamplingOptions(top_k=60), seed=7, model="pairs", logprobs=0)
    )
    ids = (await running.collect()).figures.id_N.tolist()
    tokens = [model.tokenizer.token_text(token_id) for token_id in ids]
    n = next(n for n, token in enumerate(tokens[:-1]) if n and len(token) == 2)
    text, stop = "".join(tokens), tokens[n][1] + tokens[n + 1]
    cut = sum(map(len, tokens[:n])) + 1
    assert cut == text.index(stop)

    session, _ = await inference.create_session(prompt="ro", model="pairs", seed=7)
    delta = await generate(inference, max_tokens=60, session=session.id, stop=(stop,), top_k=60)

    assert ("stop", text[:cut]) == (delta.finish_reason, delta.text)
    whole = [id for token in [*tokens[:n], tokens[n][0]] for id in model.tokenizer.encode(token)]
    ids = np.array([*model.tokenizer.encode("ro"), *whole])
    request = Request(ids, 0, Sampling(seed=7), timeout_s=60, return_row=True)
    row = counted_as_generated(await read_row(model.engine.submit(request)), None, np.array(whole))
    assert bits(row) == bits(await row_of(inference, session))


async def test_half_a_character_at_the_end_belongs_to_the_text(inference):
    """It is shown, and may complete a stop string like any other; then the text is cut there."""
    model = {"model": "bytes", "temperature": 3.0}
    delta = await generate(inference, "ro", max_tokens=300, logprobs=0, **model)
    tokenizer = inference.models.resolve("bytes").tokenizer
    texts = [tokenizer.token_text(token_id) for token_id in delta.figures.id_N.tolist()]
    n = next(n for n, text in enumerate(texts) if n > 5 and text == "�" and texts[n - 1] != "�")
    [stopped, exact] = [
        (await inference.create_session(prompt="ro", model="bytes", seed=7))[0] for _ in range(2)
    ]

    whole = await generate(inference, "ro", max_tokens=n + 1, **model)
    stop = whole.text[-3:]
    cut = await generate(inference, max_tokens=n + 1, session=stopped.id, stop=(stop,), **model)
    await generate(inference, max_tokens=n - 2, session=exact.id, **model)

    assert "�" == whole.text[-1]
    assert ("length", n + 1) == (whole.finish_reason, whole.usage.completion_tokens)
    assert ("stop", whole.text[:-3]) == (cut.finish_reason, cut.text)
    rows = [await row_of(inference, s) for s in (stopped, exact)]
    assert bits(rows[0]) == bits(rows[1])


async def test_a_stop_before_any_text_leaves_the_session_where_it_was(inference):
    """Nothing was read and nothing shown."""
    session, _ = await inference.create_session(prompt="Ro", model=None, seed=7)
    before = await row_of(inference, session)
    text = (await generate(inference, "Ro", max_tokens=3)).text

    delta = await generate(inference, session=session.id, stop=(text,))

    assert ("stop", "") == (delta.finish_reason, delta.text)
    assert bits(before) == bits(await row_of(inference, session))


async def test_a_turn_that_is_left_changes_nothing(inference):
    """The session is as it was, and free for the next turn."""
    session, _ = await inference.create_session(prompt="Ro", model=None, seed=1)
    running = await inference.start(TextRequest("meo", 400, session=session.id))
    with pytest.raises(SessionBusy):
        await inference.start(TextRequest(session=session.id))
    await running.close()

    assert session == await inference.sessions.get(SessionKey("", session.id))
    await generate(inference, session=session.id)


async def test_a_turn_over_its_time_changes_nothing(inference):
    """It fails, and the session is as it was."""
    session, _ = await inference.create_session(prompt="Ro", model=None, seed=1)
    with pytest.raises(EngineError):
        await generate(inference, max_tokens=500, session=session.id, timeout_s=1e-9)

    assert session == await inference.sessions.get(SessionKey("", session.id))
