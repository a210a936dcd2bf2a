"""POST /v1/completions, as clients of OpenAI's API ask."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from tests.tiny_model import CHARACTERS, publish

K = CHARACTERS.index("K")


def complete(client: TestClient, **body) -> dict:
    """The answer."""
    answer = client.post("/v1/completions", json=body)
    assert 200 == answer.status_code, answer.text
    return answer.json()


def texts(client: TestClient, **body) -> list[str]:
    """All texts."""
    return [choice["text"] for choice in complete(client, **body)["choices"]]


def chunks(client: TestClient, **body) -> list[dict]:
    """All chunks of a stream."""
    answer = client.post("/v1/completions", json={**body, "stream": True})
    assert 200 == answer.status_code, answer.text
    *data, done, rest = answer.text.split("\n\n")
    assert ("data: [DONE]", "") == (done, rest)
    return [json.loads(each.removeprefix("data: ")) for each in data]


def native(client: TestClient, **body) -> dict:
    """What our own route writes."""
    return client.post("/generate", json=body).json()


@pytest.fixture(scope="module")
def ending(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A model that ends its texts with K, often."""
    store = tmp_path_factory.mktemp("ending")
    publish(store, end="K")
    with TestClient(create_app(Settings(model_store=store, max_rows=8))) as client:
        yield client


def test_the_answer_has_the_shape_that_clients_know(client: TestClient):
    """And the text that our own route writes with the same seed."""
    answer = complete(client, model="tiny", prompt="Once ", max_tokens=12, seed=5, user="me")
    written = native(client, prompt="Once ", max_tokens=12, seed=5)
    [choice] = answer["choices"]

    assert ("text_completion", "tiny@1") == (answer["object"], answer["model"])
    assert answer["id"].startswith("cmpl-")
    assert answer["created"] > 1_700_000_000
    assert {
        "index": 0,
        "text": written["text"],
        "logprobs": None,
        "finish_reason": "length",
        "stop_reason": None,
    } == choice
    assert (5, 12, 17) == tuple(
        answer["usage"][f"{name}_tokens"] for name in ("prompt", "completion", "total")
    )


def test_every_way_to_send_a_prompt(client: TestClient):
    """A text, texts, tokens, and lists of tokens; places are by prompt, then by choice."""
    ids = [CHARACTERS.index(c) for c in "Once "]
    asked = {"max_tokens": 10, "seed": 5}
    [once], [two] = (texts(client, prompt=p, **asked) for p in ("Once ", "Two"))
    [again] = texts(client, prompt="Once ", max_tokens=10, seed=6)
    several = complete(client, prompt=["Once ", "Two"], n=2, **asked)["choices"]

    assert [once] == texts(client, prompt=ids, **asked)
    assert [once, two] == texts(client, prompt=["Once ", "Two"], **asked)
    assert [once, once] == texts(client, prompt=[ids, ids], **asked)
    assert [0, 1, 2, 3] == [choice["index"] for choice in several]
    assert [once, again, two] == [choice["text"] for choice in several[:3]]
    assert texts(client, prompt=None, **asked) == texts(client, prompt="", **asked)


def test_a_stream_is_the_same_in_pieces(client: TestClient):
    """Of each text; the usage comes last, if it is wanted."""
    asked = {"prompt": ["Once ", "Two"], "n": 2, "max_tokens": 40, "seed": 3}
    found = chunks(client, **asked, stream_options={"include_usage": True})
    whole = complete(client, **asked)
    plain = chunks(client, **asked)
    written = ["", "", "", ""]
    for chunk in found:
        for choice in chunk["choices"]:
            written[choice["index"]] += choice["text"]

    assert [choice["text"] for choice in whole["choices"]] == written
    assert ([], 160) == (found[-1]["choices"], found[-1]["usage"]["completion_tokens"])
    assert {None} == {chunk["usage"] for chunk in found[:-1]}
    assert [] == [chunk for chunk in plain if "usage" in chunk]
    assert ["length"] * 4 == [
        c["finish_reason"] for k in plain for c in k["choices"] if c["finish_reason"]
    ]
    assert 1 == len({chunk["id"] for chunk in plain})


@pytest.mark.parametrize("streams", [False, True])
def test_a_prompt_is_echoed_with_its_probabilities(client: TestClient, streams: bool):
    """Those that `/score` tells; the lists lie side by side with the text."""
    asked = {"prompt": "Once ", "max_tokens": 12, "seed": 5, "echo": True, "logprobs": 2}
    if streams:
        parts = [choice for chunk in chunks(client, **asked) for choice in chunk["choices"]]
    else:
        parts = complete(client, **asked)["choices"]
    text = "".join(part["text"] for part in parts)
    told = {
        name: [each for part in parts for each in part["logprobs"][name]]
        for name in parts[0]["logprobs"]
    }
    [scored] = client.post("/score", json={"texts": [text], "logprobs": 2}).json()["scores"]

    assert "Once " + native(client, prompt="Once ", max_tokens=12, seed=5)["text"] == text
    assert [token["logprob"] for token in scored["tokens"]] == told["token_logprobs"]
    assert list(text) == told["tokens"]
    assert list(range(17)) == told["text_offset"]
    assert None is told["top_logprobs"][0]
    for token, top in zip(scored["tokens"][1:], told["top_logprobs"][1:], strict=True):
        assert {t["token"]: t["logprob"] for t in token["top"]}.items() <= top.items()
        assert token["logprob"] == top[token["token"]]
        assert len(top) <= 3


