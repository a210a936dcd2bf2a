"""Streams that break, and go on where they were; against servers that are played by a function."""

from __future__ import annotations

import httpx
import pytest

from service.client import (
    ConnectionFailed,
    Generation,
    InvalidRequest,
    ServerFailed,
    StreamBroken,
)
from tests.service.client.played import BROKE, END, SESSION, USAGE, Played, events, refusal

A, B, C = ({"text": text, "num_tokens": 1} for text in "abc")
LAST = {"text": "", "num_tokens": 0, "usage": USAGE, **END}


@pytest.mark.parametrize("error", [BROKE, httpx.ReadTimeout("silence"), None])
def test_a_stream_that_breaks_goes_on(error: Exception | None):
    """After the last event that came; one that was cut off comes again."""
    server = Played(events(A, error=error), BROKE, events(B, C, LAST))
    stream = server.client().stream("x")
    found = list(stream)

    assert ["a", "b", "c", ""] == [event.text for event in found]
    assert "abc" == stream.text == stream.answer().text
    assert [None, "1-x", "1-x"] == server.header("Last-Event-ID")
    assert 1 == len({request.content for request in server.asked})
    assert isinstance(stream.answer(), Generation)


def test_a_turn_that_breaks_goes_on_under_its_name():
    """With the version that it began with."""
    server = Played(httpx.Response(200, json=SESSION), events(A, error=BROKE), events(B, LAST))
    session = server.client().session("s_1")

    assert "ab" == session.stream("x").answer().text
    keys = server.header("Idempotency-Key")
    assert keys[1] == keys[2]
    assert 4 == session.version


def test_a_turn_without_a_name_does_not_go_on():
    """It would be had twice."""
    server = Played(httpx.Response(200, json=SESSION), events(A, error=BROKE))
    session = server.client().session("s_1")
    with pytest.raises(StreamBroken):
        list(session.stream("x", return_capsule=True))
    assert session.version is None


def test_a_stream_does_not_go_on_for_ever():
    """Without anything new it is over; with something new each time it goes on."""
    server = Played(events(A, error=BROKE), *[BROKE] * 5)
    with pytest.raises(ConnectionFailed):
        list(server.client().stream("x"))
    assert 4 == len(server.asked)
    server = Played(*(events(A, error=BROKE) for _ in range(9)), events(LAST))
    assert "a" * 9 == server.client().stream("x").answer().text


def test_an_error_in_mid_stream_is_raised_after_what_came():
    """But a server that ends is no reason: the next one may go on."""
    failed = {"error": {"code": "engine_failed", "message": "no", "param": None}, "id": "g"}
    ending = {"error": {"code": "shutting_down", "message": "no", "param": None}, "id": "g"}
    stream = Played(events(A, failed)).client().stream("x")
    assert "a" == next(stream).text
    with pytest.raises(ServerFailed):
        next(stream)
    assert "ab" == Played(events(A, ending), events(B, LAST)).client().stream("x").answer().text


def test_a_stream_is_refused_as_an_answer_is():
    """With its status; 429 is waited for."""
    server = Played(refusal(429, "overloaded", "2"), events(A, LAST))
    assert "a" == server.client().stream("x").answer().text
    assert [2] == server.slept
    with pytest.raises(InvalidRequest):
        next(Played(refusal(422, "invalid_request")).client().stream("x"))
