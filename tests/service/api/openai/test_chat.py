"""POST /v1/chat/completions: for models of chats only."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.artifacts.chat import ROLES, ChatTemplate
from service.settings import Settings
from tests.tiny_model import publish

MESSAGES = [{"role": "user", "content": "Hello!"}]
PROMPT = "user: Hello!\nassistant:"
ASKED = {"messages": MESSAGES, "max_tokens": 30, "seed": 5}


@pytest.fixture(scope="module")
def chats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A model that says how its chats are written."""
    store = tmp_path_factory.mktemp("chats")
    publish(store, chat_template=ChatTemplate(template=ROLES, stop=("\nuser:", "z")))
    with TestClient(create_app(Settings(model_store=store, max_rows=8))) as client:
        yield client


def chat(client: TestClient, **body) -> dict:
    """The answer."""
    answer = client.post("/v1/chat/completions", json={**ASKED, **body})
    assert 200 == answer.status_code, answer.text
    return answer.json()


def test_an_answer_goes_on_from_the_chat(chats: TestClient):
    """As the template writes it; it ends before what the manifest says."""
    answer = chat(chats)
    plain = {"prompt": PROMPT, "max_tokens": 30, "seed": 5, "stop": ["\nuser:", "z"]}
    text = chats.post("/generate", json=plain).json()["text"]
    [choice] = answer["choices"]

    assert ("chat.completion", "tiny@1") == (answer["object"], answer["model"])
    assert answer["id"].startswith("chatcmpl-")
    assert {"role": "assistant", "content": text.lstrip(" "), "refusal": None} == choice["message"]
    assert len(PROMPT) == answer["usage"]["prompt_tokens"]


def test_a_stream_says_who_speaks_and_then_what(chats: TestClient):
    """For each answer; the usage comes last."""
    body = {**ASKED, "n": 2, "stream": True, "stream_options": {"include_usage": True}}
    answer = chats.post("/v1/chat/completions", json=body)
    *data, done, _ = answer.text.split("\n\n")
    chunks = [json.loads(each.removeprefix("data: ")) for each in data]
    whole = chat(chats, n=2)
    said = ["", ""]
    for chunk in chunks:
        for choice in chunk["choices"]:
            said[choice["index"]] += choice["delta"].get("content", "")

    assert "data: [DONE]" == done
    assert [choice["message"]["content"] for choice in whole["choices"]] == said
    assert ["assistant"] * 2 == [c["choices"][0]["delta"].get("role") for c in chunks[:2]]
    assert {"chat.completion.chunk"} == {chunk["object"] for chunk in chunks}
    assert whole["usage"]["completion_tokens"] == chunks[-1]["usage"]["completion_tokens"]


def test_each_token_is_told_of(chats: TestClient):
    """With its bytes, and the best at its place."""
    [choice] = chat(chats, logprobs=True, top_logprobs=2)["choices"]
    tokens = choice["logprobs"]["content"]

    assert choice["message"]["content"] == "".join(t["token"] for t in tokens).lstrip(" ")
    assert {2} == {len(token["top_logprobs"]) for token in tokens}
    assert [list(token["token"].encode()) for token in tokens] == [t["bytes"] for t in tokens]


def test_contents_come_in_parts_too(chats: TestClient):
    """And messages without any are left out, as they are of the corpus."""
    parts = [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo!"}]
    in_parts = [{"role": "system", "content": None}, {"role": "user", "content": parts}]
    lines = [{"role": "user", "content": "Hel\nlo!"}]

    assert chat(chats, messages=in_parts)["choices"] == chat(chats, messages=lines)["choices"]
    assert 3 == chat(chats, max_completion_tokens=3)["usage"]["completion_tokens"]


def test_a_model_of_texts_does_not_chat(client: TestClient):
    """It says so, and what to use."""
    answer = client.post("/v1/chat/completions", json=ASKED)
    error = answer.json()["error"]

    assert (400, "model") == (answer.status_code, error["param"])
    assert "no chat template" in error["message"]
    assert "/v1/completions" in error["message"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user"}] * 1025}, "messages"),
        ({"messages": [{"content": "a"}]}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages"),
        ({"tools": []}, "tools"),
        ({"chat_template": "{{ 1 }}"}, "chat_template"),
        ({"chat_template_kwargs": {}}, "chat_template_kwargs"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"n": 10**9}, "n"),
        ({"n": 17}, "n"),
        ({"max_completion_tokens": 0}, "max_completion_tokens"),
    ],
)
def test_what_cannot_be_had_is_refused(chats: TestClient, body: dict, param: str):
    """A template out of a request above all."""
    answer = chats.post("/v1/chat/completions", json={**ASKED, **body})

    assert (400, param) == (answer.status_code, answer.json()["error"]["param"])
