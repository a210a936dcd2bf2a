"""Earlier places of a session are exactly what they were, wherever they are."""

from __future__ import annotations

import contextlib

import pytest

from service.engine.errors import Overloaded
from service.inference.errors import InvalidOption
from service.inference.identity import ANYBODY
from service.inference.request import TextRequest
from service.inference.session_work import Place
from service.runtime.sampling import SamplingOptions
from service.sessions.errors import PlaceGone, SessionBusy, SessionChanged, TextsNotKept
from service.sessions.session import SessionKey
from tests.service.inference.texts import bits, row_of

_PENALTIES = SamplingOptions(repetition_penalty=1.3, presence_penalty=0.5, frequency_penalty=0.2)
_TURNS = [(30, "", 7), (25, "but ", 3), (20, "and ", 7)]


async def write(inference, session, max_tokens, prompt="", **options):
    """A turn; returns its text."""
    running = await inference.start(
        TextRequest(prompt, max_tokens, _PENALTIES, session=session.id, **options)
    )
    try:
        return (await running.collect()).text
    finally:
        await running.close()


async def rewind(inference, session, *, version=None, **place):
    """Go back."""
    return await inference.session_work.rewind(session.id, Place(**place), version, ANYBODY)


async def fork(inference, session, **place):
    """A copy of an earlier place."""
    [copy] = await inference.session_work.fork(session.id, 1, session.seed, Place(**place), ANYBODY)
    return copy


async def log(inference, session):
    """All turns."""
    return (await inference.sessions.log(SessionKey("", session.id), after=-1, limit=100))[0]


async def begin(inference, model="tiny"):
    """A session that has read something."""
    return (await inference.create_session(prompt="Romeo, ", model=model, seed=7))[0]


async def talk(inference, model="tiny"):
    """A session with three turns after its beginning."""
    session = await begin(inference, model)
    for max_tokens, prompt, seed in _TURNS:
        await write(inference, session, max_tokens, prompt, seed=seed)
    return await inference.sessions.get(SessionKey("", session.id))


@pytest.mark.parametrize("model", ["tiny", "pairs", "bytes"])
async def test_every_place_is_what_it_was(inference, model):
    """Bit for bit, as a text that was never longer."""
    session = await talk(inference, model)
    turns = await log(inference, session)
    texts = [turn.record.text for turn in turns]
    for position in range(turns[0].num_tokens, session.num_tokens + 1, 3):
        there = await fork(inference, session, position=position)
        alone = await begin(inference, model)
        for (max_tokens, prompt, seed), turn in zip(_TURNS, turns[1:], strict=True):
            num_written = position - turn.start - turn.record.num_read
            if num_written > 0:
                await write(inference, alone, min(max_tokens, num_written), prompt, seed=seed)

        assert position == there.num_tokens
        forked = [turn.record.text for turn in await log(inference, there)]
        assert all(text.startswith(part) for text, part in zip(texts, forked, strict=False))
        if any(turn.start < position <= turn.start + turn.record.num_read for turn in turns):
            continue  # in a prompt, or at its end
        assert bits(await row_of(inference, there)) == bits(await row_of(inference, alone)), (
            position
        )


async def test_a_place_may_be_inside_of_a_prompt(inference):
    """The rest of it can be read again from there."""
    session = await talk(inference)
    turn = (await log(inference, session))[2]
    whole = await fork(inference, session, position=turn.start + 4)
    there = await fork(inference, session, position=turn.start + 1)
    await inference.session_work.append(
        there.id, "ut ", logprobs=None, version=None, idempotency=None, identity=ANYBODY
    )

    assert "b" == (await log(inference, there))[2].record.prompt
    assert bits(await row_of(inference, there)) == bits(await row_of(inference, whole))


async def test_a_text_goes_on_from_an_earlier_place_as_it_did(inference):
    """What was forgotten is written again with the same seed, in one turn or in two."""
    session = await begin(inference)
    whole = await write(inference, session, 60)
    start = (await log(inference, session))[0].num_tokens
    back = await rewind(inference, session, position=start + 23)
    rest = await write(inference, session, 37)

    assert (2, start + 23) == (back.version, back.num_tokens)
    assert whole[23:] == rest
    records = [turn.record for turn in await log(inference, session)]
    assert ["Romeo, ", whole[:23], whole[23:]] == [
        records[0].prompt,
        records[1].text,
        records[2].text,
    ]
    assert ["length", "rewound", "length"] == [record.finish_reason for record in records]


@pytest.mark.parametrize("model", ["tiny", "pairs", "bytes"])
@pytest.mark.parametrize("number", [1, 2, 7, 30, 33])
async def test_characters_are_counted_from_the_end(inference, model, number):
    """Also where that is inside of a token, or in an earlier turn."""
    session = await talk(inference, model)
    whole = "".join(
        turn.record.prompt + turn.record.text for turn in (await log(inference, session))
    )
    assert len(whole) > 33
    await rewind(inference, session, characters=number)
    turns = await log(inference, session)
    left = "".join(turn.record.prompt + turn.record.text for turn in turns)
    again = await inference.session_work.diff(session.id, session.id, 10, ANYBODY)

    assert whole[:-number] == left
    assert turns[-1].num_tokens == (await row_of(inference, session)).num_tokens == again[0]


async def test_little_is_read_again(inference, monkeypatch):
    """A burst, or a few times as much as is gone back; and the rows that are kept are few."""
    session = await begin(inference)
    for _ in range(8):
        await write(inference, session, 100)
    key, end = SessionKey("", session.id), (await log(inference, session))[-1].num_tokens
    engine = (await inference.session_work.model_of(session)).engine
    submit, lengths = engine.submit, []

    def note(request):
        lengths.append(len(request.prompt_T))
        return submit(request)

    monkeypatch.setattr(engine, "submit", note)
    for position in range(5, end, 50):
        lengths.clear()
        await fork(inference, session, position=position)
        assert sum(lengths) <= max(100, 4 * (end - position))

    places = (await inference.sessions.past(key, 0)).places
    assert 3 < len(places) < 16


