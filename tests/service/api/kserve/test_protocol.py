"""The Open Inference Protocol: metadata, health, texts, and sequences of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from tests.tiny_model import CHARACTERS, publish


def generate(client: TestClient, text: str = "Once ", **parameters) -> dict:
    """The answer."""
    body = {"text_input": text, "parameters": {"seed": 5, **parameters}}
    answer = client.post("/v2/models/tiny/generate", json=body)
    assert 200 == answer.status_code, answer.text
    return answer.json()


def stream(client: TestClient, text: str = "Once ", **parameters) -> list[dict]:
    """All events of a stream."""
    body = {"text_input": text, "parameters": {"seed": 5, **parameters}}
    answer = client.post("/v2/models/tiny/versions/1/generate_stream", json=body)
    assert 200 == answer.status_code, answer.text
    return [json.loads(line[6:]) for line in answer.text.split("\n\n") if line]


def test_the_server_and_its_models_are_told(client: TestClient):
    """With what of the protocol is known."""
    server, model = client.get("/v2").json(), client.get("/v2/models/tiny").json()

    assert ("lstm-serve", True) == (server["name"], "sequence(string_id)" in server["extensions"])
    assert ("tiny", ["1"], "onnx_onnxv1") == (model["name"], model["versions"], model["platform"])
    assert model == client.get("/v2/models/tiny/versions/1").json()
    assert [{"live": True}, {"ready": True}] == [
        client.get(f"/v2/health/{probe}").json() for probe in ("live", "ready")
    ]
    assert {"name": "tiny", "ready": True} == client.get("/v2/models/tiny/ready").json()
    assert 200 == client.get("/v2/models/tiny/versions/1/ready").status_code
    assert [404, 404] == [
        client.get(f"/v2/models/{path}/ready").status_code for path in ("x", "tiny/versions/2")
    ]


def test_a_text_is_that_of_our_own_route(client: TestClient):
    """Whole and in pieces; 20 tokens unless more are wanted."""
    written = client.post("/generate", json={"prompt": "Once ", "max_tokens": 20, "seed": 5})
    whole = client.post(
        "/v2/models/tiny/generate",
        json={"id": "mine", "text_input": "Once ", "parameters": {"seed": 5}},
    ).json()
    pieces = stream(client)

    assert {
        "id": "mine",
        "model_name": "tiny",
        "model_version": "1",
        "text_output": written.json()["text"],
    } == whole
    assert written.json()["text"] == "".join(piece["text_output"] for piece in pieces)
    assert {("tiny", "1")} == {(p["model_name"], p["model_version"]) for p in pieces}
    assert client.post("/v2/models/tiny@1/generate", json={"text_input": ""}).is_success


def test_details_tell_of_each_token(client: TestClient):
    """In a stream each event tells of what is new in it."""
    details = generate(client, details=True, stop=["zzz"])["details"]
    pieces = [event["details"] for event in stream(client, details=True)]

    assert "length" == details["finish_reason"]
    assert 20 == len(details["logprobs"])
    assert {"id", "text", "logprob", "special"} == details["logprobs"][0].keys()
    assert details["logprobs"] == [token for piece in pieces for token in piece["logprobs"]]
    assert [None] * (len(pieces) - 1) + ["length"] == [piece["finish_reason"] for piece in pieces]


def test_the_end_of_a_text_has_the_protocols_words(client: TestClient, tmp_path: Path):
    """A stop string, and the sign of the model."""
    text = generate(client)["text_output"]
    publish(tmp_path, end="K")
    with TestClient(create_app(Settings(model_store=tmp_path, max_rows=2))) as ending:
        by_model = generate(ending, max_tokens=2000, details=True)["details"]

    assert (
        "stop_sequence" == generate(client, details=True, stop=text[7])["details"]["finish_reason"]
    )
    assert "eos_token" == by_model["finish_reason"]
    assert [CHARACTERS.index("K")] == [t["id"] for t in by_model["logprobs"] if t["special"]]


@pytest.mark.parametrize("name", [7, "a name", 2**64 - 1])
def test_a_sequence_is_one_text(client: TestClient, name: int | str):
    """It begins and ends with flags; afterwards its name is free."""
    before = client.get("/sessions").json()["sessions"]
    whole = generate(client, max_tokens=60)["text_output"]
    parts = [
        generate(client, max_tokens=20, sequence_id=name, sequence_start=True)["text_output"],
        "".join(p["text_output"] for p in stream(client, "", max_tokens=20, sequence_id=name)),
        generate(client, "", max_tokens=20, sequence_id=name, sequence_end=True)["text_output"],
    ]
    gone = client.post(
        "/v2/models/tiny/generate",
        json={"text_input": "", "parameters": {"sequence_id": name}},
    )

    assert whole == "".join(parts)
    assert 404 == gone.status_code
    assert "sequence_start" in gone.json()["error"]
    assert before == client.get("/sessions").json()["sessions"]


def test_one_request_may_be_a_whole_sequence(client: TestClient):
    """Also as a stream, again and again."""
    flags: dict[str, Any] = {"sequence_id": 3, "sequence_start": True, "sequence_end": True}

    assert 1 == len({"".join(p["text_output"] for p in stream(client, **flags)) for _ in range(5)})


def test_a_sequence_is_not_begun_twice(client: TestClient):
    """409, and the text goes on as if nobody had asked."""
    first = generate(client, max_tokens=10, sequence_id=1, sequence_start=True)["text_output"]
    again = client.post(
        "/v2/models/tiny/generate",
        json={"text_input": "x", "parameters": {"sequence_id": 1, "sequence_start": True}},
    )
    rest = generate(client, "", max_tokens=10, sequence_id=1, sequence_end=True)["text_output"]

    assert 409 == again.status_code
    assert generate(client, max_tokens=20)["text_output"] == first + rest


def test_a_first_request_that_fails_begins_nothing(client: TestClient):
    """The same name can be begun with the next one."""
    start: dict[str, Any] = {"sequence_id": 5, "sequence_start": True, "sequence_end": True}
    refused = client.post(
        "/v2/models/tiny/generate",
        json={"text_input": "x", "parameters": {**start, "max_tokens": 10**9}},
    )

    assert 422 == refused.status_code
    assert generate(client)["text_output"] == generate(client, **start)["text_output"]


def test_a_sequence_belongs_to_whoever_began_it(client: TestClient):
    """Others have their own of the same name."""
    keys = [{"authorization": f"Bearer {n}"} for n in range(2)]
    start = {"text_input": "", "parameters": {"sequence_id": 1, "sequence_start": True}}
    more = {"text_input": "", "parameters": {"sequence_id": 1, "sequence_end": True}}

    def ask(body: dict, key: int) -> int:
        answer = client.post("/v2/models/tiny/generate", json=body, headers=keys[key])
        return answer.status_code

    assert [200, 404, 200, 200, 200] == [
        ask(start, 0),
        ask(more, 1),
        ask(start, 1),
        ask(more, 0),
        ask(more, 1),
    ]


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        ({}, 422, "text_input"),
        ({"text_input": 1}, 422, "text_input"),
        ({"text_input": "a", "inputs": []}, 422, "inputs"),
        ({"text_input": "a", "parameters": {"other": 1}}, 422, "other"),
        ({"text_input": "a", "parameters": {"temperature": -1}}, 422, "parameters"),
        ({"text_input": "a", "parameters": {"sequence_start": True}}, 422, "sequence_id"),
        ({"text_input": "a", "parameters": {"sequence_id": 2**64}}, 422, "parameters"),
        ({"text_input": "a", "parameters": {"sequence_id": -1}}, 422, "parameters"),
        ({"text_input": "a", "parameters": {"sequence_id": 99}}, 404, "99"),
    ],
)
def test_what_cannot_be_had_is_refused(client: TestClient, body: dict, status: int, word: str):
    """With a sentence, as the protocol has it."""
    answer = client.post("/v2/models/tiny/generate", json=body)

    assert (status, {"error"}) == (answer.status_code, answer.json().keys())
    assert word in answer.json()["error"]


def test_errors_of_http_have_the_shape_too(client: TestClient):
    """Routes, methods, bodies, models."""
    answers = [
        client.get("/v2/nothing"),
        client.post("/v2", json={}),
        client.post("/v2/models/tiny/generate", content=b"x"),
        client.post("/v2/models/other/generate", json={"text_input": ""}),
        client.post("/v2/models/tiny/infer", json={}),
    ]

    assert [404, 405, 415, 404, 404] == [answer.status_code for answer in answers]
    assert [str] * 5 == [type(answer.json()["error"]) for answer in answers]


def test_a_server_that_ends_is_not_ready(tmp_path: Path):
    """Nor are its models."""
    publish(tmp_path)
    app = create_app(Settings(model_store=tmp_path, max_rows=2))
    with TestClient(app) as client:
        app.state.service.draining = True
        found = [client.get(f"/v2/{path}") for path in ("health/ready", "models/tiny/ready")]

    assert [503, 503] == [answer.status_code for answer in found]
    assert [False, False] == [answer.json()["ready"] for answer in found]