def test_no_more_is_told_than_is_asked_for(client: TestClient):
    """`logprobs: 0` tells of the tokens alone; the tokens' ids come when they are wanted."""
    [choice] = complete(
        client, prompt="Once ", max_tokens=6, seed=5, logprobs=0, return_token_ids=True
    )["choices"]
    [unscored] = complete(client, prompt="Once ", max_tokens=6, seed=5, echo=True)["choices"]

    assert [1] * 6 == [len(top) for top in choice["logprobs"]["top_logprobs"]]
    assert [CHARACTERS.index(c) for c in choice["text"]] == choice["token_ids"]
    assert [CHARACTERS.index(c) for c in "Once "] == choice["prompt_token_ids"]
    assert ("Once " + choice["text"], None) == (unscored["text"], unscored["logprobs"])


def test_the_best_of_several_is_given(client: TestClient):
    """Those with the highest log-probability per token, and all count as written."""
    asked = {"prompt": "Once ", "max_tokens": 10, "seed": 5, "logprobs": 0}
    every = complete(client, n=6, **asked)["choices"]
    best = complete(client, n=2, best_of=6, **asked)
    mean = {c["text"]: sum(c["logprobs"]["token_logprobs"]) / 10 for c in every}

    assert sorted(mean, key=lambda t: -mean[t])[:2] == [c["text"] for c in best["choices"]]
    assert [0, 1] == [choice["index"] for choice in best["choices"]]
    assert 60 == best["usage"]["completion_tokens"]


def test_biases_decide_what_is_drawn(client: TestClient):
    """100 is certain, -100 is never; a text beside it is as ever."""
    [plain] = texts(client, prompt="Once ", max_tokens=20, seed=5)
    first = str(CHARACTERS.index(plain[0]))
    [without] = texts(client, prompt="Once ", max_tokens=20, seed=5, logit_bias={first: -100})

    assert ["K" * 20] == texts(client, prompt="", max_tokens=20, logit_bias={str(K): 100})
    assert plain[0] not in without


def test_what_ends_a_text(ending: TestClient):
    """The model's own sign, a stop string, a stop token; and what holds them off."""
    asked = {"prompt": "Once ", "max_tokens": 30, "seed": 5}
    certain = {**asked, "logit_bias": {str(K): 100}}
    [plain] = complete(ending, **asked, ignore_eos=True)["choices"]
    at = CHARACTERS.index(plain["text"][9])
    cut = plain["text"].index(plain["text"][9])
    [by_token] = complete(ending, **asked, ignore_eos=True, stop_token_ids=[at])["choices"]
    [by_text] = complete(ending, **asked, ignore_eos=True, stop=[plain["text"][9], "zzz"])[
        "choices"
    ]
    [by_model] = complete(ending, **certain)["choices"]
    [held] = complete(ending, **certain, min_tokens=7)["choices"]

    assert ("length", 30) == (plain["finish_reason"], len(plain["text"]))
    assert (plain["text"][:cut], "stop", at) == tuple(
        by_token[name] for name in ("text", "finish_reason", "stop_reason")
    )
    assert (plain["text"][:cut], "stop", plain["text"][9]) == tuple(
        by_text[name] for name in ("text", "finish_reason", "stop_reason")
    )
    assert ("stop", None) == (by_model["finish_reason"], by_model["stop_reason"])
    assert len(by_model["text"]) <= 1
    assert "K" not in held["text"][:7]
    assert (7, "stop") == (len(held["text"].removesuffix("K")), held["finish_reason"])


def test_stop_tokens_are_held_off_too(ending: TestClient):
    """`min_tokens` counts what is written, not what is read."""
    asked = {"prompt": "Once upon", "max_tokens": 30, "logit_bias": {"20": 100}}
    [at_once] = texts(ending, **asked, stop_token_ids=[20])
    [later] = texts(ending, **asked, stop_token_ids=[20], min_tokens=7)

    assert "" == at_once
    assert 7 == len(later)


def test_prompts_are_shared_by_their_salt_only(client: TestClient):
    """Who asks with another one cannot tell what was asked before."""
    prompt = "Sing, O Muse, of the wrath of the son of Peleus, and of the grief of many. " * 4

    def cached(**salt: str) -> int:
        usage = complete(client, prompt=prompt, max_tokens=1, **salt)["usage"]
        return usage["prompt_tokens_details"]["cached_tokens"]

    assert 0 == cached(cache_salt="one")
    assert cached(cache_salt="one") > 0
    assert 0 == cached(cache_salt="two")
