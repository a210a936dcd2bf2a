"""Closed loops ask when they have an answer, open ones when it is time."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

import pytest

from service.load import closed
from service.load.closed import closed_loop
from service.load.connection import NO_CONNECTION
from service.load.open import NO_ANSWER, arrivals, open_loop
from service.load.recorder import Recorder, Timing
from service.load.target import Target
from tests.service.load.playing import CUT, HEAD, playing, streamed, whole

_TEXT = streamed(b'data: {"num_tokens":2}', b'data: {"num_tokens":3}')
_BUSY = whole(b"429 Too Many Requests", b'{"error":{"code":"overloaded"}}')
_TIMING = Timing(0.0, 0.3)


def _requests(target: Target) -> Iterator[bytes]:
    return itertools.repeat(target.request(b"{}"))


async def test_a_closed_loop_goes_on_after_refusals_and_breaks(monkeypatch: pytest.MonkeyPatch):
    """On the same connection, or on a new one."""
    monkeypatch.setattr(closed, "_PAUSE_S", 0.001)
    answers = {0: _BUSY, 1: CUT}
    recorder = Recorder(_TIMING)
    async with playing(lambda n: answers.get(n, _TEXT)) as target:
        await closed_loop(target, lambda _: _requests(target), 2, recorder)
    found = recorder.found

    assert {"429 overloaded": 1, "connection lost": 1} == found.errors
    assert found.num_completed > 2
    # What was under way when the window ended counts by its events.
    assert 5 * found.num_completed <= found.num_tokens <= 5 * (found.num_completed + 2)
    assert (1, found.duration_s) == (found.num_refused, pytest.approx(0.3))


async def test_a_server_that_is_not_there_is_an_error_for_each_attempt():
    """Of both loops."""
    async with playing(lambda _: CUT) as target:
        pass
    recorder = Recorder(_TIMING)
    await closed_loop(target, lambda _: _requests(target), 1, recorder)
    assert {NO_CONNECTION: 1} == recorder.found.errors

    recorder = Recorder(_TIMING, by_arrival=True)
    moments_s = iter([0.0, 0.01, 9.0])
    await open_loop(target, _requests(target), moments_s, recorder, patience_s=5)
    assert {NO_CONNECTION: 2} == recorder.found.errors


async def test_an_open_loop_asks_for_all_that_are_due():
    """No matter whether others have their answers; those of the warm-up do not count."""
    recorder = Recorder(Timing(0.1, 0.2), by_arrival=True)
    async with playing(lambda _: _TEXT) as target:
        moments_s = iter([0.0, 0.15, 0.16, 0.17, 0.4])
        await open_loop(target, _requests(target), moments_s, recorder, patience_s=30)

    assert (3, 3, 3) == (
        recorder.found.num_completed,
        len(recorder.found.first_event_s),
        len(recorder.found.send_delay_s),
    )
    assert {} == recorder.found.errors


async def test_an_answer_that_does_not_come_is_an_error():
    """It is not left out, which would make the others look like all."""
    recorder = Recorder(_TIMING, by_arrival=True)
    async with playing(lambda n: HEAD if n == 1 else _TEXT) as target:
        moments_s = iter([0.0, 0.01, 0.02])
        await open_loop(target, _requests(target), moments_s, recorder, patience_s=0.1)

    assert {NO_ANSWER: 1} == recorder.found.errors
    assert 2 == recorder.found.num_completed


def test_arrivals_are_a_poisson_process():
    """The same with the same seed; gaps as long on average as their standard deviation."""
    first, again = (arrivals(50, random.Random(7)) for _ in range(2))
    moments = list(itertools.islice(first, 20_000))
    gaps = [after - before for before, after in itertools.pairwise(moments)]
    mean = sum(gaps) / len(gaps)
    deviation = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5

    assert moments[:100] == list(itertools.islice(again, 100))
    assert (pytest.approx(0.02, rel=0.03), pytest.approx(0.02, rel=0.03)) == (mean, deviation)