async def test_without_texts_there_are_the_places_that_have_rows(inference):
    """The others are refused, and the message names one that is there."""
    object.__setattr__(inference.limits, "keep_session_texts", False)
    session = await talk(inference)
    key = SessionKey("", session.id)
    places = (await inference.sessions.past(key, 0)).places
    for position in (0, places[0], places[-1]):
        assert position == (await fork(inference, session, position=position)).num_tokens
    without = next(at for at in range(session.num_tokens) if at not in {0, *places})
    with pytest.raises(TextsNotKept, match="keep-session-texts"):
        await rewind(inference, session, position=without)
    with pytest.raises(TextsNotKept):
        await rewind(inference, session, characters=3)
    with pytest.raises(TextsNotKept):
        await inference.start(TextRequest(session=session.id, again=True))

    assert session == await inference.sessions.get(key)


@pytest.mark.parametrize(
    ("place", "error"),
    [
        ({"position": 10_000}, InvalidOption),
        ({"turn": 9}, PlaceGone),
        ({"characters": 10_000}, InvalidOption),
    ],
)
async def test_a_place_that_is_not_there_changes_nothing(inference, place, error):
    """Neither does another version, nor a turn that runs; afterwards the session is free."""
    session = await talk(inference)
    with pytest.raises(error):
        await rewind(inference, session, **place)
    with pytest.raises(SessionChanged):
        await rewind(inference, session, position=3, version=1)
    running = await inference.start(TextRequest("", 5, session=session.id))
    with pytest.raises(SessionBusy):
        await rewind(inference, session, position=3)
    await running.close()

    assert session == await inference.sessions.get(SessionKey("", session.id))
    assert 3 == (await rewind(inference, session, position=3, version=3)).num_tokens


async def test_turns_that_are_forgotten_are_named(inference, monkeypatch):
    """With the earliest place that is left."""
    monkeypatch.setattr("service.sessions.policy.MAX_TURNS", 2)
    session = await talk(inference)
    places = (await inference.sessions.past(SessionKey("", session.id), 0)).places
    with pytest.raises(PlaceGone, match=f"go back to is {places[0]}$"):
        await rewind(inference, session, position=1)


async def test_a_turn_is_written_again(inference):
    """With the same seed as it was, bit for bit; with another one another text, in its place."""
    session = await begin(inference)
    await write(inference, session, 20)
    text = await write(inference, session, 30, "but ", seed=3, stop=("\x00",))
    before, row = await log(inference, session), await row_of(inference, session)

    async def again(**options):
        running = await inference.start(TextRequest(session=session.id, again=True, **options))
        try:
            return (await running.collect()).text
        finally:
            await running.close()

    assert text == await again(seed=3)
    assert bits(row) == bits(await row_of(inference, session))
    other = await again()
    assert (30, True) == (len(other), other != text)
    shorter = await again(seed=3, max_tokens=10, stop=(text[4:6],))
    after = await log(inference, session)

    assert text[: text.index(text[4:6])] == shorter
    assert [turn.num_tokens for turn in before[:2]] == [turn.num_tokens for turn in after[:2]]
    assert ("but ", shorter, 3) == (
        after[2].record.prompt,
        after[2].record.text,
        len(after),
    )


async def test_what_has_written_nothing_is_not_written_again(inference):
    """And what fails leaves the turn as it was."""
    session = await begin(inference)
    with pytest.raises(InvalidOption, match="written nothing"):
        await inference.start(TextRequest(session=session.id, again=True))
    text = await write(inference, session, 10)
    running = await inference.start(TextRequest(session=session.id, again=True))
    await running.close()

    assert text == (await log(inference, session))[-1].record.text


async def test_an_overloaded_engine_leaves_the_session_as_it_was(inference, monkeypatch):
    """Going back may need the model."""
    session = await talk(inference)

    def refuse(_request):
        raise Overloaded("too much", 1.0)

    monkeypatch.setattr((await inference.session_work.model_of(session)).engine, "submit", refuse)
    position = session.num_tokens - 3
    with contextlib.suppress(Overloaded):
        await fork(inference, session, position=position)
        position -= 1  # a row is kept there: the next one is some tokens away
    with pytest.raises(Overloaded):
        await rewind(inference, session, position=position)
    key = SessionKey("", session.id)
    assert session == await inference.sessions.get(key)
    await inference.sessions.release(await inference.sessions.begin(key, lease_s=1))


async def test_two_sessions_part_where_they_differ(inference):
    """A fork shares what was before it."""
    session = await begin(inference)
    first = await write(inference, session, 30)
    copy = await fork(inference, session, turn=1)
    at = copy.num_tokens
    one = await write(inference, session, 12)
    other = await write(inference, copy, 12, seed=99)
    num_same = next(n for n, (a, b) in enumerate(zip(one, other, strict=True)) if a != b)
    position, branches = await inference.session_work.diff(session.id, copy.id, 5, ANYBODY)
    whole, (mine, _) = await inference.session_work.diff(session.id, session.id, 5, ANYBODY)

    assert len(first) == 30
    assert at + num_same == position
    assert [one[num_same:][:5], other[num_same:][:5]] == [branch.text for branch in branches]
    assert [2, 2] == [branch.turn for branch in branches]
    assert (at + 12, None, "") == (whole, mine.turn, mine.text)
