"""The texts of all prompts of one request."""

from __future__ import annotations

import asyncio

import pytest

from service.engine.errors import TimedOut
from service.inference.choices import Choices
from service.inference.request import TextRequest
from tests.service.inference.texts import ends_of_submissions


def _slow(monkeypatch, inference, slow_s: float) -> None:
    """Each prompt waits for its turn on the event loop."""

    async def enter(_cost_s, _client):
        await asyncio.sleep(slow_s)

    monkeypatch.setattr(inference.turnstile, "enter", enter)


def _asked(number: int, **options) -> list[TextRequest]:
    return [TextRequest(f"Text {n}", 4, seed=n, **options) for n in range(number)]


async def test_all_prompts_share_one_deadline(inference, monkeypatch):
    """However late the last of them has begun."""
    _slow(monkeypatch, inference, 0.02)
    ends = ends_of_submissions(monkeypatch, inference.models.resolve(None))
    choices = await Choices.start(inference, _asked(10), n=2)
    try:
        assert [4] * 20 == [delta.num_tokens for delta in await choices.collect()]
    finally:
        await choices.close()

    assert 20 == len(ends)
    assert max(ends) - min(ends) < 0.1


async def test_prompts_that_cannot_all_begin_in_time_are_all_given_up(inference, monkeypatch):
    """Nobody reads those that have begun, so nobody else would notice that the time is over."""
    _slow(monkeypatch, inference, 0.05)
    began_s = asyncio.get_running_loop().time()
    with pytest.raises(TimedOut):
        await Choices.start(inference, _asked(64, timeout_s=0.2))

    assert asyncio.get_running_loop().time() - began_s < 2
    assert 0 == inference.accounts.num_unfinished
