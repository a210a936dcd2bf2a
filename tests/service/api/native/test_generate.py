"""POST /generate: what is asked for is what comes."""

from __future__ import annotations

import json
import math
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient
from httpx_sse import EventSource

from service.api.native.schemas import GenerateEvent, GenerateResponse
from service.app import create_app
from service.engine.worker import Engine
from service.settings import Settings
from tests.tiny_model import CHARACTERS, publish

BODY = {"prompt": "Once ", "max_tokens": 40, "seed": 3}


def generate(client: TestClient, **options) -> dict:
    """One answer."""
    response = client.post("/generate", json=BODY | options)
    assert 200 == response.status_code, response.text
    return response.json()


def events(client: TestClient, **options) -> list[dict]:
    """All events of a stream, by an SSE parser that is not ours."""
    response = client.post("/generate", json=BODY | options | {"stream": True})
    assert 200 == response.status_code, response.text
    source = EventSource(httpx.Response(200, headers=response.headers, content=response.content))
    found = list(source.iter_sse())
    assert {"message"} == {event.event for event in found}
    return [json.loads(event.data) for event in found]


def test_an_answer_says_everything(client: TestClient):
    """Text, why it ended, what it was drawn with, and what it took; no prompt in the text."""
    answer = generate(client)

    assert answer["id"].startswith("g_")
    assert 40 == len(answer["text"])
    assert {
        "model": "tiny@1",
        "session": None,
        "finish_reason": "length",
        "seed": 3,
        "usage": {
            "prompt_tokens": 5,
            "cached_tokens": 0,
            "completion_tokens": 40,
            "unknown_tokens": 0,
        },
    } == {name: answer[name] for name in answer if name not in ("id", "text")}
    GenerateResponse.model_validate(answer)


def test_a_prompt_that_was_read_before_is_not_read_again(client: TestClient):
    """The text is the same, `cached_tokens` tells; not for the holder of another API key."""
    body = {"prompt": "The quick brown fox jumps over the lazy dog", "seed": 1, "max_tokens": 9}
    keys = [{}, {}, {"Authorization": "Bearer x"}, {"Authorization": "Bearer x"}]
    answers = [client.post("/generate", json=body, headers=key).json() for key in keys]

    assert [0, 43, 0, 43] == [answer["usage"]["cached_tokens"] for answer in answers]
    assert {43} == {answer["usage"]["prompt_tokens"] for answer in answers}
    assert 1 == len({answer["text"] for answer in answers})
    [engine] = client.get("/health/ready").json()["models"].values()
    assert engine["tokens_saved"] >= 86
    assert engine["cached_prompts"] >= 2
    assert engine["cache_bytes"] > 0


def test_a_stream_says_the_same(client: TestClient):
    """Every event is of the documented form, and together they are the answer."""
    streamed = events(client)
    answer = generate(client)

    for event in streamed:
        GenerateEvent.model_validate(event)
    assert answer["text"] == "".join(event["text"] for event in streamed)
    last = streamed[-1]
    for name in ("model", "session", "finish_reason", "seed", "usage"):
        assert answer[name] == last[name]
    assert not any("finish_reason" in event for event in streamed[:-1])


def test_without_a_seed_one_is_drawn_and_told(client: TestClient):
    """The text can be had again."""
    first = generate(client, seed=None)
    second = generate(client, seed=None)

    assert first["seed"] != second["seed"]
    assert first["text"] != second["text"]
    assert first["text"] == generate(client, seed=first["seed"])["text"]


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0.3},
        {"top_k": 2},
        {"top_p": 0.4},
        {"min_p": 0.5},
        {"repetition_penalty": 1.8},
        {"presence_penalty": 1.5},
        {"frequency_penalty": 2},
        {"seed": 4},
        {"prompt": "Twice "},
    ],
)
def test_every_option_reaches_the_sampler(client: TestClient, options: dict):
    """It changes the text, and in the same way every time."""
    changed = generate(client, **options)["text"]

    assert generate(client)["text"] != changed
    assert changed == generate(client, **options)["text"]


