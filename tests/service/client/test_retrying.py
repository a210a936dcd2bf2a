"""What is sent again, and what never is: against servers that are played by a function."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest

from service.client import (
    ApiError,
    ConnectionFailed,
    InvalidRequest,
    Overloaded,
    Retries,
    ServerFailed,
    SessionChanged,
    TimedOut,
    Unauthorized,
)
from tests.service.client.played import ANSWER, BROKE, SESSION, Played, refusal


def test_what_was_refused_is_sent_again_after_what_the_server_says():
    """As it was, with the same seed; 429, and 503 with Retry-After."""
    server = Played(
        refusal(429, "overloaded", "7"),
        refusal(503, "shutting_down", "5"),
        httpx.Response(200, json=ANSWER),
    )
    answer = server.client().generate("a")

    assert "abc" == answer.text
    assert [7, 5] == server.slept
    bodies = {request.content for request in server.asked}
    assert 1 == len(bodies)
    assert json.loads(bodies.pop()).keys() == {"prompt", "seed"}


def test_nobody_waits_for_ever():
    """Not longer than the longest wait, and not more often than so many times."""
    server = Played(refusal(429, "overloaded", "3600"))
    with pytest.raises(Overloaded) as caught:
        server.client().generate("a")
    assert (429, "overloaded", 3600.0, "r_9") == (
        caught.value.status,
        caught.value.code,
        caught.value.retry_after_s,
        caught.value.request_id,
    )
    server = Played(*[refusal(429, "overloaded", "1")] * 9)
    with pytest.raises(Overloaded):
        server.client().generate("a")
    assert 4 == len(server.asked)


def test_pauses_grow_and_are_bounded():
    """With jitter of at most one half."""
    retries = Retries(first_pause_s=1, longest_pause_s=4)
    for num_failures, longest in ((1, 1), (2, 2), (3, 4), (4, 4), (2000, 4)):
        assert longest / 2 <= retries.pause_s(num_failures) <= longest


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refusal(503, "model_broken"), ApiError),
        (refusal(500, "engine_failed"), ServerFailed),
        (refusal(422, "invalid_request", param="top_p"), InvalidRequest),
        (refusal(504, "timeout"), TimedOut),
        (refusal(401, "some_later_code"), Unauthorized),
        (refusal(418, "some_later_code"), InvalidRequest),
        (httpx.Response(502, text="<html>bad gateway"), ServerFailed),
        (httpx.Response(404, json={"error": "other"}), ApiError),
        (httpx.Response(404, json=[]), ApiError),
    ],
    ids=range(9),
)
def test_what_would_fail_again_is_raised(answer: httpx.Response, kind: type[ApiError]):
    """At once, with what there is to say."""
    server = Played(answer)
    with pytest.raises(kind) as caught:
        server.client().generate("a")

    assert 1 == len(server.asked)
    assert caught.value.message


NEVER_SENT = httpx.ConnectError("refused")
CHANGES: list[Callable] = [
    lambda client: client.create_session("a"),
    lambda client: client.session("s_1").rewind(turn=1),
    lambda client: client.session("s_1").fork(2),
    lambda client: client.session("s_1").generate("a", return_capsule=True),
    lambda client: client.session("s_1").generate("a", logprobs=0),
]


@pytest.mark.parametrize("change", CHANGES, ids=range(5))
def test_what_may_have_had_an_effect_is_sent_once(change: Callable):
    """Nobody knows what came of it."""
    looked = [httpx.Response(200, json=SESSION)] if change is not CHANGES[0] else []
    server = Played(*looked, BROKE)
    with pytest.raises(ConnectionFailed, match="server disconnected"):
        change(server.client())


def test_what_never_reached_the_server_is_sent_again():
    """Whatever it is."""
    server = Played(NEVER_SENT, NEVER_SENT, httpx.Response(201, json=SESSION))

    assert "s_1" == server.client().create_session("a").id


def test_a_turn_is_sent_again_under_its_name():
    """The key is the same each time, and another one for each turn."""
    turn = httpx.Response(200, json={**ANSWER, "session": "s_1"})
    server = Played(httpx.Response(200, json=SESSION), BROKE, turn, turn)
    session = server.client().session("s_1")
    session.generate("a")
    session.generate("b")

    keys = server.header("Idempotency-Key")
    assert keys[1] == keys[2] != keys[3]
    assert all(keys[1:])
    assert [None, '"3"', '"3"', '"4"'] == server.header("If-Match")
    assert 5 == session.version


def test_a_key_of_ones_own_is_kept():
    """It may be asked for again another day."""
    turn = httpx.Response(200, json={**ANSWER, "session": "s_1"})
    server = Played(httpx.Response(200, json=SESSION), turn)
    server.client().session("s_1").generate("a", idempotency_key="mine")

    assert ["mine"] == server.header("Idempotency-Key")[1:]


def test_a_server_that_takes_no_keys_is_asked_without():
    """But then the turn is safe to send only once; a key of one's own is not taken away."""
    looked = httpx.Response(200, json=SESSION)
    no_keys = refusal(422, "invalid_request", param="Idempotency-Key")
    turn = httpx.Response(200, json={**ANSWER, "session": "s_1"})
    server = Played(looked, no_keys, turn)
    assert "abc" == server.client().session("s_1").generate("a").text
    assert server.header("Idempotency-Key")[2] is None
    with pytest.raises(ConnectionFailed):
        Played(looked, no_keys, BROKE).client().session("s_1").generate("a")
    with pytest.raises(InvalidRequest):
        Played(looked, no_keys).client().session("s_1").generate("a", idempotency_key="mine")


def test_after_a_lost_answer_the_version_is_asked_for():
    """And after somebody else's turn it is not taken for granted."""
    looked = httpx.Response(200, json=SESSION)
    later = httpx.Response(200, json={**SESSION, "version": 4})
    turn = httpx.Response(200, json={**ANSWER, "session": "s_1"})
    server = Played(looked, BROKE, later, turn)
    session = server.client().session("s_1")
    with pytest.raises(ConnectionFailed):
        session.generate("a", receipt=True)
    assert session.version is None
    session.generate("b")
    assert [None, '"3"', None, '"4"'] == server.header("If-Match")

    server = Played(looked, refusal(412, "session_changed"), refusal(412, "session_changed"))
    session = server.client().session("s_1")
    for _ in range(2):
        with pytest.raises(SessionChanged):
            session.generate("a")
    assert 3 == session.version


def test_deleting_again_is_deleting():
    """The first answer was lost, and the session is gone."""
    server = Played(httpx.Response(200, json=SESSION), BROKE, refusal(410, "session_gone"))
    server.client().session("s_1").delete()
    server = Played(httpx.Response(200, json=SESSION), refusal(410, "session_gone"))
    session = server.client().session("s_1")
    with pytest.raises(ApiError):
        session.delete()


def test_a_key_is_sent_as_a_bearer():
    """With every request, beside headers of one's own."""
    server = Played(httpx.Response(200, json={"models": [], "broken": {}}))
    server.client(api_key="secret", headers={"X-Tenant": "me"}).models()

    assert ["Bearer secret"] == server.header("Authorization")
    assert ["me"] == server.header("X-Tenant")
    assert "lstm-serve-client/" in str(server.header("User-Agent")[0])
