"""What a client sees of an answer, however it is cut."""

from __future__ import annotations

import time

import pytest

from service.load.connection import Connection
from service.load.recorder import Exchange, Recorder, Timing
from tests.service.load.playing import CUT, playing, streamed, whole

_STREAM = streamed(
    b'data: {"text":"a \\"num_tokens\\":9","num_tokens":2}\nid: 7-2',
    b": keep-alive",
    b'data: {"text":"","num_tokens":1,"finish_reason":"length","usage":{"completion_tokens":3}}',
)
_WHOLE = b'{"text":"abc","usage":{"prompt_tokens":7,"completion_tokens":3}}'


async def _asked(answer: bytes | object, piece: int = 1 << 16) -> tuple[Recorder, Exchange]:
    recorder = Recorder(Timing(0, 3600))
    async with playing(lambda _: answer, piece) as target:
        connection = await Connection.to(target, recorder)
        exchange = await connection.exchange(target.request(b"{}"))
        connection.close()
    return recorder, exchange


@pytest.mark.parametrize("piece", [1, 7, 1 << 16])
async def test_events_are_counted(piece: int):
    """By what they say of tokens; comments are none."""
    recorder, exchange = await _asked(_STREAM, piece)
    found = recorder.found

    assert (3, 2, 1, None) == (
        found.num_tokens,
        found.num_events,
        found.num_completed,
        exchange.error,
    )
    assert (1, 1) == (len(found.first_event_s), len(found.gap_s))


async def test_a_whole_answer_is_one_event():
    """With the tokens that were written, and not those of the prompt."""
    recorder, _ = await _asked(whole(b"200 OK", _WHOLE), piece=11)

    assert (3, 1, 1) == (
        recorder.found.num_tokens,
        recorder.found.num_events,
        recorder.found.num_completed,
    )
    assert [] == recorder.found.gap_s


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (
            whole(b"429 Too Many Requests", b'{"error":{"code":"overloaded"}}', b"retry-after: 3"),
            "429 overloaded",
        ),
        (whole(b"502 Bad Gateway", b"<html>"), "502 without a code"),
        (
            streamed(b'data: {"num_tokens":1}', b'event: error\ndata: {"error":{"code":"x"}}'),
            "200 x",
        ),
        (CUT, "connection lost"),
        (b"nonsense\r\n\r\n", "not HTTP"),
    ],
    ids=["refused", "proxy", "in the stream", "cut", "no HTTP"],
)
async def test_errors_are_counted_by_status_and_code(answer: bytes | object, error: str):
    """And none of them is a text that is complete."""
    recorder, exchange = await _asked(answer)

    assert error == exchange.error
    assert {error: 1} == recorder.found.errors
    assert 0 == recorder.found.num_completed
    assert (3.0 if error.startswith("429") else None) == exchange.retry_after_s


async def test_it_is_timed_from_when_it_was_due():
    """However late it was sent."""
    recorder = Recorder(Timing(0, 3600))
    async with playing(lambda _: _STREAM) as target:
        connection = await Connection.to(target, recorder)
        await connection.exchange(target.request(b"{}"), time.perf_counter() - 60)
        connection.close()

    assert 60 <= recorder.found.first_event_s[0]
    assert recorder.found.gap_s[0] < 60
