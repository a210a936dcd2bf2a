"""What client libraries send for "off", or where they leave nothing out."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient


@pytest.mark.parametrize(
    ("spelt", "meant"),
    [
        ({"max_tokens": 20.0, "seed": 3.0}, {"max_tokens": 20, "seed": 3}),
        ({"stop": []}, {}),
        ({"stop": ""}, {}),
        ({"logprobs": False}, {}),
        ({"stop": None, "prompt": None, "stream": None}, {"prompt": ""}),
        ({"top_k": 0}, {}),
        ({"top_k": -1}, {}),
        ({"top_p": 1, "min_p": 0, "presence_penalty": 0}, {}),
    ],
)
def test_what_client_libraries_send_for_off(client: TestClient, spelt: dict, meant: dict):
    """Its meaning is plain: the text is that of the request that leaves it out."""
    body = {"prompt": "Once ", "max_tokens": 15, "seed": 9}
    answers = [client.post("/generate", json=body | each) for each in (spelt, meant)]

    assert [200, 200] == [answer.status_code for answer in answers], answers[0].text
    assert answers[0].json()["text"] == answers[1].json()["text"]


def test_a_seed_of_minus_one_is_drawn(client: TestClient):
    """As by those who leave it out."""
    answers = [client.post("/generate", json={"max_tokens": 1, "seed": -1}) for _ in range(2)]

    assert 2 == len({answer.json()["seed"] for answer in answers})


@pytest.mark.parametrize(
    ("field", "value", "word"),
    [
        ("max_tokens", 20.5, "integer"),
        ("repetition_penalty", 0, "1 switches it off"),
        ("top_p", 0, "1 switches it off"),
        ("max_tokens", -1, "leave it out"),
        ("max_tokens", 0, "leave it out"),
        ("timeout_s", 0, "leave it out"),
    ],
)
def test_what_is_not_plain_is_refused(client: TestClient, field: str, value: object, word: str):
    """The message says what to do."""
    error = client.post("/generate", json={field: value}).json()["error"]

    assert field == error["param"]
    assert word in error["message"]


@pytest.mark.parametrize(
    ("spelt", "num_forks"), [({"n": None}, 1), ({"n": 2.0, "seed": 7.0}, 2), ({"seed": -1}, 1)]
)
def test_sessions_take_the_same_spellings(client: TestClient, spelt: dict, num_forks: int):
    """Making one, and copying it."""
    session = client.post("/sessions", json={"prompt": None, "seed": -1})
    forks = client.post(f"/sessions/{session.json()['id']}/fork", json=spelt)
    seeded = client.post("/sessions", json={"seed": 7.0})

    assert [201] * 3 == [answer.status_code for answer in (session, forks, seeded)], forks.text
    assert num_forks == len(forks.json()["sessions"])
    assert (7, True) == (seeded.json()["seed"], session.json()["seed"] >= 0)
