"""A stream that broke goes on with `Last-Event-ID`: nothing is missing, and nothing comes twice."""

from __future__ import annotations

import json

import pytest
from fastapi.testclient import TestClient

from service.api.native.resuming import Progress
from service.inference.delta import Delta
from tests.service.api.native.test_sessions import create


def events(text: str) -> list[tuple[str, dict]]:
    """Ids and data."""
    found, data = [], {}
    for line in text.splitlines():
        if line.startswith("data: "):
            data = json.loads(line.removeprefix("data: "))
        if line.startswith("id: "):
            found.append((line.removeprefix("id: "), data))
    return found


def stream(client: TestClient, body: dict, **headers: str) -> list[tuple[str, dict]]:
    """All events of a stream."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = client.post("/generate", json=body | {"stream": True}, headers=headers)
    assert 200 == answer.status_code, answer.text
    return events(answer.text)


@pytest.mark.parametrize(
    ("delta", "goes_on"),
    [
        (Delta("a", 1), False),
        (Delta("a", 1, is_followed=True), True),
        (Delta("", 0, finish_reason="length"), True),
    ],
)
def test_what_is_there_already_goes_on(delta: Delta, goes_on: bool):
    """The next part of a chunk; after the last event the end of the stream."""
    progress = Progress(seed=7, digest="0" * 16, mark=None)
    progress.unseen(delta)

    assert goes_on == progress.goes_on


def figures(found: list[tuple[str, dict]]) -> list[dict]:
    """Log-probabilities of all events."""
    return [each for _, data in found for each in data.get("logprobs", [])]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"seed": 3},
        {"stream_every": 1},
        {"logprobs": 2, "stream_every": 3},
        {"stop": ["e", "on"], "stream_every": 2},
    ],
)
def test_the_rest_comes_whatever_was_seen(client: TestClient, body: dict):
    """From every event on, with or without a seed of the client's own; also in other pieces."""
    body = {"prompt": "Once ", "max_tokens": 40} | body
    whole = stream(client, body)
    text = "".join(data["text"] for _, data in whole)
    for n, (place, _) in enumerate(whole):
        for pieces in (body.get("stream_every"), 7):
            asked = body | ({"stream_every": pieces} if pieces else {})
            rest = stream(client, asked, Last_Event_ID=place)
            seen = whole[: n + 1]
            assert text == "".join(data["text"] for _, data in [*seen, *rest])
            assert 40 >= sum(data["num_tokens"] for _, data in [*seen, *rest])
            assert whole[-1][1]["usage"] == rest[-1][1]["usage"]
            assert whole[-1][1]["finish_reason"] == rest[-1][1]["finish_reason"]
            assert figures(whole) == figures([*seen, *rest])


def test_a_turn_goes_on_by_its_name(client: TestClient):
    """Whether it was committed or not; without a name it might be written twice, and is refused."""
    session = create(client, prompt="Once ", seed=9)
    body = {"session": session["id"], "max_tokens": 40, "stream_every": 5}
    whole = stream(client, body, Idempotency_Key="k")
    rest = stream(client, body, Idempotency_Key="k", Last_Event_ID=whole[3][0])
    nameless = client.post(
        "/generate", json=body | {"stream": True}, headers={"Last-Event-ID": whole[3][0]}
    )
    other = create(client, prompt="Once ", seed=9)
    fresh = stream(client, body | {"session": other["id"]}, Idempotency_Key="k")
    refused = client.post(
        "/generate",
        json=body | {"stream": True, "session": other["id"]},
        headers={"Last-Event-ID": whole[3][0], "Idempotency-Key": "l"},
    )

    text = [data["text"] for _, data in whole]
    assert "".join(text[4:]) == "".join(data["text"] for _, data in rest)
    # In which pieces it comes is up to the bursts.
    assert "".join(text) == "".join(data["text"] for _, data in fresh)
    assert 1 == client.get(f"/sessions/{session['id']}").json()["version"]
    for answer in (nameless, refused):
        error = answer.json()["error"]
        assert (422, "Last-Event-ID") == (answer.status_code, error["param"])
    assert 1 == client.get(f"/sessions/{other['id']}").json()["version"]


@pytest.mark.parametrize(
    ("given", "change", "word"),
    [
        ("nonsense", {}, "no id of an event"),
        ("{}-1", {}, "no id of an event"),
        ("{}", {"prompt": "Twice "}, "another request"),
        ("{}", {"temperature": 0.5}, "another request"),
        ("{}", {"seed": 4}, "another seed"),
        ("{}", {"stream": False}, "set stream to true"),
    ],
)
def test_what_is_no_place_of_this_stream_is_refused(
    client: TestClient, given: str, change: dict, word: str
):
    """Before anything is sent."""
    body = {"prompt": "Once ", "max_tokens": 20, "seed": 3, "stream": True}
    place = stream(client, body)[0][0]
    answer = client.post(
        "/generate", json=body | change, headers={"Last-Event-ID": given.format(place)}
    )

    assert (422, "Last-Event-ID") == (answer.status_code, answer.json()["error"]["param"])
    assert word in answer.json()["error"]["message"]
