"""POST /generate with `n` and `best_of`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.api.native.schemas import GenerateResponse
from service.api.native.several_schemas import SeveralResponse
from service.app import create_app
from service.settings import Settings
from tests.service.api.native.test_capsules import KEYS
from tests.service.api.native.test_generate import BODY, generate
from tests.service.api.native.test_resuming import events
from tests.service.api.native.test_sessions import create


@pytest.fixture(scope="module")
def keyed(store: Path) -> Iterator[TestClient]:
    """A server with a key for capsules."""
    settings = Settings(model_store=store, capsule_keys=KEYS, session_store="memory://")
    with TestClient(create_app(settings)) as client:
        yield client


def test_an_answer_has_all_texts(client: TestClient):
    """Each is what its seed gives alone; the usage is of all."""
    answer = generate(client, n=4)

    SeveralResponse.model_validate(answer)
    assert ["id", "model", "usage", "texts"] == list(answer)
    assert [0, 1, 2, 3] == [text["index"] for text in answer["texts"]]
    assert [3, 4, 5, 6] == [text["seed"] for text in answer["texts"]]
    assert (5, 160) == (
        answer["usage"]["prompt_tokens"],
        answer["usage"]["completion_tokens"],
    )
    for text in answer["texts"]:
        alone = generate(client, seed=text["seed"])
        assert (alone["text"], "length", 40) == (
            text["text"],
            text["finish_reason"],
            text["num_tokens"],
        )


def test_one_text_has_the_usual_answer(client: TestClient):
    """Whether `n` is 1, null or left out."""
    answers = [generate(client, **options) for options in ({}, {"n": 1}, {"n": None})]

    assert 1 == len({answer["text"] for answer in answers})
    assert 1 == len({tuple(answer) for answer in answers})


def test_the_best_of_some(client: TestClient):
    """One of them has the usual answer; several say how good they are, best first."""
    every = generate(client, n=6, logprobs=0)["texts"]
    means = {text["seed"]: sum(each["logprob"] for each in text["logprobs"]) / 40 for text in every}
    order = sorted(means, key=means.__getitem__, reverse=True)
    best = generate(client, best_of=6)
    two = generate(client, n=2, best_of=6)

    GenerateResponse.model_validate(best)
    assert [*generate(client)] == [*best]
    assert order[0] == best["seed"]
    assert generate(client, seed=order[0])["text"] == best["text"]
    assert 6 * 40 == best["usage"]["completion_tokens"]
    assert order[:2] == [text["seed"] for text in two["texts"]]
    assert [means[seed] for seed in order[:2]] == pytest.approx(
        [text["mean_logprob"] for text in two["texts"]]
    )
    assert "logprobs" not in two["texts"][0]


def test_many_log_probabilities_are_sent_in_pieces(client: TestClient):
    """They are those of each text alone."""
    answer = generate(client, n=2, logprobs=2, max_tokens=200)

    SeveralResponse.model_validate(answer)
    for text in answer["texts"]:
        alone = generate(client, seed=text["seed"], logprobs=2, max_tokens=200)
        assert alone["logprobs"] == text["logprobs"]


@pytest.mark.parametrize(
    ("options", "param", "word"),
    [
        ({"n": 0}, "n", "greater than or equal to 1"),
        ({"n": 17}, "n", "at most 16"),
        ({"n": 1, "best_of": 17}, "best_of", "at most 16"),
        ({"n": 3, "best_of": 2}, "best_of", "at least n, which is 3"),
        ({"best_of": 2, "stream": True}, "best_of", "leave out stream"),
    ],
)
def test_what_is_out_of_range_is_named(client: TestClient, options: dict, param: str, word: str):
    """With what to do."""
    answer = client.post("/generate", json=BODY | options)

    assert (422, param) == (answer.status_code, answer.json()["error"]["param"])
    assert word in answer.json()["error"]["message"]


def test_a_turn_of_a_session_is_one_text(client: TestClient):
    """For several there are forks; the session is as it was."""
    session = create(client, prompt="Once ", seed=9)
    answer = client.post("/generate", json={"session": session["id"], "n": 2, "max_tokens": 5})

    error = answer.json()["error"]
    assert (422, "n") == (answer.status_code, error["param"])
    assert "/sessions/{session_id}/fork" in error["message"]
    assert 0 == client.get(f"/sessions/{session['id']}").json()["version"]
    keyed = client.post("/generate", json=BODY | {"n": 2}, headers={"Idempotency-Key": "k"})
    assert (422, "Idempotency-Key") == (keyed.status_code, keyed.json()["error"]["param"])


def test_each_text_has_its_capsule_and_its_receipt(keyed: TestClient):
    """Each goes on as it would have alone; several texts go on from one capsule, too."""
    body = {"prompt": "Once ", "seed": 3, "max_tokens": 20, "return_capsule": True, "receipt": True}
    answer = keyed.post("/generate", json=body | {"n": 3}).json()
    for text in answer["texts"]:
        rest = keyed.post("/generate", json={"capsule": text["capsule"], "max_tokens": 20}).json()
        alone = keyed.post(
            "/generate", json={"prompt": "Once ", "seed": text["seed"], "max_tokens": 40}
        ).json()
        assert alone["text"] == text["text"] + rest["text"]
        assert (text["seed"], text["text"]) == (text["receipt"]["seed"], text["receipt"]["text"])
    capsule = answer["texts"][0]["capsule"]
    going_on = {"capsule": capsule, "prompt": " and", "max_tokens": 9}
    several = keyed.post("/generate", json=going_on | {"n": 3}).json()
    for text in several["texts"]:
        alone = keyed.post("/generate", json=going_on | {"seed": text["seed"]}).json()
        assert alone["text"] == text["text"]
    found = events(keyed.post("/generate", json=body | {"n": 2, "stream": True}).text)
    ends = {data["index"]: data for _, data in found if "finish_reason" in data}
    for index in (0, 1):
        assert answer["texts"][index]["receipt"]["end"] == ends[index]["receipt"]["end"]
        assert ends[index]["capsule"]


def test_the_prompt_is_read_once_and_that_is_told(store: Path):
    """By the server's own counters, without a cache."""
    settings = Settings(model_store=store, prefix_cache_bytes=0, max_rows=4, num_lanes=2)
    with TestClient(create_app(settings)) as client:
        answer = generate(client, n=9, prompt="abcde" * 30)
        [engine] = client.get("/health/ready").json()["models"].values()

    assert (150, 0) == (
        answer["usage"]["prompt_tokens"],
        answer["usage"]["cached_tokens"],
    )
    assert 8 * 150 == engine["tokens_saved"]


def test_several_are_refused_as_a_whole(store: Path):
    """When the answers together would take too much memory beside others; none of them starts."""
    settings = Settings(model_store=store, max_texts=3, max_rows=8)
    with TestClient(create_app(settings)) as client:
        inference = client.app.state.service.inference  # type: ignore[attr-defined]
        ticket = inference.accounts.accept(settings.max_result_bytes - 40 * 4 * 2)
        refused = client.post("/generate", json=BODY | {"n": 3})
        taken = client.post("/generate", json=BODY | {"n": 2})
        ticket.close()
        too_many = client.post("/generate", json=BODY | {"n": 4})

    assert (429, "overloaded") == (refused.status_code, refused.json()["error"]["code"])
    assert 200 == taken.status_code
    assert "n must be at most 3 here" in too_many.json()["error"]["message"]
