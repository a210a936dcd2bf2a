"""Sessions as they are kept: whose they are, where they go on, what forks and versions do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from tests import tiny_model
from tests.service.api.native.test_sessions import create, turn


def test_a_session_with_a_key_is_there_for_that_key_only(client: TestClient):
    """For others it is as if it had never been; one without a key is there for who knows its id."""
    mine, yours = {"Authorization": "Bearer me"}, {"Authorization": "Bearer you"}
    path = f"/sessions/{client.post('/sessions', json={}, headers=mine).json()['id']}"
    body = {"session": path.removeprefix("/sessions/"), "max_tokens": 1}
    for headers in ({}, yours):
        answers = [
            client.get(path, headers=headers),
            client.delete(path, headers=headers),
            client.post("/generate", json=body, headers=headers),
        ]
        assert [(404, "session_not_found")] * 3 == [
            (answer.status_code, answer.json()["error"]["code"]) for answer in answers
        ]

    assert 200 == client.post("/generate", json=body, headers=mine).status_code
    assert 204 == client.delete(path, headers=mine).status_code
    assert 404 == client.get(path, headers=yours).status_code
    assert 410 == client.get(path, headers=mine).status_code
    assert 200 == client.get(f"/sessions/{create(client)['id']}", headers=yours).status_code


def test_without_a_place_for_sessions_all_other_texts_go_on(store: Path, tmp_path: Path):
    """503 with what is wrong, which readiness tells too; then there is a place again."""
    (tmp_path / "place").write_text("in the way", encoding="utf-8")
    url = f"sqlite:///{tmp_path}/place/sessions.sqlite3"
    with TestClient(create_app(Settings(model_store=store, session_store=url))) as client:
        refused = [
            client.post("/sessions", json={}),
            client.get("/sessions"),
            client.post("/generate", json={"session": "s_x", "max_tokens": 1}),
        ]
        text = client.post("/generate", json={"max_tokens": 1})
        ready = client.get("/health/ready")
        (tmp_path / "place").unlink()
        session = create(client)
        after = client.get("/health/ready").json()
        turn(client, session, max_tokens=1)

    for answer in refused:
        assert (503, "sessions_unavailable") == (
            answer.status_code,
            answer.json()["error"]["code"],
        )
        assert answer.headers["retry-after"]
    assert (200, 200) == (text.status_code, ready.status_code)
    assert ready.json()["sessions"]
    assert "sessions" not in {name for name, value in after.items() if value is not None}


def test_a_session_goes_on_in_another_server(store: Path, tmp_path: Path):
    """As in the one that it began in; but not in another model of the same name."""
    url = f"sqlite:///{tmp_path}/sessions.sqlite3"
    settings = Settings(model_store=store, session_store=url)
    with TestClient(create_app(settings)) as client:
        session, whole = create(client, seed=3), create(client, seed=3)
        first = turn(client, session, max_tokens=20)
        expected = turn(client, whole, max_tokens=40)
    with TestClient(create_app(settings)) as client:
        second = turn(client, session, max_tokens=20)
        assert 2 == client.get(f"/sessions/{session['id']}").json()["version"]
    tiny_model.publish(tmp_path / "other", "tiny", seed=99)
    settings = Settings(model_store=tmp_path / "other", session_store=url)
    with TestClient(create_app(settings)) as client:
        answer = client.post("/generate", json={"session": session["id"], "max_tokens": 1})

    assert expected["text"] == first["text"] + second["text"]
    assert (409, "session_unusable") == (answer.status_code, answer.json()["error"]["code"])
    assert "another model" in answer.json()["error"]["message"]


def test_forks_go_on_each_in_their_own_way(client: TestClient):
    """With the seed of the session as it would; the seeds of several are one after the other."""
    session = create(client, prompt="Once ", seed=9)
    turn(client, session, max_tokens=15)
    answer = client.post(f"/sessions/{session['id']}/fork", json={"n": 3, "seed": 9})
    assert 201 == answer.status_code
    forks = answer.json()["sessions"]
    drawn = client.post(f"/sessions/{session['id']}/fork", json={}).json()["sessions"]
    expected = turn(client, session, max_tokens=25)["text"]
    texts = [turn(client, fork, max_tokens=25)["text"] for fork in forks]
    again = turn(client, forks[0], max_tokens=1)

    assert [9, 10, 11] == [fork["seed"] for fork in forks]
    assert {session["id"]} == {fork["parent"] for fork in [*forks, *drawn]}
    assert 9 != drawn[0]["seed"]
    assert expected == texts[0]
    assert 3 == len(set(texts))
    assert again["session"] == forks[0]["id"]


@pytest.mark.parametrize(
    ("body", "param"),
    [({"n": 0}, "n"), ({"n": 65}, "n"), ({"seed": "1"}, "seed"), ({"at": "3"}, "at")],
)
def test_a_fork_of_nonsense_is_refused(client: TestClient, body: dict, param: str):
    """By the name of the field; and one of a session that is not there."""
    answer = client.post(f"/sessions/{create(client)['id']}/fork", json=body)
    unknown = client.post("/sessions/s_none/fork", json={})

    assert (422, param) == (answer.status_code, answer.json()["error"]["param"])
    assert 404 == unknown.status_code


def test_a_turn_begins_at_the_version_that_was_seen(client: TestClient):
    """`ETag` and `If-Match`; a turn of somebody else in between is noticed."""
    session = create(client)
    path = f"/sessions/{session['id']}"
    body = {"session": session["id"], "max_tokens": 1}
    etag = client.get(path).headers["etag"]
    first = client.post("/generate", json=body, headers={"If-Match": etag})
    second = client.post("/generate", json=body, headers={"If-Match": etag})
    any_version = client.post("/generate", json=body, headers={"If-Match": "*"})

    assert '"0"' == etag
    assert [200, 412, 200] == [first.status_code, second.status_code, any_version.status_code]
    assert "session_changed" == second.json()["error"]["code"]
    assert '"2"' == client.get(path).headers["etag"]


@pytest.mark.parametrize("given", ["3", '"x"', 'W/"3"', '"1", "2"'])
def test_an_if_match_that_cannot_be_is_refused(client: TestClient, given: str):
    """Also one where there is no session."""
    session = create(client)["id"]
    body = {"session": session, "max_tokens": 1}
    wrong = client.post("/generate", json=body, headers={"If-Match": given})
    alone = client.post("/generate", json={"max_tokens": 1}, headers={"If-Match": '"0"'})

    for answer in (wrong, alone):
        assert (422, "If-Match") == (answer.status_code, answer.json()["error"]["param"])


def test_the_log_says_what_was_read_and_written(client: TestClient):
    """Each turn as it was answered, page by page; the prompt of the session comes first."""
    session = create(client, prompt="Once ", seed=9)
    path = f"/sessions/{session['id']}/log"
    answers = [
        turn(client, session, prompt="upon", max_tokens=9, temperature=0.5),
        turn(client, session, max_tokens=300, stop=["e"]),
    ]
    first = client.get(path, params={"limit": 2}).json()
    rest = client.get(path, params={"after": first["next"]}).json()

    opening, *turns = first["turns"] + rest["turns"]
    assert (1, None) == (first["next"], rest["next"])
    assert (0, "Once ", "", 5) == tuple(
        opening[name] for name in ("version", "prompt", "text", "num_tokens")
    )
    assert [(1, "upon"), (2, "")] == [(each["version"], each["prompt"]) for each in turns]
    assert [
        {"temperature": 0.5, "max_tokens": 9},
        {"stop": ["e"], "max_tokens": 300},
    ] == [each["options"] for each in turns]
    for answer, each in zip(answers, turns, strict=True):
        assert (answer["text"], answer["finish_reason"], answer["id"], answer["seed"]) == (
            each["text"],
            each["finish_reason"],
            each["generation"],
            each["seed"],
        )
        assert len(each["text"]) == each["num_written"]
    assert turns[-1]["num_tokens"] == client.get(f"/sessions/{session['id']}").json()["num_tokens"]


def test_texts_need_not_be_kept(store: Path):
    """Then the log has all but them."""
    settings = Settings(model_store=store, keep_session_texts=False)
    with TestClient(create_app(settings)) as client:
        session = create(client, prompt="Once ")
        turn(client, session, prompt="upon", max_tokens=9)
        turns = client.get(f"/sessions/{session['id']}/log").json()["turns"]

    assert [(None, None, 0), (None, None, 9)] == [
        (each["prompt"], each["text"], each["num_written"]) for each in turns
    ]


@pytest.mark.parametrize("streams", [False, True])
def test_a_turn_with_a_key_is_written_once(client: TestClient, streams: bool):
    """Asked again, it is what it was, whole or as a stream, and the session has one turn more."""
    session = create(client, seed=9)
    body = {"session": session["id"], "max_tokens": 300, "prompt": "~ ro", "stop": ["e"]}
    name = {"Idempotency-Key": "mine-1", "If-Match": '"0"'}
    first = client.post("/generate", json=body, headers=name).json()
    again = client.post("/generate", json=body | {"stream": streams}, headers=name)
    other = client.post("/generate", json=body | {"max_tokens": 9}, headers=name)

    assert 200 == again.status_code
    if streams:
        [event] = [
            json.loads(line.removeprefix("data: "))
            for line in again.text.splitlines()
            if line.startswith("data: ")
        ]
        assert first["usage"]["completion_tokens"] == event.pop("num_tokens")
        assert first == event
    else:
        assert first == again.json()
    assert (422, "idempotency_key_taken") == (
        other.status_code,
        other.json()["error"]["code"],
    )
    assert 1 == client.get(f"/sessions/{session['id']}").json()["version"]


@pytest.mark.parametrize(
    ("key", "change", "param"),
    [
        ("", {}, "Idempotency-Key"),
        ("two words", {}, "Idempotency-Key"),
        ("k" * 256, {}, "Idempotency-Key"),
        ("k", {"session": None}, "Idempotency-Key"),
        ("k", {"logprobs": 1}, "logprobs"),
    ],
)
def test_a_key_that_cannot_be_is_refused(client: TestClient, key, change, param):
    """Also where nothing would be recorded."""
    body = {"session": create(client)["id"], "max_tokens": 1} | change
    answer = client.post("/generate", json=body, headers={"Idempotency-Key": key})

    assert (422, param) == (answer.status_code, answer.json()["error"]["param"])


def test_without_texts_nothing_can_be_recorded(store: Path):
    """It is said, instead of writing the turn twice."""
    settings = Settings(model_store=store, keep_session_texts=False)
    with TestClient(create_app(settings)) as client:
        body = {"session": create(client)["id"], "max_tokens": 1}
        answer = client.post("/generate", json=body, headers={"Idempotency-Key": "k"})

    assert 422 == answer.status_code
    assert "keeps no texts" in answer.json()["error"]["message"]


def test_a_fork_tells_its_session_to_its_owner_only(client: TestClient):
    """The id of a session without a key is all that protects it."""
    [fork] = client.post(f"/sessions/{create(client)['id']}/fork", json={}).json()["sessions"]
    other = client.get(f"/sessions/{fork['id']}", headers={"Authorization": "Bearer you"})

    assert fork["parent"] == client.get(f"/sessions/{fork['id']}").json()["parent"]
    assert (200, None) == (other.status_code, other.json()["parent"])
