"""POST /score, /tokenize and /detokenize."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from tests.tiny_model import CHARACTERS, publish


def score(client: TestClient, texts: list[str], **fields) -> list[dict]:
    """Their scores."""
    answer = client.post("/score", json={"texts": texts, **fields})
    assert 200 == answer.status_code, answer.text
    return answer.json()["scores"]


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A model of items, which begin with a sign; little may be told of."""
    store = tmp_path_factory.mktemp("items")
    publish(store, start_before_prompt=True)
    settings = Settings(model_store=store, max_rows=4, max_tokens=64, max_prompt_tokens=100)
    with TestClient(create_app(settings)) as client:
        yield client


def test_a_text_that_was_written_has_the_probability_that_was_told(client: TestClient):
    """What `/generate` says of the tokens that it draws is what `/score` says of the same text."""
    asked = {"prompt": "Once ", "max_tokens": 30, "seed": 4, "logprobs": 2}
    written = client.post("/generate", json=asked).json()
    [scored] = score(client, ["Once " + written["text"]], logprobs=2)
    tokens = scored["tokens"]

    assert [token["logprob"] for token in written["logprobs"]] == [
        token["logprob"] for token in tokens[5:]
    ]
    assert [token["top"] for token in written["logprobs"]] == [t["top"] for t in tokens[5:]]
    assert (None, None, []) == tuple(
        tokens[0][name] for name in ("logprob", "surprisal_bits", "top")
    )
    assert list("Once ") == [token["token"] for token in tokens[:5]]


def test_the_figures_agree(client: TestClient):
    """Sums, means and perplexity are those of the tokens."""
    [scored] = score(client, ["Sing, O Muse!"])
    logprobs = [token["logprob"] for token in scored["tokens"][1:]]
    total = sum(logprobs)

    assert (13, 12, 13, 0) == tuple(
        scored[name] for name in ("num_tokens", "num_scored", "num_characters", "unknown_tokens")
    )
    assert pytest.approx(total) == scored["logprob"]
    assert pytest.approx(math.exp(-total / 12)) == scored["perplexity"]
    assert pytest.approx(-total / math.log(2)) == scored["surprisal_bits"]
    assert pytest.approx(-total / math.log(2) / 12) == scored["bits_per_token"]
    assert pytest.approx(-total / math.log(2) / 13) == scored["bits_per_character"]
    assert pytest.approx(total / 12) == scored["logprob_per_token"]
    assert [pytest.approx(-each / math.log(2)) for each in logprobs] == [
        token["surprisal_bits"] for token in scored["tokens"][1:]
    ]


def test_a_text_has_its_score_whatever_is_read_beside_it(client: TestClient):
    """Bit for bit, in a batch of more texts than there are rows."""
    texts = ["".join(CHARACTERS[(n * m) % 60] for m in range(1, 40 + n)) for n in range(40)]
    alone = [score(client, [text])[0] for text in texts[:5]]

    assert alone == score(client, texts)[:5]


def test_sums_alone_are_shorter(client: TestClient):
    """Without the tokens, with the same figures."""
    [long], [short] = score(client, ["Hello"]), score(client, ["Hello"], tokens=False)
    [single] = score(client, ["H"])

    assert {name: value for name, value in long.items() if name != "tokens"} == short
    assert (1, 0, None, None) == tuple(
        single[name] for name in ("num_tokens", "num_scored", "perplexity", "bits_per_token")
    )


def test_every_character_of_an_item_has_a_probability(items: TestClient):
    """The sign in front of it is read, and not told of."""
    [scored] = score(items, ["Ann"])

    assert (3, 3, ["A", "n", "n"]) == (
        scored["num_tokens"],
        scored["num_scored"],
        [token["token"] for token in scored["tokens"]],
    )


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({}, 422, "texts"),
        ({"texts": []}, 422, "texts"),
        ({"texts": ["a"] * 257}, 422, "texts"),
        ({"texts": [""]}, 422, "texts"),
        ({"texts": ["a", "\ufeff"]}, 422, "texts"),
        ({"texts": "a"}, 422, "texts"),
        ({"texts": ["\ud800"]}, 422, "texts"),
        ({"texts": ["a" * 101]}, 422, "texts"),
        ({"texts": ["a" * 40, "b" * 40]}, 422, "texts"),
        ({"texts": ["a"], "logprobs": 11}, 422, "logprobs"),
        ({"texts": ["a"], "timeout_s": 1e9}, 422, "timeout_s"),
        ({"texts": ["a"], "prompt": "b"}, 422, "prompt"),
        ({"texts": ["a"], "model": "other"}, 404, "model"),
    ],
)
def test_what_cannot_be_scored_is_refused(items: TestClient, body: dict, status: int, param):
    """With the field's name."""
    answer = items.post(
        "/score",
        content=json.dumps(body),
        headers={"content-type": "application/json"},
    )

    assert (status, param) == (answer.status_code, answer.json()["error"]["param"])
    assert [] == [  # and what was begun holds nothing
        model
        for model in items.get("/health/ready").json()["models"].values()
        if model["running"] + model["waiting"]
    ]


def test_sums_of_more_than_can_be_told(items: TestClient):
    """Are had without the tokens."""
    texts = ["a" * 40, "b" * 40]

    assert [40, 40] == [each["num_scored"] for each in score(items, texts, tokens=False)]


def test_a_text_is_tokens_and_the_tokens_are_the_text(client: TestClient):
    """Both ways, and how each token reads."""
    asked = {"prompt": "Hello, 中!", "return_token_strs": True}
    tokens = client.post("/tokenize", json=asked).json()
    text = client.post("/detokenize", json={"tokens": tokens["tokens"]}).json()

    assert ("tiny@1", 9, 0) == (tokens["model"], tokens["count"], tokens["unknown_tokens"])
    assert list("Hello, 中!") == tokens["token_strs"]
    assert [CHARACTERS.index(c) for c in "Hello, 中!"] == tokens["tokens"]
    assert {"model": "tiny@1", "prompt": "Hello, 中!"} == text


def test_what_a_text_begins_with_is_told(items: TestClient):
    """Unless that is not wanted; the unknown is counted."""
    whole = items.post("/tokenize", json={"prompt": "Añ"}).json()
    bare = items.post("/tokenize", json={"prompt": "Añ", "add_special_tokens": False}).json()
    empty = items.post("/tokenize", json={"prompt": ""}).json()

    assert [0, *bare["tokens"]] == whole["tokens"]
    assert (2, 1) == (bare["count"], bare["unknown_tokens"])
    assert [0] == empty["tokens"]


@pytest.mark.parametrize("tokens", [[-1], [10**6], [2**70], ["a"], "a", [0] * 101, [1.5], None])
def test_what_are_no_tokens_is_refused(items: TestClient, tokens: object):
    """Ids of another vocabulary, too many of them, and what are no ids."""
    answer = items.post("/detokenize", json={"tokens": tokens})

    assert (422, "tokens") == (answer.status_code, answer.json()["error"]["param"])
