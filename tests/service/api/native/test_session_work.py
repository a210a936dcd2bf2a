"""Fork at a place, rewind, regenerate, append and diff, as clients ask for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from tests.service.api.native.test_sessions import create, turn


def post(client: TestClient, session: dict, what: str, body: dict | None = None, **options):
    """Ask for something to be done with a session."""
    return client.post(f"/sessions/{session['id']}/{what}", json=body or {}, **options)


def log(client: TestClient, session: dict) -> list[dict]:
    """Its turns."""
    return client.get(f"/sessions/{session['id']}/log").json()["turns"]


def test_a_session_is_rewound(client: TestClient):
    """To a place, a turn or by characters; `ETag` is its new version, `If-Match` is heeded."""
    session = create(client, prompt="Once ", seed=9)
    texts = [turn(client, session, max_tokens=20)["text"] for _ in range(3)]
    back = post(client, session, "rewind", {"to": 30}, headers={"If-Match": '"3"'})
    again = turn(client, session, max_tokens=35)["text"]
    late = post(client, session, "rewind", {"to": 1}, headers={"If-Match": '"3"'})
    fewer = post(client, session, "rewind", {"characters": -15}).json()
    first = post(client, session, "rewind", {"turn": 1}).json()
    empty = post(client, session, "rewind", {"to": 0}).json()
    after = turn(client, session, max_tokens=5)["text"]

    assert (200, 30, 4, '"4"') == (
        back.status_code,
        back.json()["num_tokens"],
        back.json()["version"],
        back.headers["etag"],
    )
    assert "".join(texts)[25:] == again
    assert (412, "session_changed") == (late.status_code, late.json()["error"]["code"])
    assert [50, 25, 0] == [each["num_tokens"] for each in (fewer, first, empty)]
    assert after == turn(client, create(client, seed=9), max_tokens=5)["text"]


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({}, 422, "to"),
        ({"to": 3, "turn": 1}, 422, "to"),
        ({"to": -1}, 422, "to"),
        ({"to": 999}, 422, "to"),
        ({"to": "3"}, 422, "to"),
        ({"characters": 3}, 422, "characters"),
        ({"characters": -999}, 422, "characters"),
        ({"turn": 7}, 410, None),
    ],
)
def test_a_place_that_is_none_is_refused(client: TestClient, body, status, param):
    """For rewinding and for forks alike; the session is as it was."""
    session = create(client, prompt="Once ")
    turn(client, session, max_tokens=5)
    before = client.get(f"/sessions/{session['id']}").json()
    answers = [post(client, session, "rewind", body), post(client, session, "fork", {"at": body})]

    assert [status] * 2 == [answer.status_code for answer in answers]
    assert param == answers[0].json()["error"]["param"]
    assert before == client.get(f"/sessions/{session['id']}").json()


def test_forks_begin_at_an_earlier_place(client: TestClient):
    """A number is a position; the log of the copy ends there."""
    session = create(client, prompt="Once ", seed=9)
    text = turn(client, session, max_tokens=30)["text"]
    forks = [
        *post(client, session, "fork", {"at": 12, "n": 2, "seed": 9}).json()["sessions"],
        *post(client, session, "fork", {"at": {"characters": -23}, "seed": 9}).json()["sessions"],
        *post(client, session, "fork", {"at": {"turn": 0}, "seed": 9}).json()["sessions"],
    ]
    texts = [turn(client, fork, max_tokens=5)["text"] for fork in forks]

    assert [12, 12, 12, 5] == [fork["num_tokens"] for fork in forks]
    assert [text[7:12], text[7:12], text[:5]] == [texts[0], texts[2], texts[3]]
    assert text[:7] == log(client, forks[0])[1]["text"]
    assert 1 == client.get(f"/sessions/{session['id']}").json()["version"]


def test_the_last_turn_is_written_again(client: TestClient):
    """With another seed unless one is named; as a stream too; its options stay."""
    session = create(client, prompt="Once ", seed=9)
    options = {"temperature": 0.7, "top_k": 20, "stop": ["\x00"], "max_tokens": 25}
    first = turn(client, session, prompt="and ", **options)
    same = post(client, session, "regenerate", {"seed": 9}).json()
    other = post(client, session, "regenerate", {"max_tokens": 10, "stop": []}).json()
    events = post(client, session, "regenerate", {"seed": 9, "stream": True}).text
    [_, last] = log(client, session)

    assert first["text"] == same["text"]
    assert (10, True) == (len(other["text"]), other["seed"] != 9)
    deltas = [json.loads(line[6:]) for line in events.splitlines() if line.startswith("data:")]
    assert first["text"][:10] == "".join(delta["text"] for delta in deltas)
    assert ("and ", first["text"][:10], 4) == (last["prompt"], last["text"], last["version"])
    assert {"temperature": 0.7, "top_k": 20, "max_tokens": 10} == last["options"]
    refused = post(client, create(client, prompt="a"), "regenerate")
    assert (422, "session") == (refused.status_code, refused.json()["error"]["param"])


def test_a_session_reads_a_text(client: TestClient):
    """With sums, and each token's log-probability if asked for; sent again, it is read once."""
    session = create(client, prompt="Once ")
    path = f"/sessions/{session['id']}/append"
    named = {"Idempotency-Key": "one"}
    answer = client.post(path, json={"text": "upon a time"}, headers=named)
    again = client.post(path, json={"text": "upon a time"}, headers=named)
    each = client.post(path, json={"text": " there", "logprobs": 2}).json()
    read = answer.json()

    assert (200, '"1"') == (answer.status_code, answer.headers["etag"])
    assert (1, 11, 11, 11, 0) == tuple(
        read[name]
        for name in ("num_turns", "num_tokens", "num_scored", "num_characters", "unknown_tokens")
    )
    assert read["logprob"] == pytest.approx(11 * read["logprob_per_token"])
    assert read["surprisal_bits"] == pytest.approx(11 * read["bits_per_character"])
    assert read["logprob"] == again.json()["logprob"]
    assert (2, [2] * 6) == (
        each["session"]["version"],
        [len(token["top"]) for token in each["logprobs"]],
    )
    assert each["logprob"] == pytest.approx(sum(token["logprob"] for token in each["logprobs"]))
    assert ["Once ", "upon a time", " there"] == [turn["prompt"] for turn in log(client, session)]


