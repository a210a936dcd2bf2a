"""POST /generate with choices and patterns."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings

CHOICES = ["Yes", "No", "O"]
REGEX = "(yes|no), my (lord|lady)[.!]"


@pytest.fixture(scope="module")
def constrained(store: Path) -> Iterator[TestClient]:
    """An application that holds texts to patterns, with the graph that serves."""
    settings = Settings(model_store=store, max_rows=8, constrained_output=True)
    with TestClient(create_app(settings)) as client:
        yield client


def test_a_choice_and_how_probable_each_was(client: TestClient):
    """Without any setting; whole, as a stream, and several."""
    asked = {"prompt": "Is it?", "choices": CHOICES, "choice_probabilities": True, "seed": 3}
    answer = client.post("/generate", json=asked).json()
    told = answer["choice_probabilities"]

    assert answer["text"] in CHOICES
    assert "stop" == answer["finish_reason"]
    assert CHOICES == [each["choice"] for each in told]
    assert pytest.approx(1) == sum(each["probability"] for each in told)

    stream = client.post("/generate", json={**asked, "stream": True}).text
    [event] = [json.loads(line[6:]) for line in stream.splitlines() if line.startswith("data: ")]
    assert (answer["text"], told) == (event["text"], event["choice_probabilities"])

    several = client.post("/generate", json={**asked, "n": 3}).json()
    assert answer["text"] == several["texts"][0]["text"]
    assert [told] * 3 == [text["choice_probabilities"] for text in several["texts"]]


def test_a_text_that_matches(constrained: TestClient):
    """The same whole, and as a stream that ends with it."""
    asked = {"prompt": "Is it?", "regex": REGEX, "seed": 3}
    answer = constrained.post("/generate", json=asked).json()
    stream = constrained.post("/generate", json={**asked, "stream": True}).text
    events = [json.loads(line[6:]) for line in stream.splitlines() if line.startswith("data: ")]

    assert re.fullmatch(REGEX, answer["text"])
    assert "stop" == answer["finish_reason"] == events[-1]["finish_reason"]
    assert answer["text"] == "".join(event["text"] for event in events)


def test_a_text_that_fits_a_schema(constrained: TestClient):
    """Of what this model can write."""
    answer = constrained.post("/generate", json={"json_schema": {"type": "boolean"}, "seed": 3})

    assert answer.json()["text"] in ("true", "false")


def test_openais_words(constrained: TestClient):
    """And vLLM's."""

    def texts(**more: object) -> list[str]:
        answer = constrained.post("/v1/completions", json={"prompt": "Is it?", "seed": 1, **more})
        assert 200 == answer.status_code, answer.text
        return [choice["text"] for choice in answer.json()["choices"]]

    schema = {"name": "truth", "schema": {"type": "boolean"}, "strict": True}
    [truth] = texts(response_format={"type": "json_schema", "json_schema": schema})
    assert truth in ("true", "false")
    assert {"a.b", "c"} >= {*texts(structured_outputs={"choice": ["a.b", "c"]}, n=4)}
    assert re.fullmatch("(ha)+!", texts(structured_outputs={"regex": "(ha){1,3}!"})[0])
    assert [16] == [len(text) for text in texts(response_format={"type": "text"})]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"choices": []}, "choices"),
        ({"choices": ["a"] * 65}, "choices"),
        ({"choices": ["a", ""]}, "choices"),
        ({"choices": ["a" * 1025]}, "choices"),
        ({"choices": ["\ud800"]}, "choices"),
        ({"choices": ["a", "b"], "top_p": 0.5}, "top_p"),
        ({"choices": ["a", "b"], "best_of": 2}, "best_of"),
        ({"choices": ["a"], "regex": "a"}, "regex"),
        ({"choice_probabilities": True}, "choice_probabilities"),
        ({"regex": ""}, "regex"),
        ({"regex": "a" * 5000}, "regex"),
        ({"regex": "a", "stop": "b"}, "stop"),
        ({"regex": "(a"}, "regex"),
        ({"regex": "[0-9]"}, "regex"),
        ({"json_schema": "boolean"}, "json_schema"),
        ({"json_schema": {"type": "boolean", "title": "a" * 5000}}, "json_schema"),
        ({"json_schema": {"type": "everything"}}, "json_schema"),
    ],
)
def test_what_cannot_be_had_is_refused(constrained: TestClient, body: dict, param: str):
    """With 422 and the field's name."""
    answer = constrained.post(
        "/generate", content=json.dumps(body), headers={"content-type": "application/json"}
    )

    assert (422, param) == (answer.status_code, answer.json()["error"]["param"])


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"response_format": {"type": "text", "json_schema": {"schema": {}}}}, "response_format"),
        ({"response_format": {"type": "xml"}}, "response_format"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"structured_outputs": {}}, "structured_outputs"),
        ({"structured_outputs": {"regex": "a", "choice": ["a"]}}, "structured_outputs"),
        ({"structured_outputs": {"choice": ["a" * 5000]}}, "structured_outputs"),
        ({"structured_outputs": {"regex": "a"}, "logit_bias": {"1": 2}}, "logit_bias"),
    ],
)
def test_what_cannot_be_had_is_refused_in_openais_words(
    constrained: TestClient, body: dict, param: str
):
    """No braces are among the characters of this model."""
    answer = constrained.post("/v1/completions", json=body)

    assert (400, param) == (answer.status_code, answer.json()["error"]["param"])


@pytest.mark.parametrize(
    "body",
    [{"regex": "a"}, {"json_schema": {"type": "boolean"}}],
    ids=lambda body: next(iter(body)),
)
def test_it_is_off_unless_it_is_set(client: TestClient, body: dict):
    """And the answer says what to set."""
    error = client.post("/generate", json=body).json()["error"]

    assert next(iter(body)) == error["param"]
    assert "--constrained-output" in error["message"]
