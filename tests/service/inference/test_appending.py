"""Texts that a session reads, and what the model makes of them."""

from __future__ import annotations

import numpy as np
import pytest

from service.inference.errors import InvalidOption
from service.inference.identity import ANYBODY
from service.inference.request import TextRequest
from service.sessions.session import Idempotency, SessionKey
from tests.service.inference.texts import bits, row_of


async def append(inference, session, text, logprobs=None, idempotency=None, version=None):
    """Read it."""
    return await inference.session_work.append(
        session.id,
        text,
        logprobs=logprobs,
        version=version,
        idempotency=idempotency,
        identity=ANYBODY,
    )


async def test_what_was_written_is_as_probable_when_it_is_read(inference):
    """The very same numbers; and the state after it is the same."""
    one, _ = await inference.create_session(prompt="Ro", model=None, seed=7)
    other, _ = await inference.create_session(prompt="Ro", model=None, seed=7)
    running = await inference.start(TextRequest("", 40, logprobs=3, session=one.id))
    written = await running.collect()
    await running.close()
    read = await append(inference, other, written.text, logprobs=3)
    figures = read.figures

    assert written.figures.chosen_N.tolist() == figures.chosen_N.tolist()
    assert written.figures.top_id_NM.tolist() == figures.top_id_NM.tolist()
    assert np.isclose(figures.chosen_N.sum(dtype=float), read.reading.logprob)
    assert (40, 40, 40) == (
        read.reading.num_tokens,
        read.reading.num_scored,
        read.reading.num_characters,
    )
    rows = [await row_of(inference, each) for each in (one, other)]
    assert rows[0].state_W.tobytes() == rows[1].state_W.tobytes()
    assert rows[0].logits_V.tobytes() == rows[1].logits_V.tobytes()
    assert 0 == rows[1].generated_V.sum()


@pytest.mark.parametrize("most", [1, 3, 7, 1000])
async def test_a_text_is_the_same_in_pieces(inference, monkeypatch, most):
    """However small they are: sums, figures, row, checkpoints inside."""
    text = "but soft, what light\nthrough yonder window breaks, it is the east\nand so on"
    whole, _ = await inference.create_session(prompt="", model=None, seed=7)
    expected = await append(inference, whole, text, logprobs=0)
    monkeypatch.setattr("service.inference.appending._PIECE_CHARACTERS", most)
    session, _ = await inference.create_session(prompt="", model=None, seed=7)
    read = await append(inference, session, text, logprobs=0)

    assert expected.reading.num_scored == read.reading.num_scored == len(read.figures)
    assert expected.figures.chosen_N.tolist() == read.figures.chosen_N.tolist()
    assert bits(await row_of(inference, whole)) == bits(await row_of(inference, session))
    assert (await inference.sessions.past(SessionKey("", session.id), 0)).places


async def test_the_first_token_of_all_has_no_probability(inference):
    """Nothing comes before it."""
    session, _ = await inference.create_session(prompt="", model=None, seed=7)
    first = await append(inference, session, "a")
    second = await append(inference, session, "b")
    [(turn, record)] = [
        (turn.version, turn.record)
        for turn in (await inference.sessions.log(SessionKey("", session.id), after=1, limit=9))[0]
    ]

    assert (0, 0.0) == (first.reading.num_scored, first.reading.logprob)
    assert (1, True) == (second.reading.num_scored, second.reading.logprob < 0)
    assert (2, "appended", "b", "") == (turn, record.finish_reason, record.prompt, record.text)


async def test_a_text_that_is_sent_again_is_read_once(inference):
    """By its key, with the same numbers."""
    session, _ = await inference.create_session(prompt="Ro", model=None, seed=7)
    name = Idempotency("k", b"digest")
    read = await append(inference, session, "meo", idempotency=name)
    again = await append(inference, session, "meo", idempotency=name)

    assert (read.reading, read.generation, 1) == (
        again.reading,
        again.generation,
        again.session.version,
    )


@pytest.mark.parametrize("logprobs", [None, 0])
async def test_what_cannot_be_read_changes_nothing(inference, logprobs):
    """Too many tokens to report, or none at all."""
    session, _ = await inference.create_session(prompt="Ro", model=None, seed=7)
    object.__setattr__(inference.limits, "max_tokens", 5)
    with pytest.raises(InvalidOption):
        await append(inference, session, "meo and Juliet" if logprobs == 0 else "", logprobs)

    assert session == await inference.sessions.get(SessionKey("", session.id))


async def test_figures_are_accounted_for_until_they_are_sent(inference):
    """The turn is over before; what has no figures, or has failed, holds nothing."""
    session, _ = await inference.create_session(prompt="Ro", model=None, seed=7)
    accounts = inference.accounts
    read = await append(inference, session, "meo and Juliet", logprobs=2)

    assert 0 == accounts.num_unfinished < accounts.num_result_bytes
    read.close()
    assert 0 == accounts.num_result_bytes
    await append(inference, session, "meo and Juliet")
    with pytest.raises(InvalidOption):
        await append(inference, session, "", logprobs=2)
    assert (0, 0) == (accounts.num_unfinished, accounts.num_result_bytes)
