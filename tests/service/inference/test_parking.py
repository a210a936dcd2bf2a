"""Texts that are parked when the server ends: those that still run, and no others."""

from __future__ import annotations

import pytest

from service.engine.errors import TimedOut
from service.engine.request import Failed, Finished
from service.inference.request import TextRequest
from service.sessions.session import SessionKey
from tests.service.inference.texts import generate


async def _begun(inference, **options):
    """A turn of a new session of which something was shown, with the reader in its midst."""
    session, _ = await inference.create_session(prompt="Ro", model=None, seed=1)
    asked = TextRequest("meo", 400, stream_every=1, is_streamed=True, session=session.id, **options)
    text = await inference.start(asked)
    deltas = text.deltas()
    await anext(deltas)
    return session, text, deltas


async def _ends(inference, session, *, num_turns: int) -> None:
    """So many turns were committed, and the session is free."""
    now = await inference.sessions.get(SessionKey("", session.id))
    assert session.version + num_turns == now.version
    await generate(inference, session=session.id)
    assert (0, 0) == (inference.accounts.num_unfinished, inference.accounts.num_result_bytes)


async def test_who_has_left_is_not_parked(inference):
    """The session is as it was, though somebody still knows the text."""
    session, text, deltas = await _begun(inference)
    await deltas.aclose()
    await text.close()

    assert text.park() is None
    await _ends(inference, session, num_turns=0)


async def test_what_has_failed_is_not_parked(inference):
    """Nor is it before it is closed."""
    session, text, deltas = await _begun(inference)
    text._stream.deliver(Failed(TimedOut("over")))
    with pytest.raises(TimedOut):
        async for _ in deltas:
            pass
    is_parked = text.park() is not None
    await text.close()

    assert not is_parked
    assert text.park() is None
    await _ends(inference, session, num_turns=0)


async def test_a_failure_that_nobody_has_read_is_one(inference):
    """The turn's time is over, and its slow reader has not come to that."""
    session, text, deltas = await _begun(inference)
    text._stream._time_out()
    is_parked = text.park() is not None
    with pytest.raises(TimedOut):
        async for _ in deltas:
            pass
    await text.close()

    assert not is_parked
    await _ends(inference, session, num_turns=0)


async def test_a_text_that_ends_while_it_is_parked_ends_once(inference, monkeypatch):
    """Its reader is about to be told that it was complete."""
    session, text, deltas = await _begun(inference)
    read, parking = text._stream.next, list[object]()

    async def read_then_park():
        event = await read()
        if isinstance(event, Finished) and not parking:
            parking.append(text.park())
        return event

    monkeypatch.setattr(text._stream, "next", read_then_park)
    ends = [delta.finish_reason async for delta in deltas]
    await text.close()

    assert [True] == [each is not None for each in parking]
    assert ["parked"] == [end for end in ends if end]
    await _ends(inference, session, num_turns=1)