@pytest.mark.parametrize("same", [{"temperature": 0}, {"top_k": 1}, {"min_p": 1}, {"top_p": 1e-9}])
def test_the_most_probable_token_needs_no_seed(client: TestClient, same: dict):
    """There are four ways to ask for it."""
    greedy = generate(client, temperature=0, seed=1)["text"]

    assert greedy == generate(client, seed=2, **same)["text"]


@pytest.mark.parametrize("stream_every", [None, 1, 3])
def test_a_stop_string_never_shows(client: TestClient, stream_every: int | None):
    """Wherever the events cut it; the text before it is the same."""
    whole = generate(client, max_tokens=200)["text"]
    stop = whole[50:54]
    expected = whole[: whole.index(stop)]
    streamed = events(client, max_tokens=200, stop=["~~", stop], stream_every=stream_every)

    assert expected == "".join(event["text"] for event in streamed)
    assert "stop" == streamed[-1]["finish_reason"]
    assert len(expected) + 4 == streamed[-1]["usage"]["completion_tokens"]
    assert expected == generate(client, max_tokens=200, stop=stop)["text"]


def test_what_only_looks_like_a_stop_string_shows_in_the_end(client: TestClient):
    """Held back, not lost."""
    whole = generate(client)["text"]

    assert whole == generate(client, stop=[whole[-3:] + "~"])["text"]


def test_stream_every_bounds_an_event(client: TestClient):
    """And the counts add up to the completion."""
    streamed = events(client, stream_every=3)

    assert {1, 2, 3} >= {event["num_tokens"] for event in streamed if event["text"]}
    assert 40 == sum(event["num_tokens"] for event in streamed)


@pytest.mark.parametrize("num_top", [0, 3])
def test_logprobs_are_of_the_text(client: TestClient, num_top: int):
    """One for each token, with so many candidates, best first."""
    answer = generate(client, logprobs=num_top)
    streamed = events(client, logprobs=num_top, stream_every=2)

    assert answer["text"] == "".join(token["token"] for token in answer["logprobs"])
    assert answer["logprobs"] == [token for event in streamed for token in event["logprobs"]]
    for token in answer["logprobs"]:
        assert num_top == len(token["top"])
        assert token["logprob"] < 0
        values = [candidate["logprob"] for candidate in token["top"]]
        assert values == sorted(values, reverse=True)
        assert sum(math.exp(value) for value in values) < 1


def test_logprobs_end_where_the_text_ends(client: TestClient):
    """Not where the engine was when the stop string was found."""
    whole = generate(client, max_tokens=100)["text"]
    answer = generate(client, max_tokens=100, stop=whole[60:63], logprobs=0)

    assert answer["text"] == "".join(token["token"] for token in answer["logprobs"])


def test_an_empty_prompt_starts_a_text(client: TestClient):
    """From the model's start token, which counts as read."""
    answer = generate(client, prompt="")

    assert 1 == answer["usage"]["prompt_tokens"]
    assert generate(client, prompt=CHARACTERS[0])["text"] == answer["text"]


def test_a_character_that_the_model_never_saw(client: TestClient):
    """It reads as one unknown token, and none is ever written."""
    answer = generate(client, prompt="\N{SNOWMAN}\N{GRINNING FACE}", max_tokens=300)

    assert 2 == answer["usage"]["prompt_tokens"]
    assert 300 == len(answer["text"])
    assert generate(client, prompt="ΩΩ", max_tokens=300)["text"] == answer["text"]


def test_a_model_of_items_reads_a_start_before_every_prompt(tmp_path: Path):
    """But a session goes on without, and the start is never drawn."""
    publish(tmp_path, start_before_prompt=True)
    with TestClient(create_app(Settings(model_store=tmp_path))) as client:
        assert 6 == generate(client, prompt="Once ")["usage"]["prompt_tokens"]
        assert 1 == generate(client, prompt="")["usage"]["prompt_tokens"]
        assert CHARACTERS[0] not in generate(client, prompt="", max_tokens=500)["text"]
        session = client.post("/sessions", json={"prompt": "On", "seed": 3}).json()
        assert 3 == session["num_tokens"]
        answer = generate(client, prompt="ce ", session=session["id"], seed=None)
        assert 3 == answer["usage"]["prompt_tokens"]
        assert generate(client, prompt="Once ")["text"] == answer["text"]