def test_a_text_of_any_length_is_read_while_it_comes(client: TestClient, monkeypatch):
    """In turns, as it would be at once; larger than any other body may be."""
    monkeypatch.setattr("service.api.native.plain_text._PIECE_CHARACTERS", 1000)
    text = "".join(f"line {n}, and so on\n" for n in range(200))
    whole, parts = create(client, prompt="Once "), create(client, prompt="Once ")
    expected = post(client, whole, "append", {"text": text}).json()
    app = cast("FastAPI", client.app)
    monkeypatch.setattr(app.state.service.bodies, "_max_bytes", 2000)

    def pieces():
        content = (text + "é").encode()
        for start in range(0, len(content), 37):
            yield content[start : start + 37]

    answer = client.post(
        f"/sessions/{parts['id']}/append",
        content=pieces(),
        headers={"content-type": "text/plain; charset=utf-8", "If-Match": '"0"'},
    )
    read = answer.json()
    turns = log(client, parts)

    assert (200, 1 + read["num_turns"]) == (answer.status_code, len(turns))
    assert len(text) // 1000 < read["num_turns"]
    assert text + "é" == "".join(turn["prompt"] for turn in turns[1:])
    monkeypatch.undo()
    post(client, whole, "append", {"text": "é"})
    one, other = (
        client.get(f"/sessions/{whole['id']}/diff", params={"with": parts["id"]}).json(),
        turn(client, parts, max_tokens=9, seed=1)["text"],
    )
    assert [0, 0] == [branch["num_tokens"] for branch in one["branches"]]
    assert other == turn(client, whole, max_tokens=9, seed=1)["text"]
    assert expected["num_tokens"] + 1 == read["num_tokens"]


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        (b"", {}, 422, "invalid_request"),
        (b"a\xffb", {}, 400, "invalid_json"),
        (b"a\xc3", {}, 400, "invalid_json"),
        (b"a", {"Idempotency-Key": "k"}, 422, "invalid_request"),
        (b"a", {"If-Match": '"5"'}, 412, "session_changed"),
        (b"a", {"content-type": "text/html"}, 415, "unsupported_media_type"),
    ],
)
def test_a_text_that_is_none_is_refused(client: TestClient, content, headers, status, code):
    """And nothing was read of it."""
    session = create(client, prompt="Once ")
    headers = {"content-type": "text/plain"} | headers
    answer = client.post(f"/sessions/{session['id']}/append", content=content, headers=headers)

    assert (status, code) == (answer.status_code, answer.json()["error"]["code"])
    assert 0 == client.get(f"/sessions/{session['id']}").json()["version"]


def test_plain_text_is_for_append_only(client: TestClient):
    """Other routes want JSON, as pages of other origins may not send it."""
    session = create(client)
    for path in ("/generate", "/sessions", f"/sessions/{session['id']}/rewind"):
        answer = client.post(path, content="a", headers={"content-type": "text/plain"})
        assert 415 == answer.status_code


def test_two_sessions_are_compared(client: TestClient):
    """Only those that one may see, and of one model."""
    session = create(client, prompt="Once ", seed=9)
    [fork] = post(client, session, "fork", {"seed": 4}).json()["sessions"]
    one = turn(client, session, max_tokens=20)["text"]
    other = turn(client, fork, max_tokens=10)["text"]
    same = next(n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    found = client.get(f"/sessions/{session['id']}/diff", params={"with": fork["id"]}).json()
    missing = client.get(f"/sessions/{session['id']}/diff", params={"with": "s_none"})
    nothing = client.get(f"/sessions/{session['id']}/diff")

    assert 5 + same == found["position"]
    assert [
        {"id": session["id"], "turn": 1, "num_tokens": 20 - same, "text": one[same:]},
        {"id": fork["id"], "turn": 1, "num_tokens": 10 - same, "text": other[same:]},
    ] == found["branches"]
    assert (404, 422) == (missing.status_code, nothing.status_code)


def test_without_texts_what_needs_them_is_refused(store: Path):
    """And says so; what needs none works."""
    settings = Settings(model_store=store, session_store="memory://", keep_session_texts=False)
    with TestClient(create_app(settings)) as client:
        session = create(client, prompt="Once ")
        turn(client, session, max_tokens=20)
        refused = [
            post(client, session, "rewind", {"to": 7}),
            post(client, session, "rewind", {"characters": -2}),
            post(client, session, "regenerate"),
            client.get(f"/sessions/{session['id']}/diff", params={"with": session["id"]}),
        ]
        works = [
            post(client, session, "append", {"text": "and"}),
            post(client, session, "rewind", {"turn": 1}),
        ]

    assert [(422, "texts_not_kept")] * 4 == [
        (answer.status_code, answer.json()["error"]["code"]) for answer in refused
    ]
    assert [200] * 2 == [answer.status_code for answer in works]
