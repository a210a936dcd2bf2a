"""Requests are what the server takes, and no prompt comes twice."""

from __future__ import annotations

import itertools
import json
import random

import pytest

from service.api.native.generate_schemas import GenerateRequest
from service.load.target import Target
from service.load.workload import Workload, fresh_prompts


@pytest.mark.parametrize("length", [10, 32, 33, 100_000])
def test_no_prompt_begins_like_another(length: int):
    """Of that length, and of those characters."""
    prompts = fresh_prompts("abcdefghijklmnopqrst", length, random.Random(1))
    some = list(itertools.islice(prompts, 50))

    assert 50 == len({prompt[:32] for prompt in some})
    assert {length} == {len(prompt) for prompt in some}
    assert set("abcdefghijklmnopqrst") >= set("".join(some))


@pytest.mark.parametrize(("alphabet", "length"), [("ab", 39), ("aaaa", 1000), ("", 9), ("abcd", 1)])
def test_too_few_prompts_are_an_error(alphabet: str, length: int):
    """Before the first request."""
    with pytest.raises(ValueError, match="too few prompts"):
        fresh_prompts(alphabet, length, random.Random(1))


@pytest.mark.parametrize(
    "workload",
    [
        Workload(),
        Workload(9, stream=False, temperature=0.8),
        Workload(9, stream_every=2, model="a"),
    ],
)
def test_the_server_understands_the_body(workload: Workload):
    """With a seed of its own each."""
    first, second = workload.bodies(iter(["é", "b"]), random.Random(1))
    asked = GenerateRequest.model_validate_json(first)

    assert ("é", workload.max_tokens, workload.model) == (
        asked.prompt,
        asked.max_tokens,
        asked.model,
    )
    assert (workload.stream, workload.stream_every) == (asked.stream, asked.stream_every)
    assert asked.seed != json.loads(second)["seed"]


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("http://a", "a", 80, "/generate"),
        ("https://a:9/x/", "a", 9, "/x/generate"),
        ("http://[::1]:8000", "::1", 8000, "/generate"),
    ],
)
def test_a_url_is_a_target(url: str, host: str, port: int, path: str):
    """Https has a context of TLS."""
    target = Target.of(url, "secret")

    assert (host, port, path) == (target.host, target.port, target.path)
    assert url.startswith("https") is (target.tls is not None)
    head = target.request(b"{}").decode()
    assert f"POST {path} HTTP/1.1\r\n" in head
    assert "\r\nAuthorization: Bearer secret\r\n\r\n{}" in head
    assert "secret" not in repr(target)


@pytest.mark.parametrize("url", ["a", "ftp://a", "http://", "http://a:b", "http://a?b", "http://ä"])
def test_what_is_no_url_is_an_error(url: str):
    """That says something."""
    with pytest.raises(ValueError, match=r"\w"):
        Target.of(url)