def test_the_end_token_ends_a_text(tmp_path: Path):
    """With its own reason, and without a trace in the text."""
    publish(tmp_path, end="e")
    with TestClient(create_app(Settings(model_store=tmp_path))) as client:
        answer = generate(client, max_tokens=2000)

    assert "eos" == answer["finish_reason"]
    assert answer["usage"]["completion_tokens"] < 2000


@pytest.mark.parametrize(
    ("given", "kept"),
    [("mine-1.2_3", True), ("", False), ("a" * 129, False), ("with space", False), ('"', False)],
)
def test_a_request_id_is_kept_if_it_is_one(client: TestClient, given: str, kept: bool):
    """Anything else is replaced, never reflected."""
    response = client.post("/generate", json=BODY, headers={"X-Request-Id": given})

    assert kept == (given == response.headers["x-request-id"])


def test_the_models_own_defaults_come_before_the_servers(tmp_path: Path):
    """A manifest may say how its model is best drawn from; the request has the last word."""
    manifest = publish(tmp_path) / "manifest.json"
    content = json.loads(manifest.read_text(encoding="utf-8"))
    content["defaults"]["temperature"] = 0
    manifest.write_text(json.dumps(content), encoding="utf-8")
    with TestClient(create_app(Settings(model_store=tmp_path))) as client:
        assert generate(client, seed=1)["text"] == generate(client, seed=2)["text"]
        assert generate(client, seed=1)["text"] != generate(client, seed=1, temperature=1)["text"]


def test_the_interface_is_documented(client: TestClient):
    """Examples, the form of events, and each dialect's own shape for every error."""
    document = client.get("/openapi.json").json()
    schemas = document["components"]["schemas"]

    assert schemas["GenerateRequest"]["examples"]
    assert 200 == client.get("/docs").status_code
    assert "HTTPValidationError" not in schemas
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for status, response in operation["responses"].items():
                if status >= "400" and not path.startswith("/health"):
                    reference = response["content"]["application/json"]["schema"]["$ref"]
                    dialect = {"v1": "OpenAI", "v2": "KServe"}.get(path.split("/")[1], "")
                    shape = f"/{dialect}ErrorResponse"
                    assert reference.endswith(shape), (path, method, status)
    answers = document["paths"]["/generate"]["post"]["responses"]["200"]["content"]
    assert {"application/json", "text/event-stream"} == set(answers)


@pytest.mark.parametrize("most", [1, 2])
def test_an_event_has_no_more_tokens_than_were_asked_for(client: TestClient, most: int):
    """Also where text is held back, which may be the beginning of a stop string."""
    whole = generate(client)["text"]
    found = events(client, stream_every=most, stop=[whole[3:9] + "\x00", whole[20:22]])

    assert most >= max(event["num_tokens"] for event in found)
    assert any(event["text"] == "" for event in found[:-1])
    assert whole[: whole.index(whole[20:22])] == "".join(event["text"] for event in found)


def test_the_size_of_events_is_for_streams(client: TestClient):
    """An option that nobody would look at is refused by name."""
    response = client.post("/generate", json=BODY | {"stream_every": 3})

    assert (422, "stream_every") == (response.status_code, response.json()["error"]["param"])


def test_a_stream_that_is_over_its_time_before_it_began_is_a_504(
    store: Path, monkeypatch: pytest.MonkeyPatch
):
    """Like any answer; also of an engine that does nothing at all."""
    monkeypatch.setattr(Engine, "run_once", lambda *_: False)
    with TestClient(create_app(Settings(model_store=store, max_rows=1))) as client:
        for stream in (False, True):
            response = client.post("/generate", json=BODY | {"stream": stream, "timeout_s": 0.05})

            assert (504, "timeout") == (response.status_code, response.json()["error"]["code"])
