"""/sessions: texts that remember."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from tests.waiting import wait_for


def create(client: TestClient, **options) -> dict:
    """A new session."""
    response = client.post("/sessions", json=options)
    assert 201 == response.status_code, response.text
    return response.json()


def turn(client: TestClient, session: dict, **options) -> dict:
    """One turn on it."""
    response = client.post("/generate", json={"session": session["id"], **options})
    assert 200 == response.status_code, response.text
    return response.json()


def test_two_turns_are_one_text(client: TestClient):
    """With a prompt between them, and with penalties, which look at the whole text."""
    options = {"repetition_penalty": 1.4, "frequency_penalty": 0.4, "max_tokens": 25}
    session = create(client, prompt="Once ", seed=9)
    texts = [turn(client, session, **options)["text"] for _ in range(2)]
    whole = client.post(
        "/generate", json=options | {"prompt": "Once ", "seed": 9, "max_tokens": 50}
    ).json()

    assert whole["text"] == "".join(texts)


def test_a_stop_string_is_not_part_of_the_text(client: TestClient):
    """The session has read what was sent and what was shown, and goes on from there."""
    session = create(client, prompt="Once ", seed=9)
    whole = turn(client, create(client, prompt="Once ", seed=9), max_tokens=80)["text"]
    stopped = turn(client, session, max_tokens=80, stop=whole[30:33])
    shown = stopped["text"]
    assert "stop" == stopped["finish_reason"]
    num_tokens = client.get(f"/sessions/{session['id']}").json()["num_tokens"]
    more = turn(client, session, prompt="And ", max_tokens=20, temperature=0)["text"]
    expected = client.post(
        "/generate", json={"prompt": f"Once {shown}And ", "max_tokens": 20, "temperature": 0}
    ).json()

    assert len("Once ") + len(shown) == num_tokens
    assert expected["text"] == more


def test_a_stop_at_once_leaves_the_session_as_it_was(client: TestClient):
    """Nothing was shown, so nothing was added."""
    session = create(client, prompt="Once ", seed=9)
    first = turn(client, create(client, prompt="Once ", seed=9), max_tokens=1)["text"]
    stopped = turn(client, session, stop=first, max_tokens=5)

    assert ("", "stop") == (stopped["text"], stopped["finish_reason"])
    assert first == turn(client, session, max_tokens=1)["text"]


def test_a_session_can_be_looked_at(client: TestClient):
    """What it is, how long its text is, and when it is over."""
    session = create(client, prompt="abc")
    turn(client, session, max_tokens=4)
    found = client.get(f"/sessions/{session['id']}").json()

    assert ("tiny@1", 1, 7) == (found["model"], found["version"], found["num_tokens"])
    assert 0 < found["num_bytes"] < 1500
    assert found["created_at"] <= found["used_at"] < found["expires_at"]
    listed = client.get("/sessions").json()["sessions"]
    assert found == listed[0]


def test_a_session_may_begin_with_nothing(client: TestClient):
    """An empty object: the text starts with its first turn. Without a body nothing is created."""
    headers = {"content-type": "application/json"}
    bare = client.post("/sessions", headers=headers)
    empty = create(client)
    text = turn(client, empty, seed=1, max_tokens=10)["text"]

    assert (422, 0) == (bare.status_code, empty["num_tokens"])
    assert text == client.post("/generate", json={"seed": 1, "max_tokens": 10}).json()["text"]


def test_a_deleted_session_is_gone(client: TestClient):
    """410 with the reason, where an id that never was is a 404."""
    session = create(client)
    assert 204 == client.delete(f"/sessions/{session['id']}").status_code
    gone = client.get(f"/sessions/{session['id']}")

    assert (410, "session_gone") == (gone.status_code, gone.json()["error"]["code"])
    assert "deleted" in gone.json()["error"]["message"]
    assert 410 == client.post("/generate", json={"session": session["id"]}).status_code
    assert 410 == client.delete(f"/sessions/{session['id']}").status_code


def test_sessions_are_bounded_in_number_and_in_time(store: Path):
    """The longest unused one makes room, one that nobody uses is over, and both are told."""
    settings = Settings(model_store=store, max_sessions=2, session_idle_ttl_s=3)
    with TestClient(create_app(settings)) as client:
        first, second = create(client), create(client)
        turn(client, first, max_tokens=1)
        third = create(client)
        evicted = client.get(f"/sessions/{second['id']}")
        assert {first["id"], third["id"]} == {
            session["id"] for session in client.get("/sessions").json()["sessions"]
        }
        wait_for(lambda: not client.get("/sessions").json()["sessions"], "sessions to be over")
        expired = client.post("/generate", json={"session": third["id"]})

    assert 410 == evicted.status_code
    assert "evicted" in evicted.json()["error"]["message"]
    assert 410 == expired.status_code
    assert "not used for 3 s" in expired.json()["error"]["message"]


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [("prompt", 5, 422), ("seed", -2, 422), ("model", "nope", 404), ("colour", "red", 422)],
)
def test_a_session_of_nonsense_is_refused(
    client: TestClient, field: str, value: object, status: int
):
    """By the name of the field."""
    response = client.post("/sessions", json={field: value})

    assert status == response.status_code
    assert field == response.json()["error"]["param"]


def test_a_failed_turn_changes_nothing(client: TestClient):
    """Refused or over its time: the next turn is the first."""
    session = create(client, prompt="Once ", seed=9)
    late = client.post(
        "/generate", json={"session": session["id"], "max_tokens": 16_000, "timeout_s": 0.01}
    )
    wrong = client.post("/generate", json={"session": session["id"], "max_tokens": 10**6})
    other = client.post("/generate", json={"session": session["id"], "prompt": "a" * 70_000})
    expected = turn(client, create(client, prompt="Once ", seed=9), max_tokens=10)

    assert [504, 422, 422] == [r.status_code for r in (late, wrong, other)]
    assert expected["text"] == turn(client, session, max_tokens=10)["text"]


def test_sessions_are_listed_page_by_page(store: Path):
    """Those of whoever asks; nobody sees the ids of others."""
    with TestClient(create_app(Settings(model_store=store, max_rows=1))) as client:
        mine = [create(client)["id"] for _ in range(5)]
        key = {"Authorization": "Bearer you"}
        yours = client.post("/sessions", json={}, headers=key).json()["id"]
        found, query = [], {"limit": "2"}
        while True:
            page = client.get("/sessions", params=query).json()
            found.append([session["id"] for session in page["sessions"]])
            if page["next"] is None:
                break
            query["after"] = page["next"]
        listed = client.get("/sessions", headers=key).json()

    assert [mine[:2:-1], mine[2:0:-1], mine[:1]] == found
    assert ([yours], None) == ([session["id"] for session in listed["sessions"]], listed["next"])


@pytest.mark.parametrize(
    ("query", "param"),
    [("limit=0", "limit"), ("limit=101", "limit"), ("after=x", "after"), ("page=2", "page")],
)
def test_a_page_that_cannot_be_is_refused_by_name(client: TestClient, query: str, param: str):
    """Also a parameter that nobody would look at."""
    response = client.get(f"/sessions?{query}")

    assert (422, param) == (response.status_code, response.json()["error"]["param"])
