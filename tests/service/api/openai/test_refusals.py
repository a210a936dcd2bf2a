"""What POST /v1/completions refuses, and how: as OpenAI's clients know it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from tests.service.api.openai.test_completions import texts
from tests.tiny_model import VOCABULARY_SIZE, publish


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"prompt": []}, 400, "prompt"),
        ({"prompt": [True]}, 400, "prompt"),
        ({"prompt": [[]]}, 400, "prompt"),
        ({"prompt": ["a", 1]}, 400, "prompt"),
        ({"prompt": {"a": 1}}, 400, "prompt"),
        ({"prompt": ["a"] * 257}, 400, "prompt"),
        ({"prompt": [10**9]}, 400, "prompt"),
        ({"prompt": [-1]}, 400, "prompt"),
        ({"prompt": "\ud800"}, 400, "prompt"),
        ({"n": 0}, 400, "n"),
        ({"n": 10**9}, 400, "n"),
        ({"n": 17}, 400, "n"),
        ({"prompt": ["a"] * 100, "n": 3}, 400, "n"),
        ({"best_of": 10**9}, 400, "best_of"),
        ({"best_of": 17}, 400, "best_of"),
        ({"best_of": 1, "n": 2}, 400, "best_of"),
        ({"best_of": 2, "stream": True}, 400, "best_of"),
        ({"logprobs": -1}, 400, "logprobs"),
        ({"logprobs": VOCABULARY_SIZE}, 400, "logprobs"),
        ({"logit_bias": {"65": 1}}, 400, "logit_bias"),
        ({"logit_bias": {"-1": 1}}, 400, "logit_bias"),
        ({"logit_bias": {"a": 1}}, 400, "logit_bias"),
        ({"logit_bias": {"1": 101}}, 400, "logit_bias"),
        ({"logit_bias": {"1": "2"}}, 400, "logit_bias"),
        ({"logit_bias": {str(n): 1 for n in range(1025)}}, 400, "logit_bias"),
        ({"logit_bias": [1]}, 400, "logit_bias"),
        ({"stop_token_ids": [65]}, 400, "stop_token_ids"),
        ({"stop_token_ids": [2**80]}, 400, "stop_token_ids"),
        ({"stop_token_ids": [*range(65)], "min_tokens": 1}, 400, "stop_token_ids"),
        ({"min_tokens": 17}, 400, "min_tokens"),
        ({"min_tokens": -1}, 400, "min_tokens"),
        ({"max_tokens": 0}, 400, "max_tokens"),
        ({"max_tokens": 2**31}, 400, "max_tokens"),
        ({"seed": 2**63}, 400, "seed"),
        ({"temperature": 11}, 400, "temperature"),
        ({"suffix": "end"}, 400, "suffix"),
        ({"stream_options": {"include_usage": True}}, 400, "stream_options"),
        ({"stream": True, "stream_options": {"other": 1}}, 400, "stream_options"),
        ({"stream": True, "stream_options": {"include_obfuscation": True}}, 400, "stream_options"),
        ({"use_beam_search": True}, 400, "use_beam_search"),
        ({"model": "other"}, 404, "model"),
    ],
)
def test_what_cannot_be_had_is_refused(client: TestClient, body: dict, status: int, param: str):
    """In OpenAI's shape, with the field's name; nothing is left running."""
    content = json.dumps({"prompt": "Once ", **body})
    answer = client.post(
        "/v1/completions", content=content, headers={"content-type": "application/json"}
    )
    error = answer.json()["error"]

    assert (status, param) == (answer.status_code, error["param"]), error
    assert {"message", "type", "param", "code"} == error.keys()
    assert "invalid_request_error" == error["type"]
    assert answer.headers["x-request-id"]
    report = client.get("/health/ready").json()["models"]["tiny@1"]
    assert (0, 0) == (report["running"], report["waiting"])


def test_what_means_nothing_may_be_said(client: TestClient):
    """Client libraries send null for what was not set."""
    names = "best_of logit_bias logprobs max_tokens n stop stream suffix echo seed user top_p"
    usual = dict.fromkeys(names.split())

    assert 16 == len(texts(client, prompt="Once ", **usual)[0])


def test_errors_of_http_have_the_shape_too(client: TestClient):
    """Whatever refuses: the body, the route, the method, the bounds of bodies."""
    json_type = {"content-type": "application/json"}
    answers = [
        client.post("/v1/completions", content=b"{", headers=json_type),
        client.post("/v1/completions", content=b"{}", headers={"content-type": "text/html"}),
        client.post("/v1/completions", content=b" " * 2_000_000, headers=json_type),
        client.post("/v1/embeddings", json={}),
        client.get("/v1/completions"),
        client.get("/v1/models/other"),
    ]

    assert [400, 415, 413, 404, 405, 404] == [answer.status_code for answer in answers]
    assert {"invalid_request_error"} == {answer.json()["error"]["type"] for answer in answers}
    assert "POST" == answers[4].headers["allow"]


def test_a_server_that_ends_says_when_to_come_back(tmp_path: Path):
    """In both headers that clients of OpenAI look at."""
    publish(tmp_path)
    app = create_app(Settings(model_store=tmp_path, max_rows=2))
    with TestClient(app) as client:
        app.state.service.draining = True
        answer = client.post("/v1/completions", json={"prompt": "a"})

    assert (503, "5", "5000") == (
        answer.status_code,
        answer.headers["retry-after"],
        answer.headers["retry-after-ms"],
    )
    assert "x-should-retry" not in answer.headers
    assert ("server_error", "shutting_down") == (
        answer.json()["error"]["type"],
        answer.json()["error"]["code"],
    )


def test_the_models_are_listed(client: TestClient):
    """The default one first, each under the name that requests take."""
    found = client.get("/v1/models").json()

    assert ("list", ["tiny@1"]) == (found["object"], [model["id"] for model in found["data"]])
    assert ["tiny", "tiny@1"] == [
        client.get(f"/v1/models/{name}").json()["id"] for name in ("tiny", "tiny@1")
    ]
